"""How a list is paged: what its answer says of it, and what a second page proves.

A guess from names alone is no knowledge: a parameter that a system does not know is passed over in
silence, and the first page comes again and again. So a page of another size is asked for, whose
records must be those of the first page that follow; a link is followed, and must lead on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tasks.connect import vocabulary
from tasks.connect.asking import Asker, Heard
from tasks.connect.vocabulary import compact, part
from tasks.sources import address
from tasks.sources.errors import SourceContractError
from tasks.sources.exchange import Answer
from tasks.sources.model.paginator import LinkHeader
from tasks.sources.select import path_of

CURSOR_NAMES = ("cursor", "after", "page_token", "pageToken", "nextToken", "next_token", "marker", "scroll_id", "scrollId", "continuation", "continuationToken", "starting_after", "lastId", "last_id", "since_id", "next", "nextCursor", "next_cursor", "token", "start_cursor")  # fmt: skip
FEW_RECORDS = 3
LARGER = 100
ROUND = frozenset({10, 12, 15, 20, 25, 30, 50, 100, 200, 500, 1000})
"""So many records are rather a page than a whole list."""


@dataclass
class Paging:
    """A paginator as it stands in a source file, whether a second page proved it, and what a
    person should know."""

    paginator: dict[str, Any]
    is_proven: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Told:
    """What an answer says of its list beside the records."""

    total: str | None
    total_header: str | None
    next_paths: list[tuple[str, Any]]
    empty_next: str | None
    names: frozenset[str]
    size: tuple[str, int] | None

    @property
    def counted(self) -> dict[str, Any]:
        if self.total:
            return {"total": self.total}
        return {"total_header": self.total_header} if self.total_header else {}


def scalars_of(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value of an answer with its path; of a list that of its only item."""
    if isinstance(value, dict):
        for name, inner in value.items():
            path = f"{prefix}{path_of([str(name)])}"
            if isinstance(inner, dict):
                yield from scalars_of(inner, f"{path}.")
            elif not isinstance(inner, list):
                yield path, inner
            elif len(inner) == 1:
                yield from scalars_of(inner[0], f"{path}[0].")


def given_of(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def is_part(name: str, what: str) -> bool:
    """Whether a parameter or field is called like a part of paging."""
    known = part(what)
    return compact(name) in known or name in known


def _own(given: dict[str, str], what: str) -> str | None:
    """The parameter of an address that is called so, the likeliest first."""
    order = [compact(str(word)) for word in vocabulary.words()["paging"][what]]
    found = [name for name in given if is_part(name, what)]
    return min(found, key=lambda name: order.index(compact(name)), default=None)


def _told(answer: Answer, body: Any, records: str | None, count: int) -> _Told:
    below = f"{records}" if records else None
    found = [
        (p, v)
        for p, v in scalars_of(body)
        if below is None or not p.startswith((below + "[", below + "."))
    ]
    return _Told(
        total=_total(found, count),
        total_header=next(
            (n for n, v in answer.headers.items() if _is_total_header(n) and _is_count(v, count)),
            None,
        ),
        next_paths=[(p, v) for p, v in found if _is_next(p) and v not in (None, "", False, True)],
        empty_next=next((p for p, v in found if _is_next(p) and v in (None, "")), None),
        names=frozenset(compact(vocabulary.last_name(p)) for p, _ in found),
        size=next(
            (
                (p, int(v))
                for p, v in found
                if is_part(vocabulary.last_name(p), "size") and str(v) == str(count)
            ),
            None,
        ),
    )


def _is_count(value: Any, least: int) -> bool:
    return (
        isinstance(value, int | str)
        and not isinstance(value, bool)
        and str(value).isdigit()
        and int(value) >= least
    )


def _is_total_header(name: str) -> bool:
    plain = compact(name).removeprefix("x").removeprefix("wp").removeprefix("pagination")
    return plain in part("total")


def _total(found: list[tuple[str, Any]], count: int) -> str | None:
    """The path of the count: by name, the surest name first, the nearest to the top first."""
    order = [compact(str(word)) for word in vocabulary.words()["paging"]["total"]]
    named = [
        (order.index(own) if own in order else len(order), p.count("."), p)
        for p, v in found
        if _is_count(v, count) and (own := _counted_name(p)) in part("total")
    ]
    return min(named)[2] if named else None


def _counted_name(path: str) -> str:
    """What a number is called; of `total.value` what is before it."""
    names = vocabulary.names_of(path)
    own = compact(names[-1])
    return compact(names[-2]) if own == "value" and len(names) > 1 else own


def _is_next(path: str) -> bool:
    """Whether a path leads to the next page: its last name, or what that is part of, says next."""
    names = vocabulary.names_of(path.replace("[0]", ""))
    if any(compact(n) in ("prev", "previous", "first", "last", "self") for n in names[-2:]):
        return False
    return any(compact(n) in part("next") for n in names[-2:] if not is_part(n, "page"))


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://", "/", "?"))


def said_paging(answer: Answer, body: Any, records: str | None, count: int) -> Paging:
    """The paging that an answer and its address suggest by their words alone."""
    given = given_of(answer.request.url) | answer.request.params
    told = _told(answer, body, records, count)
    sized = _sized(given)
    if _has_next_header(answer):
        return Paging({"type": "link_header", **sized, **told.counted})
    for path, value in told.next_paths:
        if _is_link(value):
            return Paging({"type": "next_link", "next": path, **sized, **told.counted})
    for path, value in told.next_paths:
        if not str(value).isdigit():
            return Paging({"type": "cursor", "next": path, **sized, **told.counted})
    numbered = _by_address(given, told)
    if numbered is not None:
        return Paging(numbered)
    if told.counted:
        kind = "offset" if told.names & part("offset") else "page_number"
        return Paging({"type": kind, **sized, **told.counted})
    return Paging({"type": "single"})


def _sized(given: dict[str, str]) -> dict[str, Any]:
    """The address's own size, kept under its own name."""
    name = _own(given, "size")
    if name is None:
        return {}
    return {
        "size_param": name,
        **({"size": int(given[name])} if given[name].isdigit() and int(given[name]) else {}),
    }


def _has_next_header(answer: Answer) -> bool:
    return LinkHeader(type="link_header")._link(answer) is not None


def _by_address(given: dict[str, str], told: _Told) -> dict[str, Any] | None:
    """Numbered pages whose parameters stand in the address."""
    sized = {"size_param": None, **_sized(given)}
    for what, kind, param in (
        ("page", "page_number", "page_param"),
        ("offset", "offset", "offset_param"),
    ):
        name = _own({n: v for n, v in given.items() if n != sized["size_param"]}, what)
        if name is not None and given[name].isdigit():
            start = {"start": 0} if kind == "page_number" and given[name] == "0" else {}
            return {"type": kind, param: name, **start, **sized, **told.counted}
    return None


def found_paging(asker: Asker, first: Heard, records: str | None) -> Paging:
    """The paging of a list, proven by a second page where there is one."""
    answer, count = first.answer, len(first.records)
    said = said_paging(answer, answer.whole, records, count)
    told = _told(answer, answer.whole, records, count)
    given = asker.given
    for linked in _linked(asker, first, said, told):
        return linked
    numbered = _Numbered(asker, first, told, given).found()
    if numbered is not None:
        return numbered
    return _unproven(said, told, count)


def _linked(asker: Asker, first: Heard, said: Paging, told: _Told) -> Iterator[Paging]:
    """A chain of pages whose second was fetched."""
    sized = _sized(asker.given)
    if not sized and (told.next_paths or said.paginator["type"] == "link_header"):
        sized = _found_size(asker, first)
    if said.paginator["type"] == "link_header":
        link = LinkHeader(type="link_header")._link(first.answer)
        if link and _leads_on(asker, first, link):
            yield Paging({"type": "link_header", **sized, **told.counted}, is_proven=True)
    for path, value in told.next_paths:
        if _is_link(value) and _leads_on(asker, first, value):
            yield Paging(
                {"type": "next_link", "next": path, **sized, **told.counted}, is_proven=True
            )
    for path, value in told.next_paths:
        if _is_link(value):
            continue
        param = _cursor_param(asker, first, path, value)
        if param is not None:
            yield Paging(
                {"type": "cursor", "cursor_param": param, "next": path, **sized, **told.counted},
                is_proven=True,
            )


def _found_size(asker: Asker, first: Heard) -> dict[str, Any]:
    """The parameter of the size of a chain's pages, where one of the common ones is it."""
    marks = asker.marks(first.records)
    part_ = max(1, len(marks) // FEW_RECORDS)
    for _, size in vocabulary.words()["paging"]["pairs"]:
        heard = asker.ask({size: part_})
        if heard is not None and len(marks) > part_ and asker.marks(heard.records) == marks[:part_]:
            larger = asker.ask({size: LARGER})
            count = (
                LARGER if larger is not None and len(larger.records) > len(marks) else len(marks)
            )
            return {"size_param": size, "size": count}
    return {}


def _leads_on(asker: Asker, first: Heard, link: str) -> bool:
    try:
        url = address.follow(first.answer.url, link, asker.client.base_url)
    except SourceContractError:
        return False
    heard = asker.get(asker.request.at_address(url))
    return heard is not None and _is_other(asker, first, heard)


def _is_other(asker: Asker, first: Heard, heard: Heard) -> bool:
    """Whether a page holds records, and none of the first page's."""
    return bool(heard.records) and not set(asker.marks(heard.records)) & set(
        asker.marks(first.records)
    )


def _cursor_param(asker: Asker, first: Heard, path: str, value: Any) -> str | None:
    own = vocabulary.last_name(path)
    names = [own, *CURSOR_NAMES, own.removeprefix("next_").removeprefix("next").lstrip("_")]
    for name in dict.fromkeys(n for n in names if n):
        heard = asker.ask({name: value})
        if heard is not None and _is_other(asker, first, heard):
            return name
    return None


class _Numbered:
    """Looks for the parameters of numbered pages."""

    def __init__(self, asker: Asker, first: Heard, told: _Told, given: dict[str, str]) -> None:
        self._asker = asker
        self._told = told
        self._given = given
        self._marks = asker.marks(first.records)
        self._first = first
        self._part = max(1, len(self._marks) // FEW_RECORDS)

    def found(self) -> Paging | None:
        """The numbered paging that gives other pages; None where none does."""
        if not self._marks:
            return None
        own_page, own_size = self._own_names()
        for page, size in self._pairs(own_page, own_size):
            kind = self._proves(page, size)
            if kind is not None:
                return self._made(kind, page, size)
        by_parts = self._by_parts()
        if by_parts is not None:
            return by_parts
        for page in self._without_size(own_page):
            kind = self._turns(page)
            if kind is not None:
                return self._made(kind, page, None)
        return None

    def _own_names(self) -> tuple[str | None, str | None]:
        """The address's own parameters of page and size."""
        size = _own(self._given, "size")
        rest = {n: v for n, v in self._given.items() if n != size}
        return _own(rest, "page") or _own(rest, "offset"), size

    def _pairs(self, page: str | None, size: str | None) -> Iterator[tuple[str, str]]:
        """Pairs to try: the address's own, those that the answer names, then the common ones."""
        if page and size:
            yield page, size
            return
        said = self._told.names
        pairs = [(str(a), str(b)) for a, b in vocabulary.words()["paging"]["pairs"]]
        if page or size:
            # What the address names is the name; the other half is looked for.
            wanted = [(page or a, size or b) for a, b in pairs]
            yield from dict.fromkeys(wanted)
            return
        yield from (p for p in pairs if compact(p[0]) in said and compact(p[1]) in said)
        yield from (p for p in pairs if (compact(p[0]) in said) != (compact(p[1]) in said))
        yield from (p for p in pairs if not {compact(p[0]), compact(p[1])} & said)

    def _kinds(self, page: str) -> list[str]:
        return [
            k for k, what in (("page_number", "page"), ("offset", "offset")) if is_part(page, what)
        ] or ["page_number"]

    def _proves(self, page: str, size: str) -> str | None:
        """Which kind of paging gives the first page's own records in parts; None where it does not."""
        part_ = self._part
        for kind in self._kinds(page):
            value = 2 if kind == "page_number" else part_
            heard = self._asker.ask({page: value, size: part_})
            if heard is None or not heard.records:
                continue
            marks = self._asker.marks(heard.records)
            if marks == self._marks[part_ : 2 * part_] and marks:
                return kind
            if (
                kind == "page_number"
                and marks == self._marks[2 * part_ : 3 * part_]
                and marks
                and self._is_from_zero(page, size)
            ):
                return "page_number from 0"
            if kind == "offset" and marks == self._marks[part_ - 1 : 2 * part_ - 1] and part_ > 1:
                return "offset from 1"
        return None

    def _is_from_zero(self, page: str, size: str) -> bool:
        heard = self._asker.ask({page: 1, size: self._part})
        return (
            heard is not None
            and self._asker.marks(heard.records) == self._marks[self._part : 2 * self._part]
        )

    def _without_size(self, own: str | None) -> Iterator[str]:
        if own is not None:
            yield own
        elif self._told.counted or self._told.names & (part("page") | part("offset")):
            yield from (
                str(name)
                for what in ("page", "offset")
                for name in vocabulary.words()["paging"][what]
            )

    def _turns(self, page: str) -> str | None:
        """Whether a parameter turns pages, the size being the system's own."""
        for kind in self._kinds(page):
            count = len(self._marks)
            own = self._given.get(page, "")
            begin = int(own) if own.isdigit() else 1 if kind == "page_number" else 0
            step = 1 if kind == "page_number" else count
            heard = self._asker.ask({page: begin + step})
            if heard is None or not _is_other(self._asker, self._first, heard):
                continue
            if kind == "page_number" and begin == 1:
                zero = self._asker.ask({page: 0})
                one = self._asker.ask({page: 1})
                if (
                    zero
                    and one
                    and self._asker.marks(zero.records)
                    == self._marks
                    != self._asker.marks(one.records)
                ):
                    return "page_number from 0"
            return "page_number from 0" if kind == "page_number" and begin == 0 else kind
        return None

    def _by_parts(self) -> Paging | None:
        """A size of unusual name, then a page of unusual name beside it."""
        if len(self._marks) < FEW_RECORDS or self._own_names() != (None, None):
            return None
        for size in map(str, vocabulary.words()["paging"]["size"]):
            heard = self._asker.ask({size: self._part})
            if heard is None or self._asker.marks(heard.records) != self._marks[: self._part]:
                continue
            for what in ("page", "offset"):
                for page in map(str, vocabulary.words()["paging"][what]):
                    kind = self._proves(page, size)
                    if kind is not None:
                        return self._made(kind, page, size)
        return None

    def _made(self, kind: str, page: str, size: str | None) -> Paging:
        name, _, start = kind.partition(" from ")
        made: dict[str, Any] = {
            "type": name,
            "page_param" if name == "page_number" else "offset_param": page,
        }
        if start:
            made["start"] = int(start)
        made["size_param"] = size
        made["size"] = self._size(size)
        return Paging({**made, **self._told.counted}, is_proven=True)

    def _size(self, size: str | None) -> int:
        """The address's own size; else a larger one where the system gives it, or its own."""
        count = len(self._marks)
        if size is None:
            return count
        own = self._given.get(size, "")
        if own.isdigit() and int(own):
            return int(own)
        heard = self._asker.ask({size: LARGER}) if count < LARGER else None
        return LARGER if heard is not None and len(heard.records) > count else count


def _unproven(said: Paging, told: _Told, count: int) -> Paging:
    """What the words suggest, and that nothing proved it."""
    total = said.paginator.get("total")
    if said.paginator["type"] == "single" and told.empty_next is not None and _says_chain(told):
        said = Paging({"type": "next_link", "next": told.empty_next, **told.counted})
    if said.paginator["type"] == "single":
        if count in ROUND:
            said.notes.append(
                f"样本恰为 {count} 条,可能只是第一页;没有试出翻页的参数,请查接口文档后写 paginator"
            )
        return said
    if said.paginator["type"] in ("next_link", "link_header", "cursor"):
        said.notes.append(
            "样本只有一页,翻页按响应中的字段写出,未能验证"
            if not told.next_paths
            else "下一页没有取到不同的记录,请核对翻页"
        )
        if said.paginator["type"] == "cursor":
            said.paginator.setdefault("cursor_param", "cursor")
        return said
    if said.paginator.get("page_param") or said.paginator.get("offset_param"):
        said.notes.append("第二页没有取到不同的记录(可能只有一页),翻页参数请核对")
        return said
    single: dict[str, Any] = {"type": "single", **told.counted}
    if total or told.total_header:
        single_note = f"来源自报总数,本页 {count} 条;没有试出翻页的参数,请查接口文档后写 paginator"
        return Paging(single, notes=[single_note])
    return Paging(single)


def _says_chain(told: _Told) -> bool:
    return bool(told.names & {"prev", "previous", "count", "results"}) or "links" in (
        told.empty_next or ""
    )


def paging_of(answer: Answer, count: int) -> dict[str, Any]:
    """The paging that an answer of so many records suggests. Raises Undecodable."""
    return said_paging(answer, answer.body, None, count).paginator
