"""`nianbao diff`: what differs between two editions, told by records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli.figures import JsonOption, OrganOption
from tasks.wording.visible import visible

if TYPE_CHECKING:
    from tasks.editions.differences import ChangedRecord, Differences

MOST_RECORDS = 20
"""Records listed under a figure; all of them are in the JSON."""


def diff(
    before: Annotated[str, typer.Argument(metavar="原版次", help="先前的版次,如 2020-1")],
    after: Annotated[str, typer.Argument(metavar="现版次", help="后来的版次,如 2020-2")],
    organ: OrganOption = None,
    as_json: JsonOption = False,
) -> None:
    """比较两个版次:哪些数字不同,由哪些记录引起;互相抵消、不影响任何数字的变动也列出。

    按各版次自己的快照和口径比较,已被替代的版次也可以比较。
    """
    from deployments.cli import open_lake
    from tasks.editions.differences import differences, differences_json
    from tasks.editions.store import load_edition

    _, lake = open_lake()
    editions = [load_edition(lake, id_.strip()) for id_ in (before, after)]
    found = differences(lake, *editions, organ_id=organ)
    if as_json:
        import json

        print(json.dumps(differences_json(found), ensure_ascii=False, indent=1))
        return
    from tasks.wording.typeset import typeset

    for line in readable(found):
        print(line if line.startswith("    ") else typeset(line))


def readable(found: Differences) -> Iterator[str]:
    """Figure by figure with the records behind it. Lines of records keep their punctuation."""
    yield f"版次 {found.before} → {found.after},{found.organ.name}(含所属)"
    if found.definitions:
        yield f"两个版次的口径不同:{'、'.join(found.definitions)};数字可能因此不同"
    if not found.cells and not found.records_only:
        yield "没有任何数字和记录不同。"
    for cell in found.cells:
        d = cell.difference
        told = f"{d.shown_before} → {d.shown_after}"
        yield f"{d.label} {d.cell}:{d.note or told},涉及 {len(cell.records)} 条记录"
        yield from _records(cell.records)
    if found.records_only:
        yield f"变动而不影响任何数字的记录 {len(found.records_only)} 条:"
        yield from _records(found.records_only)


def _records(records: tuple[ChangedRecord, ...]) -> Iterator[str]:
    from tasks.editions.differences import CHANGE_LABELS
    from warehouse.numbers import number

    for r in records[:MOST_RECORDS]:
        weight = "" if r.weight is None else f" {r.weight:+f}".rstrip("0").rstrip(".")
        values = "; ".join(
            f"{name}: {was or '∅'} → {is_ or '∅'}" for name, (was, is_) in r.columns.items()
        )
        shown = f" ({values})" if r.change == "changed" and values else ""
        yield f"    {CHANGE_LABELS[r.change]} {r.source_system}/{visible(r.record_id + weight + shown)}"
    if len(records) > MOST_RECORDS:
        yield f"    …… {number(len(records) - MOST_RECORDS)}"
