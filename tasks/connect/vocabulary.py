"""What systems call things: the words of `names.yaml`, found in the names of fields.

A name may be English (`closedAt`, `closed_at`, `CLOSEDAT`), Chinese (办结时间), its pinyin
(`banjieshijian`), its initials (`bjsj`) or a mixture (`bjShijian`); it may carry what the table is
about before it (`docTitle`, `gdzt`) and what kind of value it is behind it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from tasks.sources.select import simple_parts
from warehouse.disk import YamlLoader, text_of
from warehouse.tables import Table

NAMES = Path(__file__).with_name("names.yaml")
LONGEST_MIXED = 4
"""Of words with more syllables only the whole pinyin and the initials are known."""
SECONDARY = 0.8
IN_PASSING = 0.75
SAME_WORDS = 0.004
_BRACKETS = re.compile(r"[((\[【][^))\]】]*[))\]】]")
_IN_EXPRESSION = re.compile(r'"([^"]+)"|([^\s.\[\]|"]+)')
_TOKENS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[一-鿿]+")


@cache
def words() -> dict[str, Any]:
    """All of the file of names."""
    loaded: dict[str, Any] = yaml.load(text_of(NAMES), Loader=YamlLoader)
    return loaded


def compact(name: str) -> str:
    """A name without blanks, marks and case: what is compared."""
    plain = _BRACKETS.sub("", unicodedata.normalize("NFKC", name)) or name
    return "".join(character for character in plain.lower() if character.isalnum())


def tokens(name: str) -> list[str]:
    """The words of a name in English writing, in small letters."""
    return [word.lower() for word in _TOKENS.findall(unicodedata.normalize("NFKC", name))]


def last_name(path: str) -> str:
    """The last name of a path, of a list's item that of the list, of a label its last level."""
    return names_of(path)[-1]


@cache
def names_of(path: str) -> tuple[str, ...]:
    """The names along a path; an expression's are those that stand in it."""
    parts = simple_parts(path)
    if parts is None:
        named = re.search(r"==\s*'([^']+)'", path)
        if named:
            return (named[1],)
        found = [quoted or plain for quoted, plain in _IN_EXPRESSION.findall(path)]
        parts = tuple(name for name in found if not name.isdigit()) or (path,)
    levels = [level for part in parts for level in part.split("/") if level.strip()]
    return tuple(levels) or (path,)


@cache
def pinyin_forms(word: str) -> frozenset[str]:
    """How a Chinese word is written in letters: pinyin, initials, and mixtures of short words."""
    from pypinyin import lazy_pinyin

    syllables = lazy_pinyin(word)
    if not all(syllable.isascii() and syllable.isalpha() for syllable in syllables):
        return frozenset()
    whole, initials = "".join(syllables), "".join(s[0] for s in syllables)
    if len(syllables) > LONGEST_MIXED:
        return frozenset({whole, initials})
    return frozenset("".join(parts) for parts in product(*((s, s[0]) for s in syllables)))


@cache
def _forms(word: str, *, with_initials: bool = True) -> frozenset[str]:
    """All writings of a word; a Chinese one in letters, too. Initials mean many things: where a
    word must not be taken for another, they are left to a list of their own."""
    own = compact(word)
    if own.isascii():
        return frozenset({own})
    forms = pinyin_forms(own)
    return frozenset({own}) | (
        forms if with_initials else {max(forms, key=len)} if forms else set()
    )


@dataclass(frozen=True)
class Known:
    """The writings of one meaning, each with its weight, and what may stand before them."""

    whole: dict[str, float]
    tails: dict[tuple[str, ...], float]
    chinese: dict[str, float]
    before: frozenset[str]

    def weight(self, name: str) -> float:
        """How well a name says the meaning, from 0 to 1."""
        said = compact(name)
        best = self.whole.get(said, 0.0)
        if best >= 1:
            return best
        return max(best, self._behind(said), self._as_tail(name), self._within(said))

    def _behind(self, said: str) -> float:
        """With what the table is about before it: docTitle, gdzt, t_status."""
        found = (
            0.96 * self.whole.get(said[len(head) :], 0.0)
            for head in self.before
            if len(head) < len(said) and said.startswith(head)
        )
        return max(found, default=0.0)

    def _as_tail(self, name: str) -> float:
        said = tuple(tokens(name))
        tails = (said[start:] for start in range(1, len(said)))
        return max((IN_PASSING * self.tails.get(tail, 0.0) for tail in tails), default=0.0)

    def _within(self, said: str) -> float:
        """A Chinese word inside a longer label: 单位受理时间."""
        if said.isascii():
            return 0.0
        found = (
            weight * (0.45 + 0.45 * len(word) / len(said))
            for word, weight in self.chinese.items()
            if word in said and len(word) > 1
        )
        return max(found, default=0.0)


def _weighed(declared: dict[str, Any]) -> Iterator[tuple[str, float, bool]]:
    """Every word of a declaration, its weight, and whether it is Chinese."""
    for part, factor in ((declared, 1.0), (declared.get("also") or {}, SECONDARY)):
        for language in ("zh", "en"):
            for place, word in enumerate(part.get(language) or ()):
                yield str(word), factor * (1 - SAME_WORDS * place), language == "zh"


def _known(
    declared: dict[str, Any], entities: Iterable[str], *, with_initials: bool = True
) -> Known:
    suffixes = words()["kinds"][declared.get("kind", "plain")]
    is_flag = declared.get("kind") == "flag"
    whole: dict[str, float] = {}
    tails: dict[tuple[str, ...], float] = {}
    chinese: dict[str, float] = {}

    def put(target: dict[Any, float], key: Any, weight: float) -> None:
        target[key] = max(target.get(key, 0.0), weight)

    for word, weight, is_chinese in _weighed(declared):
        behind = ["", *map(str, suffixes["zh" if is_chinese else "en"])]
        for place, suffix in enumerate(behind):
            own = weight - 0.002 * place
            # 暂停 and 状态 are both zt: what is a flag says so (是否暂停, sfzt).
            is_told = with_initials and (not is_flag or len(word + suffix) > 2)
            for form in _forms(word + suffix, with_initials=is_told):
                put(whole, form, own)
            if is_chinese:
                put(chinese, compact(word + suffix), own)
            else:
                put(tails, tuple(tokens(f"{word} {suffix}")), own)
    return Known(whole, tails, chinese, frozenset(f for e in entities for f in _forms(e)))


def _entities(table: Table | None) -> list[str]:
    said = words()["entities"]
    groups = [said["*"]] + ([said[table.name]] if table is not None and table.name in said else [])
    return [str(word) for group in groups for words_ in group.values() for word in words_]


@cache
def columns_of(table: Table) -> dict[str, Known]:
    """What the columns of a core table are called."""
    declared = words()["columns"]
    found = {}
    for column in table.business_columns:
        said = declared.get(f"{table.name}.{column.name}") or declared.get(column.name) or {}
        english = [column.name.replace("_", " "), *(said.get("en") or ())]
        found[column.name] = _known({**said, "en": english}, _entities(table))
    return found


@cache
def updated() -> Known:
    """What the time of the last change is called."""
    return _known(words()["updated"], _all_entities())


@cache
def _all_entities() -> tuple[str, ...]:
    said = words()["entities"].values()
    return tuple(str(word) for group in said for listed in group.values() for word in listed)


@cache
def personal() -> Known:
    """What tells a person, or where or how to find one."""
    said = words()["personal"]
    known = _known({"zh": said["zh"], "en": said["en"]}, _all_entities(), with_initials=False)
    return replace(known, whole={**known.whole, **dict.fromkeys(said["initials"], 1.0)})


@cache
def words_for_persons() -> tuple[str, ...]:
    """The Chinese words for a person, and for where or how to find one."""
    return tuple(compact(str(word)) for word in words()["personal"]["zh"])


@cache
def free_text() -> Known:
    """What people write at length."""
    said = words()["free"]
    known = _known({"zh": said["zh"], "en": said["en"]}, _all_entities(), with_initials=False)
    return replace(known, whole={**known.whole, **dict.fromkeys(said["initials"], 1.0)})


@cache
def part(name: str) -> frozenset[str]:
    """The names of a part of requests and answers, compact."""
    said = words()["secret"] if name == "secret" else words()["paging"][name]
    return frozenset(
        form for word in said for form in ({compact(word)} if word.isascii() else _forms(word))
    )


@cache
def carriers() -> frozenset[str]:
    """Names that say nothing of their own."""
    return frozenset(compact(word) for word in words()["carriers"])


@cache
def identity() -> Known:
    """What a record's own id is called: the thing's name with a suffix of codes, or a word for ids."""
    said = words()["identity"]
    entities: dict[str, list[str]] = {"zh": [], "en": []}
    for group in words()["entities"].values():
        for language in ("zh", "en"):
            entities[language] += map(str, group.get(language, ()))
    suffixes = {
        "zh": ["编号", "号", "标识"],
        "en": ["id", "no", "number", "uuid", "guid", "key", "code"],
    }
    own = {
        "zh": [*said["zh"], *(word + end for word in entities["zh"] for end in suffixes["zh"])],
        "en": [
            *said["names"],
            *(f"{word} {end}" for word in entities["en"] for end in suffixes["en"]),
        ],
    }
    ids = {f"{form}id": 1.01 for word in entities["zh"] for form in _forms(word)}
    known = _known(own, ())
    return replace(known, whole={**known.whole, **ids})
