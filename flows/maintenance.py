"""Maintenance, every night: small files merged, snapshots that no edition pins expired.

The forms are brought up to the day as well, and long logs put aside. The history of runs is
vacuumed by the server itself (`NIANBAO_KEEP_RUN_DAYS`).
"""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from flows.artifacts import publish_maintenance
from flows.form_defaults import refresh_forms
from flows.forms import done, ended, refused
from flows.lost_runs import tell_lost_run
from flows.progress import progress
from tasks.clock import now
from tasks.publish.logs import put_aside_long_logs
from tasks.settings import Settings
from tasks.steps import maintain_step
from warehouse.errors import NianbaoError


@flow(
    name="maintenance",
    description="整理：合并小文件，清理没有版次引用的快照，核对已发布文件未被改动。",
    flow_run_name=lambda: f"整理 {now():%Y-%m-%d %H:%M}",
    on_crashed=[tell_lost_run],
    on_failure=[tell_lost_run],
)
def maintenance() -> State[None]:
    """整理数据湖。"""
    settings = Settings()
    lake = settings.lake()
    try:
        with progress() as progresses:
            tidied = maintain_step(lake, settings, now=now(), progress=progresses.step)
    except NianbaoError as error:
        return refused(error)
    refresh_forms()
    put_aside_long_logs(settings.home / "logs")
    publish_maintenance(tidied)
    if tidied.changed_editions:
        names = "、".join(sorted(tidied.changed_editions))
        return ended(
            "已发布文件被改动",
            f"版次 {names} 的文件或湖中的数字与批准时的指纹不符,请从备份恢复",
        )
    return done(
        f"快照 {tidied.snapshots_before} → {tidied.snapshots_after}(版次引用 {tidied.pinned} 个,一律保留),"
        f"文件 {tidied.files_before} → {tidied.files_after}"
    )
