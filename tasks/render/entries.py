"""What persons entered on record for an edition, as its outputs show it: as entered, with who, when
and on what ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.editions.edition import Edition

TITLE = "人工登记"
CODE = "E2"
"""The check that lists what was entered; it is kept with the edition."""
HEADS = ("网站", "登记日期", "行、内容、登记人和依据", "登记文件", "行号")
EXPLAINED = "以下各行没有系统记录，由人员登记，照登记的列出。要改正的，在登记文件末尾追加一行。"


def entry_lines(edition: Edition) -> list[tuple[str, str, str, str, str]]:
    """Each entry that stands in the edition, website by website in the order of the form's rows."""
    entries = [r for f in edition.findings if f.code == CODE for r in f.records]
    layout = edition.layout
    places = {
        f"{layout.table(c.table).title}·{c.full_label}:": at
        for at, c in enumerate(layout.cells.values())
        if c.entered
    }
    order = {organ.id: at for at, organ in enumerate(edition.organs)}

    def place(detail: str) -> int:
        return next((at for label, at in places.items() if detail.startswith(label)), len(places))

    entries.sort(key=lambda r: (order.get(r.organ_id or "", len(order)), place(r.detail)))
    return [
        (r.organ_name or "", f"{r.record_on or ''}", r.detail, r.source_system, r.record_id)
        for r in entries
    ]
