"""Reconcile: what adds up and what does not, and the records that keep it from adding up.

Codes B1–B6, B9, B11 come from the layout's equations, B8 from the organ tree, F1 compares
with what organs filed themselves, P1 with what was published, C1 watches the corrections.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from expectations.balance import evaluate, value_fault
from expectations.result import CheckResult, Status
from expectations.rules import Rulebook
from tasks.city.published import read_published
from tasks.editions.edition import CellValue, Finding, Organ, RecordReference, record_order
from tasks.editions.last_year import Changed, LastYear
from tasks.editions.tabulate import Figures, Tabulation, Tree
from warehouse.cells import ALL_ORGANS, Record, differing_records
from warehouse.form import Form
from warehouse.layout import Equation, Layout, Term
from warehouse.numbers import number
from warehouse.period import Period
from warehouse.reading import SET_ASIDE, Reading
from warehouse.tables import all_tables, table

RECORDS_KEPT = 200
"""How many records a finding lists; it counts all of them."""


def reconcile(
    reading: Reading,
    now: Tabulation,
    last_year: Tabulation,
    *,
    form: Form,
    rules: Rulebook,
    published: str | None = None,
    before: LastYear | None = None,
) -> Iterator[Finding]:
    """All checks of all organs' tables of a year.

    `last_year` are last year's figures through this year's organs; what was signed for
    (`before`) stands in their place where there is a published edition. `published`
    is the text of the city's file of figures published elsewhere; `rules` say how grave
    each check is.
    """
    before = before or LastYear()
    yield from _equations(rules, reading, now, last_year, before)
    yield from _transfers(rules, now, before)
    yield from _rewritten(rules, now, before)
    for organ in now.tree.organs:
        yield _values(rules, now, organ)
    yield from _organ_tree(rules, reading, form, now)
    if now.period.is_year:
        yield from _filed(rules, reading, form, now)
    if published is not None:
        yield from published_checks(rules, now, published)
    yield from _corrections(rules, reading, now.tree.root)


def finding(
    rules: Rulebook, result: CheckResult, organ: Organ, records: Iterable[RecordReference] = ()
) -> Finding:
    """A check's result as a finding of one organ, with its rule's severity."""
    listed = tuple(sorted(records, key=record_order))
    return Finding(
        code=result.code,
        key=result.key,
        organ_id=organ.id,
        organ_name=organ.name,
        severity=rules.describe(result.code).severity,
        status=result.status,
        message=result.message,
        equation=result.equation,
        gap=result.gap,
        records=listed[:RECORDS_KEPT],
        record_count=len(listed),
    )


def _values_of(figures: Mapping[str, CellValue]) -> dict[str, Decimal | None]:
    return {key: figure.value for key, figure in figures.items()}


def _equations(
    rules: Rulebook,
    reading: Reading,
    now: Tabulation,
    last_year: Tabulation,
    signed: LastYear,
) -> Iterator[Finding]:
    tree = now.tree
    names = {organ.id: organ.name for organ in tree.organs}
    inside = {organ.id: set(tree.subtree(organ.id)) for organ in tree.organs}
    figures = {o.id: _values_of(now.cells[(o.id, "rolled_up")]) for o in tree.organs}
    before = {o.id: _values_of(last_year.cells.get((o.id, "rolled_up"), {})) for o in tree.organs}
    for organ_id, values in signed.signed_for.items():
        before[organ_id].update(values)
    for equation in now.layout.equations:
        results = _results(equation, figures, before)
        references: list[RecordReference] = []
        if any(result.status == "fail" for result in results.values()):
            _, records = differing_records(
                reading, now.layout, equation, now.period, ALL_ORGANS, limit=100_000
            )
            references = [_reference(r, now.layout, equation, tree, names) for r in records]
        for organ in tree.organs:
            result = results[organ.id]
            behind = (
                [r for r in references if r.organ_id in inside[organ.id]]
                if result.status == "fail"
                else []
            )
            if result.status == "fail" and equation.crosses_years:
                behind += _changed(signed, equation, organ)
            yield finding(rules, result, organ, behind)


def _results(
    equation: Equation,
    figures: Mapping[str, Mapping[str, Decimal | None]],
    before: Mapping[str, Mapping[str, Decimal | None]],
) -> dict[str, CheckResult]:
    """What an equation comes to, by organ. Of the same figures, which in most organs are zeros, it is
    the same."""
    known: dict[tuple[Decimal | None, ...], CheckResult] = {}
    results = {}
    for organ, values in figures.items():
        then = before[organ]
        asked = tuple(
            (then if term.years_back else values).get(term.cell)
            for term in (*equation.left, *equation.right)
        )
        result = known.get(asked)
        if result is None:
            result = known[asked] = evaluate(equation, values, then)
        results[organ] = result
    return results


def _changed(signed: LastYear, equation: Equation, organ: Organ) -> list[RecordReference]:
    """The records that count otherwise now than in the published edition of last year."""
    cells = {term.cell for term in (*equation.left, *equation.right) if term.years_back}
    return [
        replace(c.reference, detail=f"{_counted(c, organ)}:{c.reference.detail}".rstrip(":"))
        for c in signed.changed
        if c.cell in cells and c.touches(organ.id)
    ]


def _counted(changed: Changed, organ: Organ) -> str:
    was = organ.id in changed.were and changed.before
    is_ = organ.id in changed.are and changed.now
    if was and is_:
        return "上年报表与现在计入的数不同"
    return "已计入上年报表,现不计入" if was else "未计入上年报表,现计入"


def _transfers(rules: Rulebook, now: Tabulation, signed: LastYear) -> Iterator[Finding]:
    """T1: what went to other organs because the organs changed, with its records."""
    if "T1" not in rules.yearly:
        return
    organs = {organ.id: organ for organ in now.tree.organs}
    for transfer in signed.transfers:
        text = f"{transfer.words}:上年报表中的 {len(transfer.records)} 条记录随之转入"
        result = CheckResult("T1", f"T1.{transfer.organ_id}.{transfer.to_id}", "pass", text)
        yield finding(rules, result, organs[transfer.to_id], transfer.records)


def _rewritten(rules: Rulebook, now: Tabulation, signed: LastYear) -> Iterator[Finding]:
    """L1: the published tables of last year against what the records would give by now."""
    if "L1" not in rules.yearly or not signed.edition_id:
        return
    root = now.tree.root
    told = [
        f"{now.layout.cells[key].full_label} 已发布 {number(was)},现有记录 {number(is_)}"
        for key, (was, is_) in signed.rewritten.items()
    ]
    text = ";".join(told[:10]) or f"{signed.edition_id} 已发布的数字与现有记录一致"
    records = {
        c.reference: f"{_counted(c, root)}:{c.reference.detail}".rstrip(":")
        for c in signed.changed
        if c.cell in signed.rewritten and c.touches(root.id)
    }
    behind = [replace(reference, detail=detail) for reference, detail in records.items()]
    result = CheckResult("L1", f"L1.{signed.edition_id}", "fail" if told else "pass", text)
    yield finding(rules, result, root, behind)


def _reference(
    record: Record, layout: Layout, equation: Equation, tree: Tree, names: Mapping[str, str]
) -> RecordReference:
    """A record that counts on one side only. Its organ is the one that answers for it."""
    organ = record.organ_id
    if organ is None or (organ not in names and organ not in tree.stands_for):
        organ = tree.root.id
    organ = tree.stands_for.get(organ, organ)
    heavy, light = (
        (equation.left, equation.right) if record.quantity > 0 else (equation.right, equation.left)
    )
    detail = f"计入{_side(layout, equation, heavy)},未计入{_side(layout, equation, light)}"
    return RecordReference(
        record.table,
        record.source_system,
        record.record_id,
        organ,
        names.get(organ),
        record.record_on,
        detail,
    )


def _side(layout: Layout, equation: Equation, terms: tuple[Term, ...]) -> str:
    """A side of an equation in words."""
    if len(terms) > 2:
        return "任何一类申请人" if equation.code == "B3" else "任何一个分项"
    labels = []
    for term in terms:
        cell = layout.cells[term.cell]
        label = cell.column_label if equation.each == "row" else cell.label
        labels.append(("上年" if term.years_back else "") + f"“{label}”")
    return "、".join(labels)


def _values(rules: Rulebook, now: Tabulation, organ: Organ) -> Finding:
    """B9 over all printed cells of an organ, as one finding."""
    figures = now.cells[(organ.id, "rolled_up")]
    bad = [
        fault
        for cell in now.layout.cells.values()
        if cell.measure and not cell.derived
        if (fault := value_fault(cell, figures[cell.key].value))
    ]
    message = ";".join(bad[:10]) or "各单元格的数值合法"
    return finding(rules, CheckResult("B9", "B9", "fail" if bad else "pass", message), organ)


def filed_figures(
    reading: Reading, form: Form, period: Period
) -> dict[str, dict[str, tuple[Decimal | None, str, str]]]:
    """What organs filed of a form's tables: organ → cell → (value, source system, record id)."""
    filed: dict[str, dict[str, tuple[Decimal | None, str, str]]] = defaultdict(dict)
    for organ_id, cell, text, source, record_id in reading.connection.execute(
        "SELECT organ_id, cell, value, source_system, record_id FROM core.filed_cell "
        f"WHERE report_year = {period.year} AND removed_at IS NULL ORDER BY source_system, record_id"
    ).fetchall():
        if not form.has_filed(cell):
            continue
        try:
            value = Decimal(text) if text not in (None, "") else None
        except InvalidOperation:
            value = None
        filed[organ_id][cell] = (value, source, record_id)
    return filed


def _organ_tree(
    rules: Rulebook, reading: Reading, form: Form, now: Tabulation
) -> Iterator[Finding]:
    """B8: a parent is its own and its direct children, in the tables built and in those filed."""
    # Organs file a year's tables, no other span's.
    filed = filed_figures(reading, form, now.period) if now.period.is_year else {}
    tree, cells = now.tree, now.cells
    additive = [c for c in now.layout.cells.values() if c.measure]
    for parent in tree.organs:
        children = tree.children(parent.id)
        if not children:
            continue
        bad = []
        for cell in additive:
            whole = cells[(parent.id, "rolled_up")][cell.key].value
            parts = [cells[(parent.id, "own")][cell.key].value]
            parts += [cells[(child.id, "rolled_up")][cell.key].value for child in children]
            known = [p for p in parts if p is not None]
            if whole is not None and whole != sum(known, Decimal(0)):
                bad.append(f"{cell.full_label} {number(whole)} ≠ {number(sum(known, Decimal(0)))}")
        message = ";".join(bad[:10]) or f"本级与 {len(children)} 个下级之和等于汇总数"
        yield finding(
            rules, CheckResult("B8", f"B8.{parent.id}", "fail" if bad else "pass", message), parent
        )
        if filed:
            yield _filed_tree(rules, now, parent, children, filed)


def _filed_tree(
    rules: Rulebook,
    now: Tabulation,
    parent: Organ,
    children: list[Organ],
    filed: Mapping[str, Mapping[str, tuple[Decimal | None, str, str]]],
) -> Finding:
    """B8 over the tables that organs filed: each parent's against its own records and its
    children's filings. A child that filed nothing is named."""
    missing = [child for child in children if child.id not in filed]
    bad = []
    for cell_key, (whole, _, _) in filed.get(parent.id, {}).items():
        own = now.cells[(parent.id, "own")].get(cell_key, CellValue(None)).value
        parts = [filed[c.id][cell_key][0] for c in children if cell_key in filed.get(c.id, {})]
        total = (own or Decimal(0)) + sum((p for p in parts if p is not None), Decimal(0))
        if whole is not None and whole != total:
            bad.append(f"{cell_key} 填报 {number(whole)},本级与下级之和 {number(total)}")
    key = f"B8.filed.{parent.id}"
    status: Status
    if parent.id not in filed:
        status, message = "not_assessable", f"{parent.name}未填报"
    elif missing:
        names = "、".join(child.name for child in missing[:10])
        more = f" 等 {len(missing)} 个机关" if len(missing) > 10 else ""
        status = "uncertain"
        message = f"填报表:{names}{more}未填报" + (f";{';'.join(bad[:5])}" if bad else "")
    else:
        status = "fail" if bad else "pass"
        message = f"填报表:{';'.join(bad[:10])}" if bad else "填报表:本级与下级之和等于汇总数"
    checked = finding(rules, CheckResult("B8", key, status, message), parent)
    return replace(checked, severity="warn")


def _filed(rules: Rulebook, reading: Reading, form: Form, now: Tabulation) -> Iterator[Finding]:
    """F1: what an organ filed itself against what its records give.

    For organs without subordinates; a parent's filing is held against its children's by B8,
    else one wrong filing would be told again at every level above it.
    """
    filed = filed_figures(reading, form, now.period)
    for organ in now.tree.organs:
        if organ.id not in filed or now.tree.children(organ.id):
            continue
        computed = now.cells[(organ.id, "rolled_up")]
        records, bad = [], []
        for cell_key, (value, source, record_id) in filed[organ.id].items():
            cell = now.layout.cells.get(cell_key)
            if cell is None or value is None or computed[cell_key].value in (None, value):
                continue
            text = f"{cell.full_label}:填报 {number(value)},系统记录 {number(computed[cell_key].value)}"
            bad.append(text)
            records.append(
                RecordReference(
                    "core.filed_cell", source, record_id, organ.id, organ.name, None, text
                )
            )
        message = ";".join(bad[:10]) or "自行填报的数字与系统记录一致"
        result = CheckResult("F1", f"F1.{organ.id}", "fail" if bad else "pass", message)
        yield finding(rules, result, organ, records)


def agreement(published: Decimal, computed: Decimal, decimals: int) -> str | None:
    """How a published figure agrees with a computed one: 相等, 截取, 四舍五入; None if it does not."""
    if published == computed:
        return "相等"
    unit = Decimal(1).scaleb(-decimals)
    ways = [
        name
        for name, rounding in (("截取", "ROUND_DOWN"), ("四舍五入", "ROUND_HALF_UP"))
        if computed.quantize(unit, rounding=rounding) == published
    ]
    return "或".join(ways) or None


def published_checks(rules: Rulebook, now: Tabulation, text: str) -> Iterator[Finding]:
    """P1: figures published elsewhere against the edition, percentages rounded or truncated."""
    root = now.tree.root
    figures: Figures = now.cells[(root.id, "rolled_up")]
    for printed in read_published(text):
        key = printed.key
        cell = now.layout.cells.get(key)
        value = figures[key].value if cell else None
        label = cell.full_label if cell else key
        if value is None:
            result = CheckResult("P1", f"P1.{key}", "not_assessable", f"{label}:没有可比的数")
        else:
            way = agreement(printed.value, value, printed.decimals)
            # A rate is told to two decimals more than were printed, to see how it was cut.
            shown = value.quantize(Decimal(1).scaleb(-printed.decimals - 2), rounding="ROUND_DOWN")
            told = f"{label}:公布 {number(printed.value)},本版 {number(shown)}"
            result = CheckResult(
                "P1",
                f"P1.{key}",
                "pass" if way else "fail",
                f"{told}({way})" if way else told,
                f"{number(printed.value)} = {number(value)}",
                printed.value - value,
            )
        yield finding(rules, result, root)


def _corrections(rules: Rulebook, reading: Reading, root: Organ) -> Iterator[Finding]:
    """C1: a correction whose record says something else by now must be retired. One that
    applies is on record with what it changes, why, and on whose word."""
    columns = {t.full_name: {c.name for c in t.columns} for t in all_tables()}
    # Earlier snapshots know those of the city's file only.
    has_entries = "correction_number" in reading.stored_columns.get("ops.correction", ())
    entered = "correction_number, entered_by, reviewed_by" if has_entries else "NULL, NULL, NULL"
    for name, source, record_id, column, expected, value, *why in reading.connection.execute(
        "SELECT table_name, source_system, record_id, column_name, expected_value, "
        f"corrected_value, reason, reported_by, decided_on, {entered} "
        "FROM lake.ops.correction ORDER BY ALL"
    ).fetchall():
        key = f"C1.{name}.{source}.{record_id}.{column}"
        if column != "*" and column not in columns.get(name, set()):
            continue
        selected = "NULL" if column == "*" else f"{column}::VARCHAR"
        row = reading.connection.execute(
            f"SELECT {selected} FROM lake.{name} WHERE source_system = ? AND record_id = ?",
            [source, record_id],
        ).fetchone()
        reference = RecordReference(name, source, record_id, root.id, root.name, None, column)
        if row is None:
            text, status = f"更正所指的记录不存在:{name} {record_id}", "fail"
        elif column != "*" and row[0] != expected:
            text = (
                f"{name} {record_id} 的 {column} 现为“{row[0] or '空'}”,已不是更正所针对的"
                f"“{expected or '空'}”;更正未再适用,请核对后{_where_to_retire(why[3])}"
            )
            status = "fail"
        else:
            done = "不计入" if column == "*" else f"由“{expected or '空'}”改为“{value or '空'}”"
            told = f"{why[0]};{why[1]}提出,{why[2]}决定"
            if why[3] is not None:
                told += f";更正第 {why[3]} 号,{why[4]}登记,{why[5]}复核"
            text, status = f"更正适用:{name} {record_id} {column} {done}({told})", "pass"
            if not _is_applied(reading, name, source, record_id, column, value):
                text = f"更正未生效:{name} {record_id} {column} 应{done};这是程序缺陷,请报维护人员"
                status = "fail"
        result = CheckResult("C1", key, "fail" if status == "fail" else "pass", text)
        yield finding(rules, result, root, [reference])


def _where_to_retire(number: int | None) -> str:
    return "从 corrections.yaml 撤下" if number is None else f"在更正页撤下更正第 {number} 号"


def _is_applied(
    reading: Reading, name: str, source: str, record_id: str, column: str, value: str | None
) -> bool:
    """Whether the figures see a record as its correction says. What is set aside they do not see."""
    of = f"FROM {name} WHERE source_system = $source AND record_id = $record"
    given = {"source": source, "record": record_id}
    if column == "*":
        return reading.connection.execute(f"SELECT 1 {of}", given).fetchone() is None
    kind = next(c.sql_type for c in table(name).columns if c.name == column)
    row = reading.connection.execute(
        f"SELECT {column} IS NOT DISTINCT FROM $value::{kind} "
        f"OR list_contains({SET_ASIDE}, '{column}') {of}",
        {**given, "value": value},
    ).fetchone()
    return row is None or bool(row[0])
