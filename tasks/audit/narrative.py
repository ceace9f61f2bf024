"""Figures in the prose of a report, in order: value, unit, quote and what is counted.

The first two stages together: `recognise` finds the figures, `meanings` says what they
count, and what is kept here from one figure to the next is what a reader keeps in mind,
above all whether an account of applications is open, in which short words have their meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tasks.audit.characters import plain, with_thousands
from tasks.audit.document import Document
from tasks.audit.meanings import (
    OPENING,
    Around,
    Kind,
    Meaning,
    is_beside_applications,
    is_subject_free,
    kind_of,
    meaning_of_role,
    others,
    pattern,
    phrases,
    worded_meaning,
    words_of,
)
from tasks.audit.recognise import Number, numbers_in


@dataclass(frozen=True)
class Figure:
    """A figure of the narrative.

    `start` and `end` are positions in the block's text, figure and unit together. `step` is
    the last digit's worth (0.1 万 is 1000), or 0 where the text itself says 约 or 余; `about` holds
    those words, or the 万 that leaves digits out. `lead` is what stands between the figure before
    and this one.
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
    about: str = ""
    lead: str = ""

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands: block and position, by which no two figures are the same."""
        return self.block, self.start

    @property
    def role(self) -> str:
        return self.meaning.role if self.meaning and self.kind == "amount" else ""

    @property
    def is_in_time(self) -> bool:
        """Whether only what was done in time is counted: 按时办结298件, 298件按期答复."""
        return (
            re.search("按(?:[时期]|规定|法定)|[时期]限内|及时", self.before + self.after)
            is not None
        )

    @property
    def bounds(self) -> tuple[Decimal, Decimal]:
        """The least and the most that the figure may stand for: 1600余 is 1600 to 1699."""
        if self.step:
            rest = self.step - 1 if self.step > 1 else Decimal(0)
            return self.value - rest, self.value + rest
        digits = self.value.normalize().as_tuple()
        room = Decimal(1).scaleb(max(int(digits.exponent), 0))
        if re.search("余|多|几|超|逾|突破|以上|不少于|至少|\\+|上", self.about):
            return self.value, self.value + room - 1
        if re.search("近|不足|不到", self.about):
            return self.value - room, self.value
        return self.value - room, self.value + room

    @property
    def label(self) -> str:
        """What it counts, in Chinese: the meaning's name, else the text's own words."""
        return self.meaning.label if self.meaning else self.words

    @property
    def is_understood(self) -> bool:
        return self.meaning is not None or bool(self.words)


@dataclass
class Narrative:
    """All figures of the prose in order, the paragraphs they stand in, the year reported on."""

    figures: list[Figure] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    year: int | None = None

    def between(self, one: Figure, other: Figure) -> str:
        """The words between two figures of one paragraph."""
        return self.texts[one.block][one.end : other.start] if one.block == other.block else ""

    def joined(self, one: Figure, other: Figure) -> bool:
        """Whether two figures of a kind stand side by side: 66.5%、4.6%."""
        return (
            one.block == other.block
            and one.kind == other.kind
            and (_CHANGES if one.kind == "change" else _JOINT).fullmatch(self.between(one, other))
            is not None
        )


_CHANGES = re.compile(
    r"\s*(?:[、,和及与]|以及)\s*(?:同比)?(?:增长|增加|上升|提高|减少|下降|降低|回落)?(?:了|约)?"
)
_JOINT = re.compile(r"\s*(?:[、,和及与]|以及)\s*")
_PARTS_OF_INTAKE = ("其中收到的申请", "其中本年新收申请", "其中办理的申请")
_DIVIDED = ("denied", "unavailable", "unprocessed", "other")
"""Outcomes that a bracket behind them divides, by whatever rows of the form."""
_HEADING = re.compile(r"\s*(?:\([一二三四五六七八九十]{1,3}\)|[一二三四五六七八九十]{1,3}、)")
_BRACKETS = re.compile(r"\([^()]*\)")
_EDGES = " ,\uff0c、;\uff1b:\uff1a\u3000"
_ALL_CLOSED = re.compile(r"^\s*,?\s*(?:并|且|均|现)?已?(?:全部|均)已?(?:办结|办复|答复)")


def read_narrative(document: Document, table_blocks: set[int], year: int | None) -> Narrative:
    """Every figure of the prose; `table_blocks` are lines already read as tables."""
    narrative = Narrative(year=year)
    prose = _Prose(year)
    for number, block in enumerate(document.blocks):
        if block.grid is None and number not in table_blocks:
            narrative.texts[number] = with_thousands(block.text)
            narrative.figures.extend(prose.read(number, block.text))
    narrative.figures = _with_lost_units(narrative)
    narrative.figures = _with_handled(narrative)
    return narrative


def _with_handled(narrative: Narrative) -> list[Figure]:
    """The figures; 办理 before a smaller amount that was answered tells what was handled.

    共办理132件,已答复129件,结转3件: 132 were to be answered, 129 were.
    """
    closed = [f for f in narrative.figures if f.role == "closed" and f.passage]
    taken = {f.passage for f in narrative.figures if f.role == "handled"}
    handled = {
        id(f)
        for f in closed
        if f.passage not in taken
        and pattern("only_handled").search(f.before)
        and any(
            g.passage == f.passage
            and g.place > f.place
            and g.value < f.value
            and not pattern("only_handled").search(g.before)
            for g in closed
        )
    }
    meaning = meaning_of_role("handled")
    return [replace(f, meaning=meaning) if id(f) in handled else f for f in narrative.figures]


def _with_lost_units(narrative: Narrative) -> list[Figure]:
    """The figures; an amount without its unit between two of one unit has that unit."""
    amounts = [f for f in narrative.figures if f.kind == "amount"]
    units: dict[int, str] = {}
    for before, figure, after in zip(amounts, amounts[1:], amounts[2:], strict=False):
        if figure.unit or figure.about or not before.unit or before.unit != after.unit:
            continue
        joints = narrative.between(before, figure), narrative.between(figure, after)
        if before.block == figure.block == after.block and not any(
            re.search("[。!?()]", joint) for joint in joints
        ):
            units[id(figure)] = before.unit
    return [replace(f, unit=units.get(id(f), f.unit)) for f in narrative.figures]


def _is_topic(number: Number) -> bool:
    """Whether a figure tells what applications are about: 涉及征地17件、信访事项4件、其他2件."""
    ahead = number.sentence[: len(number.sentence) - (number.start - number.first)]
    told = pattern("outcome_words").search(number.before + number.after) is not None
    return not told and pattern("topics").search(ahead + number.before) is not None


def _is_elsewhere(number: Number, around: Around) -> bool:
    return not around.in_account and is_beside_applications(number)


class _Account:
    """The accounts of applications as they open, go on and close, paragraph by paragraph."""

    def __init__(self) -> None:
        self.number = 0
        self.roles: set[str] = set()
        self._open_until = -1

    def is_open(self, block: int) -> bool:
        return block <= self._open_until

    def head(self, block: int, text: str) -> None:
        """A heading opens the account that it names, any other one closes it."""
        self._open_until = -1
        if pattern("applications").search(text[:40]):
            self._open_until = block + 1
            self.number += 1
            self.roles = set()

    def follow(self, block: int, role: str, *, is_part: bool = False) -> None:
        """Open, keep or close the account by an amount's role; a part of another opens none."""
        if role == "carried_in" and not is_part and block > self._open_until:
            # 上年结转4件,本年新收156件: what was carried in may be told first.
            self.number += 1
            self.roles = set()
            self._open_until = block + 1
        elif role in OPENING:
            if block > self._open_until or role in self.roles:
                self.number += 1
                self.roles = set()
            self.roles.add(role)
            self._open_until = block + 1
        elif role.startswith(("case", "review", "litigation")):
            self._open_until = -1 if block >= self._open_until else self._open_until
        elif role and block <= self._open_until:
            self._open_until = block + 1


class _Prose:
    """Reads paragraph after paragraph, with what the ones before have opened."""

    def __init__(self, year: int | None) -> None:
        self._year = year
        self._account = _Account()
        self._enumerated = ""
        # The last amount at every depth of brackets: block, start of its clause, its words.
        self._last: dict[int, tuple[int, int, str]] = {}
        self._before: Figure | None = None
        self._last_amount: Figure | None = None
        self._owners: dict[int, Figure] = {}
        self._row_from = 0
        self._other_year = -1, 0
        """Block and end of an account of another year that is open."""

    def read(self, block: int, original: str) -> Iterator[Figure]:
        text = with_thousands(original)
        if _HEADING.match(text):
            self._account.head(block, text)
        for number in numbers_in(original):
            yield from self._figure(block, original, number)

    def _figure(self, block: int, original: str, number: Number) -> Iterator[Figure]:
        row = self._row_of(block, number)
        kind, sign = self._moved(block, number, *kind_of(number, self._year))
        if row is not None:
            kind, sign = row.kind, -1 if row.value < 0 else 1
        is_free = is_subject_free(kind, number.own.strip(" )")) or bool(row and row.is_subject_free)
        first, words = self._said(block, number, kind, row, is_free)
        meaning = self._meaning(block, number) if kind in ("amount", "rate", "other_year") else None
        kind = self._in_its_year(block, number, kind, meaning)
        figure = Figure(
            -number.value if number.sign == "-" or sign < 0 else number.value,
            number.unit, kind, _quote(original, first, number), block, number.start, number.end,
            number.before, number.after, number.decimals, number.step, meaning, words, 0, is_free,
            number.about, number.text[number.previous : number.start],
        )  # fmt: skip
        if kind == "amount":
            self._note(block, number, first, figure)
        figure = replace(
            figure, passage=self._account.number if self._account.is_open(block) else 0
        )
        self._before = figure
        if kind == "amount":
            self._last_amount = figure
            self._owners[number.depth] = figure
        yield figure
        if meaning and meaning.all_closed and _ALL_CLOSED.search(number.behind):
            closed = Meaning("全部办结", overview=meaning.all_closed)
            quote = _quote(original, first, replace(number, after=number.behind[:6]))
            yield replace(figure, meaning=closed, quote=quote)

    def _moved(self, block: int, number: Number, kind: Kind, sign: int) -> tuple[Kind, int]:
        """The kind, where the words tell a movement: 由287件增至364件,增加77件."""
        if kind not in ("amount", "rate", "share"):
            return kind, sign
        behind = _BRACKETS.sub("", number.behind)
        if pattern("moved_from").search(number.before) and pattern("moved_to").match(behind):
            return "other_year", 1
        last = self._before
        is_bare = (
            kind == "amount"
            and last is not None
            and last.block == block
            and last.unit == number.unit
            and last.kind in ("amount", "other_year", "difference")
            and not re.search("[。;!?]", number.ahead[last.end :])
            and pattern("bare_difference").match(f"{number.before}§") is not None
        )
        if not is_bare:
            return kind, sign
        return "difference", -1 if re.search(phrases()["moved_down"], number.before) else 1

    def _in_its_year(self, block: int, number: Number, kind: Kind, meaning: Meaning | None) -> Kind:
        """The kind, where an account of another year is open: 2020年收到94件,其中自然人87件.

        Such an account begins with its year, and ends with its sentence or with this year's.
        """
        role = meaning.role if meaning else ""
        opens = role in OPENING or bool(meaning and meaning.label in _PARTS_OF_INTAKE)
        if kind == "other_year" and opens and not number.depth:
            is_account = re.match(r"[^,;。]{0,6}(?:(?:19|20)\d\d年|上年|去年)", number.before)
            is_compared = re.search("[较比与由从]", number.own) is not None
            if is_account and not is_compared:
                stop = re.search(r"[。!?\n]", number.behind)
                self._other_year = (
                    block,
                    number.end + (stop.start() if stop else len(number.behind)),
                )
        elif role in OPENING:
            self._other_year = -1, 0
        is_open = self._other_year[0] == block and number.start < self._other_year[1]
        return "other_year" if is_open and kind == "amount" and role else kind

    def _said(
        self, block: int, number: Number, kind: Kind, row: Figure | None, is_free: bool
    ) -> tuple[int, str]:
        """Where the words about a figure begin, and those words."""
        first, words = number.first, words_of(number)
        of = max(
            (last for d, last in self._last.items() if d <= number.depth and last[0] == block),
            default=None,
        )
        if row is not None:
            first = self._row_from
        elif "分别" in number.own:
            # One of several: its quote leaves out the last of what they speak of.
            first = max(first, number.previous)
        elif (
            kind not in ("amount", "rate") and is_free and of and "。" not in number.ahead[of[1] :]
        ):
            first, words = of[1], of[2]
        self._row_from = first
        return first, words

    def _meaning(self, block: int, number: Number) -> Meaning | None:
        around = Around(
            self._account.is_open(block), self._last_amount.role if self._last_amount else None
        )
        meaning = worded_meaning(number, around)
        if meaning and meaning.role == "other":
            meaning = self._as_other(block, number, meaning)
        if meaning:
            meaning = self._as_placed(block, number, meaning, around)
        if meaning is None or not around.in_account:
            return meaning
        # What is new may be a part of what was handled, and is still what is new.
        earlier = {meaning.role} if meaning.role == "new_received" else {*OPENING, meaning.role}
        if not self._account.roles & earlier:
            return meaning
        ahead = number.sentence[: len(number.sentence) - (number.start - number.first)]
        is_due = re.search("应|需", number.before) is not None
        if (
            meaning.role in OPENING
            and not is_due
            and pattern("parts").search(ahead + number.before[:2])
        ):
            # 其中街道收到申请38件: a part of what was received, no account of its own.
            return Meaning(f"其中{meaning.label}")
        return meaning

    def _as_other(self, block: int, number: Number, meaning: Meaning) -> Meaning | None:
        """What 其他 means: the rest of a group of outcomes, of what is enumerated, or an outcome."""
        last = self._last_amount
        if number.depth and last and last.meaning and last.meaning.row.startswith("other_"):
            # 其他处理3件(逾期不补正2件、其他1件): the rest of the group, not the group.
            return Meaning("其中其他处理", "leaf", "other_misc")
        if self._enumerated and self._beside(block, number):
            # 其他 belongs to what is being enumerated.
            return others()[self._enumerated]
        return meaning if self._is_outcome(block, number) else None

    def _as_placed(
        self, block: int, number: Number, meaning: Meaning, around: Around
    ) -> Meaning | None:
        """A meaning where it stands: part of another one, what applications are about, or itself."""
        is_outcome = meaning.role == "leaf" or meaning.role in phrases()["outcomes"]
        if is_outcome and self._is_within(block, number, meaning):
            return Meaning(f"其中{meaning.label}")
        if is_outcome and (_is_topic(number) or _is_elsewhere(number, around)):
            return None
        is_one_of = meaning.role in OPENING and "分别" in number.before
        if is_one_of or (meaning.role and pattern("part_of_year").search(number.before)):
            return Meaning(f"其中{meaning.label}")
        return meaning

    def _is_within(self, block: int, number: Number, meaning: Meaning) -> bool:
        """Whether an outcome only divides another one: 不予公开41件(信息不存在14件、其他8件)."""
        if pattern("within_outcome").search(number.sentence):
            return True
        owner = self._owners.get(number.depth - 1)
        is_opened = owner is not None and owner.block == block and number.depth > 0
        if not is_opened or owner is None or number.ahead.find("(", owner.end) < 0:
            return False
        prefix = f"{owner.role}_"
        return owner.role in _DIVIDED and not meaning.row.startswith(prefix)

    def _is_outcome(self, block: int, number: Number) -> bool:
        """Whether 其他 means 其他处理: by its full name, or behind another outcome."""
        if pattern("other_in_full").search(number.clause) or self._last_amount is None:
            return True
        role = self._beside(block, number)
        return role == "leaf" or role in phrases()["outcomes"]

    def _beside(self, block: int, number: Number) -> str:
        """The role of the amount before, if that stands in the same sentence."""
        last = self._last_amount
        if last is None or last.block != block or "。" in number.ahead[last.end :]:
            return ""
        return last.role

    def _row_of(self, block: int, number: Number) -> Figure | None:
        """The percentage that this one is joined to: 分别占 66.5%、4.6%."""
        before = self._before
        is_joined = (
            number.unit == "%"
            and before is not None
            and before.unit == "%"
            and before.block == block
            and _JOINT.fullmatch(number.ahead[before.end :]) is not None
        )
        return before if is_joined else None

    def _note(self, block: int, number: Number, first: int, figure: Figure) -> None:
        """Keep what the next figures need to know of an amount."""
        meaning = figure.meaning
        self._last[number.depth] = (block, first, meaning.label if meaning else figure.words)
        if meaning is None:
            return
        if meaning.role:
            counted = (
                kind
                for kind in others()
                if meaning.role == kind or meaning.role in phrases().get(kind, ())
            )
            self._enumerated = next(counted, "")
        is_part = pattern("parts").match(figure.before) is not None or number.depth > 0
        self._account.follow(block, meaning.role, is_part=is_part)


def _quote(original: str, first: int, number: Number) -> str:
    """The words of a figure's clause as printed, not too many of them."""
    begin = max(first, number.start - 50)
    stop = number.end + min(len(number.after), 16)
    quote = original[begin:stop].strip(_EDGES)
    is_open = plain(quote).count("(") > plain(quote).count(")")
    behind = original[stop : stop + 1]
    return quote + behind if is_open and plain(behind) == ")" else quote
