"""B10 for figures of several years or quarters in a row: 2018年83件、2019年121件、2020年156件.

Their sum is a total that is told behind them or a whole before them; the change of a year
that is named rests on the year before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from expectations.balance import Status, number
from tasks.audit.meanings import pattern
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.numerals import chinese_number
from tasks.audit.result import AuditCheck, Basis, coarse
from tasks.audit.suggestions import slips

_STOPS = re.compile(r"[。!?\n]")
_YEAR = re.compile(
    r"(?:[^,;:\d]*(?:分别[为是有]|[由从]))?(?:其中|包括|包含)?[,:]?(?:((?:19|20)\d\d)年|(今年|本年度?|去年|上年|前年))"
)
_MOVED = re.compile(r"(?:增|上?升|提高|减|下?降)[^,;:\d]{0,3}[至到为]((?:19|20)\d\d)年")
_BACK = {"今年": 0, "本年": 0, "本年度": 0, "去年": 1, "上年": 1, "前年": 2}
_OF_YEAR = re.compile(
    r"(?:其中)?[,:]?(?:((?:19|20)\d\d)年度?|今年|本年度?)?(?:同比|[比较](?:上年|去年|(?:19|20)\d\d年))"
)
"""Whose change it is: of a year named, of this year, or of the year right before."""
_THIS_YEAR = 3000
_COUNTED = re.compile(r"(?:近|这)?([两三四五六七八九十\d]+)年(?:来|间|内)?")


@dataclass(frozen=True)
class YearRow:
    """Amounts of one unit in the order of their years."""

    years: tuple[int, ...]
    figures: tuple[Figure, ...]

    def of(self, year: int) -> Figure | None:
        return dict(zip(self.years, self.figures, strict=True)).get(year)


def year_rows(narrative: Narrative) -> list[YearRow]:
    """Two or more amounts side by side, each behind its own year, the years one after another."""
    rows: list[YearRow] = []
    run: list[tuple[int, Figure]] = []
    for figure in narrative.figures:
        if figure.kind not in ("amount", "other_year"):
            continue
        year = _year(figure)
        is_next = run and year and _goes_on(narrative, run, year, figure)
        if not is_next:
            rows += _row_of(run)
            run = []
        if year:
            run.append((year, figure))
    return rows + _row_of(run)


def _year(figure: Figure) -> int:
    """The year that begins a figure's clause, 0 if none does; 去年 counts from a year of its own."""
    if moved := _MOVED.match(figure.lead):
        return int(moved[1])  # 2020年的73件增至2021年的118件
    told = _YEAR.match(figure.before)
    if told is None or re.search("结转", figure.before):
        return 0
    return int(told[1]) if told[1] else _THIS_YEAR - _BACK[told[2]]


def _goes_on(
    narrative: Narrative, run: list[tuple[int, Figure]], year: int, figure: Figure
) -> bool:
    last = run[-1][1]
    years = {y for y, _ in run}
    return (
        year in (min(years) - 1, max(years) + 1)
        and last.block == figure.block
        and last.unit == figure.unit
        and not _STOPS.search(narrative.between(last, figure))
    )


def _row_of(run: list[tuple[int, Figure]]) -> list[YearRow]:
    if len(run) < 2:
        return []
    return [YearRow(tuple(y for y, _ in run), tuple(f for _, f in run))]


def year_pair(narrative: Narrative, at: int) -> tuple[Figure, Figure] | None:
    """The amounts of a year and of the year before, of which a change names the later one.

    2018年83件、2019年121件、2020年156件,2020年同比增长28.9%.
    """
    change = narrative.figures[at]
    named = _OF_YEAR.match(change.before)
    if change.kind != "change" or named is None:
        return None
    for row in reversed(year_rows(narrative)):
        last = max(row.figures, key=lambda f: f.start)
        year = int(named[1]) if named[1] else row.years[row.figures.index(last)]
        now, base = row.of(year), row.of(year - 1)
        if (
            now is not None
            and base is not None
            and now.block == change.block
            and last.end <= change.start
            and len(_STOPS.findall(narrative.between(now, change))) < 2
            and (
                named[0].removeprefix("其中").lstrip(",:")[:2] in ("今年", "本年", "20", "19")
                or narrative.figures[at - 1] is last
            )
        ):
            return now, base
    return None


def yearly_checks(narrative: Narrative) -> list[AuditCheck]:
    """Every row of years against the whole before it and the total behind it."""
    checks: list[AuditCheck] = []
    for row in year_rows(narrative):
        checks += _with_total(narrative, row)
        checks += _with_whole(narrative, row)
    return [coarse(check) for check in checks]


_PERIODS = {
    "季度": re.compile(r"(?:其中)?[,:]?(?:第)?([一二三四1234])季度"),
    "半年": re.compile(r"(?:其中)?[,:]?([上下])半年"),
}
_ALL_PERIODS = {"季度": ({*"一二三四"}, {*"1234"}), "半年": ({*"上下"},)}


def period_checks(narrative: Narrative) -> list[AuditCheck]:
    """Amounts of all quarters, or of both halves, make up the year's: 356条,一季度78条…四季度85条."""
    amounts = [f for f in narrative.figures if f.kind == "amount" and f.unit and f.step]
    checks: list[AuditCheck] = []
    for word, told in _PERIODS.items():
        for at in range(len(amounts)):
            row = _periods_at(amounts, at, told)
            names = {m[1] for f in row if (m := told.match(f.before))}
            if names not in _ALL_PERIODS[word] or len(names) != len(row):
                continue
            whole = _year_of(narrative, amounts, at, row)
            if whole is not None:
                years = YearRow(tuple(range(len(row))), tuple(row))
                checks.append(_check(years, whole, is_all=True))
    return [coarse(check) for check in checks]


def _periods_at(amounts: list[Figure], at: int, told: re.Pattern[str]) -> list[Figure]:
    row: list[Figure] = []
    for figure in amounts[at:]:
        if figure.unit != amounts[at].unit or not told.match(figure.before):
            break
        row.append(figure)
    return row


def _year_of(
    narrative: Narrative, amounts: list[Figure], at: int, row: list[Figure]
) -> Figure | None:
    """The amount of the whole year: right before its parts, or told behind them."""
    behind = amounts[at + len(row)] if at + len(row) < len(amounts) else None
    before = amounts[at - 1] if at else None
    largest = max(f.value for f in row)
    if (
        behind is not None
        and re.match("全年|合计|共|总|累计", behind.before)
        and behind.unit == row[0].unit
        and behind.block == row[0].block
        and not _STOPS.search(narrative.between(row[-1], behind))
    ):
        return behind
    if before is None or before.unit != row[0].unit or before.block != row[0].block:
        return None
    is_near = len(_STOPS.findall(narrative.between(before, row[-1]))) < 2
    return before if is_near and before.value >= largest else None


def _amounts(narrative: Narrative, row: YearRow) -> list[Figure]:
    unit, block = row.figures[0].unit, row.figures[0].block
    return [
        f
        for f in narrative.figures
        if f.kind in ("amount", "other_year") and f.unit == unit and f.block == block and f.step
    ]


def _with_total(narrative: Narrative, row: YearRow) -> Iterator[AuditCheck]:
    """三年累计办理360件 behind the row."""
    last = row.figures[-1]
    total = next((f for f in _amounts(narrative, row) if f.start >= last.end), None)
    if total is None:
        return
    # 三年合计766件 may be a sentence of its own.
    stops = len(_STOPS.findall(narrative.between(last, total)))
    if stops > 1 or (stops and not _COUNTED.match(total.before)):
        return
    if re.search("平均|年均|每年", total.before):
        return
    counted = _COUNTED.match(total.before)
    if counted and (int(counted[1]) if counted[1].isdigit() else chinese_number(counted[1])) != len(
        row.years
    ):
        return
    if counted or re.match(pattern("totals").pattern, total.before):
        yield _check(row, total, is_all=counted is not None)


def _with_whole(narrative: Narrative, row: YearRow) -> Iterator[AuditCheck]:
    """累计公开5000条,其中2018年2000条、2019年3000条."""
    first = row.figures[0]
    whole = next((f for f in reversed(_amounts(narrative, row)) if f.end <= first.start), None)
    if whole is None:
        return
    joint = narrative.between(whole, first)
    if _STOPS.search(joint) or not re.match(
        r"(?:[,;(:]|其中|包括|包含)+(?:(?:19|20)\d\d年|[今去本上前]年)", joint
    ):
        return
    if re.search("其中|包括|包含|[(:]", joint):
        yield _check(row, whole, is_all=False)


def _check(row: YearRow, whole: Figure, *, is_all: bool) -> AuditCheck:
    added = sum((f.value for f in row.figures), Decimal(0))
    gap = added - whole.value
    is_wrong = gap and (is_all or gap > 0) and all(f.step for f in row.figures)
    status: Status = "fail" if is_wrong else "uncertain" if gap else "pass"
    sides = " + ".join(number(f.value) for f in row.figures)
    text = f"“{whole.quote}”与所列 {len(row.years)} 项之和"
    text += f" {number(added)} 相差 {number(abs(gap))}" if gap else "相等"
    if status == "uncertain":
        text += "(所列可能不是全部)"
    return AuditCheck(
        "B10", f"B10.years.{whole.block}.{whole.start}", status, text,
        f"{sides} = {number(added)}" + (f" ≠ {number(whole.value)}" if gap else ""), gap,
        tuple(Basis(f.value, figure=f) for f in (*row.figures, whole)), (),
        slips([*row.figures, whole], [1] * len(row.figures) + [-1], gap) if gap else (),
    )  # fmt: skip
