"""Fingerprints: what an edition's figures and findings come to, in one short text each."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from tasks.editions.edition import CellValue, Finding
from warehouse.numbers import number


def cell_hash(cells: Any) -> str:
    """The fingerprint of all cells: organ, scope, key, value, numerator, denominator, and the text
    of those that have one, sorted."""
    digest = sha256()
    # Of a province's millions of figures nearly all are one of a few objects, and an organ without
    # others below it has the same figures in both scopes.
    known: dict[int, str] = {}
    lines: tuple[Any, list[str]] = (None, [])
    for (organ_id, scope), figures in sorted(cells.items()):
        if lines[0] is not figures:
            lines = figures, [f"{key}\t{_figure(known, figures[key])}" for key in sorted(figures)]
        begin = f"{organ_id}\t{scope}\t"
        digest.update("".join(f"{begin}{line}\n" for line in lines[1]).encode())
    return digest.hexdigest()


def _figure(known: dict[int, str], figure: CellValue) -> str:
    """A figure as the fingerprint has it; `known` are those written before, by identity."""
    found = known.get(id(figure))
    if found is None:
        numbers = map(number, (figure.value, figure.numerator, figure.denominator))
        text = () if figure.text is None else (figure.text,)
        found = known[id(figure)] = "\t".join((*numbers, *text))
    return found


def findings_hash(findings: Sequence[Finding]) -> str:
    """The fingerprint of what every check came to: all that is kept of it, and of each record
    it names."""
    digest = sha256()
    for written in sorted(map(_written, findings)):
        digest.update(f"{written}\n".encode())
    return digest.hexdigest()


def _written(f: Finding) -> str:
    parts = [f.organ_id, f.key, f.code, f.severity, f.status, f.message, f.equation]
    parts += [number(f.gap), str(f.record_count)]
    for r in f.records:
        place = (r.table, r.source_system, r.record_id, r.organ_id or "", str(r.record_on or ""))
        parts.append("\t".join((*place, r.detail)))
    return "\t".join(parts)
