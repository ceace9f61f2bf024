"""Publish: a pending edition is answered for, approved and frozen.

A flow of its own over an edition that waits, so that building and approving are two acts of
two people. Nothing is written before every check has passed.
"""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.utilities.annotations import quote
from pydantic import BaseModel

from flows.artifacts import publish_publication
from flows.forms import UNCHOSEN, answers_entries, done, field, refused
from flows.lost_runs import tell_lost_run
from flows.progress import progress
from tasks.clock import now
from tasks.publish.publish import Request
from tasks.render.sets import sets_folder
from tasks.settings import Settings
from tasks.steps import notify_step, prepare_lake_step, publish_step, sets_step
from tasks.watch.notify import edition_messages
from warehouse.errors import NianbaoError

STEPS = 4
"""Fingerprint, data, files, approval."""


class Answer(BaseModel):
    """一项答复。"""

    finding: Annotated[
        str,
        field("阻断问题", "规则代码(如 B3)答复该规则的全部问题;或核对项的键(如 B3.t3.granted)。"),
    ] = ""
    reason: Annotated[str, field("理由", "为什么可以带着这个问题发布。")] = ""


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
    edition: Annotated[str, field("版次编号", "年终编制结果中的编号,如 2020-1。")] = "",
    approver: Annotated[str, field("批准人", "批准发布的人。")] = "",
    statement: Annotated[str, field("批准意见", "如:同意发布。")] = "",
    code: Annotated[
        str,
        field("一次性验证码", "批准人手机验证器当前显示的六位数字;未设批准人名单时不填。"),
    ] = "",
    answers: Annotated[
        list[Answer],
        field("对阻断问题的答复", "有阻断问题时逐项写明理由;没有则不填。"),
    ] = [],  # noqa: B006 — the form shows it as an empty list; it is never changed
    stale_reason: Annotated[
        str,
        field("数据已变仍按原数发布的理由", "编制之后数据变动影响了数字、又确要按原数发布时填写。"),
    ] = "",
) -> State[str]:
    """发布版次。"""
    settings = Settings()
    lake = settings.lake()
    request = Request(
        edition_id=edition.strip(),
        approver="" if approver == UNCHOSEN else approver,
        statement=statement,
        code=code,
        # The first word is the rule; the form shows its title after it.
        answers={a.finding.split()[0]: a.reason for a in answers if a.finding.strip()},
        stale_reason=stale_reason,
    )
    try:
        with progress(STEPS) as progresses:
            prepare_lake_step(lake, settings.city, now())
            published = publish_step(lake, settings, request, now=now(), progress=progresses.step)
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
        edition_messages(published.edition),
        now=now(),
        scope=[f"waiting/{reference}", f"blocking/{reference}"],
    )
    return done(
        f"版次 {published.edition.id} 已由{published.approver}批准发布,文件已冻结",
        data=published.edition.id,
    )
