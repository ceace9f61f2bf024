"""What one answer says of its list: the records, how many there are, or that something is wrong.

Systems write an empty list, a count and an error in many ways; what they are taken for is
decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from tasks.sources.client import Client
from tasks.sources.errors import SourceContractError
from tasks.sources.exchange import Answer, Request
from tasks.sources.model.paginator import Paging
from tasks.sources.select import Get, compile_path, simple_parts, text
from warehouse.errors import LostRecords

NO_LIST = "响应中没有记录列表"
MOST_REPEATS = 2
"""How often an answer without records is asked for again where there should be some."""


@dataclass(frozen=True)
class Page:
    """The records of one answer; `total` is the source's own count of the list, if it tells.

    `doubt` says why an answer without records may be something else than an empty page.
    """

    records: list[Any]
    answer: Answer
    total: int | None = None
    doubt: str | None = None


class Pages:
    """Asks for the pages of one list and finds the records in them.

    `notes` gathers what a person should be told though the list was read.
    """

    def __init__(self, client: Client, paginator: Paging, records: str | None) -> None:
        self.client = client
        self.path = records
        self.notes: list[str] = []
        self._paginator = paginator
        self._select = compile_path(records)
        self._first: Answer | None = None
        self._used: set[int] = set()
        self._unused: dict[int, Answer] = {}
        client.visible |= paginator.parameters

    def first(self, request: Request) -> Page:
        """The first page. Raises SourceContractError where there is no list in it."""
        page = self.page(self.client.get(request))
        if page.doubt is not None:
            # An error that is told as such is a mistake of the source file: nothing to repeat.
            if business_code(page.answer.whole) is None or self.client.source.success is not None:
                page = self.again(page)
            if page.doubt is not None and not self._is_written_empty(page):
                raise self.refusal(page)
        elif not page.records and page.total is None:
            # An empty list that nothing proves may be a slip.
            page = self.again(page)
        self._first = page.answer
        return page

    def get(self, request: Request, retries: int | None = None) -> Page:
        """A page after the first, as it came."""
        return self.page(self.client.get(request, retries=retries))

    def again(self, page: Page) -> Page:
        """A page without records asked for again, as long as that is in doubt or may be a slip."""
        for attempt in range(1, MOST_REPEATS + 1):
            self.client.rest(attempt)
            page = self.get(page.answer.request)
            if page.records:
                break
        return page

    def page(self, answer: Answer) -> Page:
        """What an answer holds. Raises SourceContractError where something else is in its place,
        or where the source's own count is none, time after time."""
        answer = self.client.readable(answer)
        for attempt in range(1, MOST_REPEATS + 1):
            if not self._paginator.miscounts(answer):
                break
            self.client.rest(attempt)
            answer = self.client.readable(self.client.get(answer.request))
        else:
            if self._paginator.miscounts(answer):
                raise SourceContractError(
                    f"{self.client.source.title}自报的总条数不可信(负数、非数或过大):"
                    f"{self.client.shown(answer.request)}。请核对 paginator 的 total,或与系统厂商核实"
                )
        value = self._select(answer.body)
        if not isinstance(value, list):
            # What stands in the place of the list is told by all of the answer.
            value = self._select(answer.whole)
        total = self._total(answer)
        self.notes += [note for note in answer.mended if note not in self.notes]
        if isinstance(value, list) and value:
            # One that is asked for once more only shows whether it is the same.
            if (mark := mark_of(answer.request)) not in self._used:
                self._unused[mark] = answer
            return Page(value, answer, total)
        if isinstance(value, dict) and value and (self.path is not None or not self._is_paged):
            return Page([value], answer, total)
        if value not in (None, "", [], {}):
            raise self._misplaced(answer)
        return Page([], answer, total, self._doubt(answer, value, total))

    def use(self, page: Page) -> None:
        """The page is made use of, or is one that was read already."""
        mark = mark_of(page.answer.request)
        self._used.add(mark)
        self._unused.pop(mark, None)

    def prove(self) -> None:
        """That every page with records that came was made use of. Raises LostRecords."""
        if self._unused:
            answer = next(iter(self._unused.values()))
            raise LostRecords(
                f"{self.client.source.title}有 {len(self._unused)} 页读到而未用:"
                f"{self.client.shown(answer.request)}"
            )

    @property
    def _is_paged(self) -> bool:
        return bool(self._paginator.parameters or self._paginator.paths)

    def _total(self, answer: Answer) -> int | None:
        return self._paginator.total_of(answer)

    def _doubt(self, answer: Answer, value: Any, total: int | None) -> str | None:
        """Why an answer without records may be no empty page; None for one that surely is."""
        body = answer.whole
        said = said_error(body)
        if said is not None and self.client.source.success is None:
            return f"响应说明出错({said})"
        if total == 0:
            return None
        if self._paginator.tells_total and total is None:
            return "响应中没有记录,也没有总条数"
        if isinstance(value, list):
            return None
        # As often, null stands for an empty list: then all else is as on the page before.
        first = self._first.whole if self._first is not None else None
        if (
            isinstance(first, dict)
            and isinstance(body, dict)
            and first.keys() == body.keys()
            and self._paginator.ends_with_nothing
            and leads_to_nothing(body, self.path, is_written=True)
        ):
            return None
        return NO_LIST

    def _is_written_empty(self, page: Page) -> bool:
        """Whether a first page without records is one of an empty list: with a null in its place,
        and no word of an error."""
        body, client = page.answer.whole, self.client
        return (
            page.doubt == NO_LIST
            and isinstance(body, dict)
            and (business_code(body) is None or client.source.success is not None)
            and leads_to_nothing(body, self.path)
        )

    def refusal(self, page: Page) -> SourceContractError:
        """That there is no list where one should be."""
        answer, client = page.answer, self.client
        body = answer.whole
        code = business_code(body)
        where = f":{client.shown(answer.request)}。"
        if code is not None and client.source.success is None:
            name, _, value = code.partition("=")
            return SourceContractError(
                f"{client.source.title}的响应中没有记录,而有业务状态码 {code}{where}"
                f"请在来源文件写明怎样算成功,如 success: {{path: {name}, values: [200]}},"
                f"以免把出错当作没有记录(本次为 {value})"
            )
        if body is not None and leads_to_nothing(body, self.path):
            return SourceContractError(
                f"{client.source.title}的{page.doubt or '页中没有记录'}{where}"
                f"已重试 {MOST_REPEATS} 次,清单不能在此结束;请稍后重新运行,仍如此的与系统厂商核实"
            )
        return self._misplaced(answer, page.doubt)

    def _misplaced(self, answer: Answer, doubt: str | None = None) -> SourceContractError:
        body = answer.whole
        found = "、".join(list(map(str, body))[:20]) if isinstance(body, dict) else kind_of(body)
        said = f"({doubt})" if doubt and doubt != NO_LIST else ""
        return SourceContractError(
            f"{self.client.source.title}的响应中没有记录列表 {self.path or '(响应体本身)'}{said}:"
            f"{self.client.shown(answer.request)}。响应中有:{found}。请核对 records"
        )

    def guard(self, number: int, most: int) -> None:
        """Stop at more pages than there may be. Raises SourceContractError."""
        if number > most:
            raise SourceContractError(
                f"{self.client.source.title}的页数超过上限 {most},疑为无尽翻页,已停止。"
                "请核对 paginator 的写法;确有这么多页时调大 max_pages"
            )


def mark_of(request: Request) -> int:
    """Tells a request from others of the same list."""
    return hash((request.url, tuple(request.params.items()), request.content))


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
_GOOD = ("0", "00", "000", "0000", "00000", "000000", "1", "100", "200", "20000")
_GOOD_WORDS = ("true", "ok", "success", "succeed", "succeeded", "a00000", "none", "", "null")
_BAD_WORDS = ("error", "errors", "errmsg", "exception", "fault")


def business_code(body: Any) -> str | None:
    """The business code of an answer as `name=value`, by the names that systems use for it."""
    if not isinstance(body, dict):
        return None
    for name, value in body.items():
        said = str(name).replace("_", "").lower()
        if said in _CODES and isinstance(value, str | int | bool) and len(str(value)) < 20:
            return f"{name}={text(value)}"
    return None


def said_error(body: Any) -> str | None:
    """By what an answer says that something went wrong; None where it says no such thing.

    Only names are told of what is not a short code: texts may hold anything.
    """
    if not isinstance(body, dict):
        return None
    code = business_code(body)
    if code is not None:
        value = code.partition("=")[2].lower()
        return None if value in _GOOD or value in _GOOD_WORDS else code
    for name, value in body.items():
        said = str(name).replace("_", "").lower()
        if said in _BAD_WORDS and value not in (None, "", [], {}, False, 0):
            return str(name)
    return None


def leads_to_nothing(body: Any, path: str | None, *, is_written: bool = False) -> bool:
    """Whether the path stops at a null or an empty value, as systems write an empty list; with
    `is_written` an empty object, which leaves the list out, is none."""
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
        if value in (None, "", []) or (value == {} and not is_written):
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
