"""Balanced reports for the audit's tests: figures drawn at will, rendered in every format."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

from hypothesis import strategies as st

from warehouse.form import load_layout
from warehouse.layout import Layout
from warehouse.layout_file import Axis, Table


class Figures(dict[str, int]):
    """Cell keys with their figures; `prose` is what the text of the report says beside them."""

    prose: tuple[str, ...] = ()


APPLICANTS = [
    "natural_person",
    "commercial_enterprise",
    "research_institution",
    "public_welfare_organization",
    "legal_service_organization",
    "other_organization",
]
ENDINGS = ["upheld", "corrected", "other", "pending"]


def balanced(layout: Layout, draw: random.Random, largest: int = 2000) -> Figures:
    """Figures for every printed cell of a layout; all checks of the form hold on them."""
    figures = Figures()
    for cell in layout.printed("t2"):
        figures[cell.key] = draw.randint(-9, 9) if cell.signed else draw.randint(0, largest)
    if layout.name == "2019":
        for row in ("regulation", "normative_document"):
            figures[f"t2.{row}.total_disclosed"] += figures[f"t2.{row}.newly_disclosed"]
    outcomes = [
        r for r in dict.fromkeys(c.row for c in layout.printed("t3"))
        if r not in ("new_received", "carried_in", "results_total", "carried_out")
    ]  # fmt: skip
    for column in APPLICANTS:
        for row in outcomes:
            figures[f"t3.{row}.{column}"] = draw.choice([0, 0, draw.randint(0, largest)])
        total = sum(figures[f"t3.{row}.{column}"] for row in outcomes)
        figures[f"t3.results_total.{column}"] = total
        figures[f"t3.carried_out.{column}"] = draw.randint(0, 40)
        handled = total + figures[f"t3.carried_out.{column}"]
        figures[f"t3.carried_in.{column}"] = draw.randint(0, min(handled, 30))
        figures[f"t3.new_received.{column}"] = handled - figures[f"t3.carried_in.{column}"]
    for row in [*outcomes, "new_received", "carried_in", "results_total", "carried_out"]:
        figures[f"t3.{row}.total"] = sum(figures[f"t3.{row}.{c}"] for c in APPLICANTS)
    for row in ("reconsideration", "litigation_direct", "litigation_after_reconsideration"):
        for ending in ENDINGS:
            figures[f"t4.{row}.{ending}"] = draw.randint(0, 90)
        figures[f"t4.{row}.total"] = sum(figures[f"t4.{row}.{e}"] for e in ENDINGS)
    return figures


@st.composite
def reports(draw: st.DrawFn) -> tuple[Layout, Figures]:
    """A layout with balanced figures."""
    layout = load_layout(draw(st.sampled_from(["2019", "2021"])))
    return layout, balanced(layout, random.Random(draw(st.integers(0, 10**6))))


GROUPS = ("denied", "unavailable", "unprocessed", "other")
STYLES = [
    "{year}年,全市共收到政府信息公开申请{new_received}件,其中自然人申请{natural}件,法人或其他组织申请{legal}件;上年结转{carried_in}件。"
    "办结{results_total}件,其中予以公开{granted}件,部分公开{partially_granted}件,不予公开{denied}件,无法提供{unavailable}件,不予处理{unprocessed}件,其他处理{other}件。"
    "结转下年度继续办理{carried_out}件。因政府信息公开被申请行政复议{review}件,被提起行政诉讼{litigation}件。",
    "本年新收政府信息公开申请{new_received}件、上年结转{carried_in}件。申请人中,自然人{natural}件,法人和其他组织{legal}件。"
    "共办理答复政府信息公开申请{results_total}件:予以公开的{granted}件、部分公开的{partially_granted}件、不予公开的{denied}件、无法提供的{unavailable}件、"
    "不予处理的{unprocessed}件、其他情形{other}件;转结下年{carried_out}件。",
    "全市受理依申请公开{new_received}件(自然人{natural}件,法人或者其他组织{legal}件),结转上一年度申请{carried_in}件。所有申请均依法办理,"
    "同意公开{granted}件,部分公开{partially_granted}件,不予公开{denied}件,无法提供{unavailable}件,不予处理{unprocessed}件,其他{other}件,结转至下一年度{carried_out}件。"
    "涉及政府信息公开的行政复议{review}件、行政诉讼{litigation}件。",
]
"""How the prose tells of applications; the names are those of `told`."""


def told(layout: Layout, figures: Figures) -> dict[str, int]:
    """The totals that prose quotes from tables 三 and 四."""
    return {name: sum(figures[key] for key in keys) for name, keys in quoted_cells(figures).items()}


def quoted_cells(figures: Figures) -> dict[str, list[str]]:
    """For each figure that prose quotes, the cells that it is the sum of."""
    rows = ("new_received", "carried_in", "granted", "partially_granted", "results_total", "carried_out")  # fmt: skip
    cells = {row: [f"t3.{row}.total"] for row in rows}
    for group in GROUPS:
        cells[group] = [k for k in figures if k.startswith(f"t3.{group}") and k.endswith(".total")]
    cells["natural"] = ["t3.new_received.natural_person"]
    cells["legal"] = [f"t3.new_received.{c}" for c in APPLICANTS[1:]]
    cells["review"] = ["t4.reconsideration.total"]
    cells["litigation"] = ["t4.litigation_direct.total", "t4.litigation_after_reconsideration.total"]  # fmt: skip
    return cells


# As printed Chinese has it, and as figures are sometimes typed.
FULL_WIDTH = {ord(c): ord(c) + 0xFEE0 for c in "0123456789(),:;"}
Span = tuple[str, int, int]
"""Text, columns spanned, rows spanned."""


def block_rows(table: Table, figures: Figures) -> list[list[Span]]:
    """Table 二: each block with a title row and columns of its own; three columns wide or more."""
    width = max(
        1 + len([leaf for c in b.columns for leaf in c.leaves()]) for b in table.all_blocks()
    )
    rows: list[list[Span]] = []
    for block in table.all_blocks():
        keys = [(c.key, c.label) for c in block.columns]
        rows.append([(block.label, width, 1)])
        spare = width - 1 - len(keys)
        rows.append(
            [
                ("信息内容", 1, 1),
                *[
                    (label, 1 + (spare if i == len(keys) - 1 else 0), 1)
                    for i, (_, label) in enumerate(keys)
                ],
            ]
        )
        for row in block.rows:
            values = [figures[f"t2.{row.key}.{key}"] for key, _ in keys]
            rows.append(
                [
                    (row.label, 1, 1),
                    *[
                        (str(v), 1 + (spare if i == len(keys) - 1 else 0), 1)
                        for i, v in enumerate(values)
                    ],
                ]
            )
    return rows


def _depth(axis: Axis) -> int:
    return 1 + max((_depth(m) for m in axis.members), default=0)


def grid_rows(table: Table, figures: Figures) -> list[list[Span]]:
    """Table 三 with three label columns and two rows of heads, merged as in the form."""
    columns = [leaf.key for c in table.columns for leaf in c.leaves()]
    rows: list[list[Span]] = [[(table.corner, 3, 3), ("申请人情况", len(columns), 1)], [], []]
    for column in table.columns:
        if column.members:
            rows[1].append((column.label, len(column.members), 1))
            rows[2] += [(m.label, 1, 1) for m in column.members]
        else:
            rows[1].append((column.label, 1, 2))

    def lay(axis: Axis, before: list[Span], level: int) -> list[Span]:
        if axis.members:
            head: list[Span] = [*before, (axis.label, 1, len(list(axis.leaves())))]
            for member in axis.members:
                head = lay(member, head, level + 1)
            return []
        values = [(str(figures[f"t3.{axis.key}.{c}"]), 1, 1) for c in columns]
        rows.append([*before, (axis.label, 3 - level, 1), *values])
        return []

    for row in table.rows:
        lay(row, [], 0)
    return rows


def line_rows(table: Table, figures: Figures) -> list[list[Span]]:
    """Table 四: fifteen figures in one row under three rows of heads."""
    reviews = ["reconsideration", "litigation_direct", "litigation_after_reconsideration"]
    endings = [(c.key, c.label) for c in table.columns]
    return [
        [("行政复议", 5, 2), ("行政诉讼", 10, 1)],
        [("未经复议直接起诉", 5, 1), ("复议后起诉", 5, 1)],
        [
            ("\n".join([label[:2], label[2:]]).strip(), 1, 1)
            for _ in reviews
            for _, label in endings
        ],
        [(str(figures[f"t4.{r}.{e}"]), 1, 1) for r in reviews for e, _ in endings],
    ]


def tables(layout: Layout, figures: Figures) -> list[tuple[str, list[list[Span]]]]:
    return [
        (layout.table("t2").title, block_rows(layout.table("t2"), figures)),
        (layout.table("t3").title, grid_rows(layout.table("t3"), figures)),
        (layout.table("t4").title, line_rows(layout.table("t4"), figures)),
    ]


def paragraphs(layout: Layout, figures: Figures) -> list[str]:
    year = layout.years.first + 1
    return [
        f"测试市人民政府{year}年政府信息公开工作年度报告",
        "一、总体情况",
        f"{year}年,全市认真做好政府信息公开工作,公开及时、准确。",
        *getattr(figures, "prose", ()),
    ]


def as_html(layout: Layout, figures: Figures, encoding: str = "utf-8") -> bytes:
    """A saved page: design tables around the report, and what an office program pastes."""

    def cell(text: str, wide: int, high: int) -> str:
        if encoding == "gb18030":
            text = text.translate(FULL_WIDTH)
        junk = f"<p class=MsoNormal align=center style='mso-pagination:widow-orphan'><span lang=EN-US style='mso-font-kerning:0pt'>{text.replace(chr(10), '<br>')}<o:p></o:p></span></p>"
        return f"<td colspan={wide} rowspan={high} valign=top><!--[if gte mso 9]><xml></xml><![endif]-->{junk}</td>"

    body = "".join(
        f"<p style='text-indent:2em'>&nbsp;&nbsp;<span>{p}</span></p>"
        for p in paragraphs(layout, figures)
    )
    for title, rows in tables(layout, figures):
        body += f"<p><b><span>{title}</span></b></p><div><table class=MsoTableGrid border=1>"
        body += (
            "".join("<tr>" + "".join(cell(*c) for c in row) + "</tr>" for row in rows)
            + "</table></div>"
        )
    page = (
        f"<html><head><meta charset={encoding}><title>测试市人民政府</title><script>var hits=12345;</script></head><body>"
        "<table width=1000><tr><td>首页</td><td>政务公开</td><td><table><tr><td>浏览次数:</td><td>1024</td></tr></table></td></tr></table>"
        f"<table><tr><td><div class=TRS_Editor>{body}</div></td></tr></table><div>版权所有 备案号 粤ICP备05012345号</div></body></html>"
    )
    return page.encode(encoding)


def as_text(layout: Layout, figures: Figures) -> bytes:
    """Cells divided by |, merged ones once: what copying from a page leaves."""
    lines = paragraphs(layout, figures)
    for title, rows in tables(layout, figures):
        lines.append(title)
        lines += [" | ".join(text.replace("\n", " ") for text, _, _ in row) + " |" for row in rows]
    return "\n".join(lines).encode()


def as_lines(layout: Layout, figures: Figures) -> bytes:
    """One line a cell."""
    lines = paragraphs(layout, figures)
    for title, rows in tables(layout, figures):
        lines.append(title)
        lines += [text.replace("\n", "") for row in rows for text, _, _ in row]
    return "\n".join(lines).encode()


def as_docx(layout: Layout, figures: Figures) -> bytes:
    """A Word file with merged cells as Word writes them: a cell merged downwards in every row."""
    import docx
    from docx.oxml import parse_xml

    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'

    def cell(text: str, wide: int, merge: str) -> str:
        lines = "".join(
            f"<w:p><w:r><w:t>{escape(line)}</w:t></w:r></w:p>" for line in text.split("\n")
        )
        return f'<w:tc><w:tcPr><w:gridSpan w:val="{wide}"/>{merge}</w:tcPr>{lines}</w:tc>'

    document = docx.Document()
    for paragraph in paragraphs(layout, figures):
        document.add_paragraph(paragraph)
    for title, rows in tables(layout, figures):
        document.add_paragraph(title)
        going_on: dict[int, tuple[int, int]] = {}
        xml = f"<w:tbl {space}><w:tblPr/><w:tblGrid/>"
        for row in rows:
            xml += "<w:tr>"
            cells = list(row)
            c = 0
            while cells or c in going_on:
                if c in going_on:
                    wide, left = going_on.pop(c)
                    xml += cell("", wide, "<w:vMerge/>")
                    if left > 1:
                        going_on[-c - 1] = (wide, left - 1)
                    c += wide
                    continue
                text, wide, high = cells.pop(0)
                xml += cell(text, wide, '<w:vMerge w:val="restart"/>' if high > 1 else "")
                if high > 1:
                    going_on[-c - 1] = (wide, high - 1)
                c += wide
            going_on = {-k - 1 if k < 0 else k: v for k, v in going_on.items()}
            xml += "</w:tr>"
        document.element.body.insert(len(document.element.body) - 1, parse_xml(xml + "</w:tbl>"))
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def _cut(rows: list[list[Span]], at: int) -> tuple[list[list[Span]], list[list[Span]]]:
    """A table cut by a page: what was merged over the cut goes on without its text."""
    upper = [[(t, w, min(h, at - r)) for t, w, h in row] for r, row in enumerate(rows[:at])]
    going_on: list[Span] = [
        ("", w, r + h - at) for r, row in enumerate(rows[:at]) for _, w, h in row if r + h > at
    ]
    lower = [list(row) for row in rows[at:]]
    lower[0] = going_on + lower[0]
    return upper, lower


def _split(rows: list[list[Span]], at: int) -> list[list[Span]]:
    """A row in two, as a page cuts it: the rest of its label goes on without its figures."""
    above = [[(t, w, h + (r + h > at)) for t, w, h in row] for r, row in enumerate(rows[:at])]
    first = [
        (t if t.isdigit() or h > 1 else t[: len(t) // 2], w, h + (h > 1)) for t, w, h in rows[at]
    ]
    rest = [("" if t.isdigit() else t[len(t) // 2 :], w, 1) for t, w, h in rows[at] if h == 1]
    return [*above, first, rest, *rows[at + 1 :]]


def as_pdf(
    layout: Layout,
    figures: Figures,
    *,
    ruled: bool = True,
    cut_at: int | None = None,
    cuts_rows: bool = False,
) -> bytes:
    """A PDF; with `cut_at` every table goes on over the page behind that many rows.

    `cuts_rows` lets the page cut the last of these rows in two.
    """
    from reportlab.lib.pagesizes import A3
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate
    from reportlab.platypus import Table as PdfTable

    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    style = ParagraphStyle("body", fontName="STSong-Light", fontSize=9, leading=12, wordWrap="CJK")

    def table(rows: list[list[Span]]) -> object:
        width = max(sum(w for _, w, _ in row) for row in rows)
        data: list[list[object]] = [["" for _ in range(width)] for _ in rows]
        commands: list[tuple[object, ...]] = (
            [("GRID", (0, 0), (-1, -1), 0.5, "black")] if ruled else []
        )
        taken: set[tuple[int, int]] = set()
        for r, row in enumerate(rows):
            c = 0
            for text, wide, high in row:
                while (r, c) in taken:
                    c += 1
                taken |= {(r + i, c + j) for i in range(high) for j in range(wide)}
                data[r][c] = Paragraph(text.replace("\n", "<br/>"), style)
                if wide * high > 1:
                    commands.append(("SPAN", (c, r), (c + wide - 1, r + high - 1)))
                c += wide
        widths = [90, 90, 120] + [60] * (width - 3) if width == 10 else [720 / width] * width
        return PdfTable(data, colWidths=widths, style=commands)

    story: list[object] = [Paragraph(p, style) for p in paragraphs(layout, figures)]
    for title, rows in tables(layout, figures):
        story.append(Paragraph(title, style))
        if cut_at is not None and cut_at < len(rows) - 1:
            upper, lower = _cut(_split(rows, cut_at - 1) if cuts_rows else rows, cut_at)
            story += [table(upper), PageBreak(), table(lower)]
        else:
            story.append(table(rows))
    stream = io.BytesIO()
    SimpleDocTemplate(stream, pagesize=A3, leftMargin=30, rightMargin=30).build(story)
    return stream.getvalue()


FORMATS: dict[str, tuple[str, Callable[[Layout, Figures], bytes]]] = {
    "html": (".html", as_html),
    "html_gb18030": (".htm", lambda layout, figures: as_html(layout, figures, "gb18030")),
    "docx": (".docx", as_docx),
    "pdf": (".pdf", as_pdf),
    "pdf_cut": (".pdf", lambda layout, figures: as_pdf(layout, figures, cut_at=9)),
    "pdf_unruled": (".pdf", lambda layout, figures: as_pdf(layout, figures, ruled=False)),
    "text": (".txt", as_text),
    "lines": (".txt", as_lines),
}


def write_report(folder: Path, form: str, layout: Layout, figures: Figures) -> Path:
    suffix, render = FORMATS[form]
    path = folder / f"report_{form}{suffix}"
    path.write_bytes(render(layout, figures))
    return path
