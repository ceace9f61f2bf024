"""What one answer says of its list: the records, how many there are, where it goes on.

Systems write an empty list, a count and an error in many ways; what they are taken for is
decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec
from requests.structures import CaseInsensitiveDict
from requests.utils import parse_header_links

from tasks.sources.exchange import Answer
from tasks.sources.model.paginator import Offset, PageNumber
from tasks.sources.select import Get, compile_path, simple_parts, text


@dataclass(frozen=True)
class Page:
    """The records of one answer; `total` is the source's own count of the list, if it tells."""

    records: list[Any]
    answer: Answer
    total: int | None = None


def page_count(paginator: PageNumber | Offset, size: int, page: Page) -> int | None:
    """How many pages there are, as this page tells; None when it does not."""
    if page.total is not None:
        return -(-page.total // size)
    if isinstance(paginator, PageNumber):
        body, headers = page.answer.body, page.answer.headers
        return count_of(paginator.total_pages, paginator.total_pages_header, body, headers)
    return None


YES = ("true", "1", "True", "yes", "Y", "y")
"""How a flag says that there is more."""


def count_of(
    path: str | None, header: str | None, body: Any, headers: CaseInsensitiveDict[str]
) -> int | None:
    """A count in the body or in a header; None where there is none that can be read."""
    value = compile_path(path)(body) if path else headers.get(header) if header else None
    try:
        return int(value) if value is not None else None
    except (TypeError, ValueError):
        return None


def next_link(headers: CaseInsensitiveDict[str]) -> str | None:
    """The next page's address in a Link header (RFC 8288)."""
    for link in parse_header_links(headers.get("Link", "")):
        if "next" in link.get("rel", "").split():
            return link.get("url")
    return None


def awaited(page: Page, size: int, number: int, count: int) -> int:
    """How many records the page should have: all but the last are full."""
    if number < count - 1:
        return size
    return max(page.total - number * size, 0) if page.total is not None else 0


def is_same(page: Page, other: Page, records: str | None) -> bool:
    """Whether two pages hold the same records, however much of each has been decoded."""
    if not page.records or len(page.records) != len(other.records):
        return False
    select = compile_path(records)
    return bool(select(page.answer.whole) == select(other.answer.whole))


def fingerprint(page: Page) -> int:
    """Tells a page from another one of the same list within this process."""
    return hash(msgspec.json.encode(page.records)) if page.records else 0


_FIRST_NAMES = re.compile(r"[\w$-]+(?:\.[\w$-]+)*(?=$|[\[\s.|)])")
_CODES = (
    "code",
    "errcode",
    "errorcode",
    "resultcode",
    "retcode",
    "ret",
    "errno",
    "success",
    "error",
)


def business_code(body: Any) -> str | None:
    """The business code of an answer as `name=value`, by the names that systems use for it."""
    if not isinstance(body, dict):
        return None
    for name, value in body.items():
        said = str(name).replace("_", "").lower()
        if said in _CODES and isinstance(value, str | int | bool) and len(str(value)) < 20:
            return f"{name}={text(value)}"
    return None


def leads_to_nothing(body: Any, path: str | None) -> bool:
    """Whether the path stops at a null or an empty value, as systems write an empty list."""
    if body is None or body == "":
        return True
    # Of an expression its first name: `data.list[*].{…}`, `from_json(data).list`.
    parts = simple_parts(path) if path else ()
    if parts is None:
        first = _FIRST_NAMES.search(path or "")
        parts = simple_parts(first[0]) if first else ()
        if parts is None or not isinstance(body, dict):
            return False
    value = body
    for part in parts:
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
        if value in (None, "", {}):
            return True
    return False


def kind_of(value: Any) -> str:
    """What kind of JSON value it is, for people."""
    names = {dict: "对象", list: "列表", str: "文字", int: "数", float: "数", bool: "真假值"}
    return names.get(type(value), "空")


def select_list(get: Get, value: Any) -> list[Any]:
    """A nested list: nothing is an empty list, a single object a list of one."""
    found = get(value)
    if found is None or found == "":
        return []
    return found if isinstance(found, list) else [found]
