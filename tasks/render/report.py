"""The report as a document: the six sections in official order, words drafted, tables filled in.

Set in Word (`word`) and in PDF (`pdf`) alike. A draft has its figures tagged with the cells they
are, what is missing in red, and places to fill in, highlighted; a published report whose words are
complete is a clean copy. What the edition is and what does not add up stands in the annex, a
document of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tasks.editions.narrative.draft import Draft, Span, WrittenParagraph
from tasks.editions.wording import Wording
from tasks.render import entries
from tasks.render.document import PAGE, RED, TEXT_WIDTH, Document, Down, Piece, TableCell
from tasks.render.entries import entry_lines
from tasks.render.findings import by_who_must_act, check_text, summary
from tasks.render.form import Box, Grid, section_grids
from tasks.render.overview import overview_lines
from tasks.render.words import NO_FIGURES, document_title, edition_facts, notice
from tasks.wording.typeset import balanced, typeset

if TYPE_CHECKING:
    from tasks.editions.edition import Edition
    from warehouse.form import Section

TABLE_POINTS, WIDE_TABLE_POINTS, SMALL_POINTS = 9, 10.5, 7.5
ROW_HEIGHT, LOW_ROW_HEIGHT, LIST_ROW_HEIGHT = 8.0, 5.6, 5.0
LABEL_WIDTHS = {1: (45.0,), 2: (38.0, 48.0), 3: (16.0, 22.0, 48.0)}
"""Millimetres of the columns of labels, by their number; figures share the rest evenly."""
LIST_LABEL_WIDTHS = {1: (88.0,), 2: (28.0, 66.0), 3: (18.0, 26.0, 58.0)}
"""Those of a form that is a list: its labels are the longer part."""
# The annex lists no more; the workbook lists all.
MOST_LINES = 40
FIGURES_TO_QUOTE = "以下为总体情况可引用的数字，百分数均截取两位小数。"
MARK = "mark:"
"""Pieces that are places to fill in are tagged so, with the organ's id and the place's key
behind it: by them what is filled in finds its way back."""


def drafted(edition: Edition) -> Draft | None:
    """The words of the root's report; None for an edition that keeps none."""
    wording = Wording.of(edition)
    return wording.draft(edition.root) if wording else None


def is_clean(edition: Edition, words: Draft | None) -> bool:
    """Whether the document is what is published: nothing in it is for the office only."""
    return edition.status == "published" and (words is None or words.is_complete)


def report(edition: Edition) -> Document:
    """The report of the root's figures."""
    words = drafted(edition)
    clean = is_clean(edition, words)
    document = _document(edition, document_title(edition), clean=clean)
    if notice(edition):
        document.paragraph("notice", notice(edition))
    if words is not None and not words.is_complete and edition.status == "published":
        document.paragraph("notice", UNFINISHED.format(len(words.unfilled), len(words.missing)))
    _title(document, edition)
    if words is not None:
        _words(document, words.introduction, edition.root.id, clean=clean)
    for section, tables in section_grids(edition):
        _section(document, edition, section, tables, words, clean=clean)
    return document


UNFINISHED = "文字部分尚未定稿：待填 {} 处、缺数字 {} 处，不得作为正式文本"


def _document(edition: Edition, title: str, *, clean: bool) -> Document:
    wording = Wording.of(edition)
    told = "" if clean else f"版次 {edition.id}  指纹 {edition.cell_hash[:12]}"
    return Document(
        title=title,
        author=edition.root.name,
        built_at=edition.built_at,
        comments="" if clean else f"cell hash {edition.cell_hash}",
        footer=told,
        page_number=(wording.narrative.settings.page_number if wording else None) or "centre",
    )


def _title(document: Document, edition: Edition) -> None:
    """The organ stands on a line of its own, so the title breaks where it should."""
    document.paragraph("title", edition.root.name, keep=True)
    rest = document.title.replace(edition.root.name, "", 1)
    document.paragraph("title", rest, keep=True)
    document.empty_line()


def _section(
    document: Document,
    edition: Edition,
    section: Section,
    tables: list[Grid],
    words: Draft | None,
    *,
    clean: bool,
) -> None:
    """A section in print; where its heading is that of its table, it stands once."""
    is_whole = section.heading == edition.form.title
    if [grid.title for grid in tables[:1]] != [section.heading]:
        document.paragraph("first", section.heading)
    if words is not None and section.words:
        _words(document, words.part(section.words), edition.root.id, clean=clean)
    else:
        told = f"{section.prompt}{FIGURES_TO_QUOTE if section.figures else ''}"
        if told and edition.period.is_year:
            document.paragraph("body", told)
        if section.figures:
            _overview(document, edition)
    for grid in tables:
        # A form that is one table has its title above already.
        if not is_whole:
            document.paragraph("first", grid.title)
        _form(document, grid)
        for note in grid.notes:
            document.paragraph("note", f"注：{note}。")


def _words(
    document: Document, paragraphs: tuple[WrittenParagraph, ...], organ: str, *, clean: bool
) -> None:
    for paragraph in paragraphs:
        pieces = list(_pieces(paragraph, organ, clean=clean))
        if paragraph.head and not paragraph.runs_in:
            document.paragraph("second", paragraph.head)
        elif paragraph.head:
            pieces.insert(0, Piece(f"{paragraph.head}。", font="second"))
        document.paragraph("body", pieces)


def _pieces(paragraph: WrittenParagraph, organ: str, *, clean: bool) -> Iterator[Piece]:
    for sentence in paragraph.sentences:
        color = RED if sentence.is_missing else ""
        for span in sentence.spans:
            yield Piece(span.text) if clean else _piece(span, color, organ)


def _piece(span: Span, color: str, organ: str) -> Piece:
    if span.kind == "words":
        return Piece(span.text, color)
    if span.kind in ("mark", "filled"):
        remark = f"上年所写：{span.before}" if span.before else ""
        return Piece(
            span.text,
            color,
            is_marked=span.kind == "mark",
            tag=f"{MARK}{organ}:{span.key}",
            alias=span.label,
            remark=remark,
        )
    return Piece(span.text, color, tag=span.key, alias=span.label)


def _form(document: Document, grid: Grid) -> None:
    points = SMALL_POINTS if grid.column_count > 10 else TABLE_POINTS
    if grid.column_count <= 4 and not (grid.is_list and grid.is_long):
        points = WIDE_TABLE_POINTS
    widths = _widths(grid)
    rows: list[list[TableCell]] = [[] for _ in range(grid.row_count)]
    for box in grid.boxes:
        text = typeset(box.text)
        if box.kind == "header":
            width = sum(widths[box.column : box.column + box.columns])
            text = balanced(text, width / 25.4 * 72 / points * 2 - 1)
        for row in range(box.row, box.row + box.rows):
            down: Down = "" if box.rows == 1 else "restart" if row == box.row else "continue"
            rows[row].append(
                TableCell(
                    text if row == box.row else "",
                    box.column,
                    box.columns,
                    down,
                    points,
                    is_centred=_is_centred(grid, box),
                    is_bold=box.kind == "section",
                )
            )
    height = LOW_ROW_HEIGHT if grid.is_long else ROW_HEIGHT
    if grid.is_list and grid.is_long:
        height = LIST_ROW_HEIGHT
    document.table(
        [sorted(row, key=lambda cell: cell.at) for row in rows],
        widths,
        header_rows=grid.header_rows,
        height=height,
        # What does not fit on a page is not held together, or its page before would stay empty.
        keeps=grid.row_count * height < PAGE["height"] - PAGE["top"] - PAGE["bottom"],
        keep_last=bool(grid.notes),
    )


def _widths(grid: Grid) -> list[float]:
    """The columns in millimetres: labels as offices set them, figures alike."""
    labels = (LIST_LABEL_WIDTHS if grid.is_list else LABEL_WIDTHS).get(grid.label_columns)
    figures = grid.column_count - grid.label_columns
    if not labels or figures < 1 or not any(box.kind == "label" for box in grid.boxes):
        return [TEXT_WIDTH / grid.column_count] * grid.column_count
    each = (TEXT_WIDTH - sum(labels)) / figures
    return [*labels, *(each for _ in range(figures))]


def _is_centred(grid: Grid, box: Box) -> bool:
    return box.kind != "label" or box.rows > 1 or grid.label_columns == 1


def _lines(
    document: Document,
    names: tuple[str, ...],
    rows: list[list[str]],
    widths: list[float],
    centred: tuple[int, ...],
    exact: tuple[int, ...] = (),
) -> None:
    """A plain table, its head repeated; columns of `exact` keep their punctuation."""
    lines = [[TableCell(name, at, is_bold=True) for at, name in enumerate(names)]] if names else []
    lines += [
        [
            TableCell(text if at in exact else typeset(text), at, is_centred=at in centred)
            for at, text in enumerate(row)
        ]
        for row in rows
    ]
    document.table(lines, widths, header_rows=1 if names else 0, height=6.6, keeps=False)


def _overview(document: Document, edition: Edition) -> None:
    lines = overview_lines(edition)
    if not lines:
        document.paragraph("body", NO_FIGURES)
        return
    rows = [
        [
            line.cell.label,
            line.text,
            "" if line.text.endswith("%") else line.cell.unit,
            line.before_text,
            line.sides,
        ]
        for line in lines
    ]
    now, before = edition.period.column, edition.period.column_before
    names = ("指标", now, "单位", before, "分子与分母")
    _lines(document, names, rows, [34.0, 13.0, 6.0, 13.0, 34.0], (1, 2, 3))


def _open_lines(edition: Edition) -> tuple[list[list[str]], int]:
    """What blocks publishing, or the first of the rest when nothing does; and how many more."""
    blocking: list[list[str]] = []
    others: list[list[str]] = []
    for organ in by_who_must_act(edition):
        for item in organ.records:
            line = [organ.organ_name, "、".join(item.codes), item.record.record_id, item.detail]
            (blocking if item.severity == "block" else others).append(line)
        for finding in organ.findings:
            line = [organ.organ_name, finding.code, "", check_text(finding)]
            (blocking if finding.blocks else others).append(line)
    shown = (blocking or others)[:MOST_LINES]
    return shown, len(blocking) + len(others) - len(shown)


def annex(edition: Edition) -> Document:
    """The annex: what does not add up, what the words lack, the figures that may be quoted, and
    what this edition is."""
    document = _document(edition, f"{document_title(edition)}编制情况", clean=False)
    _title(document, edition)
    document.paragraph("body", summary(edition))
    rows, others = _open_lines(edition)
    if others:
        document.paragraph("body", f"以下只列最要紧的，另有 {others} 条见工作簿中的问题清单。")
    if rows:
        names = ("应处理机关", "规则", "记录编号", "不符之处")
        _lines(document, names, rows, [26, 13, 24, 37], (1,), (2,))
    words = drafted(edition)
    if words is not None:
        _told_of_words(document, words)
    if any(section.figures for section in edition.form.sections):
        document.paragraph("first", "可引用的数字")
        _overview(document, edition)
    if told := entry_lines(edition):
        document.paragraph("first", entries.TITLE)
        document.paragraph("body", entries.EXPLAINED)
        shown = [[website, on, what, f"{file} {line}"] for website, on, what, file, line in told]
        _lines(document, (*entries.HEADS[:3], "出处"), shown, [20, 12, 46, 22], (1,), (3,))
    document.paragraph("first", "版次")
    facts = [[name, value] for name, value in edition_facts(edition)]
    _lines(document, (), facts, [18.0, 82.0], (0,))
    return document


NOTE_KINDS = {
    "missing": "缺数字",
    "unfilled": "待填",
    "check": "须看一看",
    "last_year": "未写同比",
    "left_out": "未写（未声明）",
}


def _told_of_words(document: Document, words: Draft) -> None:
    """Everything noted while the words were drafted, with its place in the template."""
    document.paragraph("first", "文字部分")
    if not words.notes:
        document.paragraph("body", "文字部分没有缺漏。")
        return
    # One line a sentence for what the city does not declare, one a note for the rest.
    told: dict[tuple[str, str, str], list[str]] = {}
    for note in words.notes:
        shared = "" if note.kind == "left_out" else f"{note.key}{note.told}"
        told.setdefault((note.kind, note.sentence, shared), []).append(note.told)
    places = {note.sentence: f"{note.place}" for note in words.notes}
    rows = [
        [NOTE_KINDS[kind], sentence, "；".join(lines), places[sentence]]
        for (kind, sentence, _), lines in told.items()
    ]
    _lines(document, ("情形", "句子", "说明", "模板所在"), rows, [20, 10, 46, 24], (0, 1), (3,))
