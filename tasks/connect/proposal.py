"""A proposal: what a sample suggests for a source file, and how it would stand there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tasks.connect.changes import Changes
from tasks.connect.paging import Paging


@dataclass(frozen=True)
class FieldProposal:
    """A field of the sample: its type as guessed, how many records have it, a column for it."""

    path: str
    type: str
    filled: int
    column: str | None
    rule: dict[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass
class Proposal:
    """What the sample suggests; `left_out` are fields that look like personal data, each with the
    reason, `others` second choices of a column, `lists` lists inside a record."""

    place: str
    records: str | None
    count: int
    key: str | list[str] | None
    paging: Paging
    changes: Changes
    table: str
    fields: list[FieldProposal] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    code_maps: dict[str, dict[str, str]] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    success: str | None = None
    secrets: list[str] = field(default_factory=list)
    workbook: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    has_table: bool = True

    @property
    def paginator(self) -> dict[str, Any]:
        return self.paging.paginator

    @property
    def cursor(self) -> str | None:
        """The field that tells when a record changed last."""
        return self.changes.field

    @property
    def mapping(self) -> dict[str, str]:
        """Each proposed column with its path."""
        return {one.column: one.path for one in self.fields if one.column}

    def resource(self) -> dict[str, Any]:
        """The resource as it would stand in a source file."""
        made: dict[str, Any] = {"name": "records", "title": "(中文名称)", "table": self.table}
        if self.workbook is not None:
            made["workbook"] = self.workbook
        else:
            made |= {"path": urlsplit(self.place).path or "/", **self.request}
            if self.params or self.changes.params:
                made["params"] = self.params | self.changes.params
            made["paginator"] = self.paginator
            if self.records:
                made["records"] = self.records
        made["key"] = self.key or "(编号的路径)"
        if self.changes.cursor is not None:
            made["cursor"] = self.changes.cursor
        else:
            made |= {"updated": self.cursor} if self.cursor else {}
            made |= {"full_list": True} if self.workbook is None else {}
        fields: dict[str, Any] = {
            f.column: f.rule or {"path": f.path} for f in self.fields if f.column
        }
        made["fields"] = fields or {"(列)": "(路径)"}
        return made

    def source(self) -> dict[str, Any]:
        """The whole file; secrets of the address are places for the environment's."""
        parts = urlsplit(self.place)
        name = re.sub(r"\W+", "_", (parts.hostname or Path(self.place).name).lower()).strip("_")
        if not re.match(r"[a-z]", name) or not name.isascii():
            name = "new_source"
        made: dict[str, Any] = {"name": name, "title": "(中文名称)"}
        if self.workbook is None:
            made["base_url"] = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if self.secrets:
            own = self.secrets[0]
            made["auth"] = {
                "type": "api_key",
                "in": "query",
                "name": own,
                "value": f"${{NIANBAO_{name.upper()}_KEY}}",
            }
        if self.success:
            told, _, value = self.success.partition("=")
            made["success"] = {"path": told, "values": [value]}
        known = {n: {v: c for v, c in values.items() if c} for n, values in self.code_maps.items()}
        maps: dict[str, dict[str, Any]] = {
            name: {"values": values, "unknown": "reject"}
            for name, values in known.items()
            if values
        }
        if maps:
            made["code_maps"] = maps
        made["resources"] = [self.resource()]
        return made
