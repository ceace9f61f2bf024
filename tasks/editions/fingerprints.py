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
    # Of a province's millions of figures nearly all are one of a few objects.
    known: dict[int, str] = {}
    for (organ_id, scope), figures in sorted(cells.items()):
        for key in sorted(figures):
            figure = figures[key]
            written = known.get(id(figure))
            if written is None:
                written = known[id(figure)] = _figure(figure)
            digest.update(f"{organ_id}\t{scope}\t{key}\t{written}\n".encode())
    return digest.hexdigest()


def _figure(figure: CellValue) -> str:
    written = "\t".join(map(number, (figure.value, figure.numerator, figure.denominator)))
    return written if figure.text is None else f"{written}\t{figure.text}"


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
