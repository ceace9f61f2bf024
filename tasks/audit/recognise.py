"""Stage 1 of the prose: which digits are figures, and the words that stand around each.

What no figure is (dates, numbers of documents, telephones) and the units are data in
`recognise.yaml`, each with an example.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from tasks.audit.characters import THOUSANDS, with_clauses, with_thousands
from tasks.audit.numerals import CHARACTERS, chinese_number
from warehouse.disk import yaml_of


@dataclass(frozen=True)
class Number:
    """A figure as it stands in a paragraph, before anything is known of what it counts.

    `start` and `end` are positions in the paragraph, figure and unit together; `first` is where
    its clause begins, `previous` where the figure before ends (0 if there is none). `before` and
    `after` are the words of its clause on either side. `step` is the last digit's worth
    (0.1 万 is 1000), or 0 where the text itself says 约 or 余; `about` holds these words, or the
    万 that leaves digits out.
    """

    text: str
    start: int
    end: int
    previous: int
    first: int
    value: Decimal
    sign: str
    unit: str
    decimals: int
    step: Decimal
    about: str
    before: str
    after: str

    @property
    def clause(self) -> str:
        """The clause with § for the figure: what patterns are tried on."""
        return f"{self.before}§{self.unit}{self.after}"

    @property
    def ahead(self) -> str:
        return self.text[: self.start]

    @property
    def behind(self) -> str:
        return self.text[self.end :]

    @property
    def sentence(self) -> str:
        """The sentence up to the figure."""
        return _SENTENCE_END.split(self.ahead)[-1]

    @property
    def own(self) -> str:
        """The words between the figure before and this one, if both share a clause."""
        has_shared = self.previous > self.first
        return self.text[self.previous : self.start] if has_shared else self.before

    @property
    def depth(self) -> int:
        return bracket_depth(self.text, self.start)


_SENTENCE_END = re.compile(r"[。!?\n]")
_TIMES = {"百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_ABOUT_BEFORE = re.compile(
    r"(约|近|将近|接近|超过?|逾|突破|不少于|至少|不足|不到|大概|(?<![网线以之])上)(?:达|为|有|到)?$"
)
_ABOUT_SHARE = re.compile(r"(约|近|超)占?[^,;。\d]{0,8}$")


@cache
def signs() -> dict[str, Any]:
    """The file of units and of what is no figure, as it stands."""
    loaded: dict[str, Any] = yaml_of(
        (Path(__file__).parent / "recognise.yaml").read_text(encoding="utf-8")
    )
    return loaded


@cache
def _number_pattern() -> re.Pattern[str]:
    """Digits, or Chinese numerals before a unit: sign, amount, 余, 万, unit, 以上."""
    units = "|".join(re.escape(u) for u in sorted(signs()["units"], key=len, reverse=True))
    return re.compile(
        r"(?:(?<![\d.])(?P<sign>(?<![\d一-龥A-Za-z])[-+]|(?<=[长少降加])[-+])?"
        r"(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?P<fraction>\.\d+)?"
        rf"|(?<![{CHARACTERS}{signs()['no_numeral_behind']}])"
        rf"(?P<chinese>[{CHARACTERS}]+)(?=(?:余|多)?万?(?:余|多)?(?:{units})(?!{signs()['no_numeral_before']})))"
        r"\s*(?P<about>余|多|几)?\s*(?P<times>[万亿](?!元)|[千百](?=(?:余|多)?[条件次人份册篇场个项]))?(?P<more>余|多)?"
        rf"\s*(?P<unit>{units})?(?P<around>以上|左右|上下|之多|\+)?"
    )


@cache
def _not_figures() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{entry['pattern']})" for entry in signs()["not_figures"]))


def numbers_in(original: str) -> Iterator[Number]:
    """The figures of a paragraph in order."""
    text = with_thousands(original)
    found = [
        m
        for m in _number_pattern().finditer(_masked(with_clauses(original), text))
        if _is_number(m)
    ]
    previous = 0
    for at, match in enumerate(found):
        following = found[at + 1].start() if at + 1 < len(found) else len(text)
        yield _number(text, match, previous, following)
        previous = match.end()


def _is_number(match: re.Match[str]) -> bool:
    """Whether Chinese numerals count something here: 一次性 and 三个方面 do not."""
    chinese = match["chinese"]
    if not chinese:
        return True
    value = chinese_number(chinese)
    # 万余人次 is a figure, (单位:万元) none.
    if value is None or not (re.search("[^百千万亿]", chinese) or match["about"]):
        return False
    is_small = value < 11 and match["unit"] in signs()["needs_cue"]
    ahead = match.string[: match.start()]
    return not (is_small or value == 1) or re.search(f"(?:{signs()['cues']})$", ahead) is not None


def _number(text: str, match: re.Match[str], previous: int, following: int) -> Number:
    first, before = _before(text, match.start(), previous)
    times = _TIMES.get(match["times"] or "", 1)
    fraction = match["fraction"] or ""
    decimals = max(len(fraction) - 1, 0)
    ahead = _ABOUT_BEFORE.search(before)
    if match["unit"] == "%":
        ahead = ahead or _ABOUT_SHARE.search(before)
    about = "".join(
        filter(None, (ahead[1] if ahead else "", match["about"], match["more"], match["around"]))
    )
    digits = match["digits"] or str(chinese_number(match["chinese"]))
    return Number(
        text=text,
        start=match.start(),
        end=match.end(),
        previous=previous,
        first=first,
        value=Decimal(digits.replace(",", "") + fraction) * times,
        sign=match["sign"] or "",
        unit=match["unit"] or "",
        decimals=decimals,
        step=Decimal(0) if about else Decimal(times).scaleb(-decimals),
        about=about or (match["times"] or ""),
        before=_named_in_order(text, match.start(), before),
        after=re.split(r"[,;。:!?()、]", text[match.end() : following], maxsplit=1)[0],
    )


def bracket_depth(text: str, at: int) -> int:
    """How many brackets are open at a position."""
    return text.count("(", 0, at) - text.count(")", 0, at)


def _named_in_order(text: str, at: int, before: str) -> str:
    """The words of one of several figures behind 分别, with the name that is its own.

    网站、微博、微信分别发布信息100条、50条、30条: 微博发布信息 for the second.
    """
    clause = re.split(r"[;。!?\n]", text[:at])[-1]
    named = _IN_ORDER.search(clause) if "分别" in clause else None
    if named is None:
        return before
    names = [name for name in re.split(r"、|以及|[和及与]", named["names"]) if name]
    place = len(re.findall(rf"\d[\d.{THOUSANDS}]*", named["given"]))
    verb = re.match(r"[^\d]*", named["given"])
    words = re.sub("(?:为|是|达到?|有|约)+$", "", verb[0] if verb else "")
    if not words and len(names) > 1 and (shared := _SHARED.search(names[-1])):
        # 门户网站、公众号访问量分别为: what is counted stands behind the last name only.
        names = [*(name + shared[0] for name in names[:-1]), names[-1]]
    if len(names) == 1:
        # 粉丝数分别为3万、2万: whose they are was told before.
        return f"{names[0]}{words}" if place else before
    return f"{names[place]}{words}" if place < len(names) else before


_SHARED = re.compile("(?:(?:访问|浏览|阅读|发布|申请|受理)量|申请|信息|人数|粉丝数?|数量|总数)$")
_NAME = r"(?:(?:19|20)\d\d年度?|[^\d,:、])"
_IN_ORDER = re.compile(
    rf"(?:^|[,:])(?P<names>{_NAME}{{1,12}}(?:、{_NAME}{{1,12}})*(?:(?:、|以及|[和及与]){_NAME}{{1,12}}?)?)分别"
    r"(?P<given>[^\d,、]{0,14}(?:\d[\d.\u066c]*\D{1,4}[、,和及与])*)$"
)


def _masked(kept: str, text: str) -> str:
    """The text with dates, document numbers and the like blotted out."""
    characters = list(kept)
    for match in _not_figures().finditer(text):
        characters[match.start() : match.end()] = "\ue000" * len(match[0])
    return "".join(characters)


def _before(text: str, at: int, floor: int) -> tuple[int, str]:
    """Where the clause that leads up to a figure begins, and it without the brackets within.

    `floor` is where the figure before ends; behind it an enumeration starts a new clause.
    """
    position, pieces, end = at, [], at
    enumerates = bool(floor) and not re.search(r"[,;。:!?\n]", text[floor:at])
    while position > 0:
        character = text[position - 1]
        if character == ")" and (opening := text.rfind("(", 0, position)) >= 0:
            pieces.append(text[position:end])
            position = end = opening
            continue
        is_listed = character == "、" or (position == at and character in "和及与")
        if character in ",;。:!?(\n" or (enumerates and position > floor and is_listed):
            break
        position -= 1
    pieces.append(text[position:end])
    return position, "".join(reversed(pieces)).strip()
