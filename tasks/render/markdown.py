"""An edition as Markdown for the artifacts of a run: what an operator reads in the browser.

Plain GitHub-flavoured tables without merged cells, so every row and column repeats its
whole label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from expectations.result import STATUS_LABELS
from tasks.editions import figures as written
from tasks.render import account
from tasks.render.findings import (
    OrganWork,
    by_who_must_act,
    check_text,
    open_codes,
    rule_title,
    summary,
    table_label,
    what_to_do,
)
from tasks.render.form import flat_tables
from tasks.render.manifest import MANIFEST
from tasks.render.outputs import OUTPUTS
from tasks.render.overview import OverviewLine, overview_lines
from tasks.render.words import NO_FIGURES, document_title, edition_facts, edition_name, notice
from tasks.wording.typeset import typeset
from tasks.wording.visible import visible
from warehouse.numbers import plain

if TYPE_CHECKING:
    from tasks.editions.account import Line
    from tasks.editions.edition import Edition
    from warehouse.layout_file import Table
    from warehouse.period import Period

MOST_RECORDS = 100
# Rules side by side in the artifact's table; more would run off the page.
MOST_CODES = 8
# Characters in a line of a table's header and label, so that the widest form fits the page.
HEADER_LINE, LABEL_LINE = 4, 16
FEW_COLUMNS = 3
# Of those that block nothing.
FEW_RECORDS = 5
MISSING = "缺"
_CODE = re.compile(r"(`[^`\n]*`)")
_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|~"} | {"\n": " ", "\r": " "})


def escaped(text: object) -> str:
    """A text that Markdown shows as it is, also inside a table."""
    return visible(str(text)).translate(_SPECIAL)


def wrapped(text: str, characters: int) -> str:
    """An escaped text in lines of so many characters: tables do not wrap by themselves.

    The parts of a label begin a line each.
    """
    lines = [
        part[at : at + characters]
        for part in text.split(" · ")
        for at in range(0, len(part), characters)
    ]
    return "<br>".join(map(escaped, lines))


def code(text: str) -> str:
    """A text as code; a backtick or line break in it becomes a space, a bar is escaped."""
    return "`" + text.replace("`", " ").replace("\n", " ").replace("|", "\\|") + "`"


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], sides: str = "", numbers: int = 0
) -> str:
    """A table of finished texts; the last `numbers` columns are set to the right, or each as
    `sides` says with a letter, `l` or `r`."""
    sides = sides or "l" * (len(columns) - numbers) + "r" * numbers
    rule = ["--:" if side == "r" else "---" for side in sides]
    lines = [columns, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def page(parts: Iterable[str]) -> str:
    """The parts of a page as one text in Chinese punctuation; code is left as it is."""
    pieces = _CODE.split("\n".join(parts))
    return "".join(piece if at % 2 else typeset(piece) for at, piece in enumerate(pieces))


def _head(edition: Edition, title: str) -> str:
    told = f"\n\n**{notice(edition)}**" if notice(edition) else ""
    return (
        f"# {escaped(title)}\n\n{escaped(edition.root.name)} {edition.period.label}"
        f" · {edition_name(edition)} · 快照 {edition.snapshot}"
        f" · 指纹 {code(edition.cell_hash[:12])}{told}\n"
    )


def report(edition: Edition, folder: Path | None = None, base_url: str = "") -> str:
    """Everything on one page: state, findings, tables, changes, files."""
    parts = [
        _head(edition, document_title(edition)),
        _findings_body(edition),
        _form_body(edition),
        _changes_body(edition),
    ]
    if folder is not None:
        parts.append(_files_body(edition, folder, base_url))
    return page(parts)


def tables(edition: Edition) -> str:
    """The figures of the narrative and the statutory tables, as they will print."""
    return page([_head(edition, "法定表格"), _form_body(edition)])


def findings(edition: Edition) -> str:
    """Open findings by who must act: organ × rule, then each organ's records."""
    return page([_head(edition, "核对问题"), _findings_body(edition)])


def changes(edition: Edition) -> str:
    """This year beside last year, the largest movers first."""
    return page([_head(edition, "与上年比较"), _changes_body(edition)])


def files(edition: Edition, folder: Path, base_url: str = "") -> str:
    """What was written where, and what the edition is."""
    # A list, because long texts in tables do not wrap.
    facts = "".join(f"- **{name}** {escaped(value)}\n" for name, value in edition_facts(edition))
    facts = f"## 编制说明\n\n{facts}"
    return page([_head(edition, "输出文件"), _files_body(edition, folder, base_url), facts])


def account_page(lines: Sequence[Line], period: Period) -> str:
    """The account for the page of a run: a paragraph a list, as equations."""
    parts = [f"# {period.label}{account.TITLE}\n", f"{account.EXPLAINED}\n"]
    for line in lines:
        mark = "" if line.is_balanced else "**账目不符** "
        parts.append(f"## {mark}{escaped(account.list_name(line))}\n")
        parts.append("".join(f"- {escaped(str(e))}\n" for e in line.equations()))
    if not lines:
        parts.append("没有记录去向的账目(由以往版本编制,或还没有数据)。\n")
    parts.append(f"逐条查看:{code(f'nianbao account {period.key} --records 去向')}\n")
    return page(parts)


def _form_body(edition: Edition) -> str:
    """The sections with figures, in the order of the form."""
    parts = []
    for section, tables in edition.form.printed(edition.layout, edition.period):
        if section.figures:
            parts.append(_overview_body(edition, section.heading))
        parts += [_table_body(edition, form, edition.figures()) for form in tables]
    return "\n".join(parts)


def _overview_body(edition: Edition, heading: str) -> str:
    lines = overview_lines(edition)
    heading = f"## {escaped(heading)}"
    if not lines:
        return f"{heading}\n\n{NO_FIGURES}\n"
    rows = [
        [
            wrapped(line.cell.label, LABEL_LINE),
            _with_unit(line),
            line.before_text,
            line.change_text,
            escaped(written.short_sides(line.cell, line.value)).replace("截取 ", "截取<br>"),
        ]
        for line in lines
    ]
    shown = table(
        ["指标", edition.period.column, edition.period.column_before, "增减", "分子 ÷ 分母"],
        rows,
        "lrrrl",
    )
    return f"{heading}\n\n{shown}"


def _with_unit(line: OverviewLine) -> str:
    if not line.text:
        return MISSING
    unit = "" if line.text.endswith("%") else f" {escaped(line.cell.unit)}"
    return f"**{line.text}**{unit}"


def organ_tables(edition: Edition, organ_id: str | None = None) -> str:
    """The statutory tables of one organ and those below it, the root's unless one is named."""
    figures = edition.figures(organ_id)
    tables = edition.form.tables(edition.layout)
    return "\n".join(_table_body(edition, form, figures) for form in tables)


def _table_body(edition: Edition, form: Table, figures: written.Figures) -> str:
    parts = [f"## {escaped(form.title)}\n"]
    if form.corner:
        parts.append(f"{escaped(form.corner)}\n")
    for flat in flat_tables(edition.layout, form, figures):
        if flat.title:
            parts.append(f"**{escaped(flat.title)}**\n")
        rows = [
            [wrapped(label, LABEL_LINE), *(text or MISSING for text in texts)]
            if texts
            else [f"**{escaped(label)}**", *[""] * len(flat.columns)]
            for label, texts in flat.rows
        ]
        columns = [escaped(flat.header or "项目")]
        line = HEADER_LINE if len(flat.columns) > FEW_COLUMNS else LABEL_LINE
        columns += ["<br>".join(wrapped(label, line) for label in path) for path in flat.columns]
        parts.append(table(columns, rows, numbers=len(flat.columns)))
    return "\n".join(parts)


def _findings_body(edition: Edition) -> str:
    work = by_who_must_act(edition)
    parts = [f"## 核对问题：谁应处理\n\n{escaped(summary(edition))}\n"]
    if not work:
        return parts[0] + "\n没有需要处理的问题。\n"
    codes = open_codes(edition)
    for first in range(0, len(codes), MOST_CODES):
        parts.append(_matrix(work, codes[first : first + MOST_CODES], is_first=first == 0))
    named = "".join(
        f"- **{c}** {escaped(title)}\n" for c in codes if (title := rule_title(edition, c))
    )
    parts.append(f"数字为应处理的记录数；没有可指明记录的，为问题数。\n\n{named}")
    parts += [_organ_body(edition, organ) for organ in work]
    return "\n".join(parts)


def _matrix(work: Sequence[OrganWork], codes: Sequence[str], *, is_first: bool) -> str:
    """Organs by rules, in as many columns as the page is wide. The first table counts every
    organ's work; the further ones leave out who has nothing in them."""
    named = ["合计", "阻断"] if is_first else []
    rows = []
    for organ in work:
        counts = [str(organ.count(c) or "") for c in codes]
        if is_first:
            counts = [f"**{organ.total}**", str(organ.blocking or ""), *counts]
        if any(counts):
            rows.append([escaped(organ.organ_name), *counts])
    return table(["应处理机关", *named, *codes], rows, numbers=len(named) + len(codes))


def _organ_body(edition: Edition, organ: OrganWork) -> str:
    parts = [f"### {escaped(organ.organ_name)}（{organ.total} 项）\n"]
    advice = "\n>\n".join(
        f"> **{c}** {escaped(told)}" for c in organ.codes if (told := what_to_do(edition, c))
    )
    if advice:
        parts.append(f"{advice}\n")
    # A list, because long texts in tables do not wrap.
    urgent = [item for item in organ.records if item.severity == "block"]
    others = [item for item in organ.records if item.severity != "block"]
    for item in urgent[:MOST_RECORDS] + others[:FEW_RECORDS]:
        record = item.record
        on = f" {record.record_on}" if record.record_on else ""
        parts.append(
            f"- **{'、'.join(item.codes)}** {table_label(record.table)}"
            f" {code(f'{record.source_system}/{record.record_id}')}{on}：{escaped(item.detail)}"
        )
    more = len(urgent[MOST_RECORDS:]) + len(others[FEW_RECORDS:])
    if more:
        parts.append(f"- 另有 {more} 条，见工作簿中的问题清单或 finding\\_records.csv")
    for finding in organ.findings:
        equation = f" {code(finding.equation)}" if finding.equation else ""
        parts.append(
            f"- **{finding.code}** {STATUS_LABELS[finding.status]}:"
            f"{escaped(check_text(finding))}{equation}"
        )
    return "\n".join(parts) + "\n"


def _changes_body(edition: Edition) -> str:
    movers = written.largest_movers(edition)
    if not edition.last_year:
        return "## 与上年比较\n\n没有上年数字。\n"
    if not movers:
        return "## 与上年比较\n\n与上年相比，没有增减达到 10 的数字。\n"
    rows = [
        [
            wrapped(change.cell.full_label, LABEL_LINE),
            plain(change.now),
            plain(change.before),
            change.difference_text,
            change.percent_text,
        ]
        for change in movers
    ]
    period = edition.period
    columns = ["变动最大的数字", period.label, period.year_before.label, "增减", "增减比例"]
    shown = table(columns, rows, numbers=4)
    return f"## 与上年比较\n\n{shown}\n增减比例为增减数除以上年数，截取两位小数；增减不足 10 的不列。\n"


def _files_body(edition: Edition, folder: Path, base_url: str) -> str:
    rows = []
    titles = {output.name: output.title(edition) for output in OUTPUTS} | {
        MANIFEST: "文件清单与指纹"
    }
    for name, title in titles.items():
        shown = f"[{name}]({base_url.rstrip('/')}/{name})" if base_url else code(name)
        rows.append([shown, escaped(title)])
    return f"## 输出文件\n\n文件夹：{code(str(folder))}\n\n{table(['文件', '内容'], rows)}"
