"""The tables on a terminal, for `nianbao tables YEAR`."""

from __future__ import annotations

from shutil import get_terminal_size
from typing import TYPE_CHECKING

from expectations.result import STATUS_LABELS, gravity
from tasks.editions import figures as written
from tasks.render.data_files import findings_of
from tasks.render.findings import check_text, table_label
from tasks.render.overview import overview_lines
from tasks.render.words import document_title, edition_name, notice
from tasks.wording.typeset import typeset
from tasks.wording.visible import visible
from warehouse.layout_file import Axis

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table as RichTable

    from tasks.editions.edition import Edition
    from tasks.editions.figures import Figures
    from warehouse.layout import Layout
    from warehouse.layout_file import Block, Table

MOST_RECORDS = 20
# Of a finding that blocks nothing.
FEW_RECORDS = 3
NARROWEST_LABEL = 24
WIDE = 110
FEW_COLUMNS = 3


def tables(edition: Edition, organ_id: str | None = None, width: int | None = None) -> Group:
    """One organ's tables and open findings; the root's when no organ is named.

    Laid out for `width` columns, the terminal's own unless it is given. Raises KeyError for an organ that the edition does not have.
    """
    from rich.console import Group
    from rich.text import Text

    width = width or get_terminal_size((WIDE, 24)).columns
    figures = edition.figures(organ_id)
    organ = edition.organ(organ_id) if organ_id else edition.root
    title = document_title(edition).replace(edition.root.name, organ.name, 1)
    parts: list[RenderableType] = [
        Text(typeset(title), style="bold"),
        Text(
            f"{typeset(edition_name(edition))} · 格式 {edition.layout.name} · 快照 {edition.snapshot}"
            f" · 数据截至 {edition.data_as_of:%Y-%m-%d %H:%M} · 指纹 {edition.cell_hash[:12]}",
            style="dim",
        ),
    ]
    if notice(edition):
        parts.append(Text(typeset(notice(edition)), style="red"))
    parts.append(Text(""))
    for section, of_section in edition.form.printed(edition.layout, edition.period):
        if section.figures:
            parts.append(_overview(edition, organ_id, section.heading))
        for table in of_section:
            parts.append(Text(""))
            parts.append(Text(typeset(table.title), style="bold"))
            parts += [
                _block(edition.layout, table, block, figures, width) for block in table.all_blocks()
            ]
    parts.append(Text(""))
    parts.append(_findings(edition, organ.id))
    return Group(*parts)


def _rich_table(title: str, title_style: str) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable

    return RichTable(
        title=title or None,
        title_style=title_style,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def _figure(text: str) -> str:
    return text or "[dim]缺[/dim]"


def _overview(edition: Edition, organ_id: str | None, heading: str) -> RichTable:
    table = _rich_table(heading, "bold")
    table.add_column("指标", overflow="fold")
    table.add_column(edition.period.column, justify="right", no_wrap=True)
    table.add_column("单位", no_wrap=True)
    table.add_column(edition.period.column_before, justify="right", no_wrap=True)
    table.add_column("分子 ÷ 分母", overflow="fold")
    for line in overview_lines(edition, organ_id):
        unit = "" if line.text.endswith("%") else line.cell.unit
        table.add_row(
            typeset(line.cell.label),
            _figure(line.text),
            unit,
            line.before_text,
            typeset(written.short_sides(line.cell, line.value)),
        )
    return table


def _paths(axes: list[Axis], above: str = "") -> list[tuple[Axis, str, bool]]:
    """Rows with an indent; a group is a line of its own without figures."""
    found: list[tuple[Axis, str, bool]] = []
    for axis in axes:
        if axis.derived and not axis.members:
            continue
        found.append((axis, above, bool(axis.members)))
        found += _paths(axis.members, above + "  ")
    return found


def _header(label: str, width: int) -> str:
    """A column's header in lines short enough for the terminal."""
    step = 4 if width >= WIDE else 2
    return "\n".join(label[at : at + step] for at in range(0, len(label), step))


def _block(layout: Layout, table: Table, block: Block, figures: Figures, width: int) -> RichTable:
    if table.print == "list":
        return _list(layout, table, block, figures)
    columns = [leaf for axis in block.columns for leaf in axis.leaves()]
    shown = _rich_table(typeset(block.label), "dim")
    rows = []
    for axis, indent, is_group in _paths(block.rows):
        texts = []
        for column in columns if not is_group or axis.derived else []:
            key = f"{table.key}.{axis.key}.{column.key}"
            texts.append(written.text(layout.cells[key], figures.get(key)))
        rows.append((axis, indent, is_group, texts))
    # On a narrow terminal labels fold and headers stack; numbers never break.
    shown.add_column(block.header or "", overflow="fold", min_width=NARROWEST_LABEL)
    for column in columns:
        label = typeset(column.label)
        if len(columns) > FEW_COLUMNS:
            label = _header(label, width)
        shown.add_column(label, justify="right", no_wrap=True)
    for axis, indent, is_group, texts in rows:
        label = f"{axis.label}（小计）" if is_group and texts else axis.label
        cells = [f"[dim]{_figure(t)}[/dim]" if is_group else _figure(t) for t in texts]
        shown.add_row(indent + typeset(label), *cells)
    return shown


def _list(layout: Layout, table: Table, block: Block, figures: Figures) -> RichTable:
    """A line a row, with its unit; what is blank says why."""
    from rich.markup import escape

    shown = _rich_table("", "dim")
    shown.show_header = False
    shown.add_column(overflow="fold", min_width=NARROWEST_LABEL)
    shown.add_column(justify="right", overflow="fold")
    value = block.columns[0].key
    for axis, indent, is_group in _paths(block.rows):
        if is_group:
            shown.add_row(indent + typeset(axis.label), "")
            continue
        cell = layout.cells[f"{table.key}.{axis.key}.{value}"]
        unit = f"（{cell.unit}）" if cell.unit else ""
        figure = figures.get(cell.key)
        why = written.why_not_provided(cell, figure)
        text = escape(visible(typeset(written.text(cell, figure))))
        text = text or f"[dim]缺{f'：{why}' if why else ''}[/dim]"
        shown.add_row(indent + typeset(cell.label) + unit, text)
    return shown


def _findings(edition: Edition, organ_id: str) -> RenderableType:
    from rich.markup import escape
    from rich.text import Text

    found = [f for f in findings_of(edition, organ_id) if f.is_open]
    found.sort(key=lambda finding: gravity(finding.severity))
    if not found:
        return Text("核对：没有需要处理的问题。", style="green")
    table = _rich_table(f"核对：{len(found)} 项需要处理", "bold")
    table.add_column("规则")
    table.add_column("结果")
    table.add_column("说明与所涉记录", overflow="fold")
    for finding in found:
        told = escape(typeset(check_text(finding)))
        most = MOST_RECORDS if finding.blocks else FEW_RECORDS
        for record in finding.records[:most]:
            on = f"{record.record_on:%Y-%m-%d} " if record.record_on else ""
            told += escape(
                f"\n  {table_label(record.table)} {record.source_system}/{visible(record.record_id)} {on}"
                f"{typeset(record.organ_name or '')} {visible(typeset(record.detail))}"
            )
        more = max(finding.record_count, len(finding.records)) - most
        if more > 0:
            told += f"\n  …… 另有 {more} 条"
        style = "red" if finding.blocks else "yellow"
        table.add_row(finding.code, f"[{style}]{STATUS_LABELS[finding.status]}[/{style}]", told)
    return table
