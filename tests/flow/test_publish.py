"""Publishing an edition: what is refused, what is frozen, what a later edition needs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tasks.clock import BEIJING
from tasks.editions.build import build_edition
from tasks.people.attempts import LOCKED_FOR, MOST_WRONG, TooManyTries
from tasks.people.office import Office
from tasks.people.persons import APPROVES, WORKS, lock_person
from tasks.publish.approvals import approve
from tasks.publish.approve import (
    ApprovalRefused,
    approvers,
    check_builder,
    check_code,
)
from tasks.publish.maintain import maintain
from tasks.publish.pages import publication, publication_message
from tasks.publish.publish import Published, PublishRefused, Request, Unanswered, publish
from tasks.publish.verify import frozen_files_changed
from tasks.render import render_edition
from tasks.render.folder import NotPending
from tasks.settings import Settings
from tests.approving import approve_and_publish, code_at
from tests.operator_room import APPROVER, SECRET, add_people
from tests.small_city import SmallCity
from warehouse.period import Period

NOW = datetime(2021, 1, 25, 9, 0)


@pytest.fixture
def settings(small: SmallCity) -> Settings:
    return Settings(home=small.lake.home, city=small.folder)


@pytest.fixture
def build(small: SmallCity, settings: Settings) -> Callable[..., Any]:
    def build_(**more: Any) -> Any:
        built = build_edition(
            small.lake, small.folder, Period.of_year(2020), now=NOW, **more
        ).edition
        render_edition(built, settings.editions / built.id, lake=small.lake)
        return built

    return build_


@pytest.fixture
def ask(small: SmallCity, settings: Settings) -> Callable[..., Published]:
    def ask_(edition: Any, changed: Settings | None = None, **more: Any) -> Published:
        values = {"approver": "张三", "statement": "同意发布", **more}
        now = values.pop("now", NOW)
        request = Request(edition_id=edition.id, **values)
        return approve_and_publish(small.lake, changed or settings, request, now=now)

    return ask_


def test_a_published_edition_is_kept_frozen_and_opens_anywhere(
    small: SmallCity, settings: Settings, build: Any, ask: Any
) -> None:
    small.application("2020-03-02", "2020-03-20")
    edition = build()
    done = ask(edition)
    assert {p.name for p in done.folder.iterdir()} >= {"manifest.json", "edition.duckdb"}
    assert all(p.stat().st_mode & 0o222 == 0 for p in done.folder.iterdir())
    manifest = json.loads((done.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "published"
    assert manifest["approval"]["approver"] == "张三"
    with duckdb.connect(str(done.folder / "edition.duckdb"), read_only=True) as file:
        value = file.execute(
            "SELECT value FROM cell WHERE organ_id = 'R' AND scope = 'rolled_up' "
            "AND cell = 't3.new_received.total'"
        ).fetchone()
        status = file.execute("SELECT edition_status FROM edition").fetchone()
    assert (value, status) == ((1,), ("published",))
    assert frozen_files_changed(small.lake, settings) == {}
    with pytest.raises(PublishRefused, match="已经发布"):
        ask(edition)
    (done.folder / "cells.csv").chmod(0o644)
    (done.folder / "cells.csv").write_text("x", encoding="utf-8")
    assert frozen_files_changed(small.lake, settings) == {edition.id: ["cells.csv"]}


def test_blocking_findings_need_a_reason_each(small: SmallCity, build: Any, ask: Any) -> None:
    small.application("2020-03-02", "2020-03-20", applicant_kind=None)
    edition = build()
    codes = {f.code for f in edition.blocking_findings}
    assert len(codes) > 1
    with pytest.raises(Unanswered, match="没有答复"):
        ask(edition)
    some = sorted(codes)[0]
    with pytest.raises(Unanswered, match="没有答复"):
        ask(edition, answers={some: "已核实"})
    with pytest.raises(PublishRefused, match="不存在"):
        ask(edition, answers={**dict.fromkeys(codes, "已核实"), "B99": "?"})
    done = ask(edition, answers=dict.fromkeys(codes, "已核实"))
    assert len(done.answers) == len(edition.blocking_findings)
    with small.lake.read() as connection:
        verdicts = connection.execute(
            "SELECT DISTINCT verdict, verdict_by FROM yearly.check_result WHERE verdict IS NOT NULL"
        ).fetchall()
    assert verdicts == [("已核实", "张三")]


def test_a_stale_edition_is_refused_unless_accepted(small: SmallCity, build: Any, ask: Any) -> None:
    small.application("2020-03-02", "2020-03-20")
    edition = build()
    small.application("2020-05-06", "2020-05-20")
    with pytest.raises(PublishRefused, match="数据有变"):
        ask(edition)
    done = ask(edition, stale_reason="已报送,下一版更正")
    assert "数据已变仍按原数发布:已报送" in done.statement


def test_records_of_another_year_do_not_make_an_edition_stale(
    small: SmallCity, build: Any, ask: Any
) -> None:
    small.application("2020-03-02", "2020-03-20")
    edition = build()
    small.application("2021-01-06")
    assert "不影响本版次" in ask(edition).staleness


def test_a_published_year_needs_a_reason_and_shows_every_difference(
    small: SmallCity, settings: Settings, build: Any, ask: Any
) -> None:
    small.application("2020-03-02", "2020-03-20")
    first = ask(build()).edition
    small.application("2020-05-06", "2020-05-20")
    with pytest.raises(PublishRefused, match="须写明理由"):
        ask(build())
    done = ask(build(reason="补登一件申请"))
    assert done.replaced == first.id
    changed = {(d.organ_id, d.scope, d.cell) for d in done.differences}
    assert ("R", "rolled_up", "t3.new_received.total") in changed
    lines = (done.folder / "differences.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == len(done.differences) + 1
    records = (done.folder / "difference_records.csv").read_text(encoding="utf-8-sig")
    assert "t3.new_received.total" in records
    assert ",added,1," in records
    shown = publication(done, "")
    assert "由哪些记录引起" in shown
    assert "- 新增 政府信息公开申请 `s/" in shown
    with small.lake.read() as connection:
        found = connection.execute(
            "SELECT edition_status FROM yearly.edition WHERE edition_id = ?", [first.id]
        ).fetchone()
    assert found == ("superseded",)
    assert frozen_files_changed(small.lake, settings) == {}


def test_two_persons(small: SmallCity, settings: Settings, build: Any, ask: Any) -> None:
    small.application("2020-03-02", "2020-03-20")
    strict = settings.model_copy(update={"two_persons": True})
    edition = build()
    with pytest.raises(ApprovalRefused, match="没有写明编制人"):
        ask(edition, strict)
    edition = build(built_by="张三")
    with pytest.raises(ApprovalRefused, match="不能同时批准"):
        ask(edition, strict)
    build(built_by="李四")
    with pytest.raises(ApprovalRefused, match="不能同时批准"):
        ask(edition, strict)
    assert ask(edition, strict, approver="王五").approver == "王五"


def test_the_command_asks_for_a_code_only_where_one_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from deployments.cli import runs

    asked: list[dict[str, Any]] = []

    def prompt(text: str, **how: Any) -> str:
        asked.append(how)
        return "123456"

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert runs._asked_code(APPROVER) == ""
    monkeypatch.setenv("NIANBAO_APPROVERS", f"{APPROVER}:{SECRET}")
    assert runs._asked_code("路人") == ""
    assert not asked
    assert runs._asked_code(APPROVER) == "123456"
    assert asked[0]["hide_input"] is True
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert runs._asked_code(APPROVER) == ""


def test_what_is_printed_besides_the_tables_makes_an_edition_stale_too(
    small: SmallCity, build: Any, ask: Any
) -> None:
    """Figures that no changed table tells of: a chart's months, an organ's name, a table
    that was loaded for the first time without a row, last year's newly published figures."""
    first = small.application("2020-03-02", "2020-03-20")
    small.unmark_loaded("procurement")
    edition = build()
    with small.lake.write() as connection:
        connection.execute(
            "UPDATE core.application SET closed_on = DATE '2020-04-20' WHERE record_id = ?", [first]
        )
    with pytest.raises(PublishRefused, match="图表已不同"):
        ask(edition)
    newer = build()
    assert newer.id == "2020-2"
    assert newer.cell_hash == edition.cell_hash
    small.mark_loaded(["procurement"])
    with pytest.raises(PublishRefused, match=r"政府集中采购.*缺 → 0"):
        ask(newer)
    organs = small.folder / "organs.csv"
    organs.write_text(organs.read_text(encoding="utf-8").replace("东镇", "新镇"), encoding="utf-8")
    small.register()
    with pytest.raises(PublishRefused, match="机关、上年数、图表已不同"):
        ask(newer)


def test_last_years_publication_makes_an_edition_stale(
    small: SmallCity, build: Any, ask: Any
) -> None:
    small.application("2019-12-02", "2020-03-20")
    last = build_edition(small.lake, small.folder, Period.of_year(2019), now=NOW).edition
    edition = build()
    ask(last)
    with pytest.raises(PublishRefused, match="上年数已不同"):
        ask(edition)
    assert ask(build()).edition.id == "2020-2"


def test_nobody_builds_what_nobody_could_approve(settings: Settings) -> None:
    one = Settings(home=settings.home, two_persons=True, approvers=f"{APPROVER}:{SECRET}")
    with pytest.raises(ApprovalRefused, match="请填写编制人"):
        check_builder(one, "")
    with pytest.raises(ApprovalRefused, match="唯一的批准人"):
        check_builder(one, APPROVER)
    check_builder(one, "李科员")
    check_builder(one.model_copy(update={"two_persons": False}), APPROVER)
    two = Settings(
        home=settings.home, two_persons=True, approvers=f"{APPROVER}:{SECRET},王五:{SECRET}"
    )
    check_builder(two, APPROVER)


def test_one_time_codes_serve_once_and_guessing_is_stopped(small: SmallCity) -> None:
    known = approvers(Settings(approvers=f"{APPROVER}:{SECRET}"))

    def check(code: str, now: datetime, name: str = APPROVER) -> None:
        check_code(Office(small.lake.home), known, name, code, tried_by=name, now=now)

    with pytest.raises(ApprovalRefused, match="批准人名单"):
        check(code_at(NOW), NOW, "路人")
    with pytest.raises(ApprovalRefused, match="请填写"):
        check("", NOW)
    check(code_at(NOW), NOW)
    with pytest.raises(ApprovalRefused, match="已经用过"):
        check(code_at(NOW), NOW + timedelta(seconds=5))
    later = NOW + timedelta(minutes=5)
    for _ in range(MOST_WRONG):
        with pytest.raises(ApprovalRefused, match="不对"):
            check("12345x", later)
    with pytest.raises(TooManyTries, match="15 分钟"):
        check(code_at(later), later)
    after = later + LOCKED_FOR + timedelta(minutes=1)
    check(code_at(after), after)


def test_malformed_approvers_are_refused_without_showing_them() -> None:
    with pytest.raises(ApprovalRefused) as refused:
        approvers(Settings(approvers=f"{APPROVER}:{SECRET},李四:not-a-secret"))
    assert "第 2 项" in str(refused.value)
    assert "not-a-secret" not in str(refused.value)


def test_an_interrupted_publication_is_finished(
    small: SmallCity, settings: Settings, build: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.publish import files as module

    small.application("2020-03-02", "2020-03-20")
    edition = build()

    def killed(*_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "freeze", killed)
        with pytest.raises(KeyboardInterrupt):
            ask(edition)
    assert frozen_files_changed(small.lake, settings) != {}
    with pytest.raises(PublishRefused, match="已经发布"):
        ask(edition)
    assert frozen_files_changed(small.lake, settings) == {}


def test_maintenance_never_expires_what_an_edition_pins(
    small: SmallCity, settings: Settings, build: Any
) -> None:
    small.application("2020-03-02", "2020-03-20")
    edition = build()
    for day in range(1, 6):
        small.application(f"2020-06-0{day}")
    # Snapshots are stamped with the real clock.
    future = datetime.now(BEIJING).replace(tzinfo=None) + timedelta(days=400)
    done = maintain(small.lake, settings, now=future)
    assert done.snapshots_after < done.snapshots_before
    with small.lake.read(edition.snapshot) as connection:
        assert connection.execute("SELECT count(*) FROM core.application").fetchone() == (1,)
    with small.lake.read() as connection:
        assert connection.execute("SELECT count(*) FROM core.application").fetchone() == (6,)
    again = build_edition(
        small.lake, small.folder, Period.of_year(2020), now=NOW, snapshot=edition.snapshot
    ).edition
    assert again.cell_hash == edition.cell_hash


@pytest.fixture
def signing(settings: Settings) -> Settings:
    """Two approvers, by a setting."""
    return settings.model_copy(
        update={"approvers": Settings(approvers=f"{APPROVER}:{SECRET},丁:{SECRET}").approvers}
    )


def asked(edition: Any, code: str, **more: Any) -> Request:
    values = {"approver": APPROVER, "statement": "同意发布", **more}
    return Request(edition_id=edition.id, code=code, **values)


def test_a_code_that_was_entered_serves_nobody_again(
    small: SmallCity, signing: Settings, build: Any
) -> None:
    """Whatever it was refused for: a statement, an answer, an edition, two persons."""
    small.application("2020-03-02", "2020-03-20", applicant_kind=None)
    edition = build(built_by=APPROVER)
    codes = {f.code for f in edition.blocking_findings}
    answers = dict.fromkeys(codes, "已核实")
    strict = signing.model_copy(update={"two_persons": True})
    for minutes, (settings, wrong) in enumerate(
        [
            (signing, {"statement": ""}),
            (signing, {"answers": {}}),
            (signing, {"answers": {**answers, "B99": "?"}}),
            (strict, {}),
        ]
    ):
        moment = NOW + timedelta(minutes=minutes)
        entry = asked(edition, code_at(moment), **{"answers": answers, **wrong})
        with pytest.raises((PublishRefused, ApprovalRefused, Unanswered)):
            approve(small.lake, settings, entry, now=moment)
        # Somebody has read it, and enters what he likes.
        for by in (APPROVER, "有人"):
            forged = asked(edition, code_at(moment), statement="伪造的意见", answers=answers)
            with pytest.raises(ApprovalRefused, match="已经用过"):
                approve(small.lake, signing, forged, by=by, now=moment)
    with pytest.raises(PublishRefused, match="没有编号"):
        publish(small.lake, signing, "1", now=NOW)


def test_a_code_lies_nowhere(small: SmallCity, signing: Settings, build: Any) -> None:
    small.application("2020-03-02", "2020-03-20")
    edition = build()
    code = code_at(NOW)
    entry = asked(edition, code)
    given = approve(small.lake, signing, entry, now=NOW)
    done = publish(small.lake, signing, str(given.number), now=NOW)
    assert code not in f"{entry!r} {given!r} {done!r}"
    home = signing.home
    for path in [p for p in home.rglob("*") if p.is_file() and p.suffix in (".json", ".sqlite")]:
        # Six digits may stand in a longer number by chance.
        found = re.findall(rb"(?<![0-9a-f])" + code.encode() + rb"(?![0-9a-f])", path.read_bytes())
        assert not found, path


def test_an_approval_does_not_grow_old_in_a_queue(
    small: SmallCity, signing: Settings, build: Any
) -> None:
    small.application("2020-03-02", "2020-03-20")
    edition = build()
    given = approve(small.lake, signing, asked(edition, code_at(NOW)), now=NOW)
    done = publish(small.lake, signing, f" {given.number} ", now=NOW + timedelta(hours=9))
    assert done.approved_at == NOW
    assert done.approver == APPROVER
    assert (
        json.loads((done.folder / "manifest.json").read_text(encoding="utf-8"))["chain"]["approval"]
        == given.number
    )
    message = publication_message(done)
    assert str(done.checkpoint) in message.body
    assert str(done.checkpoint) in publication(done, "")
    with pytest.raises(PublishRefused, match="已经发布"):
        publish(small.lake, signing, str(given.number), now=NOW + timedelta(hours=10))


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("cell_hash", "UPDATE yearly.edition SET cell_hash = 'x'"),
        ("definition_hash", "UPDATE yearly.edition SET definition_hash = 'x'"),
        (
            "check_result",
            "UPDATE yearly.check_result SET message = '另一说法' WHERE organ_id = 'R'",
        ),
        ("check_record", "UPDATE yearly.check_record SET detail = '另一说法'"),
    ],
)
def test_an_approval_is_for_what_was_approved_only(
    small: SmallCity, settings: Settings, build: Any, table: str, change: str
) -> None:
    small.application("2020-03-02", "2020-03-20", applicant_kind=None)
    edition = build()
    answers = {f.code: "已核实" for f in edition.blocking_findings}
    entry = Request(edition.id, "张三", "同意发布", answers=answers)
    given = approve(small.lake, settings, entry, now=NOW)
    with small.lake.write() as connection:
        connection.execute(change)
    with pytest.raises(PublishRefused, match="指纹不符"):
        publish(small.lake, settings, str(given.number), now=NOW)


def test_an_approval_is_for_one_edition(small: SmallCity, settings: Settings, build: Any) -> None:
    small.application("2020-03-02", "2020-03-20")
    given = approve(small.lake, settings, Request(build().id, "张三", "同意"), now=NOW)
    small.application("2020-05-06", "2020-05-20")
    newer = build()
    with pytest.raises(PublishRefused, match=f"2020-1 已被后来的版次替代.*{newer.id}"):
        publish(small.lake, settings, str(given.number), now=NOW)


def test_who_approved_must_still_be_allowed_to(
    small: SmallCity, settings: Settings, build: Any
) -> None:
    small.application("2020-03-02", "2020-03-20")
    edition = build()
    add_people(settings.home, {APPROVER: APPROVES, "丁": WORKS})
    for name in ("丁", "路人"):
        with pytest.raises(ApprovalRefused, match="没有批准的权限"):
            approve(small.lake, settings, asked(edition, code_at(NOW), approver=name), now=NOW)
    given = approve(small.lake, settings, asked(edition, code_at(NOW)), now=NOW)
    lock_person(Office(settings.home), APPROVER, by="管理员", now=NOW)
    with pytest.raises(ApprovalRefused, match="还没有批准人"):
        publish(small.lake, settings, str(given.number), now=NOW)


def test_tries_lock_who_tries_and_nobody_else(
    small: SmallCity, signing: Settings, build: Any
) -> None:
    small.application("2020-03-02", "2020-03-20")
    edition = build()
    for _ in range(MOST_WRONG):
        with pytest.raises(ApprovalRefused, match="不对"):
            approve(small.lake, signing, asked(edition, "000000"), by="有人", now=NOW)
    later = NOW + timedelta(minutes=2)
    with pytest.raises(TooManyTries):
        approve(small.lake, signing, asked(edition, code_at(later)), by="有人", now=later)
    # That right one is used up; the next serves the approver, who tried nothing.
    third = later + timedelta(minutes=1)
    given = approve(small.lake, signing, asked(edition, code_at(third)), now=third)
    assert given.number == 1


def test_building_again_while_it_is_approved(
    small: SmallCity, settings: Settings, build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why it was built is printed: it is what was approved, or nothing is published."""
    from tasks.publish import publish as module

    small.application("2020-03-02", "2020-03-20")
    build(built_by="李四")
    entry = Request("2020-1", "张三", "同意发布")
    given = approve(small.lake, settings, entry, now=NOW)
    edition = build(built_by="李四", reason="另一理由")
    assert edition.id == "2020-1"
    with pytest.raises(PublishRefused, match=r"编制理由或编制人.*重新批准"):
        publish(small.lake, settings, str(given.number), now=NOW)
    given = approve(small.lake, settings, entry, now=NOW)
    whole = module.write_files

    def while_written(*values: Any) -> str:
        build_edition(small.lake, small.folder, Period.of_year(2020), now=NOW, reason="第三个理由")
        return whole(*values)

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_files", while_written)
        with pytest.raises(PublishRefused, match="重新编制"):
            publish(small.lake, settings, str(given.number), now=NOW)
    given = approve(small.lake, settings, entry, now=NOW)
    done = publish(small.lake, settings, str(given.number), now=NOW)
    # Files of a build that began before come too late.
    before = sorted(path.name for path in done.folder.iterdir())
    with pytest.raises(NotPending, match="没有改动"):
        render_edition(edition, done.folder, lake=small.lake)
    assert sorted(path.name for path in done.folder.iterdir()) == before
    assert frozen_files_changed(small.lake, settings) == {}
