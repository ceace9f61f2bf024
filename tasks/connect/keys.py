"""Which field is a record's own id."""

from __future__ import annotations

from functools import cache

from tasks.connect import vocabulary
from tasks.connect.mapping import TIMES
from tasks.connect.sample import Field
from tasks.connect.vocabulary import Known, compact, last_name

REFERENCE = 0.93
"""A name that says another thing so surely is a reference to that, unique by chance."""
AFTER = 0.003
_OTHERS = (
    "organ_id",
    "channel_id",
    "parent_channel_id",
    "category",
    "account_id",
    "item_id",
    "call_id",
)


@cache
def _own_ids() -> Known:
    return vocabulary.identity()


def key_of(fields: list[Field], count: int, near: str = "") -> str | None:
    """The field that names each record once: by name, else the first that does; None where none
    does. `near` are words of the address: `/api/orders` makes `orderId` its own."""
    unique = [f for f in fields if _is_unique(f, count)]
    if not unique:
        return None
    # Systems put a record's own id before those of others.
    ranked = [(_rank(one, near) - AFTER * place, one) for place, one in enumerate(unique)]
    weight, best = max(ranked, key=lambda found: found[0])
    return best.path if weight > 0 else None


def _is_unique(one: Field, count: int) -> bool:
    if one.is_list or (
        one.kind in (*TIMES, "boolean", "decimal", "没有值") and one.kind != "timestamp(epoch?)"
    ):
        return False
    texts = one.texts
    return len(texts) == count == len(set(texts)) and max(map(len, texts)) <= 80


def _rank(one: Field, near: str) -> float:
    name = last_name(one.path)
    plain = compact(name)
    if plain in _counters():
        return 0.05
    weight = _own_ids().weight(name)
    if plain.endswith("id") and _said_near(plain.removesuffix("id"), near):
        weight = max(weight, 1.05)
    if weight < 1 and _is_reference(one.path):
        weight *= 0.4
    if weight < 0.3 and (
        one.is_html
        or sum(map(len, one.texts)) > 40 * len(one.texts)
        or one.texts[0].startswith(("http", "/"))
    ):
        return 0.0
    return max(weight, 0.1) - 0.06 * one.depth - 0.001 * len(one.path)


def _said_near(stem: str, near: str) -> bool:
    words = {compact(word) for word in vocabulary.tokens(near)}
    return len(stem) > 2 and any(
        word == stem or word.removesuffix("s") == stem or stem in word for word in words
    )


@cache
def _counters() -> frozenset[str]:
    return frozenset(compact(str(word)) for word in vocabulary.words()["identity"]["counters"])


def _is_reference(path: str) -> bool:
    """Whether the name says an organ, a channel or another record."""
    from warehouse.tables import all_tables

    name = last_name(path)
    names = vocabulary.names_of(path)
    above = names[-2] if len(names) > 1 and compact(name) in vocabulary.carriers() else ""
    for table in all_tables():
        if table.layer == "core" and table.is_pulled:
            known = vocabulary.columns_of(table)
            if any(
                max(known[c].weight(name), known[c].weight(above) if above else 0) >= REFERENCE
                for c in _OTHERS
                if c in known
            ):
                return True
    return False
