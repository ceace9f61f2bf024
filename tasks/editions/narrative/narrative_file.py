"""What a narrative file may say (`narrative.yaml`): templates of the report's words, as data.

The one in the form's folder explains every key by example. A city's file of the same name says
what is different there: settings, words, single sentences, or whole templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Literal

from pydantic import Field, ValidationError

from warehouse.declared import Declared, explained, parsed
from warehouse.errors import ConfigurationError

PARTS = ("general", "problems", "others")
"""What the sections in print may take: 一、总体情况, 五、存在的主要问题, 六、其他."""


class NarrativeError(ConfigurationError):
    """A narrative file that cannot be used; the message names file, line and figure."""


class Scoped(Declared):
    """What is written in some reports only: of these layouts, organs of these kinds, with this
    switch on (`not x`: off), and where `when` holds for the figures."""

    layouts: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    switch: str = ""
    when: str = ""


class Item(Scoped):
    """An item of an enumeration: `count` is its figure, `name` what stands for it when it is
    the whole."""

    count: str
    text: str
    name: str = ""


class Enumeration(Declared):
    """Items joined by 、 of which those at zero are left out: `{items}` in `many`. One item that
    equals its whole (`of`) is said by `all_one`, `{name}` being the item's; 均 goes at one."""

    of: str
    items: tuple[Item, ...] = Field(min_length=1)
    many: str
    all_one: str = ""


class Clause(Scoped):
    """A part of a sentence. `whole` is the figure at one of which 均 is left out; `check` what
    a person should look at when it is written."""

    text: str = ""
    whole: str = ""
    enumeration: Enumeration | None = None
    check: str = ""


class Sentence(Clause):
    """A sentence, of one clause or several. `keeps`: what is filled in serves next year too."""

    id: str = Field(pattern=r"^[A-Z][A-Z0-9]*[a-z]?$")
    clauses: tuple[Clause, ...] = ()
    keeps: bool = False

    def parts(self) -> tuple[Clause, ...]:
        """Its clauses; itself where it is one."""
        return self.clauses or (self,)


class Paragraph(Scoped):
    """Sentences under a heading of their own, or without one."""

    head: str = ""
    sentences: tuple[Sentence, ...] = Field(min_length=1)


class Template(Declared):
    """The words of a report. `heads` of 二级 stand on a line of their own, or run in."""

    heads: Literal["own_line", "run_in"] = "own_line"
    introduction: tuple[Paragraph, ...] = ()
    general: tuple[Paragraph, ...] = Field(min_length=1)
    problems: tuple[Paragraph, ...] = ()
    others: tuple[Paragraph, ...] = ()

    def paragraphs(self) -> Iterator[Paragraph]:
        yield from self.introduction
        for part in PARTS:
            yield from getattr(self, part)


class TextFigure(Declared):
    """A figure that only the words need, made of the edition's: their sum, or the change of one
    on last year's."""

    key: str = Field(pattern=r"^text\.[a-z0-9_]+$")
    label: str
    unit: str = ""
    sum_of: tuple[str, ...] = ()
    change_on_year: str | None = None


class Settings(Declared):
    """How figures are written, and which template serves whom."""

    percent: Literal["cut", "round"] | None = None
    yoy_base_from: int | None = Field(default=None, ge=0)
    yoy_percent_below: int | None = Field(default=None, ge=1)
    wan: tuple[str, ...] | None = None
    wan_from: int | None = Field(default=None, ge=10000)
    money_decimals: int | None = Field(default=None, ge=0, le=6)
    page_number: Literal["centre", "outer"] | None = None
    publication: Literal["tables_only", "refuse"] | None = None
    switches: dict[str, bool] = Field(default_factory=dict)
    template_of_kind: dict[str, str] = Field(default_factory=dict)
    template_of_organ: dict[str, str] = Field(default_factory=dict)


class OrganWords(Declared):
    """The words for an organ whose name, without 人民政府, ends so."""

    ends: str
    kinds: tuple[str, ...] = ()
    words: dict[str, str]


class Added(Declared):
    """A sentence of the city's own, behind one of the template."""

    after: str
    sentence: Sentence


class NarrativeFile(Declared):
    """A narrative file; see the module."""

    settings: Settings = Field(default_factory=Settings)
    words: dict[str, str] = Field(default_factory=dict)
    organ_words: tuple[OrganWords, ...] = ()
    figures: tuple[TextFigure, ...] = ()
    templates: dict[str, Template] = Field(default_factory=dict)
    change: dict[str, Sentence | None] = Field(default_factory=dict)
    add: tuple[Added, ...] = ()


def read_narrative(text: str, place: str) -> NarrativeFile:
    """A narrative file from its text. Raises NarrativeError."""
    try:
        return NarrativeFile.model_validate(parsed(text, place, NarrativeError) or {})
    except ValidationError as error:
        raise NarrativeError(explained(place, error)) from error


def line_of(text: str, sentence: str, needle: str = "") -> int:
    """The line (from 1) of a sentence in a file's text, or of what is looked for in it."""
    lines, begins = _sentence_lines(text)
    starts = begins.get(sentence, [])
    for start in starts:
        for at in range(start, len(lines)):
            if at > start and re.search(r"\bid: *[A-Z]", lines[at]):
                break
            if needle and needle in lines[at]:
                return at + 1
    return (starts or [0])[0] + 1


@lru_cache(maxsize=8)
def _sentence_lines(text: str) -> tuple[list[str], Mapping[str, list[int]]]:
    """A file's lines, and where (from 0) the sentence of each id begins."""
    lines = text.splitlines()
    begins: dict[str, list[int]] = {}
    for at, line in enumerate(lines):
        if not line.lstrip().startswith("#"):
            for found in re.finditer(r"\bid: *[\"']?([\w.-]+)", line):
                begins.setdefault(found[1], []).append(at)
    return lines, begins
