"""How a source cuts its answers into pages: a class a kind, and all of a kind in its class.

A kind says its keys, the parameters it sends (their values may be shown), the paths of an
answer that it looks at, its first request and the next one, and where it ends. It is `Numbered`
(any page can be asked for) or `Chained` (each page names the next); what every list needs on top
(repeats, shifts, proofs that it is whole) is in `tasks/sources/numbered.py` and `chained.py`. A new
kind is one class here, and its name in `Paginator`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator
from requests.utils import parse_header_links

from tasks.sources import address
from tasks.sources.exchange import Answer, Request
from tasks.sources.model.base import Part, Says
from tasks.sources.select import compile_path, text

YES = ("true", "1", "True", "yes", "Y", "y")
"""How a flag says that there is more."""
MOST_RECORDS = 10**12
"""A count beyond it is none."""


class Paging(Part, ABC):
    """What every kind answers; a class that leaves one out cannot be made."""

    EXAMPLE: ClassVar[str]
    """How it is written, for `source new`."""

    @property
    @abstractmethod
    def parameters(self) -> set[str]:
        """Names of the parameters it sends."""

    @property
    @abstractmethod
    def paths(self) -> dict[str, str]:
        """Paths of an answer that it looks at, by the key that names each."""

    @abstractmethod
    def total_of(self, answer: Answer) -> int | None:
        """The source's own count of the list; None where it tells none that can be true."""

    @property
    @abstractmethod
    def ends_with_nothing(self) -> bool:
        """Whether a page with a null for its list, and all else as on other pages, may be the end."""

    @abstractmethod
    def miscounts(self, answer: Answer) -> bool:
        """Whether the answer holds a count that cannot be one."""

    @property
    @abstractmethod
    def tells_total(self) -> bool:
        """Whether an answer should hold a count."""


def _whole(found: object) -> int | None:
    """A count; None for what is none, or cannot be one of records."""
    try:
        number = int(str(found))
    except ValueError:
        return None
    return number if 0 <= number <= MOST_RECORDS else None


def _given(**paths: str | None) -> dict[str, str]:
    return {key: path for key, path in paths.items() if path is not None}


class _Counted(Paging):
    total: Annotated[str | None, Says("响应体中总条数的路径", "path of the record count")] = None
    total_header: Annotated[
        str | None, Says("总条数所在的响应头", "header with the record count")
    ] = None

    @property
    def tells_total(self) -> bool:
        return self.total is not None or self.total_header is not None

    def total_of(self, answer: Answer) -> int | None:
        return _count(answer, self.total, self.total_header)

    def miscounts(self, answer: Answer) -> bool:
        return _found(answer, self.total, self.total_header) not in (None, "") and (
            self.total_of(answer) is None
        )


class _Paged(_Counted):
    send_in: Annotated[
        Literal["query", "body"],
        Says("翻页参数放在查询参数还是请求体", "where page parameters are sent"),
    ] = "query"
    max_pages: Annotated[
        int, Says("页数上限;超过即停止并报错,防止无尽翻页", "more pages than this is an error")
    ] = Field(100_000, ge=1)


def _found(answer: Answer, path: str | None, header: str | None) -> object:
    return compile_path(path)(answer.body) if path else answer.headers.get(header or "")


def _count(answer: Answer, path: str | None, header: str | None) -> int | None:
    found = _found(answer, path, header)
    return None if found is None else _whole(found)


class Numbered(_Paged):
    """Any page can be asked for by its number; side by side where the number of pages is known."""

    size: Annotated[
        int,
        Says("每页条数;来源有上限时自动降低", "records a page; lowered when the server caps it"),
    ] = Field(500, ge=1)
    past_end: Annotated[
        tuple[int, ...],
        BeforeValidator(lambda value: [value] if isinstance(value, int) else value),
        Says(
            "越过末页时系统返回的 HTTP 状态码(不知道总数时,读到它即为读完)",
            "HTTP statuses that answer a page beyond the last",
        ),
    ] = (404,)
    exact_total: Annotated[
        bool,
        Says(
            "总条数恰为整千、末页又满时也可信;默认视为来源只数到(只给到)这么多而停止",
            "a round total behind a full last page is true; by default the list counts as cut off there",
        ),
    ] = False
    has_more: Annotated[
        str | None, Says("响应体中“还有下一页”标志的路径", "path of a flag that there is more")
    ] = None
    size_param: str | None

    @property
    def ends_with_nothing(self) -> bool:
        return True

    is_positioned: ClassVar[bool]
    """Whether any position can be asked for, not only the beginnings of pages."""

    @abstractmethod
    def at(self, request: Request, position: int, size: int) -> Request:
        """The request for `size` records from a position on, counted from 0. Where only
        beginnings of pages can be asked for, `position` is one."""

    def page_count(self, answer: Answer, size: int) -> int | None:
        """How many pages there are; None when the answer does not tell."""
        total = self.total_of(answer)
        return None if total is None else -(-total // size)

    def ends_with(self, answer: Answer) -> bool:
        """Whether the answer says that there is no page behind it."""
        return self.has_more is not None and (
            text(compile_path(self.has_more)(answer.body)) not in YES
        )

    def says_end(self, answer: Answer) -> bool:
        """Whether the flag is there and says that there is no more, not only missing."""
        return self.has_more is not None and (
            text(compile_path(self.has_more)(answer.body)) not in (*YES, "")
        )

    def _sized(self, values: dict[str, str | int], size: int) -> dict[str, str | int]:
        return values | ({self.size_param: size} if self.size_param else {})


class PageNumber(Numbered):
    """Page number and page size; side by side when the total is known."""

    EXAMPLE = (
        "{type: page_number, page_param: page, size_param: page_size, size: 500, total: data.total}"
    )

    type: Literal["page_number"]
    page_param: Annotated[str, Says("页码参数", "page parameter")] = "page"
    size_param: Annotated[str | None, Says("每页条数参数;不能指定时写 null", "size parameter")] = (
        "page_size"
    )
    start: Annotated[int, Says("首页的页码,0 或 1", "number of the first page, 0 or 1")] = Field(
        1, ge=0, le=1
    )
    total_pages: Annotated[str | None, Says("响应体中总页数的路径", "path of the page count")] = (
        None
    )
    total_pages_header: Annotated[
        str | None, Says("总页数所在的响应头", "header with the page count")
    ] = None

    is_positioned = False

    @property
    def parameters(self) -> set[str]:
        return {self.page_param, *([self.size_param] if self.size_param else [])}

    @property
    def paths(self) -> dict[str, str]:
        return _given(total=self.total, total_pages=self.total_pages, has_more=self.has_more)

    def at(self, request: Request, position: int, size: int) -> Request:
        values = self._sized({self.page_param: self.start + position // size}, min(size, self.size))
        return request.with_values(values, self.send_in)

    def page_count(self, answer: Answer, size: int) -> int | None:
        counted = super().page_count(answer, size)
        if counted is not None:
            return counted
        return _count(answer, self.total_pages, self.total_pages_header)


class Offset(Numbered):
    """Offset and limit; side by side when the total is known."""

    EXAMPLE = "{type: offset, offset_param: offset, size_param: limit, size: 500, total: total}"

    type: Literal["offset"]
    offset_param: Annotated[str, Says("起始位置参数", "offset parameter")] = "offset"
    size_param: Annotated[str | None, Says("条数参数", "limit parameter")] = "limit"
    start: Annotated[int, Says("第一条的位置,0 或 1", "position of the first record, 0 or 1")] = (
        Field(0, ge=0, le=1)
    )

    is_positioned = True

    @property
    def parameters(self) -> set[str]:
        return {self.offset_param, *([self.size_param] if self.size_param else [])}

    @property
    def paths(self) -> dict[str, str]:
        return _given(total=self.total, has_more=self.has_more)

    def at(self, request: Request, position: int, size: int) -> Request:
        values = self._sized({self.offset_param: self.start + position}, size)
        return request.with_values(values, self.send_in)


class Chained(_Counted):
    """Each page names the next one."""

    @property
    @abstractmethod
    def most_pages(self) -> int:
        """More pages than this are an error."""

    @abstractmethod
    def first(self, request: Request) -> Request:
        """The request for the first page."""

    @abstractmethod
    def following(self, request: Request, answer: Answer, home: str) -> Request | None:
        """The request for the page after this answer to one that began as `request`; None where
        the answer names none. `home` is the source's own address.

        Raises SourceContractError for a page on another host.
        """

    @property
    def ends_with_nothing(self) -> bool:
        # Where the body tells of the next page, it tells of the end as well.
        return bool(self.paths)


class _PagedChain(_Paged, Chained):
    size: Annotated[int, Says("每页条数", "records a page")] = Field(500, ge=1)
    size_param: Annotated[str | None, Says("每页条数参数", "size parameter")] = None

    @property
    def most_pages(self) -> int:
        return self.max_pages

    @property
    def parameters(self) -> set[str]:
        return {self.size_param} if self.size_param else set()

    def first(self, request: Request) -> Request:
        values: dict[str, str | int] = {self.size_param: self.size} if self.size_param else {}
        return request.with_values(values, self.send_in)


class Cursor(_PagedChain):
    """Each page names where the next one starts."""

    EXAMPLE = (
        "{type: cursor, cursor_param: cursor, next: paging.next, size_param: limit, size: 500}"
    )

    type: Literal["cursor"]
    cursor_param: Annotated[str, Says("游标参数", "cursor parameter")] = "cursor"
    next: Annotated[str | None, Says("响应体中下一游标的路径", "path of the next cursor")] = None
    next_header: Annotated[
        str | None, Says("下一游标所在的响应头", "header with the next cursor")
    ] = None
    first_value: Annotated[
        str | None, Says("首页也要带的游标值", "cursor of the first page, if one must be sent")
    ] = Field(None, alias="first")
    has_more: Annotated[
        str | None, Says("响应体中“还有更多”标志的路径", "path of a flag that there is more")
    ] = None

    @model_validator(mode="after")
    def _has_next(self) -> Cursor:
        if (self.next is None) == (self.next_header is None):
            raise ValueError("next(响应体路径)与 next_header(响应头)必须且只能写一个")
        return self

    @property
    def parameters(self) -> set[str]:
        return super().parameters | {self.cursor_param}

    @property
    def paths(self) -> dict[str, str]:
        return _given(total=self.total, has_more=self.has_more, next=self.next)

    def first(self, request: Request) -> Request:
        values = {} if self.first_value is None else {self.cursor_param: self.first_value}
        return super().first(request).with_values(values, self.send_in)

    def following(self, request: Request, answer: Answer, home: str) -> Request | None:
        if self.has_more is not None and (
            text(compile_path(self.has_more)(answer.body)) not in YES
        ):
            return None
        found = (
            compile_path(self.next)(answer.body)
            if self.next is not None
            else answer.headers.get(self.next_header or "")
        )
        if found is None or found == "":
            return None
        return self.first(request).with_values({self.cursor_param: found}, self.send_in)


class _Linked(_PagedChain):
    @abstractmethod
    def _link(self, answer: Answer) -> str | None:
        """The address of the next page."""

    def following(self, request: Request, answer: Answer, home: str) -> Request | None:
        link = self._link(answer)
        if not link:
            return None
        # The link carries the whole query; only a body is sent again.
        return self.first(request).at_address(address.follow(answer.url, link, home))


class NextLink(_Linked):
    """The body carries the address of the next page."""

    EXAMPLE = "{type: next_link, next: links.next}"

    type: Literal["next_link"]
    next: Annotated[str, Says("响应体中下一页地址的路径", "path of the next page's address")] = (
        "next"
    )

    @property
    def paths(self) -> dict[str, str]:
        return _given(total=self.total, next=self.next)

    def _link(self, answer: Answer) -> str | None:
        return text(compile_path(self.next)(answer.body)) or None


class LinkHeader(_Linked):
    """The Link header carries the address of the next page (RFC 8288, rel="next")."""

    EXAMPLE = "{type: link_header, size_param: per_page, size: 500}"

    type: Literal["link_header"]

    @property
    def paths(self) -> dict[str, str]:
        return _given(total=self.total)

    def _link(self, answer: Answer) -> str | None:
        for link in parse_header_links(answer.headers.get("Link", "")):
            if "next" in link.get("rel", "").split():
                return link.get("url")
        return None


class Single(Chained):
    """One answer holds everything."""

    EXAMPLE = "{type: single}"

    type: Literal["single"] = "single"

    @property
    def most_pages(self) -> int:
        return 1

    @property
    def parameters(self) -> set[str]:
        return set()

    @property
    def paths(self) -> dict[str, str]:
        return _given(total=self.total)

    def first(self, request: Request) -> Request:
        return request

    def following(self, request: Request, answer: Answer, home: str) -> Request | None:
        return None


Paginator = Annotated[
    PageNumber | Offset | Cursor | NextLink | LinkHeader | Single, Field(discriminator="type")
]


def paginator_kinds() -> dict[str, type[Paging]]:
    """Every kind by the name it has in source files."""
    union, _ = get_args(Paginator)
    return {get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(union)}
