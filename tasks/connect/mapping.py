"""Which field of a sample belongs into which column of a core table.

Every pair is weighed by name (`names.yaml`), by form (a time holds times, a count whole numbers) and
by values (an address looks like one, a code is one of few). The best pair is taken first, and what
is left over is shown as a second choice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tasks.connect import vocabulary
from tasks.connect.sample import Field
from tasks.connect.vocabulary import Known
from warehouse.tables import Column, Table, all_tables

ACCEPTED = 0.58
SHOWN = 0.45
COMMON = frozenset(
    {"title", "url", "created_at", "organ_id", "category", "channel_id", "opened_on", "closed_on"}
    | {
        f"{thing}_name"
        for thing in ("channel", "account", "item", "place", "site", "gazette", "project")
    }
)
"""Columns that nearly every system has: they tell little of what a list is about."""
GENERIC = 0.93
"""A name two levels up says a little less than the field's own."""
EMPTY = 0.75
"""A field without a value in the sample may be what its name says; one with values is better."""
UNKNOWN_WORDS = 0.96
MOST_CODES = 40
NEGATIONS = frozenset("不未非无没待")
TIMES = frozenset({"date", "timestamp", "timestamp(epoch?)", "date(yyyymmdd?)"})
NUMBERS = frozenset({"integer", "decimal"})
_CODES = re.compile(r"[::]\s*([a-z][a-z_]+) [一-鿿]")
_PAIR = re.compile(r"([a-z][a-z_0-9]+) ([^,;,;]+)")
_NUMBERED = re.compile(r"[〔\[【((]\s*(?:19|20)\d{2}\s*[〕\]】))]|第?\s*\d+\s*号$")
_ORGAN = re.compile(
    r"(?:局|委|委员会|办|办公室|厅|处|中心|政府|街道|镇|乡|区|院|署|所|队|部|公司|馆|站|会|集团|联社)$"
)
_ORGAN_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True)
class Candidate:
    """A field for a column, with how much speaks for it, from 0 to about 1."""

    column: str
    path: str
    weight: float


@dataclass
class Mapping:
    """The fields of a table's columns, the second choices, and what all of it weighs."""

    table: Table
    chosen: dict[str, Candidate] = field(default_factory=dict)
    others: dict[str, list[Candidate]] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        """How well the sample goes with the table."""
        total = sum(
            one.weight * (0.4 if name in COMMON else 1.0) for name, one in self.chosen.items()
        )
        return total * (0.6 + 0.4 * len(self.chosen) / len(self.table.business_columns))


def mapped(table: Table, fields: list[Field], key: str | None = None) -> Mapping:
    """The best fields for the columns of a table. A field goes into one column only."""
    found = Mapping(table)
    candidates = sorted(_candidates(table, fields, key), key=lambda one: -one.weight)
    used: set[str] = set()
    for one in candidates:
        # A status' id and its name are one thing: they serve one column.
        if (
            one.weight >= ACCEPTED
            and one.column not in found.chosen
            and _thing(one.path) not in used
        ):
            found.chosen[one.column] = one
            used |= {one.path, _thing(one.path)}
    by = vocabulary.words()["counts_by"].get(table.name)
    if by is not None and by not in found.chosen:
        shared = next(
            (one for one in candidates if one.column == by and one.weight >= ACCEPTED), None
        )
        found.chosen |= {by: shared} if shared is not None else {}
    for one in candidates:
        if found.chosen.get(one.column) != one and one.path not in used:
            found.others.setdefault(one.column, []).append(one)
    return found


def _thing(path: str) -> str:
    """What a path tells of: of an object with an id and a name the object."""
    head, dot, last = path.rpartition(".")
    return head if dot and vocabulary.compact(last) in _OF_A_THING else path


_OF_A_THING = frozenset({"id", "name", "code", "label", "title", "key", "displayname"})


def best_table(fields: list[Field], key: str | None, hint: str = "") -> Mapping:
    """The core table that the sample goes with best; the address's words count a little."""
    tables = [t for t in all_tables() if t.layer == "core" and t.is_pulled]
    said = set(vocabulary.tokens(hint))

    def weight(found: Mapping) -> float:
        own = vocabulary.words()["entities"].get(found.table.name, {})
        names = {
            w
            for word in [*own.get("en", []), found.table.name]
            for w in vocabulary.tokens(str(word))
        }
        plural = {w.removesuffix("s") for w in said} | said
        return found.weight * (1.5 if names & plural else 1.0)

    return max((mapped(table, fields, key) for table in tables), key=weight)


def _candidates(table: Table, fields: list[Field], key: str | None) -> list[Candidate]:
    known = vocabulary.columns_of(table)
    found = []
    for column in table.business_columns:
        for one in fields:
            named = max(_named(known[column.name], one.path), known[column.name].weight(one.alias))
            if named < SHOWN:
                continue
            fit = (
                fit_of(column, one)
                if one.path != key or column.name == "registered_number"
                else 0.0
            )
            weight = named * fit - 0.004 * one.depth
            if weight >= SHOWN:
                found.append(Candidate(column.name, one.path, weight))
    return found


def _named(known: Known, path: str) -> float:
    """How well the names along a path say a column: the last, and what it is part of."""
    names = list(vocabulary.names_of(path))
    own = names[-1]
    best = known.weight(own) if not _is_carrier(own) or len(names) == 1 else 0.6 * known.weight(own)
    if len(names) == 1:
        return best
    best = max(best, known.whole.get(vocabulary.compact("".join(names[-2:])), 0.0))
    if _is_carrier(own):
        above = [name for name in names[:-1] if not _is_carrier(name)]
        if above:
            best = max(best, GENERIC * known.weight(above[-1]))
    return best


def _is_carrier(name: str) -> bool:
    return vocabulary.compact(name) in vocabulary.carriers()


def fit_of(column: Column, one: Field) -> float:
    """How well a field's form and values go with a column: 0 for not at all."""
    kind = one.kind
    if kind == "没有值":
        return EMPTY
    if not one.values:
        return _by_form(column, kind)
    if column.sql_type in ("DATE", "TIMESTAMP"):
        return {"timestamp(epoch?)": 0.97, "date(yyyymmdd?)": 0.97}.get(
            kind, 1.0 if kind in TIMES else 0.0
        )
    if column.sql_type == "BIGINT":
        return 1.0 if kind in ("integer", "date(yyyymmdd?)") else 0.0
    if column.sql_type.startswith("DECIMAL"):
        return 1.0 if kind in NUMBERS else 0.0
    if column.sql_type == "BOOLEAN":
        return _as_boolean(one)
    return _as_text(column, one)


def _by_form(column: Column, kind: str) -> float:
    """How a form alone, as a description tells it, goes with a column."""
    wanted = column.sql_type.partition("(")[0]
    fits = {
        "DATE": {*TIMES, "text", "integer"},
        "TIMESTAMP": {*TIMES, "text", "integer"},
        "BIGINT": {"integer", "decimal"},
        "DECIMAL": NUMBERS,
        "BOOLEAN": {"boolean", "text", "integer"},
    }
    return EMPTY + 0.15 if kind in fits.get(wanted, {"text", "integer"}) else 0.0


def _as_boolean(one: Field) -> float:
    if one.kind == "boolean":
        return 1.0
    return 0.97 if len(set(one.texts)) <= 4 and max(map(len, one.texts)) <= 8 else 0.0


def _as_text(column: Column, one: Field) -> float:
    if one.kind in ("date", "timestamp", "timestamp(epoch?)"):
        return 0.0
    texts = one.texts
    if column.name == "url":
        return 1.0 if _are_addresses(texts) else 0.0
    if _are_addresses(texts):
        return 0.0
    if own_codes(column):
        # Between a status' id and its name the one is meant whose words are known.
        is_known = any(codes_for(column, one).values())
        return _as_code(one) * (1.0 if is_known else UNKNOWN_WORDS)
    if column.name.endswith("_id"):
        return _as_reference(column, one)
    if column.name in ("title", "project_name", "item_name"):
        return _as_title(one)
    if column.name == "document_number":
        return 1.0 if any(_NUMBERED.search(t) for t in texts) else 0.6
    return 0.0 if one.kind == "boolean" else 1.0


def _are_addresses(texts: list[str]) -> bool:
    looks = sum(t.startswith(("http://", "https://", "/", "./", "../", "//")) for t in texts)
    return looks * 2 > len(texts)


def _as_title(one: Field) -> float:
    texts = one.texts
    if one.kind in (*NUMBERS, "boolean"):
        return 0.0
    mean = sum(map(len, texts)) / len(texts)
    varied = len(set(texts)) / len(texts)
    return (1.0 if 3 <= mean <= 120 else 0.6) * (1.0 if varied > 0.4 or len(texts) < 4 else 0.7)


def _as_code(one: Field) -> float:
    """A code is one of few values, and short."""
    different = set(one.texts)
    if len(different) > MOST_CODES or max(map(len, different)) > 40:
        return 0.0
    is_unique = len(different) == len(one.values) and len(one.values) > 8
    return 0.5 if is_unique else 1.0 if one.kind != "boolean" else 0.75


def _as_reference(column: Column, one: Field) -> float:
    """A reference is short; of an organ, what looks like its name or its code."""
    texts = one.texts
    if one.kind == "boolean" or max(map(len, texts)) > 64:
        return 0.0
    if column.name != "organ_id":
        # Between the id and the name of another record the id is meant.
        return 1.0 if all(_ORGAN_CODE.fullmatch(t) for t in texts) else 0.96
    if all(_ORGAN_CODE.fullmatch(t) for t in texts):
        return 1.0
    return 0.99 if sum(bool(_ORGAN.search(t)) for t in texts) * 2 > len(texts) else 0.9


def own_codes(column: Column) -> dict[str, str]:
    """The codes that a column's comment lists, each with what it is called; none for free texts."""
    listed_elsewhere = vocabulary.words()["codes"].get(column.name)
    if column.sql_type == "VARCHAR" and listed_elsewhere and not _CODES.search(column.meaning):
        return {code: str(said[0]) for code, said in listed_elsewhere.items()}
    if column.sql_type != "VARCHAR" or not _CODES.search(column.meaning):
        return {}
    listed = re.split(r"[::]", column.meaning, maxsplit=1)[1].partition(";")[0]
    return {code: said.strip() for code, said in _PAIR.findall(listed)}


def codes_for(column: Column, one: Field) -> dict[str, str]:
    """The values of the sample with our codes for them; an empty text where none is known."""
    own = own_codes(column)
    if not own:
        return {}
    said = vocabulary.words()["codes"].get(column.name, {})
    known: dict[str, str] = {}
    for code, meaning in own.items():
        for word in (code, meaning, *map(str, said.get(code, ()))):
            known.setdefault(vocabulary.compact(word), code)
    return {value: _code_of(value, known) for value in sorted(set(one.texts))}


def _code_of(value: str, known: dict[str, str]) -> str:
    plain = vocabulary.compact(value)
    if plain in known:
        return known[plain]
    if plain[:1] in NEGATIONS:
        # 未办结 is not 办结.
        return ""
    within = [
        word
        for word in known
        if len(word) > 1
        and not word.isascii()
        and (word in plain or (plain in word and len(plain) > 1))
    ]
    return known[max(within, key=len)] if within else ""
