"""The draft: a template's sentences with an organ's figures in them.

What is not there is said in red, never left out; what cannot be said of an organ goes, with
the comma before it. No figure is typed: each is a span that names its cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal, Protocol

from tasks.editions.narrative import manners
from tasks.editions.narrative.manners import NOTHING, Said
from tasks.editions.narrative.narrative import (
    FIELD,
    Narrative,
    Place,
    conditions,
)
from tasks.editions.narrative.narrative_file import Clause, Enumeration, Paragraph, Scoped, Sentence
from warehouse.layout import Cell

SpanKind = Literal["words", "figure", "missing", "mark", "filled"]
State = Literal["there", "missing", "elsewhere", "undeclared"]
MARK = re.compile(r"【填(?:\uff1a([^】]*))?】")
_TOKEN = re.compile(rf"{MARK.pattern}|{FIELD.pattern}|\[|\]")
CHINESE_NUMBERS = "一二三四五六七八九十"
COMMA, STOP = "\uff0c", "。"


@dataclass(frozen=True)
class Span:
    """A piece of a sentence: words, a figure with its cell, a missing one, a place that the
    organ fills in (`key` is the mark's), or what it filled in. `before` is what stood in the
    mark last year."""

    text: str
    kind: SpanKind = "words"
    key: str = ""
    label: str = ""
    before: str = ""


@dataclass(frozen=True)
class Written:
    """A sentence as it stands in the draft."""

    id: str
    place: Place
    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)

    @property
    def is_missing(self) -> bool:
        return any(span.kind == "missing" for span in self.spans)


@dataclass(frozen=True)
class WrittenParagraph:
    """Sentences under a numbered heading; `runs_in`: the heading stands in the paragraph."""

    head: str
    runs_in: bool
    sentences: tuple[Written, ...]

    @property
    def text(self) -> str:
        head = f"{self.head}{STOP}" if self.head and self.runs_in else ""
        return head + "".join(sentence.text for sentence in self.sentences)


@dataclass(frozen=True)
class Note:
    """What a person should know of the draft: `missing` figures, marks still `unfilled`, figures
    to `check`, comparisons not made for want of a `last_year`, sentences `left_out` because the
    city declares no such figure."""

    kind: Literal["missing", "unfilled", "check", "last_year", "left_out"]
    sentence: str
    place: Place
    told: str
    key: str = ""


@dataclass(frozen=True)
class Draft:
    """The words of a report, part by part."""

    introduction: tuple[WrittenParagraph, ...]
    general: tuple[WrittenParagraph, ...]
    problems: tuple[WrittenParagraph, ...]
    others: tuple[WrittenParagraph, ...]
    notes: tuple[Note, ...]

    def part(self, name: str) -> tuple[WrittenParagraph, ...]:
        found: tuple[WrittenParagraph, ...] = getattr(self, name)
        return found

    def spans(self) -> Iterator[Span]:
        for paragraphs in (self.introduction, self.general, self.problems, self.others):
            for paragraph in paragraphs:
                for sentence in paragraph.sentences:
                    yield from sentence.spans

    @property
    def unfilled(self) -> list[Span]:
        return [span for span in self.spans() if span.kind == "mark"]

    @property
    def missing(self) -> list[Span]:
        return [span for span in self.spans() if span.kind == "missing"]

    @property
    def is_complete(self) -> bool:
        """Whether it can be published: nothing to fill in, nothing missing."""
        return not self.unfilled and not self.missing


class Figure(Protocol):
    """A figure of an edition, with both sides where it is a percentage."""

    @property
    def value(self) -> Decimal | None: ...
    @property
    def numerator(self) -> Decimal | None: ...
    @property
    def denominator(self) -> Decimal | None: ...


@dataclass(frozen=True)
class Facts:
    """What sentences may ask of an organ: its figures (with those of `cells` that only words
    need), last year's, its words, and what it filled in this year and before."""

    year: int
    layout: str
    kind: str
    words: Mapping[str, str]
    cells: Mapping[str, Cell]
    figures: Mapping[str, Figure]
    before: Mapping[str, Figure] = field(default_factory=dict)
    is_root: bool = True
    has_last_year: bool = True
    filled: Mapping[str, str] = field(default_factory=dict)
    filled_before: Mapping[str, str] = field(default_factory=dict)

    def state(self, key: str) -> State:
        cell = self.cells.get(key)
        if cell is None:
            return "undeclared"
        if cell.only_root and not self.is_root:
            return "elsewhere"
        if self.value(key) is not None:
            return "there"
        # What no system of the city has is like what the city does not declare.
        return "undeclared" if cell.needs else "missing"

    def value(self, key: str) -> Decimal | None:
        """A figure; those that only words need are made here."""
        cell = self.cells[key]
        if cell.table == "text" and cell.parts:
            parts = [self.value(part) for part in cell.parts]
            known = [part for part in parts if part is not None]
            return sum(known, Decimal(0)) if len(known) == len(parts) else None
        found = self.figures.get(key)
        return found.value if found else None

    def sides(self, key: str) -> tuple[Decimal | None, Decimal | None]:
        """This year's and last year's of a change; numerator and denominator of a rate."""
        cell = self.cells[key]
        if cell.table == "text" and cell.change_on_year:
            before = self.before.get(cell.change_on_year)
            return self.value(cell.change_on_year), before.value if before else None
        found = self.figures.get(key)
        return (found.numerator, found.denominator) if found else (None, None)


def draft(narrative: Narrative, facts: Facts, organ_id: str) -> Draft:
    """The words for one organ, by the template that serves it."""
    template = narrative.template_of(organ_id, facts.kind)
    writer = _Writer(narrative, facts)
    runs_in = template.heads == "run_in"
    parts = {
        name: tuple(writer.paragraphs(getattr(template, name), runs_in))
        for name in ("introduction", "general", "problems", "others")
    }
    return Draft(**parts, notes=tuple(dict.fromkeys(writer.notes)))


class _Left(Exception):
    """A part that is not written; a way out of nested texts."""


@dataclass
class _Writer:
    narrative: Narrative
    facts: Facts
    notes: list[Note] = field(default_factory=list)
    sentence: Sentence = field(init=False)
    marks: int = field(init=False, default=0)

    def paragraphs(
        self, paragraphs: tuple[Paragraph, ...], runs_in: bool
    ) -> Iterator[WrittenParagraph]:
        numbered = 0
        for paragraph in paragraphs:
            if not self._is_meant(paragraph):
                continue
            written = tuple(filter(None, map(self._sentence, paragraph.sentences)))
            if not written:
                continue
            head = ""
            if paragraph.head:
                head = f"\uff08{CHINESE_NUMBERS[numbered]}\uff09{paragraph.head}"
                numbered += 1
            yield WrittenParagraph(head, runs_in, written)

    def _sentence(self, sentence: Sentence) -> Written | None:
        self.sentence, self.marks = sentence, 0
        if not self._is_meant(sentence):
            return None
        spans: list[Span] = []
        before = 0
        for clause in sentence.parts():
            # A place keeps its number whichever clauses before it are written.
            self.marks = before
            spans += self._clause(clause)
            before += len(MARK.findall(clause.text))
        spans = _as_sentence(spans)
        if not spans:
            return None
        written = Written(sentence.id, self.place, tuple(spans))
        for span in spans:
            if span.kind == "missing":
                self._note("missing", f"缺“{span.label}”", span.key)
            elif span.kind == "mark":
                self._note("unfilled", span.text, span.key)
        return written

    @property
    def place(self) -> Place:
        return self.narrative.places[self.sentence.id]

    def _note(
        self,
        kind: Literal["missing", "unfilled", "check", "last_year", "left_out"],
        told: str,
        key: str = "",
    ) -> None:
        self.notes.append(Note(kind, self.sentence.id, self.place, told, key))

    def _is_meant(self, scoped: Scoped) -> bool:
        facts = self.facts
        return self.narrative.applies(scoped, facts.layout, facts.kind) and self._holds(scoped.when)

    def _holds(self, when: str) -> bool:
        """Whether a condition holds: alternatives (or) of comparisons that hold together (and).
        A missing figure is taken to be there and above zero, so that it is told as missing."""
        if not when:
            return True
        return any(
            all(self._compares(*comparison) for comparison in conditions(alternative))
            for alternative in re.split(r" +or +", when)
        )

    def _compares(self, left: str, operator: str, right: str) -> bool:
        sides = []
        for side in (left, right):
            if side.lstrip("-")[0].isdigit():
                sides.append(Decimal(side))
                continue
            if not self._has(side):
                return False
            value = self.facts.value(side)
            if value is None:
                return operator in (">", ">=", "!=")
            sides.append(value)
        a, b = sides
        return {
            "=": a == b, "!=": a != b, ">": a > b, "<": a < b, ">=": a >= b, "<=": a <= b,
        }[operator]  # fmt: skip

    def _has(self, key: str) -> bool:
        """Whether the organ has such a figure, be it missing; one the city does not declare is
        noted."""
        state = self.facts.state(key)
        if state == "undeclared":
            why = "没有来源提供" if key in self.facts.cells else "overview.yaml 没有声明"
            self._note("left_out", f"{why} {key.removeprefix('overview.')}", key)
        return state in ("there", "missing")

    def _clause(self, clause: Clause) -> list[Span]:
        if clause is not self.sentence and not self._is_meant(clause):
            return []
        try:
            if clause.enumeration is not None:
                spans = self._enumeration(clause.enumeration)
            else:
                spans = self._text(clause.text)
                if clause.whole and self.facts.value(clause.whole) == 1:
                    spans = _without_all(spans)
        except _Left:
            return []
        if clause.check and spans:
            self._note("check", clause.check)
        return spans

    def _enumeration(self, enumeration: Enumeration) -> list[Span]:
        items: list[tuple[list[Span], str, Decimal | None]] = []
        for item in enumeration.items:
            if not self._is_meant(item) or not self._has(item.count):
                continue
            value = self.facts.value(item.count)
            if value == 0:
                continue
            try:
                items.append((self._text(item.text), item.name, value))
            except _Left:
                continue
        if not items:
            raise _Left
        of = self.facts.value(enumeration.of) if enumeration.of in self.facts.cells else None
        _, name, value = items[0]
        if len(items) == 1 and enumeration.all_one and value is not None and value == of:
            told = self._text(enumeration.all_one.replace("{name}", name))
            return _without_all(told) if of == 1 else told
        listed: list[Span] = []
        for at, (item_spans, _, _) in enumerate(items):
            listed += [*([Span("、")] if at else []), *item_spans]
        before, _, after = enumeration.many.partition("{items}")
        return [*self._text(before), *listed, *self._text(after)]

    def _text(self, text: str) -> list[Span]:
        """A text with its figures; a bracket of which something cannot be said goes, a text of
        which something cannot be said raises _Left."""
        spans: list[Span] = []
        inner: list[Span] | None = None
        is_left, at = False, 0
        for token in _TOKEN.finditer(text):
            target = spans if inner is None else inner
            if token.start() > at:
                target.append(Span(text[at : token.start()]))
            at = token.end()
            if token[0] == "[":
                inner, is_left = [], False
            elif token[0] == "]":
                spans += [] if is_left or inner is None else inner
                inner = None
            else:
                said = self._token(token, in_bracket=inner is not None)
                if said is None and inner is None:
                    raise _Left
                is_left = is_left or said is None
                target += [said] if said else []
        if at < len(text):
            spans.append(Span(text[at:]))
        return spans

    def _token(self, token: re.Match[str], *, in_bracket: bool) -> Span | None:
        if token[0].startswith("【"):
            return self._mark(token[0])
        key, manner = token[2], token[3] or ""
        if "." not in key:
            word = self.facts.words.get(key)
            return Span(word) if word else None
        if not self._has(key):
            return None
        said = self._said(key, manner)
        if said.status == "missing":
            return Span(f"【缺\uff1a{said.label}】", "missing", key, said.label)
        if said.status == "nothing" or (in_bracket and not manner and said.text == "0"):
            return None
        return Span(said.text, "figure", key, self.facts.cells[key].full_label)

    def _said(self, key: str, manner: str) -> Said:
        settings, cell = self.narrative.manner, self.facts.cells[key]
        if manner == "yoy":
            return self._change(key, cell)
        if manner == "pct":
            return self._rate(key, cell)
        value = self.facts.value(key)
        if value is None:
            return Said(status="missing", label=cell.full_label)
        if manner == "wan" or (not manner and key in settings.wan):
            return manners.ten_thousands(value, settings)
        if manner in ("yuan", "wan_yuan"):
            return manners.money(value, 2 if manner == "yuan" else settings.money_decimals)
        if cell.is_average:
            return manners.average(value, *self.facts.sides(key))
        return manners.signed(value, cell.unit) if manner else manners.plain_figure(value)

    def _change(self, key: str, cell: Cell) -> Said:
        now, then = self.facts.sides(key)
        base = self.facts.cells[cell.change_on_year or ""]
        if now is None:
            # The figure itself is told as missing before it.
            return NOTHING
        is_kept = cell.table != "text" or self.facts.is_root
        if then is None and not (self.facts.has_last_year and is_kept):
            self._note("last_year", "无上年数,未写同比", key)
            return NOTHING
        if then is None:
            return Said(status="missing", label=f"上年{base.full_label}")
        return manners.change(now, then, base.unit, self.narrative.manner)

    def _rate(self, key: str, cell: Cell) -> Said:
        numerator, denominator = self.facts.sides(key)
        if numerator is None or denominator is None:
            return Said(status="missing", label=cell.full_label)
        return manners.percentage(numerator, denominator, self.narrative.manner)

    def _mark(self, text: str) -> Span:
        self.marks += 1
        key = self.sentence.id
        if sum(len(MARK.findall(part.text)) for part in self.sentence.parts()) > 1:
            key = f"{key}.{self.marks}"
        label = (MARK.match(text) or [None, None])[1] or self.sentence.id
        before = self.facts.filled_before.get(key, "")
        filled = self.facts.filled.get(key) or (before if self.sentence.keeps else "")
        if filled:
            return Span(filled, "filled", key, label)
        return Span(text, "mark", key, label, before)


def _without_all(spans: list[Span]) -> list[Span]:
    """均 is of several: it goes where there is one; 平均 is another word."""
    return [
        replace(s, text=re.sub("(?<!平)均", "", s.text)) if s.kind == "words" else s for s in spans
    ]


def _as_sentence(spans: list[Span]) -> list[Span]:
    """A sentence begins and ends without the comma of a clause that went, and ends in one full stop;
    a place to be filled in ends as it is."""
    spans = [span for span in spans if span.text]
    if not spans:
        return []
    first = spans[0]
    if first.kind == "words" and first.text.startswith(COMMA):
        spans[0] = replace(first, text=first.text.removeprefix(COMMA))
        spans = [span for span in spans if span.text]
    last = spans[-1] if spans else None
    if last and last.kind == "words" and last.text.endswith(COMMA):
        spans[-1] = replace(last, text=last.text.removesuffix(COMMA))
        spans = [span for span in spans if span.text]
    if spans and spans[-1].kind != "mark" and spans[-1].text[-1] not in "。！？；":
        spans.append(Span(STOP))
    return spans
