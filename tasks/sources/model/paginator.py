"""How a source cuts its answers into pages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from tasks.sources.model.base import Part, Says


class _Paged(Part):
    send_in: Annotated[
        Literal["query", "body"],
        Says("翻页参数放在查询参数还是请求体", "where page parameters are sent"),
    ] = "query"
    total: Annotated[str | None, Says("响应体中总条数的路径", "path of the record count")] = None
    total_header: Annotated[
        str | None, Says("总条数所在的响应头", "header with the record count")
    ] = None
    max_pages: Annotated[
        int, Says("页数上限;超过即停止并报错,防止无尽翻页", "more pages than this is an error")
    ] = Field(100_000, ge=1)


class _Sized(_Paged):
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


class PageNumber(_Sized):
    """Page number and page size; side by side when the total is known."""

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
    has_more: Annotated[
        str | None, Says("响应体中“还有下一页”标志的路径", "path of a flag that there is more")
    ] = None


class Offset(_Sized):
    """Offset and limit; side by side when the total is known."""

    type: Literal["offset"]
    offset_param: Annotated[str, Says("起始位置参数", "offset parameter")] = "offset"
    size_param: Annotated[str | None, Says("条数参数", "limit parameter")] = "limit"
    start: Annotated[int, Says("第一条的位置,0 或 1", "position of the first record, 0 or 1")] = (
        Field(0, ge=0, le=1)
    )
    has_more: Annotated[
        str | None, Says("响应体中“还有更多”标志的路径", "path of a flag that there is more")
    ] = None


class Cursor(_Paged):
    """Each page names where the next one starts."""

    type: Literal["cursor"]
    cursor_param: Annotated[str, Says("游标参数", "cursor parameter")] = "cursor"
    next: Annotated[str | None, Says("响应体中下一游标的路径", "path of the next cursor")] = None
    next_header: Annotated[
        str | None, Says("下一游标所在的响应头", "header with the next cursor")
    ] = None
    first: Annotated[
        str | None, Says("首页也要带的游标值", "cursor of the first page, if one must be sent")
    ] = None
    has_more: Annotated[
        str | None, Says("响应体中“还有更多”标志的路径", "path of a flag that there is more")
    ] = None
    size: Annotated[int, Says("每页条数", "records a page")] = Field(500, ge=1)
    size_param: Annotated[str | None, Says("每页条数参数", "size parameter")] = None

    @model_validator(mode="after")
    def _has_next(self) -> Cursor:
        if (self.next is None) == (self.next_header is None):
            raise ValueError("next(响应体路径)与 next_header(响应头)必须且只能写一个")
        return self


class NextLink(_Paged):
    """The body carries the address of the next page."""

    type: Literal["next_link"]
    next: Annotated[str, Says("响应体中下一页地址的路径", "path of the next page's address")] = (
        "next"
    )
    size: Annotated[int, Says("每页条数", "records a page")] = Field(500, ge=1)
    size_param: Annotated[str | None, Says("每页条数参数", "size parameter")] = None


class LinkHeader(_Paged):
    """The Link header carries the address of the next page (RFC 8288, rel="next")."""

    type: Literal["link_header"]
    size: Annotated[int, Says("每页条数", "records a page")] = Field(500, ge=1)
    size_param: Annotated[str | None, Says("每页条数参数", "size parameter")] = None


class Single(Part):
    """One answer holds everything."""

    type: Literal["single"] = "single"


Paginator = Annotated[
    PageNumber | Offset | Cursor | NextLink | LinkHeader | Single, Field(discriminator="type")
]
