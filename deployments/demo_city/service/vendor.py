"""What the four services share: resources with their shape, parameters, refusals."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.demo_city.service.moments import day_ms, parse_ms
from deployments.demo_city.service.store import Row, Store, as_json

Record = dict[str, Any]

_DATE = re.compile(r"(\d{4})\D(\d{1,2})\D(\d{1,2})")


class BadParameter(ValueError):
    """A parameter the vendor refuses; the message names it."""


@dataclass(frozen=True)
class Shape:
    """How a vendor writes a resource's id, times and withdrawal, so that changes can be stamped."""

    name: str
    keys: tuple[str, ...]
    business_field: str
    updated_field: str
    write_time: Callable[[int], Any]
    withdrawn: tuple[str, Any]
    withdrawn_at: str

    def record_id(self, record: Mapping[str, Any]) -> str:
        return "@".join(str(record[key]) for key in self.keys)

    def row(self, record: Record) -> Row:
        """The record ready for the store."""
        field, value = self.withdrawn
        return (
            read_time(record[self.updated_field]),
            self.record_id(record),
            read_time(record.get(self.business_field) or record[self.updated_field]),
            record.get(field) == value,
            as_json(record),
        )

    def stamp(self, record: Record, moment: int) -> None:
        record[self.updated_field] = self.write_time(moment)

    def withdraw(self, record: Record, moment: int) -> None:
        field, value = self.withdrawn
        record[field] = value
        record[self.withdrawn_at] = self.write_time(moment)
        self.stamp(record, moment)


def read_time(value: Any) -> int:
    """Epoch milliseconds of any form the vendors use."""
    if isinstance(value, int):
        # A filed cell's business time is its report year.
        return value if value > 9999 else day_ms(date(value, 12, 31))
    text = str(value)
    match = _DATE.match(text)
    if match and len(text.rstrip("日")) <= 10:
        return day_ms(date(int(match[1]), int(match[2]), int(match[3])))
    return parse_ms(text)


def answer(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, headers, "application/json")


def whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole-number parameter within its limits."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdigit() or not low <= int(text) <= high:
        raise BadParameter(f"{name} 须为 {low} 至 {high} 的整数")
    return int(text)


def moment(request: Request, name: str) -> int | None:
    """A time parameter: epoch milliseconds, or a text with or without zone."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        return int(text) if text.isdigit() and len(text) > 8 else parse_ms(text)
    except ValueError as error:
        raise BadParameter(f"{name} 不是有效的时间") from error


def day_bounds(request: Request, first: str, last: str) -> tuple[int | None, int | None]:
    """Inclusive date parameters as [from, until) in milliseconds."""
    begin, end = moment(request, first), moment(request, last)
    return begin, None if end is None else end + 86_400_000


class Service(ABC):
    """One vendor's system: its stores, its credentials, its routes."""

    name: str
    title: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shapes = {shape.name: shape for shape in self.make_shapes()}
        self.stores = {name: Store(folder, name) for name in self.shapes}

    @abstractmethod
    def make_shapes(self) -> list[Shape]:
        """The resources, each with its shape."""

    @abstractmethod
    def routes(self) -> list[Route]:
        """The vendor's own paths."""

    @abstractmethod
    def environment(self, url: str) -> dict[str, str]:
        """What a client needs to know, as environment variables."""

    @abstractmethod
    def refuse(self, message: str) -> Response:
        """Answer to a bad parameter, in the vendor's way."""

    def reset(self) -> None:
        """As generated."""
        for store in self.stores.values():
            store.reset()
