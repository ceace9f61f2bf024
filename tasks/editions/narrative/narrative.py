"""The narrative of a form in a city: the shipped file with what the city's own says instead.

Read once, checked against the layout: a figure that is not there is told with file and line
before anything is built, never left out in silence.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from tasks.editions.narrative.manners import MANNERS, Manner
from tasks.editions.narrative.narrative_file import (
    Clause,
    Item,
    NarrativeError,
    NarrativeFile,
    OrganWords,
    Scoped,
    Sentence,
    Settings,
    Template,
    TextFigure,
    line_of,
    read_narrative,
)
from warehouse.layout import OVERVIEW, Cell, Layout

FIELD = re.compile(r"\{([a-z0-9_.]+)(?::([a-z_]+))?\}")
COMPARISON = re.compile(r"^([a-z0-9_.]+) *(!=|>=|<=|=|>|<) *(-?\d+(?:\.\d+)?|[a-z0-9_.]+)$")
CHILDREN = "children.count"
ORGAN_FACTS = {"year", "organ", "area", "self", "government"}
"""The words that every organ has."""
SHIPPED = "随附的 narrative.yaml"
"""What the file of the form is called in what is kept with an edition."""


@dataclass(frozen=True)
class Place:
    """Where a sentence stands, and whether it came with the program: a city need not have every
    figure that the shipped sentences ask for."""

    file: str
    line: int
    is_shipped: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Narrative:
    """Templates, settings and words in force. `places` are the sentences' by id."""

    templates: Mapping[str, Template]
    settings: Settings
    words: Mapping[str, str]
    organ_words: tuple[OrganWords, ...]
    figures: tuple[TextFigure, ...]
    places: Mapping[str, Place]

    @property
    def manner(self) -> Manner:
        given = {name: getattr(self.settings, name) for name in Manner.__dataclass_fields__}
        return Manner(**{name: value for name, value in given.items() if value is not None})

    def template_of(self, organ_id: str, kind: str) -> Template:
        """The template for an organ: by its id, by its kind, else the first."""
        name = self.settings.template_of_organ.get(organ_id)
        name = name or self.settings.template_of_kind.get(kind) or next(iter(self.templates))
        return self.templates[name]

    def words_of(self, name: str, kind: str) -> dict[str, str]:
        """What an organ calls itself and its area; see `organ_words` of the file."""
        bare = re.sub("(人民政府|办事处|管理委员会|管委会)$", "", name)
        for told in self.organ_words:
            if bare.endswith(told.ends) and (not told.kinds or kind in told.kinds):
                return {**told.words, **self.words}
        return dict(self.words)

    def applies(self, scoped: Scoped, layout: str, kind: str | None = None) -> bool:
        """Whether something is meant for a layout and a kind of organ, by the switches."""
        if scoped.layouts and layout not in scoped.layouts:
            return False
        if kind is not None and scoped.kinds and kind not in scoped.kinds:
            return False
        off = scoped.switch.startswith("not ")
        name = scoped.switch.removeprefix("not ")
        return not name or self.settings.switches.get(name, False) != off

    def check(self, layout: Layout) -> None:
        """Raises NarrativeError for a figure, word, manner, condition or template that is not
        there, with file and line."""
        known = {*layout.cells, *(figure.key for figure in self.figures), CHILDREN}
        for name in (
            *self.settings.template_of_kind.values(),
            *self.settings.template_of_organ.values(),
        ):
            if name not in self.templates:
                raise NarrativeError(
                    f"narrative.yaml: settings: 没有模板 {name};现有:{'、'.join(self.templates)}"
                )
        for template in self.templates.values():
            for paragraph in template.paragraphs():
                for sentence in paragraph.sentences:
                    for part in (paragraph, sentence, *sentence.clauses):
                        if not self.applies(part, layout.name):
                            break
                        self._check_part(part, sentence, known)

    def _check_part(self, part: Scoped, sentence: Sentence, known: set[str]) -> None:
        for text in texts_of(part):
            rest = FIELD.sub("", text)
            if "{" in rest or "}" in rest or rest.count("[") != rest.count("]"):
                raise NarrativeError(
                    f"{self._at(sentence, text)}: 花括号或方括号的写法不对:{text}。"
                    "数字写作 {t3.granted.total} 或 {overview.granted_share:pct}"
                )
        for key, manner in asked(part):
            if manner and manner not in MANNERS:
                raise NarrativeError(
                    f"{self._at(sentence, key)}: 没有写法 {manner};现有:{'、'.join(MANNERS)}"
                )
            if "." not in key:
                self._check_word(key, sentence)
            elif key not in known and not self._may_be_absent(key, sentence):
                near = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
                hint = f";近似的有 {'、'.join(near)}" if near else ""
                raise NarrativeError(
                    f"{self._at(sentence, key)}: {{{key}}} 不存在{hint}。"
                    "请改用报表或 overview.yaml 中已有的数字"
                )

    def _check_word(self, word: str, sentence: Sentence) -> None:
        known = {*ORGAN_FACTS, *self.words, *(w for told in self.organ_words for w in told.words)}
        if word not in known and not self.places[sentence.id].is_shipped:
            raise NarrativeError(
                f"{self._at(sentence, word)}: 没有词 {{{word}}};请在 words 中写明,或改用 "
                f"{'、'.join(sorted(known))}"
            )

    def _may_be_absent(self, key: str, sentence: Sentence) -> bool:
        return self.places[sentence.id].is_shipped and key.startswith(f"{OVERVIEW}.")

    def _at(self, sentence: Sentence, key: str) -> str:
        place = self.places[sentence.id]
        text = _TEXTS.get(place.file, "")
        return f"{place.file}:{line_of(text, sentence.id, key) if text else place.line}"


_TEXTS: dict[str, str] = {}
"""The texts last read by place, to name the line of a key in a message."""


def asked(part: Scoped) -> Iterator[tuple[str, str]]:
    """Every figure and word that a part asks for, with its manner: in texts and conditions."""
    for condition in conditions(part.when):
        for side in (condition[0], condition[2]):
            if side and not side[0].isdigit() and side[0] != "-":
                yield side, ""
    if isinstance(part, Clause):
        yield from _asked_of_clause(part)
    for text in texts_of(part):
        for found in FIELD.finditer(text):
            if found[1] not in ("items", "name"):
                yield found[1], found[2] or ""


def _asked_of_clause(clause: Clause) -> Iterator[tuple[str, str]]:
    """The figures by which a clause is shaped, besides those in its texts."""
    if clause.whole:
        yield clause.whole, ""
    if clause.enumeration is not None:
        yield clause.enumeration.of, ""
        for item in clause.enumeration.items:
            yield item.count, ""
            yield from asked(item)


def texts_of(part: Scoped) -> list[str]:
    """The texts of a part in which figures may stand."""
    if isinstance(part, Item):
        return [part.text]
    if not isinstance(part, Clause):
        return []
    enumeration = part.enumeration
    if enumeration is None:
        return [part.text]
    items = [item.text for item in enumeration.items]
    return [part.text, enumeration.many, enumeration.all_one, *items]


@lru_cache(maxsize=512)
def conditions(when: str) -> tuple[tuple[str, str, str], ...]:
    """The comparisons of a condition, in order. Raises NarrativeError for one that is none."""
    found = []
    for text in re.split(r" +(?:and|or) +", when) if when else ():
        match = COMPARISON.match(text.strip())
        if match is None:
            raise NarrativeError(
                f"narrative.yaml: when: “{text}”不是条件;写作 overview.key > 0,可用 and、or 连接"
            )
        found.append((match[1], match[2], match[3]))
    return tuple(found)


def parse_narrative(
    text: str, local: str | None, place: str = SHIPPED, local_place: str = "narrative.yaml"
) -> Narrative:
    """The narrative from the text of the form's file and of the city's. Raises NarrativeError."""
    _TEXTS[place] = text
    if local is not None:
        _TEXTS[local_place] = local
    shipped = read_narrative(text, place)
    own = read_narrative(local or "", local_place)
    places = {s.id: Place(place, line_of(text, s.id), True) for s in _sentences(shipped)}
    mine = [*_sentences(own), *(s for s in own.change.values() if s)]
    for sentence in (*mine, *(added.sentence for added in own.add)):
        line = line_of(local or "", sentence.id)
        places[sentence.id] = Place(local_place, line, False)
    templates = {
        name: _changed(template, own, local_place) if name not in own.templates else template
        for name, template in {**shipped.templates, **own.templates}.items()
    }
    _check_ids(own, places, templates, local_place)
    return Narrative(
        templates=templates,
        settings=_merged(shipped.settings, own.settings),
        words={**shipped.words, **own.words},
        organ_words=(*own.organ_words, *shipped.organ_words),
        figures=(*shipped.figures, *own.figures),
        places=places,
    )


def _sentences(file: NarrativeFile) -> Iterator[Sentence]:
    for template in file.templates.values():
        for paragraph in template.paragraphs():
            yield from paragraph.sentences


def _check_ids(
    own: NarrativeFile,
    places: Mapping[str, Place],
    templates: Mapping[str, Template],
    place: str,
) -> None:
    for key in own.change:
        if key not in places:
            raise NarrativeError(f"{place}: change: 没有句子 {key}")
    for added in own.add:
        if added.after not in places:
            raise NarrativeError(f"{place}: add: after: 没有句子 {added.after}")
    for template in templates.values():
        ids = [s.id for paragraph in template.paragraphs() for s in paragraph.sentences]
        for key in ids:
            if ids.count(key) > 1:
                raise NarrativeError(f"{place}: 句子编号 {key} 用了两次,请改其中一个")


def _changed(template: Template, own: NarrativeFile, place: str) -> Template:
    """A shipped template with the city's changes: sentences replaced, left out, added."""
    parts = {}
    for name in ("introduction", "general", "problems", "others"):
        paragraphs = []
        for paragraph in getattr(template, name):
            sentences: list[Sentence] = []
            for sentence in paragraph.sentences:
                kept = own.change.get(sentence.id, sentence)
                sentences += [kept] if kept else []
                sentences += [a.sentence for a in own.add if a.after == sentence.id]
            if sentences:
                paragraphs.append(paragraph.model_copy(update={"sentences": tuple(sentences)}))
        parts[name] = tuple(paragraphs)
    if not parts["general"]:
        raise NarrativeError(f"{place}: change: 总体情况不能一句不剩")
    return template.model_copy(update=parts)


def _merged(shipped: Settings, own: Settings) -> Settings:
    """Settings key by key: the city's where it has one; tables of settings entry by entry."""
    merged = {}
    for name in Settings.model_fields:
        was, is_ = getattr(shipped, name), getattr(own, name)
        merged[name] = {**was, **is_} if isinstance(was, dict) else was if is_ is None else is_
    return Settings(**merged)


def text_cells(narrative: Narrative, cells: Mapping[str, Cell]) -> dict[str, Cell]:
    """The figures of the words as cells, those whose parts the layout has."""
    found = {}
    for figure in narrative.figures:
        needed = (*figure.sum_of, *([figure.change_on_year] if figure.change_on_year else []))
        if all(key in cells for key in needed):
            found[figure.key] = Cell(
                figure.key,
                "text",
                figure.key.partition(".")[2],
                "",
                figure.label,
                unit=figure.unit,
                parts=figure.sum_of,
                change_on_year=figure.change_on_year,
                only_root=any(cells[key].only_root for key in needed),
            )
    return found
