"""Publish: what was approved is frozen, signed and written as files that stay.

It takes an approval's number and nothing else: who approves, with which words and which one-time
code, is entered on the approval page (`deployments/page/pages/approval.py`) or at the command, and
judged there at once. Nothing is written before every check has passed.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.utilities.annotations import quote

from flows.artifacts import publish_publication
from flows.forms import answers_entries, done, field, refused
from flows.lost_runs import tell_lost_run
from flows.progress import progress
from tasks.clock import now
from tasks.publish.pages import publication_message
from tasks.publish.publish import Published
from tasks.render.sets import sets_folder
from tasks.settings import Settings
from tasks.steps import notify_step, prepare_lake_step, publish_step, sets_step
from tasks.watch.notify import edition_messages
from tasks.wording.typeset import typeset
from warehouse.disk import reason_of
from warehouse.errors import NianbaoError
from warehouse.lake import Lake
from warehouse.shelf import Shelf

STEPS = 4
"""Fingerprint, data, files, approval."""


@flow(
    name="publish",
    description="发布：批准一个待发布的版次并冻结。发布后不能再改，更正须另编新版。",
    flow_run_name=lambda: f"发布 {now():%Y-%m-%d %H:%M}",
    on_crashed=[tell_lost_run],
    on_failure=[tell_lost_run],
    validate_parameters=False,
)
@answers_entries
def publish(
    approval: Annotated[
        str,
        field(
            "批准编号",
            "批准之后得到的编号。批准在批准页进行(年终编制的结果页有链接),验证码只在那里填写。",
        ),
    ] = "",
) -> State[str]:
    """发布版次。"""
    settings = Settings()
    lake = settings.lake()
    try:
        with progress(STEPS) as progresses:
            prepare_lake_step(lake, settings.city, now())
            published = publish_step(
                lake, settings, approval.strip(), now=now(), progress=progresses.step
            )
    except NianbaoError as error:
        return refused(error)
    publish_publication(published, settings)
    reference = published.edition.reference
    notify_step(
        lake,
        settings,
        [*edition_messages(published.edition), publication_message(published)],
        now=now(),
        scope=[f"waiting/{reference}", f"blocking/{reference}"],
    )
    # Last of all: whatever becomes of the sets, it was published, and those concerned know.
    left = _sets(published, lake, settings.edition_shelf, progresses.told)
    return done(
        f"版次 {published.edition.id} 已由{published.approver}批准发布,文件已冻结。"
        f"核对码 {published.checkpoint},请抄存在系统之外{left}",
        data=published.edition.id,
    )


def _sets(published: Published, lake: Lake, shelf: Shelf, told: Callable[[str], None]) -> str:
    """Write the organs' sets once more, where there are some: what organs were given says 待发布.
    Returns what to tell of it; a failure does not undo what was published."""
    place = sets_folder(published.folder)
    try:
        if not shelf.has(place.name):
            return ""
        sets_step(quote(published.edition), place, lake, shelf, progress=told)  # type: ignore[arg-type]
    except Exception as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        text = typeset(
            f"各机关成套文件没有换成发布后的({reason or type(error).__name__}),"
            f"{place} 中仍是待发布时的,请勿下发;请把日志交给维护人员"
        )
        get_run_logger().error("%s", text)
        get_run_logger().info("%s", "".join(traceback.format_exception(error)))
        return f"。{text}"
    return ""
