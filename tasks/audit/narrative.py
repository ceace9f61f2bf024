"""Figures in the prose of a report: value, unit, quote and what is counted.

Meanings come from the patterns in `narrative.yaml`. Where none fits, the words around the
figure are given as they stand; where there are none, the figure is listed as not understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tasks.audit.document import Document, plain
from warehouse.disk import yaml_of

Kind = Literal["amount", "share", "change", "rate", "points", "difference", "other_year"]


@cache
def phrases() -> dict[str, Any]:
    """The phrase file as it stands."""
    loaded: dict[str, Any] = yaml_of(
        (Path(__file__).parent / "narrative.yaml").read_text(encoding="utf-8")
    )
    return loaded


@cache
def pattern(name: str) -> re.Pattern[str]:
    return re.compile(phrases()[name])


@dataclass(frozen=True)
class Meaning:
    """What a phrase says is counted; `role` is what the checks know it by.

    `cells` are sums of cells of the form, each of which the figure may agree with.
    """

    label: str
    role: str = ""
    row: str = ""
    overview: str = ""
    cells: tuple[str, ...] = ()
    pending: str = ""
    all_closed: str = ""
    strict: bool = False
    generic: bool = False


@dataclass(frozen=True)
class Figure:
    """A figure of the narrative.

    `start` and `end` are positions in the block's text, figure and unit together. `step` is
    the last digit's worth (0.1 万 is 1000), or 0 where the text itself says 约 or 余.
    `change` figures are in percent, negative for a fall.
    """

    value: Decimal
    unit: str
    kind: Kind
    quote: str
    block: int
    start: int
    end: int
    before: str
    after: str
    decimals: int
    step: Decimal
    meaning: Meaning | None
    words: str
    passage: int = 0
    is_subject_free: bool = True

    @property
    def role(self) -> str:
        return self.meaning.role if self.meaning and self.kind == "amount" else ""

    @property
    def is_understood(self) -> bool:
        return self.meaning is not None or bool(self.words)


@dataclass
class Narrative:
    """All figures of the prose in order, and those that were not understood."""

    figures: list[Figure] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)

    def between(self, one: Figure, other: Figure) -> str:
        """The words between two figures of one paragraph."""
        return self.texts[one.block][one.end : other.start] if one.block == other.block else ""

    def joined(self, one: Figure, other: Figure) -> bool:
        """Whether two figures of a kind stand side by side: 66.5%、4.6%."""
        return (
            one.block == other.block
            and one.kind == other.kind
            and _JOINT.fullmatch(self.between(one, other)) is not None
        )


@cache
def _rules() -> list[
    tuple[dict[str, Any], re.Pattern[str], re.Pattern[str] | None, re.Pattern[str] | None, Meaning]
]:
    rules = []
    for entry in phrases()["meanings"]:
        names = ("label", "role", "row", "overview", "pending", "all_closed", "strict", "generic")
        meaning = Meaning(
            cells=tuple(entry.get("cells", ())), **{n: entry[n] for n in names if n in entry}
        )
        if meaning.row:
            meaning = replace(meaning, cells=(f"t3.{meaning.row}.total",))
        compiled = [
            re.compile(entry[n]) if n in entry else None for n in ("pattern", "context", "not")
        ]
        assert compiled[0] is not None
        rules.append((entry, compiled[0], compiled[1], compiled[2], meaning))
    return rules


@cache
def _others() -> dict[str, Meaning]:
    """What 其他 means at the end of an enumeration, by what is enumerated."""
    return {
        kind: Meaning(entry["label"], entry.get("role", ""), cells=tuple(entry.get("cells", ())))
        for kind, entry in phrases()["others"].items()
    }


@cache
def _number_pattern() -> re.Pattern[str]:
    units = "|".join(re.escape(u) for u in sorted(phrases()["units"], key=len, reverse=True))
    return re.compile(
        r"(?<![\d.])(?P<sign>(?<![\d一-龥A-Za-z])[-+]|(?<=[长少降加])[-+])?"
        r"(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?P<fraction>\.\d+)?"
        rf"\s*(?P<times>[万亿](?!元))?(?P<about>余|多)?\s*(?P<unit>{units})?"
    )


@cache
def _not_figures() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{p})" for p in phrases()["not_figures"]))


OPENING = ("received", "new_received", "handled")
"""Roles that begin an account of applications."""
_BESIDE = ("case", "review", "litigation")
"""Roles of other matters, which figures have whatever a sentence speaks of."""
_JOINT = re.compile(r"\s*(?:[、,和及与]|以及)\s*")
_HEADING = re.compile(r"\s*(?:\([一二三四五六七八九十]{1,3}\)|[一二三四五六七八九十]{1,3}、)")
_SENTENCE_END = re.compile(r"[。!?\n]")
_EDGES = " ,\uff0c、;\uff1b:\uff1a\u3000"
_TIMES = {"万": 10_000, "亿": 100_000_000}


def read_narrative(document: Document, table_blocks: set[int], year: int | None) -> Narrative:
    """Every figure of the prose; `table_blocks` are lines already read as tables."""
    narrative = Narrative()
    reader = _Reader(year)
    for number, block in enumerate(document.blocks):
        if block.grid is None and number not in table_blocks:
            narrative.texts[number] = plain(block.text)
            narrative.figures.extend(reader.read(number, block.text))
    return narrative


class _Reader:
    """Follows the passages about applications, in which short words have their meaning."""

    def __init__(self, year: int | None) -> None:
        self._year = year
        self._passage = 0
        self._open_until = -1
        self._roles: set[str] = set()
        self._enumerated = ""
        # The last amount at every depth of brackets: block, start of its clause, its words.
        self._last: dict[int, tuple[int, int, str]] = {}
        self._before: Figure | None = None
        self._last_amount: Figure | None = None
        self._row_from = 0

    def read(self, number: int, original: str) -> Iterator[Figure]:
        text = plain(original)
        if _HEADING.match(text):
            # A heading opens the account that it names, any other one closes it.
            self._open_until = -1
            if pattern("applications").search(text[:40]):
                self._open_until = number + 1
                self._passage += 1
                self._roles = set()
        # Full-width commas divide clauses; only half-width ones divide thousands.
        kept = "".join(
            "\uff0c" if o == "\uff0c" else p for o, p in zip(original, text, strict=True)
        )
        masked = _masked(kept, text)
        found = list(_number_pattern().finditer(masked))
        previous: re.Match[str] | None = None
        for at, match in enumerate(found):
            following = found[at + 1].start() if at + 1 < len(found) else len(text)
            yield from self._figure(number, original, text, match, previous, following)
            previous = match

    def _figure(
        self, number: int, original: str, text: str, match: re.Match[str],
        previous: re.Match[str] | None, following: int,
    ) -> Iterator[Figure]:  # fmt: skip
        start, end = match.start(), match.end()
        unit = match["unit"] or ""
        first, before = _before(text, start, previous.end() if previous else 0)
        after = re.split(r"[,;。:!?()、]", text[end:following], maxsplit=1)[0]
        clause = f"{before}§{unit}{after}"
        sentence = _SENTENCE_END.split(text[:start])[-1]
        times = _TIMES.get(match["times"] or "", 1)
        fraction = match["fraction"] or ""
        value = Decimal(match["digits"].replace(",", "") + fraction) * times
        is_about = bool(match["about"]) or bool(
            re.search(r"(?:约|近|超过?|逾|突破|达到?近)$", before)
        )
        step = Decimal(0) if is_about else Decimal(times).scaleb(-max(len(fraction) - 1, 0))
        kind, sign = self._kind(clause, unit, match, before, text, start)
        row = self._row_of(number, text, start, unit)
        if row is not None:
            kind, sign = row.kind, -1 if row.value < 0 else 1
        if match["sign"] == "-" or sign < 0:
            value = -value
        stop = end if end <= len(text) else len(text)
        words = _words(before, after, sentence, unit)
        own = text[previous.end() : start] if previous and previous.end() > first else before
        is_free = _subject_free(kind, own.strip(" )")) or (row is not None and row.is_subject_free)
        depth = bracket_depth(text, start)
        of = max(
            (last for d, last in self._last.items() if d <= depth and last[0] == number),
            default=None,
        )
        if row is not None:
            first = self._row_from
        elif "分别" in own:
            # One of several: its quote leaves out the last of what they speak of.
            first = max(first, previous.end() if previous else 0)
        elif kind not in ("amount", "rate") and is_free and of and "。" not in text[of[1] : start]:
            first, words = of[1], of[2]
        self._row_from = first
        quote = _quote(original, first, start, stop, after)
        meaning = (
            self._meaning(number, clause, text[:start], sentence)
            if kind in ("amount", "rate")
            else None
        )
        if meaning and meaning.role == "granted" and _with_partial(text, start, end):
            meaning = next(m for *_, m in _rules() if m.role == "granted_or_partially")
        if (
            meaning
            and meaning.role == "other"
            and self._enumerated
            and self._beside(number, text, start)
        ):
            # 其他 belongs to what is being enumerated.
            meaning = _others()[self._enumerated]
        elif (
            meaning
            and meaning.role == "other"
            and not self._is_outcome(number, clause, text, start)
        ):
            meaning = None
        if meaning and meaning.role in self._roles and number <= self._open_until:
            whole = sentence[: -len(before)] if before else sentence
            if meaning.role in OPENING and pattern("parts").search(whole + before[:2]):
                # 其中街道收到申请38件: a part of what was received, no account of its own.
                meaning = Meaning(f"其中{meaning.label}")
        if kind == "amount":
            self._enumerate(meaning)
            self._last[depth] = (number, first, meaning.label if meaning else words)
        if kind == "amount" and meaning:
            self._follow(number, meaning)
        figure = Figure(
            value, unit, kind, quote, number, start, stop, before, after,
            max(len(fraction) - 1, 0), step, meaning, words,
            self._passage if number <= self._open_until else 0, is_free,
        )  # fmt: skip
        self._before = figure
        if kind == "amount":
            self._last_amount = figure
        yield figure
        if (
            meaning
            and meaning.all_closed
            and re.search(
                r"^\s*,?\s*(?:并|且|均|现)?已?(?:全部|均)已?(?:办结|办复|答复)", text[end:]
            )
        ):
            closed = Meaning("全部办结", overview=meaning.all_closed)
            yield replace(
                figure, meaning=closed, quote=_quote(original, first, start, end, text[end:][:6])
            )

    def _is_outcome(self, number: int, clause: str, text: str, start: int) -> bool:
        """Whether 其他 means 其他处理: by its full name, or behind another outcome."""
        if pattern("other_in_full").search(clause) or self._last_amount is None:
            return True
        role = self._beside(number, text, start)
        return role == "leaf" or role in phrases()["outcomes"]

    def _beside(self, number: int, text: str, start: int) -> str:
        """The role of the amount before, if that stands in the same sentence."""
        last = self._last_amount
        if last is None or last.block != number or "。" in text[last.end : start]:
            return ""
        return last.role

    def _row_of(self, number: int, text: str, start: int, unit: str) -> Figure | None:
        """The percentage that this one is joined to: 分别占 66.5%、4.6%."""
        before = self._before
        is_joined = (
            unit == "%"
            and before is not None
            and before.unit == "%"
            and before.block == number
            and _JOINT.fullmatch(text[before.end : start]) is not None
        )
        return before if is_joined else None

    def _enumerate(self, meaning: Meaning | None) -> None:
        """Note what the sentence counts up: ways of submission, applicants, or something else."""
        role = meaning.role if meaning else ""
        kinds = [kind for kind in _others() if role == kind or role in phrases().get(kind, ())]
        if role:
            self._enumerated = kinds[0] if kinds else ""

    def _kind(
        self, clause: str, unit: str, match: re.Match[str], before: str, text: str, start: int
    ) -> tuple[Kind, int]:
        way = pattern("change").search(f"{before}§")
        compares = re.search(phrases()["change_words"], before) is not None
        if unit == "个百分点":
            return "points", 1
        if unit == "%":
            if way or match["sign"]:
                down = way is not None and way["way"] in phrases()["downward"]
                return "change", -1 if down else 1
            if (
                pattern("rate").search(f"{before}§")
                and not before.startswith("占")
                and "占" not in before
            ):
                return "rate", 1
            in_brackets = text[:start].rstrip()[-1:] == "("
            if pattern("share").search(f"{before}§") or in_brackets:
                return "share", 1
            return "rate", 1
        # 增加到 and 增至 give the new amount, not the difference.
        if way and compares and not re.search(r"(?:到|至|为)§", f"{before}§"):
            return "difference", -1 if way["way"] in phrases()["downward"] else 1
        other = re.search(r"((?:19|20)\d{2})年", before)
        is_earlier = other and self._year and int(other[1]) < self._year and "截至" not in before
        bracket = pattern("prior_year_bracket").search(text[:start])
        if bracket and (not bracket["year"] or (self._year and int(bracket["year"]) < self._year)):
            return "other_year", 1
        carries = re.search("结转|转结", clause) is not None
        if (pattern("prior_year").search(clause) or is_earlier) and not carries:
            return "other_year", 1
        return "amount", 1

    def _meaning(self, number: int, clause: str, ahead: str, sentence: str) -> Meaning | None:
        in_group = number <= self._open_until
        is_other = _is_other_matter(sentence, clause)
        for entry, wanted, context, excluded, meaning in _rules():
            if not wanted.search(clause) or (excluded and excluded.search(clause)):
                continue
            if is_other and meaning.role and not meaning.role.startswith(_BESIDE):
                continue
            if entry.get("group") and not in_group:
                continue
            last = self._last_amount
            if "after" in entry and (last is None or last.role not in entry["after"]):
                continue
            if entry.get("not_group") and in_group and not re.search("复议|诉讼", sentence):
                continue
            if "group_for" in entry and not in_group and re.search(entry["group_for"], clause):
                continue
            if "sentence_not" in entry and re.search(entry["sentence_not"], sentence):
                continue
            where = sentence if meaning.role.startswith(("review", "case")) else ahead
            # Under a heading about applications 受理申请 needs no more words.
            is_told = in_group and meaning.role in OPENING and "申请" in clause
            if context and not is_told and not context.search(where + clause):
                continue
            return meaning
        return None

    def _follow(self, number: int, meaning: Meaning) -> None:
        """Open, keep or close the passage about applications."""
        role = meaning.role
        if role in OPENING:
            if number > self._open_until or role in self._roles:
                self._passage += 1
                self._roles = set()
            self._roles.add(role)
            self._open_until = number + 1
        elif role.startswith(("case", "review", "litigation")):
            self._open_until = -1 if number >= self._open_until else self._open_until
        elif role and number <= self._open_until:
            self._open_until = number + 1


def _with_partial(text: str, start: int, end: int) -> bool:
    """Whether brackets at a figure say that it holds what is granted in part."""
    return bool(
        pattern("with_partial_behind").match(text, end)
        or pattern("with_partial_before").search(text[:start])
    )


def _is_other_matter(sentence: str, clause: str) -> bool:
    """Whether a sentence up to a figure's clause speaks of something else than applications."""
    is_other = False
    for part in re.split("[,;:]", sentence + clause.split("§", 1)[-1]):
        if pattern("applications").search(part):
            is_other = False
        elif pattern("other_matters").search(part):
            is_other = True
    return is_other


def bracket_depth(text: str, at: int) -> int:
    """How many brackets are open at a position."""
    return text.count("(", 0, at) - text.count(")", 0, at)


def _masked(kept: str, text: str) -> str:
    """The text with dates, document numbers and the like blotted out."""
    characters = list(kept)
    for match in _not_figures().finditer(text):
        characters[match.start() : match.end()] = "\ue000" * len(match[0])
    return "".join(characters)


def _before(text: str, at: int, floor: int) -> tuple[int, str]:
    """The clause that leads up to a figure, brackets within it left out, and where it begins.

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
        if character in ",;。:!?(\n":
            break
        if (
            enumerates
            and position > floor
            and (character == "、" or (position == at and character in "和及与"))
        ):
            break
        position -= 1
    pieces.append(text[position:end])
    return position, "".join(reversed(pieces)).strip()


def _quote(original: str, first: int, start: int, end: int, after: str) -> str:
    begin = max(first, start - 50)
    stop = end + min(len(after), 16)
    quote = original[begin:stop].strip(_EDGES)
    return (
        quote + original[stop : stop + 1]
        if plain(quote).count("(") > plain(quote).count(")")
        and plain(original[stop : stop + 1]) == ")"
        else quote
    )


def _words(before: str, after: str, sentence: str, unit: str) -> str:
    """The words that say what is counted, when no pattern does."""
    tail, filler = pattern("tail"), pattern("filler")

    def bare(text: str) -> str:
        return filler.sub("", tail.sub("", re.sub(r"[\d.]+[^\s\d]?$", "", text))).strip(" “”\"'、")

    own = bare(before)
    behind = re.sub(r"^[的余多]+", "", after).strip(" “”\"'")
    if behind and re.match(r"[一-龥《]", behind) and len(own) < 2:
        return behind[:24]
    if len(own) >= 2:
        return own[-24:] + (f"({behind[:12]})" if behind and unit and len(behind) < 13 else "")
    if not unit:
        return ""
    clauses = [bare(c) for c in re.split(r"[,;:]", sentence)]
    return next((c[-24:] for c in reversed(clauses) if len(c) >= 2), behind[:24])


def _subject_free(kind: Kind, before: str) -> bool:
    """Whether a share or change has no subject of its own, and so belongs to the figure before."""
    if kind == "share":
        return not before or pattern("subject_free_share").search(before) is not None
    if kind in ("change", "difference"):
        return not before or pattern("subject_free_change").search(before) is not None
    return True
