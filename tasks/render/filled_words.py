"""What an organ wrote into its Word draft, read back by the content controls of the places."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.editions.narrative.draft import MARK as UNFILLED
from tasks.render.report import MARK
from warehouse.errors import EntryError

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


class NoDraft(EntryError):
    """A file that is no draft of a report; the message says what to do."""


@dataclass(frozen=True)
class Filled:
    """An organ's places of a file: what was written by place, and the places still open."""

    organ: str
    texts: dict[str, str]
    open: tuple[str, ...]


def read_filled(path: Path) -> Filled:
    """The places of a draft. Raises NoDraft for a file without any, or that cannot be read."""
    import docx

    try:
        body = docx.Document(str(path)).element.body
    except Exception as error:
        # The library lets zip, XML and key errors through, whichever it meets first.
        raise NoDraft(f"{path}: 不是可以读的 Word 文件(.docx)。请在 Word 中另存为 .docx") from error
    organ, texts, still_open = "", {}, []
    for control in body.iter(f"{_W}sdt"):
        tag = control.find(f"{_W}sdtPr/{_W}tag")
        name = tag.get(f"{_W}val") if tag is not None else ""
        if not name or not name.startswith(MARK):
            continue
        organ, _, place = name.removeprefix(MARK).rpartition(":")
        content = control.find(f"{_W}sdtContent")
        text = _written(content).strip()
        if not text or UNFILLED.search(text):
            still_open.append(place)
        else:
            texts[place] = text
    if not organ:
        raise NoDraft(f"{path}: 没有找到待填处。请用本系统生成的草稿(report.docx)填写,不要另建文件")
    return Filled(organ, texts, tuple(still_open))


def _written(content: Any) -> str:
    """The text of a place, a line for each line break and paragraph."""
    said = []
    for part in content.iter(f"{_W}t", f"{_W}br", f"{_W}p"):
        if part.tag == f"{_W}t":
            said.append(part.text or "")
        elif said:
            said.append("\n")
    return "".join(said)
