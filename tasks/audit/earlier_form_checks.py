"""B10 and B7 on the form of 2014 to 2018: its sums, and what the prose tells of the same."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from expectations.balance import Status, number
from tasks.audit.earlier_form import EarlierForm, EarlierRow, earlier_form
from tasks.audit.narrative import Narrative
from tasks.audit.result import AuditCheck, Basis


def earlier_form_checks(form: EarlierForm, narrative: Narrative) -> list[AuditCheck]:
    """The sums of the form, and what its rows and the prose both tell."""
    checks = [c for entry in earlier_form()["sums"] for c in _sum(form, entry)]
    checks += [c for entry in earlier_form()["parts"] for c in _part(form, entry)]
    return checks + list(_told(form, narrative))


def _basis(row: EarlierRow) -> Basis:
    return Basis(row.value, source=row.label)


def _sum(form: EarlierForm, entry: dict[str, Any]) -> Iterator[AuditCheck]:
    rows = [form.rows.get(key) for key in (entry["whole"], *entry["parts"])]
    if any(row is None for row in rows):
        return
    whole, *parts = [row for row in rows if row is not None]
    added = sum((p.value for p in parts), Decimal(0))
    gap = added - whole.value
    last = max(p.position for p in parts)
    # A row between that the form does not have may be one of the parts.
    is_local = any(whole.position < place < last for place in form.unknown)
    is_open = is_local or (entry.get("open", False) and gap < 0)
    status: Status = "pass" if not gap else "uncertain" if is_open else "fail"
    sides = " + ".join(number(p.value) for p in parts)
    text = f"表中“{whole.label}”{'等于' if not gap else '不等于'}其下各项之和"
    if gap:
        text += f",相差 {number(abs(gap))}" + (",所列可能不是全部" if is_open else "")
    yield AuditCheck(
        "B10", f"B10.form.{entry['whole']}", status, text,
        f"{sides} = {number(added)}" + (f" ≠ {number(whole.value)}" if gap else ""), gap,
        (_basis(whole), *map(_basis, parts)),
    )  # fmt: skip


def _part(form: EarlierForm, entry: dict[str, str]) -> Iterator[AuditCheck]:
    whole, part = form.rows.get(entry["whole"]), form.rows.get(entry["part"])
    if whole is None or part is None:
        return
    holds = part.value <= whole.value
    text = f"表中“{part.label}”{'不大于' if holds else '大于'}“{whole.label}”"
    yield AuditCheck(
        "B10", f"B10.form.{entry['part']}", "pass" if holds else "fail", text,
        f"{number(part.value)} {'≤' if holds else '>'} {number(whole.value)}",
        part.value - whole.value, (_basis(part), _basis(whole)),
    )  # fmt: skip


def _told(form: EarlierForm, narrative: Narrative) -> Iterator[AuditCheck]:
    """The prose against the form: the scope of either may be another, so never a fail."""
    seen: set[str] = set()
    for figure in narrative.figures:
        key = earlier_form()["roles"].get(figure.role, "")
        row = form.rows.get(key)
        if row is None or not figure.step or key in seen:
            continue
        gap = figure.value - row.value
        text = f"“{figure.quote}”与表中“{row.label}”{'不' if gap else ''}一致"
        seen |= {key} if not gap else set()
        yield AuditCheck(
            "B7", f"B7.form.{figure.block}.{figure.start}", "uncertain" if gap else "pass",
            text + (f",相差 {number(abs(gap))},口径可能不同" if gap else ""),
            f"{number(figure.value)} {'≠' if gap else '='} {number(row.value)}", gap,
            (Basis(figure.value, figure=figure), _basis(row)),
        )  # fmt: skip
