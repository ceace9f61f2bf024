"""What an operator reads of a run names things as people do."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from expectations.result import BadRow, RuleResult
from tasks.city.names import Names, city_names
from tasks.render.nightly import rule_results, source_results
from tasks.watch.notify import run_messages
from tasks.watch.runs import FailedResource, Run
from tasks.watch.status import ResourceStatus

NAMES = Names({"hot": "热线平台"}, {("hot", "orders"): "热线工单"}, {"A1": "某局"})
NOW = datetime(2020, 5, 1, 9, 30)
CITY = Path(__file__).parents[2] / "deployments" / "demo_city"


def status(source: str, rejects: int = 0) -> ResourceStatus:
    return ResourceStatus(
        source, "orders", "work_order", "loaded", NOW, None, "2020-04-30T07:06:24.647000",
        12, rejects, None, None, "",
    )  # fmt: skip


def test_sources_are_called_by_their_titles() -> None:
    run = Run("1", "nightly", "夜间取数", NOW)
    told = source_results(run, [status("hot"), status("other")], NAMES)
    assert "### 热线平台" in told
    assert "| 热线工单 | 05-01 09:30 | 2020-04-30 07:06 |" in told
    # What the city's files do not name stands as it is.
    assert "### other" in told
    assert "| orders | 05-01" in told
    run.failed.append(FailedResource("hot", "orders", "没有应答"))
    assert "| 热线平台 | 热线工单 | 没有应答 |" in source_results(run, [], NAMES)


def test_records_that_break_a_rule_name_their_organ() -> None:
    bad = BadRow("hot", "R-1", "A1", date(2020, 3, 1), "缺少类别")
    result = RuleResult(
        code="X-1",
        key="X-1",
        status="fail",
        message="办法",
        severity="warn",
        table="core.work_order",
        title="标题",
        article="",
        bad_rows=1,
        records=(bad,),
    )
    assert "| 热线平台 | `R-1` | 某局 | 2020-03-01 | 缺少类别 |" in rule_results([result], NAMES)


def test_messages_name_the_source_and_a_command_that_exists() -> None:
    run = Run("1", "nightly", "夜间取数", NOW)
    run.failed.append(FailedResource("hot", "orders", "没有应答"))
    failed, rejects = run_messages(run, [status("hot", rejects=60)], 50, NAMES)
    assert failed.title == "夜间取数:热线平台未取到"
    assert failed.body.startswith("热线工单:没有应答")
    assert rejects.title == "热线平台有 60 条退回记录待处理"
    assert rejects.body.endswith("nianbao rejects --source hot")


def test_a_citys_files_name_its_sources_resources_and_organs() -> None:
    names = city_names(CITY)
    assert names.source("ledger") == "政府信息公开台账"
    assert names.resource("ledger", "applications") == "依申请公开"
    assert names.organ("441500") == "汕尾市人民政府"
