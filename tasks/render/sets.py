"""Every organ its own set: Word, PDF, Excel and web page, a folder an organ, named so that an official
finds his. Organs with others below them get both, their own figures and those with all below."""

from __future__ import annotations

import html as markup
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tasks.editions.edition import OWN
from tasks.editions.filings import FiledCell, filings
from tasks.editions.part import part_of
from tasks.render import filings as filings_book
from tasks.render import html, pdf, word, workbook
from tasks.render.words import document_title

if TYPE_CHECKING:
    from tasks.editions.edition import Edition, Organ, Scope
    from warehouse.lake import Lake
    from warehouse.shelf import Shelf

Progress = Callable[[str], None]
SUFFIX = "-sets"
"""A folder of sets stands beside the edition's, its name followed by this."""
INDEX = "index.html"
WORDS_FILE, FIXED_FILE, TABLES_FILE, PAGE_FILE, FILED_FILE = (
    "年度报告.docx",
    "年度报告.pdf",
    "报表.xlsx",
    "网页报告.html",
    "填报与计算比较.xlsx",
)
TOLD_EVERY = 10
"""Organs between two words of progress."""
_FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


@dataclass(frozen=True)
class SetOf:
    """An organ's folder and its files, relative to the folder of all sets."""

    organ: Organ
    folder: str
    files: tuple[str, ...]


def sets_folder(edition_folder: Path) -> Path:
    """Where the sets of an edition lie."""
    return edition_folder.with_name(f"{edition_folder.name}{SUFFIX}")


def write_sets(
    edition: Edition,
    folder: Path,
    *,
    lake: Lake,
    shelf: Shelf | None = None,
    progress: Progress = lambda step: None,
) -> list[SetOf]:
    """Write the sets of all organs into `folder`, an index of them last; what was there is
    replaced when all are written, and they are kept on the `shelf`. The same edition gives the same
    bytes. Raises OSError, and LakeError when they cannot be kept."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        fresh.chmod(0o755)
        filed = filings(lake, edition)
        names = _names(edition)
        written = []
        for at, organ in enumerate(edition.organs, 1):
            written.append(_of_organ(edition, organ, fresh, names[organ.id], filed))
            if at % TOLD_EVERY == 0 or at == len(edition.organs):
                progress(f"各机关成套文件 {at}/{len(edition.organs)}")
        (fresh / INDEX).write_text(_index(edition, written), encoding="utf-8")
        if shelf is not None:
            shelf.forget(folder.name)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
        if shelf is not None:
            shelf.keep(folder.name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return written


def _names(edition: Edition) -> dict[str, str]:
    """Folder names: the organ's name, with its id where two have one name."""
    bare = {o.id: _FORBIDDEN.sub(" ", o.name).strip(" .") or o.id for o in edition.organs}
    counts: dict[str, int] = {}
    for name in bare.values():
        counts[name.casefold()] = counts.get(name.casefold(), 0) + 1
    return {
        organ_id: name if counts[name.casefold()] == 1 else f"{name} {organ_id}"
        for organ_id, name in bare.items()
    }


def _of_organ(
    edition: Edition,
    organ: Organ,
    folder: Path,
    name: str,
    filed: dict[str, tuple[FiledCell, ...]],
) -> SetOf:
    below = [o for o in edition.organs if o.parent_id == organ.id]
    places: list[tuple[str, Scope]] = [(name, "rolled_up")]
    places += [(f"{name}/{OWN}", "own")] if below else []
    files = []
    for place, scope in places:
        (folder / place).mkdir(parents=True)
        part = part_of(edition, organ.id, scope)
        for file, write in (
            (WORDS_FILE, word.write),
            (FIXED_FILE, pdf.write),
            (TABLES_FILE, workbook.write),
            (PAGE_FILE, html.write),
        ):
            write(part, folder / place / file)
            files.append(f"{place}/{file}")
    if below and any(o.id in filed for o in (organ, *below)):
        filings_book.write(edition, folder / name / FILED_FILE, [organ, *below], filed)
        files.append(f"{name}/{FILED_FILE}")
    return SetOf(organ, name, tuple(files))


def _index(edition: Edition, written: list[SetOf]) -> str:
    """A page of all organs by their place in the tree, each with its files."""
    depths: dict[str, int] = {}
    for organ in edition.organs:
        depths[organ.id] = depths.get(organ.parent_id or "", -1) + 1

    def lines() -> Iterator[str]:
        for told in written:
            links = " ".join(
                f'<a href="{quote(file)}">{markup.escape(file.removeprefix(f"{told.folder}/"))}</a>'
                for file in told.files
            )
            indent = depths[told.organ.id] * 1.5
            yield (
                f'<tr><td style="padding-left:{indent}em">{markup.escape(told.organ.name)}</td>'
                f"<td>{links}</td></tr>"
            )

    title = markup.escape(f"{document_title(edition)}：各机关成套文件")
    return (
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><style>'
        "body{font:16px/1.6 'Noto Sans CJK SC','Microsoft YaHei',sans-serif;max-width:70em;"
        "margin:2em auto;padding:0 1em}td{padding:.3em .6em;border-bottom:1px solid #ddd;"
        "vertical-align:top}a{margin-right:1em;white-space:nowrap}</style>"
        f"<h1>{title}</h1><p>版次 {markup.escape(edition.id)}。每个机关一个文件夹；"
        f"有下级的机关，“{OWN}”中是不含下级的数字。</p>"
        f"<table>{''.join(lines())}</table></html>\n"
    )
