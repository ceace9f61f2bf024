"""The operator's flows on a real Prefect: final states, artifacts, answers to wrong entries."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tasks.editions.build import build_edition
from tasks.publish.approvals import Request, approve
from tasks.render.sets import sets_folder
from tasks.settings import Settings
from tasks.wording.typeset import typeset
from tests.small_city import NOW, SmallCity
from warehouse.period import Period

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Prefect for all tests of a session."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NIANBAO_HOME", str(tmp_path_factory.mktemp("prefect")))
        patched.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("home")))
        patched.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        patched.setenv("DO_NOT_TRACK", "1")
        from prefect.testing.utilities import prefect_test_harness

        import flows  # noqa: F401

        with prefect_test_harness(server_startup_timeout=90):
            yield


@pytest.fixture
def city(prefect: None, small: SmallCity, monkeypatch: pytest.MonkeyPatch) -> SmallCity:
    """The small city as the one the flows work on."""
    monkeypatch.setenv("NIANBAO_HOME", str(small.lake.home))
    monkeypatch.setenv("NIANBAO_CITY", str(small.folder))
    return small


def artifact(key: str) -> str:
    from prefect.artifacts import Artifact

    found = Artifact.get(key)
    assert found is not None
    return str(found.data)


def test_year_end_then_publish(city: SmallCity) -> None:
    from flows.publish import publish
    from flows.year_end import year_end

    city.application("2020-03-02", "2020-03-20")
    built = year_end(year=2020, organs=[], built_by="李四", return_state=True)
    assert built.is_completed(), built.message
    assert "2020-1" in (built.message or "")
    repeated = year_end(year=2020, organs=[], built_by="李四", return_state=True)
    assert "完全相同" in (repeated.message or "")
    assert "下一步" in artifact("result-2020")
    assert "予以公开" in artifact("tables-2020")
    assert "第一个版次" in artifact("earlier-2020")
    for number in ("", "1", "一", "2020-1"):
        refused = publish(approval=number, return_state=True)
        assert refused.name == "输入有误"
        assert "批准" in (refused.message or "")
    assert "没有编号为“2020-1”的批准" in artifact("refused")
    settings = Settings()
    given = approve(city.lake, settings, Request("2020-1", "王五", "同意"), now=NOW)
    done = publish(approval=str(given.number), return_state=True)
    assert done.is_completed(), done.message
    assert "王五" in artifact("publication-2020")
    # The checkpoint is handed out where people read.
    (checkpoint,) = re.findall(r"1:[0-9a-f]{64}", done.message or "")
    assert checkpoint in artifact("publication-2020")
    again = year_end(year=2020, return_state=True)
    assert again.name == "输入有误"
    assert "编制理由" in (again.message or "")
    city.application("2020-05-06", "2020-05-20")
    newer = year_end(year=2020, reason="补登一件", return_state=True)
    assert newer.is_completed(), newer.message
    assert "与已发布版次 2020-1 相比" in artifact("earlier-2020")


def test_what_blocks_is_in_the_final_state(city: SmallCity) -> None:
    from flows.year_end import year_end

    city.application("2020-03-02", "2020-03-20", applicant_kind=None)
    state = year_end(year=2020, return_state=True)
    assert state.is_failed()
    assert state.name == "有阻断问题"
    assert "B3" in (state.message or "")


@pytest.mark.parametrize(
    ("entries", "answer"),
    [
        ({"year": 1999}, "请填 2019 至"),
        ({"year": 2100}, "请填 2019 至"),
        ({"year": 2020, "as_of": "昨天"}, "请写作 2021-01-20 18:00"),
        ({"year": 2020, "as_of": "2099-01-01"}, "还没有到"),
        ({"year": 2020, "as_of": "2020-12-31", "pull_first": True}, "不能同时用"),
        ({"year": 2020, "as_of": "2001-01-01"}, "还没有数据"),
        ({"year": 2020, "organs": ["没有的机关"]}, "请从列表中选择"),
        ({"year": "二〇二〇"}, "“报告年度”填的是“二〇二〇”，不能用：请填整数"),
    ],
)
def test_wrong_entries_are_answered(city: SmallCity, entries: dict[str, Any], answer: str) -> None:
    from flows.year_end import year_end

    state = year_end(**entries, return_state=True)
    assert state.name == "输入有误"
    assert answer in (state.message or "")


@pytest.fixture
def command(
    city: SmallCity, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """A command in this process: its exit code, and all it said."""
    from deployments.cli import main

    # The command line sets these where nobody else has.
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "CRITICAL")
    monkeypatch.setenv("PREFECT_LOGGING_SERVER_LEVEL", "CRITICAL")

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["nianbao", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out + told.err

    return run


def test_publish_and_rebuild_as_commands(
    city: SmallCity, command: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    city.application("2020-03-02", "2020-03-20", applicant_kind=None)
    edition = build_edition(city.lake, city.folder, Period.of_year(2020), now=NOW).edition
    answers = [f"--answer={code}=已核实" for code in {f.code for f in edition.blocking_findings}]
    signed = ("publish", "2020-1", "--approver", "王五", "--statement", "同意发布")
    code, told = command("publish", "2020-1", "--approver", "王五")
    assert code == 2
    assert "错误：请填写批准意见，如“同意发布”\n" in told
    code, told = command(*signed)
    assert code == 1
    assert "没有答复" in told
    code, told = command(*signed, "--answer", "B3")
    assert code == 2
    assert "规则=理由" in told
    code, told = command(*signed, *answers)
    assert code == 0, told
    assert "版次 2020-1 已由王五批准发布" in told
    code, told = command("rebuild", "2020-1", "--into", str(tmp_path / "again"))
    assert code == 0, told
    assert "全部相同" in told
    assert (tmp_path / "again" / "tables.xlsx").exists()
    assert command("rebuild", "2020-9")[0] == 2
    with city.lake.write() as connection:
        connection.execute("UPDATE yearly.cell SET value = 7 WHERE cell = 't3.granted.total'")
    code, told = command("rebuild", "2020-1", "--json")
    assert code == 1
    assert json.loads(told)["same"] is False


def test_backfill_as_a_command_names_what_there_is(
    command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.settings import Settings

    sources = Settings().sources
    sources.mkdir(exist_ok=True)
    (sources / "hotline.yaml").write_text(
        "name: hotline\ntitle: 热线平台\nresources:\n  - {name: calls, title: 来电}\n",
        encoding="utf-8",
    )
    code, told = command("backfill", "cms")
    assert code == 2
    assert "错误：没有来源系统“cms”。可选：hotline（热线平台）\n" in told
    code, told = command("backfill", "hotline", "orders")
    assert code == 2
    assert "可选：calls" in told
    spans = ("--from", "2020-05-02", "--to", "2020-05-01")
    code, told = command("backfill", "hotline", "calls", *spans)
    assert code == 2
    assert "早于起始日期" in told


def test_backfill_refuses_what_cannot_be(city: SmallCity) -> None:
    from flows.backfill import backfill

    day = date(2020, 5, 1)
    state = backfill(from_on=day, to_on=date(2020, 4, 1), return_state=True)
    assert "早于" in (state.message or "")
    state = backfill(from_on=date(2099, 1, 1), to_on=date(2099, 1, 2), return_state=True)
    assert "还没有到" in (state.message or "")


def test_rejects_are_tried_again(city: SmallCity) -> None:
    from flows.retry_rejects import retry_rejects
    from tasks.watch.runs import past_runs

    (city.folder / "sources").mkdir()
    (city.folder / "sources" / "s.yaml").write_text(
        "name: s\ntitle: 网站\nbase_url: http://127.0.0.1:1\nresources:\n"
        "  - {name: articles, table: article, path: /a, key: id, fields: {title: title}}\n",
        encoding="utf-8",
    )
    done = retry_rejects(return_state=True)
    assert done.is_completed(), done.message
    assert "没有需要再试的记录" in (done.message or "")
    with city.lake.write() as connection:
        connection.execute(
            "INSERT INTO ops.reject (reject_id, load_id, source_system, resource, table_name, "
            "record_id, reason, rejected_at, reject_status) "
            "VALUES ('r', 'l', 's', 'articles', 'core.article', 'a', 'missing_required', ?, 'open')",
            [NOW],
        )
    still = retry_rejects(source="网站", return_state=True)
    assert still.name == "仍有退回"
    assert "仍有 1 条退回" in (still.message or "")
    assert [run.flow for run in past_runs(city.lake)] == ["retry-rejects"] * 2
    wrong = retry_rejects(source="别处", return_state=True)
    assert wrong.name == "输入有误"
    assert "没有来源系统" in artifact("refused")


def test_deadline_watch_and_maintenance(city: SmallCity) -> None:
    from flows.deadline_watch import deadline_watch
    from flows.maintenance import maintenance

    late = city.application("2020-08-03")
    state = deadline_watch(on=date(2020, 9, 28), return_state=True)
    assert state.is_completed()
    assert "逾期 1 件" in (state.message or "")
    assert late in artifact("deadlines")
    assert maintenance(return_state=True).is_completed()
    assert "快照" in artifact("maintenance")


def test_the_form_asks_in_chinese_and_in_order(tmp_path: Path) -> None:
    from prefect.flows import load_flow_from_entrypoint

    from deployments.declared import read_deployments

    for entry in read_deployments():
        path, _, name = entry["entrypoint"].partition(":")
        flow = load_flow_from_entrypoint(f"{path[:-3].replace('/', '.')}.{name}")
        fields = flow.parameters.properties.values()
        assert flow.description
        assert sorted(f["position"] for f in fields) == list(range(len(fields)))
        for shown in fields:
            assert not shown["title"].isascii(), (name, shown["title"])
            for offered in shown.get("enum", []):
                assert typeset(offered) == offered
            assert not shown["description"].isascii()
            assert "anyOf" not in shown
            assert "default" in shown
        # Else the server or Prefect would answer first, and in English.
        assert entry["enforce_parameter_schema"] is False
        assert not fields or flow.should_validate_parameters is False
        assert not entry["tags"][0].isascii()


def test_default_year() -> None:
    from flows.forms import default_year

    assert default_year(date(2021, 1, 1)) == 2020
    assert default_year(date(2021, 12, 31)) == 2020


def test_a_forms_lists_follow_the_citys_files(
    city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client

    from deployments.serve import runner_deployments
    from flows.form_defaults import refresh_forms

    def shown(deployment: str) -> tuple[dict[str, Any], dict[str, Any]]:
        with get_client(sync_client=True) as client:
            held = client.read_deployment_by_name(f"{deployment}/{deployment}")
        return held.parameter_openapi_schema["properties"], held.parameters

    for deployment in runner_deployments():
        deployment.apply()
    refresh_forms()
    assert refresh_forms() == []
    fields, filled = shown("year-end")
    organs = fields["organs"]["items"]["enum"]
    assert organs
    assert filled["year"] == default_year_now()
    assert list(shown("publish")[0]) == ["approval"]

    listed = (city.folder / "organs.csv").read_text(encoding="utf-8")
    (city.folder / "organs.csv").write_text(
        listed.rstrip() + "\nNEW,新设局,department,R,2020-01-01,,,true\n", encoding="utf-8"
    )
    assert refresh_forms() == ["year-end"]
    fields, _ = shown("year-end")
    assert fields["organs"]["items"]["enum"] == [*organs, "新设局"]
    assert fields["organs"]["title"]

    (city.folder / "organs.csv").write_text(listed, encoding="utf-8")
    refresh_forms()
    assert shown("year-end")[0]["organs"]["items"]["enum"] == organs


def default_year_now() -> int:
    from flows.forms import default_year
    from tasks.clock import now

    return default_year(now().date())


@pytest.fixture
def red(prefect: None) -> Iterator[list[str]]:
    """What runs and their tasks say as errors, with any traceback."""
    said: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(self.format(record))

    from prefect.logging.configuration import setup_logging

    # The first time it would take the handler away.
    setup_logging()
    handler = Kept(logging.ERROR)
    loggers = [logging.getLogger(f"prefect.{name}") for name in ("flow_runs", "task_runs")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    yield said
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_runs_end_in_colours_by_whom_they_concern(
    city: SmallCity, monkeypatch: pytest.MonkeyPatch, red: list[str]
) -> None:
    """Grey: the entry was wrong. Red: findings block. Orange: the program broke down. The first
    red line is the sentence that helps."""
    from flows import publish as publishing
    from flows import year_end as building

    def first_error() -> str:
        first = red[0]
        red.clear()
        return first

    wrong = publishing.publish(approval="99", return_state=True)
    assert wrong.is_cancelled()
    assert wrong.name == "输入有误"
    assert first_error() == wrong.message
    city.application("2020-03-02", "2020-03-20", applicant_kind=None)
    blocked = building.year_end(year=2020, return_state=True)
    assert blocked.is_failed()
    assert (blocked.message or "?") in first_error()

    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(building, "checked_period", breaks)
    broken = building.year_end(year=2020, return_state=True)
    assert broken.is_crashed()
    # The name by which those who keep the machine are told.
    assert broken.name == "Failed"
    assert first_error() == broken.message
    assert "交给维护人员" in (broken.message or "")
    with pytest.raises(ZeroDivisionError):
        broken.result()


def test_sets_that_cannot_be_written_do_not_undo_what_was_published(
    city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those concerned are told that it was published, and the run says what is left to do."""
    from flows import publish as publishing

    settings = Settings(home=city.lake.home, city=city.folder)
    city.application("2020-03-02", "2020-03-20")
    told: list[str] = []
    monkeypatch.setattr(publishing, "publish_publication", lambda *_: told.append("page"))
    monkeypatch.setattr(publishing, "notify_step", lambda *_, **__: told.append("message"))
    for failure, reason in (
        (OSError(28, "No space left on device"), "成套文件没有换成发布后的"),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ):

        def fails(*_: Any, failure: Exception = failure, **__: Any) -> None:
            told.append("sets")
            raise failure

        monkeypatch.setattr(publishing, "sets_step", fails)
        edition = build_edition(
            city.lake, city.folder, Period.of_year(2020), now=NOW, reason="再编", built_by="李四"
        ).edition
        given = approve(city.lake, settings, Request(edition.id, "张三", "同意发布"), now=NOW)
        sets_folder(settings.editions / edition.id).mkdir(parents=True)
        ended = publishing.publish(approval=str(given.number), return_state=True)
        assert ended.is_completed(), ended.message
        assert reason in (ended.message or "")
        assert "核对码" in (ended.message or "")
        assert told == ["page", "message", "sets"]
        told.clear()
        city.application("2020-05-02", "2020-05-20")
