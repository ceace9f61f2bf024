"""Take in the cities' editions into the lake of their province, every night after the cities' own
runs. Nothing is built: an edition of the province is built by the year-end, from what was taken."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.utilities.annotations import quote

from flows.artifacts import publish_taken
from flows.forms import answers_entries, done, ended, field, refused
from flows.lost_runs import tell_lost_run
from flows.progress import progress
from tasks.city.province import cities_of_province
from tasks.clock import now
from tasks.editions.take import check_is_province
from tasks.settings import Settings, settings_of_all
from tasks.steps import notify_step, prepare_lake_step, take_step
from tasks.watch.province import stale_editions, stale_messages
from warehouse.errors import NianbaoError

CITY_UNSEEN = "有市没有读到"
"""The name of the final state when some city's lake could not be read, or is not as it was built."""


@flow(
    name="take-editions",
    description="取入各市版次：把各市待发布或已发布的版次取入省的湖，不取记录。",
    flow_run_name=lambda: f"取入各市版次 {now():%Y-%m-%d %H:%M}",
    on_crashed=[tell_lost_run],
    on_failure=[tell_lost_run],
    validate_parameters=False,
)
@answers_entries
def take(
    published_only: Annotated[
        bool,
        field("只取已发布的", "不勾选时取各市最新的版次,包括待发布的;勾选时只取已发布的。"),
    ] = False,
) -> State[None]:
    """取入各市版次。"""
    settings = Settings()
    lake = settings.lake()
    try:
        check_is_province(settings.city)
        cities = settings_of_all()
        names = cities_of_province(settings.city)
        with progress(len(names)) as progresses:
            prepare_lake_step(lake, settings.city, now())
            found = take_step(
                lake,
                settings.city,
                # Prefect would look through all settings for results of other tasks.
                quote(cities),
                is_published_only=published_only,
                now=now(),
                progress=progresses.step,
            )
        with lake.read() as connection:
            stale = stale_editions(connection)
    except NianbaoError as error:
        return refused(error)
    publish_taken(found, stale, names)
    notify_step(lake, settings, stale_messages(stale, names), now=now(), scope=["stale/"])
    told = found.told
    if stale:
        told += f";版次 {'、'.join(stale)} 已不是各市的现行数字,须重新编制"
    if found.unseen:
        unseen = "、".join(one.name for one in found.unseen)
        return ended(CITY_UNSEEN, f"没有读到:{unseen}。{told}")
    return done(told)
