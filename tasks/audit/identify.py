"""Whose report of which year: read from the title, else from the first lines or the name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tasks.audit.characters import plain
from tasks.audit.document import Document

_YEAR = r"(?P<year>20\d\d)\s*(?:年度|年)?"
_REPORT = (
    r"(?:政府信息|政务)公开(?:工作)?的?(?:情况)?(?:年度)?(?:工作)?(?:年度)?(?:情况)?(?:报告|年报)"
)
_ORGAN = r"(?P<organ>[\u4e00-\u9fa5]{2,24}?)"
_TITLES = [
    re.compile(rf"{_ORGAN}\s*(?:关于)?\s*{_YEAR}\s*(?:法治)?{_REPORT}"),
    re.compile(rf"{_YEAR}\s*{_ORGAN}\s*{_REPORT}"),
    re.compile(rf"{_YEAR}\s*{_REPORT}"),
]
_LEAD = re.compile(
    r"^.*?(?:现公布|现将|公布|编制|发布|关于印发|关于|特编制|撰写|形成了?|向社会公开|的要求|等要求|规定)"
)
_ENDS_AS_ORGAN = re.compile(
    r"(?:政府|[局委办厅院会处所队站部署区县市镇乡]|中心|街道|机关|办公室|公司|集团|大学|学校|医院)$"
)
_WEAK = {"我市", "我局", "我办", "我县", "我区", "本机关", "本单位", "本局", "年度", "工作", "度"}
_NAMED = r"(?P<organ>[\u4e00-\u9fa5]{2,24}(?:政府|[局委办厅院会处所队站部署区县市镇乡]|中心|街道|办公室|集团|大学|学校|医院))"
_ADDRESS = re.compile(
    rf"(?:请与|请向|由){_NAMED}(?:办公室|[\u4e00-\u9fa5]{{0,8}}[科股室处])?(?:\([^)]*\))?"
    rf"(?:联系|反映|咨询|编制|负责编制)|联系:?{_NAMED.replace('organ', 'asked')}"
)
_SIGNED = re.compile(rf"^{_NAMED}$")
_DATE = re.compile(r"^(?:20\d\d|[二〇○零一二三四五六七八九十]{4})年\S{1,3}月\S{1,3}日$")
_NO_ORGAN = re.compile(
    "做好|关于|根据|按照|依据|要求|开展|编制|推进|通知|印发|工作|公开|联系|咨询|如有|疑问|各"
)
_TITLE_IN_QUOTES = re.compile("《[^》]*》")


def identify(document: Document) -> tuple[int | None, str]:
    """Report year and organ; None and an empty string where the report does not say.

    A saved page also names the reports of other years, in menus and lists. The page's own
    title comes first; else the year that the report speaks of most.
    """
    whole = " ".join(plain(block.text) for block in document.blocks)
    told = Counter(int(year) for year in re.findall(r"(20\d\d)\s*年", whole))
    found = [(year, organ) for line in _lines(document) for year, organ in titled(line)]
    if found:
        own = next((year for year, _ in titled(re.sub(r"\s+", "", plain(document.title)))), None)
        year = own or max((year for year, _ in found), key=lambda y: told[y])
        organ = next((organ for y, organ in found if y == year and organ), "")
        return year, organ or _told_elsewhere(document)
    named = re.search(r"20\d\d", document.name)
    said = int(named[0]) if named else told.most_common(1)[0][0] if told else None
    return said, _told_elsewhere(document)


def _told_elsewhere(document: Document) -> str:
    """The organ where no title names it: whom to ask by the address, or who signs at the end."""
    lines = [re.sub(r"\s+", "", plain(b.text)) for b in document.blocks if b.grid is None]
    for line in lines[:12]:
        asked = _ADDRESS.search(_TITLE_IN_QUOTES.sub("", line))
        if asked and (organ := _clean(asked["organ"] or asked["asked"])):
            return re.sub("(?<=人民政府).*", "", organ)
    for line, below in pairwise(lines[-6:]):
        signed = _SIGNED.match(line)
        if signed and _DATE.match(below) and (organ := _clean(signed["organ"])):
            return organ
    return ""


def _clean(organ: str) -> str:
    """The organ's name without what leads up to it; empty if it is none."""
    name = _LEAD.sub("", organ).strip()
    is_organ = (
        len(name) > 1
        and name not in _WEAK
        and name[0] not in "我本各"
        and not _NO_ORGAN.search(name)
    )
    return name if is_organ else ""


def titled(line: str) -> Iterator[tuple[int, str]]:
    """Year and organ of a title in the line; the organ is empty if it does not name one."""
    for pattern in _TITLES:
        match = pattern.search(line)
        if match is not None:
            yield int(match["year"]), _clean(match.groupdict().get("organ") or "")


def _lines(document: Document) -> Iterator[str]:
    """Where a title may stand: the page's own, single lines, then an organ above its title.

    A title in 《》 within a sentence is that of a notice or of another report.
    """
    yield re.sub(r"\s+", "", plain(document.title))
    paragraphs = [
        line if line.startswith("《") else _TITLE_IN_QUOTES.sub("", line)
        for b in document.blocks[:40]
        if b.grid is None
        for line in [re.sub(r"\s+", "", plain(b.text))]
    ]
    yield from paragraphs
    for above, below in pairwise(paragraphs):
        if _ENDS_AS_ORGAN.search(above) and len(above) < 30:
            yield above + below[:40]
