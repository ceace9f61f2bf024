"""Publish: what was approved is frozen, signed and written as files that stay.

It takes an approval's number and nothing else: who approves, with which words and which one-time
code, is entered on the approval page (`deployments/page/approval.py`) or at the command, and
judged there at once. Nothing is written before every check has passed.
"""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.utilities.annotations import quote

from flows.artifacts import publish_publication
from flows.forms import answers_entries, done, field, refused
from flows.lost_runs import tell_lost_run
from flows.progress import progress
from tasks.clock import now
from tasks.publish.pages import publication_message
from tasks.render.sets import sets_folder
from tasks.settings import Settings
from tasks.steps import notify_step, prepare_lake_step, publish_step, sets_step
from tasks.watch.notify import edition_messages
from warehouse.errors import NianbaoError

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
    if sets_folder(published.folder).exists():
        # What organs were given says 待发布; they get it as it was published.
        place = sets_folder(published.folder)
        told = progresses.told
        sets_step(quote(published.edition), place, lake, progress=told)  # type: ignore[call-overload]
    publish_publication(published, settings)
    reference = published.edition.reference
    notify_step(
        lake,
        settings,
        [*edition_messages(published.edition), publication_message(published)],
        now=now(),
        scope=[f"waiting/{reference}", f"blocking/{reference}"],
    )
    return done(
        f"版次 {published.edition.id} 已由{published.approver}批准发布,文件已冻结。"
        f"核对码 {published.checkpoint},请抄存在系统之外",
        data=published.edition.id,
    )
