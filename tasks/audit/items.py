"""B7 for the numbers of items in 二 of the form of 2019: how many there were, 本年增/减, and are now.

The prose tells the change with its way in words (减少6项), the table with a sign (-6).
"""

from __future__ import annotations

import re
from decimal import Decimal

from expectations.balance import Status, number
from tasks.audit.agreement import CellValues, named
from tasks.audit.meanings import pattern, phrases
from tasks.audit.narrative import Figure, Narrative
from tasks.audit.result import AuditCheck, Basis

_SENTENCE = re.compile(r"[。;!?\n]")


def item_checks(narrative: Narrative, cells: CellValues) -> list[AuditCheck]:
    """Every change in items, and every number of items there are now, against the table."""
    checks = []
    for figure in narrative.figures:
        row = _row(narrative, figure)
        if row is None or figure.kind not in ("amount", "difference") or not figure.step:
            continue
        if way := pattern("item_change").search(figure.before):
            falls = re.search(phrases()["moved_down"], way[0]) is not None
            told = -abs(figure.value) if falls else abs(figure.value)
            checks += _check(narrative, figure, told, (f"{row}.change",), cells)
        elif pattern("items_now").search(figure.before):
            keys = (f"{row}.prior_items", f"{row}.change")
            checks += _check(narrative, figure, figure.value, keys, cells)
    return checks


def _row(narrative: Narrative, figure: Figure) -> str | None:
    """The row of table 二 that the sentence names last before a number of items."""
    if figure.unit not in ("项", "个"):
        return None
    sentence = _SENTENCE.split(narrative.texts[figure.block][: figure.start])[-1]
    rows: dict[str, str] = phrases()["item_rows"]
    named_rows = {sentence.rfind(name): row for name, row in rows.items() if name in sentence}
    return named_rows[max(named_rows)] if named_rows else None


def _check(
    narrative: Narrative, figure: Figure, told: Decimal, keys: tuple[str, ...], cells: CellValues
) -> list[AuditCheck]:
    values = [cells.get(key) for key in keys]
    if any(value is None for value in values):
        return []
    added = sum((value for value in values if value is not None), Decimal(0))
    gap = told - added
    sentence = _SENTENCE.split(narrative.texts[figure.block][: figure.end])[-1]
    # Beside 上一年项目数量 the words are the form's own.
    is_sure = len(keys) == 1 and "上一年项目数量" in sentence
    status: Status = "pass" if not gap else "fail" if is_sure else "uncertain"
    text = f"“{figure.quote}”与表格{'不' if gap else ''}一致({named(' + '.join(keys))})"
    if status == "uncertain":
        text += ",口径可能不同"
    written = " + ".join(number(v) for v in values if v is not None)
    evidence = (
        Basis(figure.value, figure=figure),
        *(Basis(v, cell=k) for k, v in zip(keys, values, strict=True)),
    )
    return [
        AuditCheck(
            "B7", f"B7.items.{figure.block}.{figure.start}", status, text,
            f"{number(told)} {'≠' if gap else '='} {written}", gap, evidence,
        )
    ]  # fmt: skip
