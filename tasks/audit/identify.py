"""Whose report of which year: read from the title, else from the first lines or the name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tasks.audit.document import Document, plain

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


def identify(document: Document) -> tuple[int | None, str]:
    """Report year and organ; None and an empty string where the report does not say.

    A saved page also names the reports of other years, in menus and lists. The page's own
    title comes first; else the year that the report speaks of most.
    """
    whole = " ".join(plain(block.text) for block in document.blocks)
    told = Counter(int(year) for year in re.findall(r"(20\d\d)\s*年", whole))
    found = [(year, organ) for line in _lines(document) for year, organ in _titled(line)]
    if found:
        own = next((year for year, _ in _titled(re.sub(r"\s+", "", plain(document.title)))), None)
        year = own or max((year for year, _ in found), key=lambda y: told[y])
        return year, next((organ for y, organ in found if y == year and organ), "")
    named = re.search(r"20\d\d", document.name)
    if named:
        return int(named[0]), ""
    return (told.most_common(1)[0][0] if told else None), ""


def _titled(line: str) -> Iterator[tuple[int, str]]:
    """Year and organ of a title in the line; the organ is empty if it does not name one."""
    for pattern in _TITLES:
        match = pattern.search(line)
        if match is not None:
            organ = _LEAD.sub("", match.groupdict().get("organ") or "").strip()
            yield int(match["year"]), organ if len(organ) > 1 and organ not in _WEAK else ""


def _lines(document: Document) -> Iterator[str]:
    """Where a title may stand: the page's own, single lines, then an organ above its title."""
    yield re.sub(r"\s+", "", plain(document.title))
    paragraphs = [re.sub(r"\s+", "", plain(b.text)) for b in document.blocks[:40] if b.grid is None]
    yield from paragraphs
    for above, below in pairwise(paragraphs):
        if _ENDS_AS_ORGAN.search(above) and len(above) < 30:
            yield above + below[:40]
