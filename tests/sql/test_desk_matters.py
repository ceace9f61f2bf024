"""核对问题: records with their trail, answers carried into the approval, letters, the way to it."""

from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tasks.city.corrections import Draft, enter, review
from tasks.clock import now
from tasks.desk.answering import act, give_back, hand_over, send
from tasks.desk.approving import questions, ticked
from tasks.desk.carried import answers_of, carried
from tasks.desk.matters import MatterRefused, Matters, matters_of
from tasks.desk.stages import stages
from tasks.desk.transfer import letter_of, letters_of
from tasks.editions.build import build_edition
from tasks.people import log, trail
from tasks.people.office import Office
from tasks.people.trail import Overtaken, broken_steps
from tasks.publish.approvals import Request, approve
from tasks.publish.conditions import PublishRefused, Unanswered
from tasks.publish.publish import publish
from tasks.publish.verify import verify_home
from tasks.settings import Settings
from tests.small_city import NOW, SmallCity
from warehouse.errors import EntryError
from warehouse.period import Period

YEAR = Period.of_year(2020)


class Desk:
    """A small city with an edition that two records keep from being published: one without an
    applicant's kind, one without an outcome."""

    def __init__(self, small: SmallCity, kindless: str, open_ended: str) -> None:
        self.city, self.lake = small, small.lake
        self.settings = Settings(home=small.lake.home, city=small.folder)
        self.kindless, self.open_ended = kindless, open_ended

    def build(self) -> str:
        built = build_edition(self.lake, self.city.folder, YEAR, now=now(), built_by="甲")
        return built.edition.id

    def matters(self, edition: str = "2020-1") -> Matters:
        return matters_of(self.lake, self.settings, edition)

    def act(self, what: str, record: str, said: str = "", edition: str = "2020-1") -> None:
        matters = self.matters(edition)
        matter = next(m for m in matters.blocking if m.name == record)
        act(self.settings, matters, matter, what, said=said, by="甲", seen=matter.last, now=now())

    def state(self, record: str, edition: str = "2020-1") -> str:
        return next(m for m in self.matters(edition).blocking if m.name == record).state.word

    def change(self, record: str, column: str, value: str) -> None:
        """The source says something else from now on."""
        with self.lake.write() as connection:
            connection.execute(
                f"UPDATE core.application SET {column} = ?, row_hash = row_hash || '+' "
                "WHERE record_id = ?",
                [value, record],
            )


@pytest.fixture(scope="module")
def template(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """To build takes longer than to copy."""
    small = small_template.copied_to(tmp_path_factory.mktemp("desk"))
    kindless = small.application("2020-03-02", "2020-03-09", applicant_kind=None)
    open_ended = small.application("2020-04-02", "2020-04-09", outcome=None, organ_id="B")
    made = Desk(small, kindless, open_ended)
    made.build()
    return made


@pytest.fixture
def desk(template: Desk, tmp_path: Path) -> Desk:
    small = template.city.copied_to(tmp_path)
    # Numbers of records go on where the template's ended.
    small._count = template.city._count
    return Desk(small, template.kindless, template.open_ended)


def test_many_checks_are_few_records_with_what_to_do(desk: Desk) -> None:
    matters = desk.matters()
    assert {m.name for m in matters.blocking} == {desk.kindless, desk.open_ended}
    assert matters.checks > len(matters.blocking)
    assert all(m.remedy and m.checks and m.state.word == "等您处理" for m in matters.blocking)
    kindless = next(m for m in matters.blocking if m.name == desk.kindless)
    assert kindless.organ_name == "甲县东镇"
    assert kindless.column == "applicant_kind"
    assert {o: b for o, _, b, _ in matters.by_organ}["B"] == 1


def test_states_follow_what_was_done_and_the_trail_says_so(desk: Desk) -> None:
    letter = send(desk.settings, desk.matters(), "A1", by="甲", due_on=date(2099, 2, 26), now=now())
    assert letter == "2020-1-01"
    assert desk.state(desk.kindless) == "等机关改正"
    desk.act(trail.REPLIED, desk.kindless, "台账已归档")
    assert desk.state(desk.kindless) == "等您处理"
    desk.act(trail.URGED, desk.kindless)
    assert desk.state(desk.kindless) == "等机关改正"
    desk.act(trail.ANSWERED, desk.kindless, "申请表已遗失")
    assert desk.state(desk.kindless) == "已答复"
    told = [t.text for m in desk.matters().blocking if m.name == desk.kindless for t in m.trail]
    assert told[0] == "甲转交甲县东镇,约定 2 月 26 日前(转交单 2020-1-01)"
    assert told[1:] == ["甲县东镇回复:台账已归档(甲记)", "甲催办", "甲写答复:申请表已遗失"]
    desk.act(trail.TAKEN_BACK, desk.kindless)
    assert desk.state(desk.kindless) == "等机关改正"
    acts = [line.act for line in reversed(log.lines(Office(desk.settings.home)))]
    assert acts == ["转交", "记下回复", "催办", "答复", "撤回答复"]


def test_what_was_done_goes_over_to_the_next_edition(desk: Desk) -> None:
    desk.act(trail.ANSWERED, desk.kindless, "申请表已遗失")
    desk.city.application("2020-05-02")
    assert desk.build() == "2020-2"
    assert desk.state(desk.kindless, "2020-2") == "已答复"
    assert desk.state(desk.open_ended, "2020-2") == "等您处理"
    with pytest.raises(MatterRefused, match="被后来的版次替代"):
        desk.act(trail.ANSWERED, desk.open_ended, "不影响")


def test_the_source_that_was_put_right_is_seen_and_wants_another_build(desk: Desk) -> None:
    desk.change(desk.kindless, "applicant_kind", "natural_person")
    (seen,) = [m for m in desk.matters().blocking if m.name == desk.kindless]
    assert seen.state.word == "来源已改正"
    assert dict(seen.seen.changed) == {"applicant_kind": (None, "natural_person")}
    # Something else was changed at the source: the record is wrong still.
    desk.change(desk.open_ended, "receipt_channel", "mail")
    assert desk.state(desk.open_ended) == "等您处理"
    desk.act(trail.ANSWERED, desk.open_ended, "结果待查")
    with pytest.raises(MatterRefused, match="重新编制"):
        hand_over(desk.settings, desk.matters(), by="甲", now=now())
    after = desk.build()
    assert {m.name for m in desk.matters(after).blocking} == {desk.open_ended}
    hand_over(desk.settings, desk.matters(after), by="甲", now=now())


def test_a_record_that_the_source_withdrew_is_settled_until_the_next_build(desk: Desk) -> None:
    desk.change(desk.kindless, "removed_at", "2021-01-21 00:00:00")
    assert desk.state(desk.kindless) == "来源已撤回"


def test_a_correction_is_told_from_entry_to_review(desk: Desk) -> None:
    draft = Draft(
        *("core.application", "s", desk.kindless, "applicant_kind", None, "natural_person"),
        *("申请表载明", "甲县东镇 公开岗", "来函", "乙"),
    )
    number = enter(desk.lake, draft, by="甲", is_signed_in=True, now=now())
    assert desk.state(desk.kindless) == "等乙复核更正"
    review(desk.lake, number, by="乙", is_signed_in=True, now=now())
    assert desk.state(desk.kindless) == "已由更正改正"
    (matter,) = [m for m in desk.matters().blocking if m.name == desk.kindless]
    assert [t.text for t in matter.trail] == [
        "甲登记更正第 1 号:申请人类别 空 → 自然人",
        "乙复核更正第 1 号,同意",
    ]


def test_a_check_is_answered_when_all_its_records_are(desk: Desk) -> None:
    other = desk.city.application("2020-06-02", "2020-06-09", applicant_kind=None, organ_id="B")
    edition = desk.build()
    desk.act(trail.ANSWERED, desk.kindless, "已遗失", edition)
    covered = answers_of(desk.matters(edition))
    # The town's own checks are covered, the city's are not: another record is behind them.
    assert {key.partition("@")[2] for key in covered} == {"A1", "A"}
    assert {q.code for q in questions(desk.matters(edition))} >= {"APP-03", "B3"}
    desk.act(trail.ANSWERED, other, "正在补登", edition)
    covered = answers_of(desk.matters(edition))
    told = next(said for key, said in covered.items() if key.startswith("APP-03"))
    assert f"{desk.kindless}:已遗失(甲答复)" in told
    assert f"{other}:正在补登(甲答复)" in told
    assert "APP-03" not in {q.code for q in questions(desk.matters(edition))}


def test_an_approval_is_bound_to_the_answers_that_were_ticked(desk: Desk) -> None:
    for record in (desk.kindless, desk.open_ended):
        desk.act(trail.ANSWERED, record, "申请表已遗失")
    entry = Request("2020-1", "丙", "同意发布")
    marks = [c.mark for c in carried(desk.matters())]

    def approved(given: list[str]) -> Any:
        return approve(
            desk.lake,
            desk.settings,
            entry,
            carried=lambda e: ticked(desk.lake, desk.settings, e, given),
            now=now(),
        )

    with pytest.raises(PublishRefused, match="没有勾选"):
        approved(marks[:1])
    # Written anew after the page was shown: what was ticked is not what would go along.
    desk.act(trail.ANSWERED, desk.kindless, "改口")
    with pytest.raises(PublishRefused, match="以后改过"):
        approved(marks)
    with pytest.raises(Unanswered):
        approve(desk.lake, desk.settings, entry, now=now())
    given = approved([c.mark for c in carried(desk.matters())])
    assert {f"{desk.kindless}:改口(甲答复)"} < set(given.answers.values())
    # What is done afterwards is none of the approval's.
    desk.act(trail.TAKEN_BACK, desk.kindless)
    published = publish(desk.lake, desk.settings, str(given.number), now=now())
    assert f"{desk.kindless}:改口(甲答复)" in set(published.answers.values())


def test_the_way_to_the_approver_and_back(desk: Desk) -> None:
    with pytest.raises(MatterRefused, match="还有 2 条没有了结"):
        hand_over(desk.settings, desk.matters(), by="甲", now=now())
    for record in (desk.kindless, desk.open_ended):
        desk.act(trail.ANSWERED, record, "申请表已遗失")
    hand_over(desk.settings, desk.matters(), by="甲", now=now())
    assert [s.mark for s in stages(desk.matters(), ["丙"], date(2021, 3, 1))][1:3] == [
        "done",
        "wait",
    ]
    with pytest.raises(MatterRefused, match="已送批准"):
        hand_over(desk.settings, desk.matters(), by="乙", now=now())
    with pytest.raises(MatterRefused, match="请写明"):
        give_back(desk.settings, desk.matters(), by="丙", said=" ", now=now())
    give_back(desk.settings, desk.matters(), by="丙", said="请补依据", now=now())
    returned = desk.matters().returned
    assert returned is not None
    assert (returned.person, returned.said) == ("丙", "请补依据")
    hand_over(desk.settings, desk.matters(), by="甲", now=now())
    assert desk.matters().returned is None


def test_letters_are_numbered_and_kept_as_they_were_sent(desk: Desk) -> None:
    due = date(2099, 2, 26)
    first = send(desk.settings, desk.matters(), "A1", by="甲", due_on=due, now=now())
    second = send(desk.settings, desk.matters(), "B", by="乙", due_on=due, now=now())
    assert (first, second) == ("2020-1-01", "2020-1-02")
    letter = letter_of(desk.matters(), "A1", first)
    assert (letter.person, letter.due_on, [m.name for m in letter.all]) == (
        "甲",
        due,
        [desk.kindless],
    )
    assert [s.letter for s in letters_of(desk.matters(), "B")] == [second]
    with pytest.raises(MatterRefused, match="没有这个编号"):
        letter_of(desk.matters(), "A1", second)
    with pytest.raises(MatterRefused, match="没有要处理"):
        send(desk.settings, desk.matters(), "A2", by="甲", due_on=due, now=now())
    for wrong in (None, date(2001, 1, 1)):
        with pytest.raises(MatterRefused):
            send(desk.settings, desk.matters(), "A1", by="甲", due_on=wrong, now=now())


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (trail.ANSWERED, "  "),
        (trail.ANSWERED, "长" * 2001),
        (trail.TAKEN_BACK, ""),
        (trail.REPLIED, ""),
    ],
)
def test_what_says_nothing_or_too_much_is_not_kept(desk: Desk, what: str, said: str) -> None:
    with pytest.raises(MatterRefused):
        desk.act(what, desk.kindless, said)
    assert log.lines(Office(desk.settings.home)) == []


def test_who_looked_before_another_acted_is_told(desk: Desk) -> None:
    shown = desk.matters()
    (matter,) = [m for m in shown.blocking if m.name == desk.kindless]
    desk.act(trail.ANSWERED, desk.kindless, "甲的答复")
    with pytest.raises(Overtaken, match=r"甲 .*已处理过这一条\(答复\)"):
        act(
            *(desk.settings, shown, matter, trail.ANSWERED),
            said="乙的答复",
            by="乙",
            seen=matter.last,
            now=now(),
        )
    assert [c.said for c in carried(desk.matters())] == ["甲的答复"]


def test_the_trail_only_grows_and_shows_any_change(desk: Desk) -> None:
    desk.act(trail.ANSWERED, desk.kindless, "一")
    desk.act(trail.ANSWERED, desk.kindless, "二")
    office = Office(desk.settings.home)
    for forbidden in ("UPDATE trail SET said = '三'", "DELETE FROM trail"):
        with sqlite3.connect(office.path) as raw, pytest.raises(sqlite3.Error, match="only grows"):
            raw.execute(forbidden)
    assert broken_steps(office) == []
    with sqlite3.connect(office.path) as raw:
        raw.execute("DROP TRIGGER trail_no_update")
        raw.execute("UPDATE trail SET said = '三' WHERE number = 1")
    assert broken_steps(office) == [1]
    with sqlite3.connect(office.path) as raw:
        raw.execute("DROP TRIGGER trail_no_delete")
        raw.execute("DELETE FROM trail WHERE number = 2")
    assert broken_steps(office) == [1, 2]
    # Maintenance looks every night, and so does who asks for it.
    told = [p.text for p in verify_home(desk.lake, desk.settings).problems]
    assert any("核对问题的经过第 1 行" in message for message in told)


def test_an_edition_without_problems_says_so(small: SmallCity) -> None:
    small.application("2020-03-02", "2020-03-09")
    build_edition(small.lake, small.folder, YEAR, now=NOW)
    matters = matters_of(small.lake, Settings(home=small.lake.home, city=small.folder), "2020-1")
    assert matters.blocking == []
    assert answers_of(matters) == {}
    with pytest.raises(EntryError, match="没有版次"):
        matters_of(small.lake, Settings(home=small.lake.home, city=small.folder), "<b>")
