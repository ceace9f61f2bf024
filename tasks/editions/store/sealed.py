"""What a publication signs of the lake's rows, and the register of publications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import sha256
from typing import Any

from warehouse.lake import Connection
from warehouse.sql import named

NOTHING_BEFORE = "0" * 64
"""The hash before the first publication of a lake that had none."""
SEALED = ("edition", "cell", "check_result", "check_record")
NOT_SEALED = ("edition_status", "manifest_hash")
"""Columns of an edition that change after it was signed, or cannot be known before."""
Seals = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Publication:
    """A row of the register. One without a number was published before there were signatures."""

    publication_number: int | None
    edition_id: str
    previous_hash: str | None
    manifest_hash: str
    manifest: str | None
    signature: str | None
    signing_key: str | None
    approval_number: int | None
    registered_at: datetime

    @property
    def is_signed(self) -> bool:
        return self.publication_number is not None


def publications(connection: Connection) -> list[Publication]:
    """The register: those before there were signatures first, then in order of their number."""
    names = ", ".join(field.name for field in fields(Publication))
    rows = connection.execute(
        f"SELECT {names} FROM lake.yearly.publication "
        "ORDER BY publication_number NULLS FIRST, edition_id"
    ).fetchall()
    return [Publication(*row) for row in rows]


def last_link(found: list[Publication]) -> tuple[int, str]:
    """Number and hash of the last publication, to which the next is chained. The first one is
    chained to all that were published without a signature."""
    signed = [p for p in found if p.is_signed]
    if signed:
        return signed[-1].publication_number or 0, signed[-1].manifest_hash
    return 0, before_signatures(found)


def before_signatures(found: list[Publication]) -> str:
    """The hash of all that was published before there were signatures."""
    unsigned = sorted(f"{p.edition_id}\t{p.manifest_hash}\n" for p in found if not p.is_signed)
    return sha256("".join(unsigned).encode()).hexdigest() if unsigned else NOTHING_BEFORE


def register(connection: Connection, publication: Publication) -> None:
    """Add a publication to the register, in the transaction that publishes."""
    values = [getattr(publication, field.name) for field in fields(Publication)]
    names = ", ".join(field.name for field in fields(Publication))
    connection.execute(
        f"INSERT INTO yearly.publication ({names}) VALUES ({', '.join('?' * len(values))})", values
    )


def seals(
    connection: Connection, edition_id: str, places: Mapping[str, str], known: Seals | None = None
) -> Seals:
    """The hash of an edition's rows in each table, with the columns that it covers.

    `places` says where each table lies; `known` which columns to cover, as a publication of an
    earlier release covered fewer. A column that is gone is a hash that matches nothing.
    """
    found: Seals = {}
    for table in SEALED:
        columns = known[table]["columns"] if known else _columns(connection, places[table])
        found[table] = {
            "columns": columns,
            "sha256": _hash(connection, places[table], edition_id, columns),
        }
    return found


def _columns(connection: Connection, place: str) -> list[str]:
    rows = connection.execute(f"DESCRIBE {place}").fetchall()
    return [row[0] for row in rows if row[0] not in NOT_SEALED]


def _hash(connection: Connection, place: str, edition_id: str, columns: list[str]) -> str:
    """Over every row as a list of texts, in an order of its own: where a row lies in the table
    means nothing."""
    there = set(_columns(connection, place))
    if not set(columns) <= there:
        return ""
    texts = ", ".join(f"CAST({named(column)} AS VARCHAR)" for column in columns)
    row = connection.execute(
        "SELECT count(*), sha256(coalesce(string_agg(written, '' ORDER BY written), '')) "
        f"FROM (SELECT sha256(CAST(to_json([{texts}]) AS VARCHAR)) AS written FROM {place} "
        "WHERE edition_id = ?)",
        [edition_id],
    ).fetchone()
    assert row is not None
    return f"{row[0]}:{row[1]}"
