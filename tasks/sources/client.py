"""The one way a system is called: pooled, paced, bounded, repeated with sense, signed in.

A `Client` is shared by the threads that fetch for one source. Every message names the
address without secrets and says what to do.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import requests
import urllib3

from tasks import clock
from tasks.sources import address
from tasks.sources.auth import sign_in
from tasks.sources.bounded import BoundedAdapter, Watch
from tasks.sources.decode import Undecodable
from tasks.sources.errors import (
    Passing,
    RefusedRequest,
    SourceContractError,
    SourceDenied,
    SourceUnavailable,
    UnreadableAnswer,
)
from tasks.sources.exchange import Answer, Request
from tasks.sources.model import Source
from tasks.sources.pace import pace_of
from tasks.sources.select import compile_path, text

RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
LONGEST_REDIRECTS = 5
MOST_SIGN_INS = 3
MOST_RENEWALS = 12
MOST_BROKEN = 3
SHORTEST_REST = 0.25
CHUNK = 1 << 22
CONTENT_TYPES = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "text/xml; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}
CLOCK_TOLERANCE = 300.0
"""Seconds by which two clocks may differ without being told."""


class Client:
    """Calls one source. Use as a context manager; threads may share it."""

    def __init__(
        self,
        source: Source,
        *,
        sleep: Callable[[float], None] = time.sleep,
        on_request: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        assert source.base_url is not None
        self.source = source
        self.base_url = source.base_url
        self.visible: set[str] = set()
        self._sleep = sleep
        self._on_request = on_request
        self._pace = pace_of(address.host(self.base_url))
        self._pace.limit(source.http.requests_per_second)
        self._success = compile_path(source.success.path) if source.success else None
        self._message = (
            compile_path(source.success.message)
            if source.success and source.success.message
            else None
        )
        self._http = requests.Session()
        # Proxies and credentials come from the source file only, not from the environment
        # or a .netrc that happens to lie on the machine.
        self._http.trust_env = False
        self._http.headers.update({"User-Agent": "nianbao", **source.http.headers})
        adapter = BoundedAdapter(pool_connections=4, pool_maxsize=source.http.concurrency + 2)
        self._http.mount("http://", adapter)
        self._http.mount("https://", adapter)
        if source.http.ca_file:
            self._http.verify = str(source.file.parent / source.http.ca_file)
        if source.http.proxy and not address.is_loopback(self.base_url):
            self._http.proxies = {"http": source.http.proxy, "https": source.http.proxy}
        self.clock_ahead: float | None = None
        self._auth_lock = threading.Lock()
        self._auth = sign_in(source.auth, self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    @property
    def notes(self) -> list[str]:
        """What a person should be told of the calls so far: a clock that is wrong."""
        ahead = self.clock_ahead or 0.0
        if abs(ahead) < CLOCK_TOLERANCE:
            return []
        return [
            f"本机时钟比{self.source.title}的时钟{'快' if ahead > 0 else '慢'} {_span(abs(ahead))};"
            "请核对两边的时间。本次按较早的时间记录"
        ]

    def shown(self, request: Request) -> str:
        """The request for a message: method, address, only harmless values."""
        return f"{request.method} {address.shown(request.url, self.visible, request.params)}"

    def get(self, request: Request, retries: int | None = None) -> Answer:
        """The answer to a request, after sign-in, pacing and retries (as many as the source has).

        Raises SourceUnavailable, SourceDenied or SourceContractError.
        """
        failures = 0
        retries = self.source.http.retries if retries is None else retries
        while True:
            try:
                return self._attempt(request)
            except Passing as failure:
                failures += 1
                if failures > (retries if failure.most is None else min(failure.most, retries)):
                    raise self._given_up(request, failure) from None
                self._pause(failure.wait, failures, request)

    def _attempt(self, request: Request) -> Answer:
        """One answer that counts. Raises Passing when another try may help."""
        refused = 0
        for _ in range(MOST_RENEWALS):
            generation = self._auth.generation
            answer = self.exchange(request, signed=True)
            if not self._auth.is_signed_out(answer):
                self._auth.proven = max(self._auth.proven, generation)
                break
            # A sign-in that has served others has run out; one that served nobody was refused.
            refused += self._auth.proven < generation
            if refused >= MOST_SIGN_INS or not self._renew(generation):
                raise self._denied(request, answer)
        else:
            raise self._denied(request, answer)
        if answer.status in RETRIED_STATUSES:
            wait = _retry_after(answer.headers.get("Retry-After"))
            if answer.status in (429, 503):
                self._pace.hold(min(wait or 0.0, self.source.http.longest_wait_seconds))
            raise Passing(f"返回 HTTP {answer.status}", wait)
        if answer.status >= 300:
            raise self._refusal(request, answer)
        if self._success is not None:
            self._judge(answer)
        return answer

    def body(self, answer: Answer) -> Any:
        """The decoded answer; one that was cut short is asked for again.

        Raises UnreadableAnswer, and what `get` raises.
        """
        return self.readable(answer).body

    def readable(self, answer: Answer) -> Answer:
        """The answer, or one in its place that can be decoded.

        Raises UnreadableAnswer, and what `get` raises.
        """
        for attempt in itertools.count(1):
            try:
                _ = answer.body
            except Undecodable as error:
                if attempt > MOST_BROKEN:
                    reason = Passing(f"响应{error}", most=0)
                    raise self._given_up(answer.request, reason) from None
            else:
                break
            self.rest(attempt)
            answer = self.get(answer.request)
        return answer

    def _given_up(self, request: Request, failure: Passing) -> Exception:
        if failure.most is not None:
            return UnreadableAnswer(
                f"{self.source.title}的{failure.reason}:{self.shown(request)}。"
                "请核对 format、encoding 与接口地址"
            )
        return SourceUnavailable(
            f"{self.source.title}没有正常响应({failure.reason},已重试 {self.source.http.retries} 次):"
            f"{self.shown(request)}。请确认系统是否在线、网络与 base_url 是否正确;"
            "恢复后重新运行即从断点继续"
        )

    def _denied(self, request: Request, answer: Answer) -> SourceDenied:
        return SourceDenied(
            f"{self.source.title}拒绝了登录(HTTP {answer.status}):{self.shown(request)}。"
            "请核对来源文件 auth 所用的账号、密钥是否有效,是否有该接口的权限"
        )

    def rest(self, attempt: int) -> None:
        """Wait before a repeat: longer each time, never twice the same."""
        backoff = min(SHORTEST_REST * 2**attempt, self.source.http.longest_wait_seconds)
        self._sleep(random.uniform(backoff / 2, backoff))

    def forget_cookies(self) -> None:
        """Before a new sign-in."""
        self._http.cookies.clear()

    def has_cookie(self, name: str) -> bool:
        """Whether the system set a cookie of that name."""
        return any(cookie.name == name for cookie in self._http.cookies)

    def _pause(self, wait: float | None, attempt: int, request: Request) -> None:
        longest = self.source.http.longest_wait_seconds
        if wait is not None and wait > longest:
            raise SourceUnavailable(
                f"{self.source.title}要求等待 {wait:.0f} 秒后再试,超过上限 {longest:.0f} 秒:"
                f"{self.shown(request)}。请稍后重新运行,或调大 http.longest_wait_seconds"
            )
        if wait:
            self._sleep(wait)
        self.rest(attempt)

    def exchange(self, request: Request, *, signed: bool) -> Answer:
        """One exchange, redirects within the host followed; no retry, no judgement."""
        current = request
        for _ in range(LONGEST_REDIRECTS + 1):
            answer = self._send(self._auth.sign(current) if signed else current)
            location = answer.headers.get("Location")
            if answer.status not in (301, 302, 303, 307, 308) or not location:
                return answer
            if signed and self._auth.is_sign_in_page(location):
                return answer
            url = address.follow(answer.url, location, self.base_url)
            keep = answer.status in (307, 308) or current.method == "GET"
            current = replace(
                current,
                url=url,
                params={},
                method=current.method if keep else "GET",
                body=current.body if keep else None,
            )
        raise SourceContractError(
            f"{self.source.title}反复重定向:{self.shown(request)}。请核对 base_url 与路径"
        )

    def _send(self, request: Request) -> Answer:
        headers = dict(request.headers)
        if request.body is not None:
            headers.setdefault("Content-Type", CONTENT_TYPES[request.body_type])
        prepared = self._http.prepare_request(
            requests.Request(
                request.method,
                request.url,
                params=request.params,
                headers=headers,
                data=request.content if request.body is not None else None,
            )
        )
        if self._on_request is not None:
            self._on_request(prepared.headers)
        self._pace.wait()
        longest = self.source.http.longest_answer_seconds
        watch = Watch(longest)
        try:
            with watch:
                answer = self._answer(prepared, request)
        finally:
            # A connection that was cut may look broken, or like an answer that was whole.
            if watch.is_over:
                raise Passing(f"{longest:g} 秒内没有传完")
        self._look_at_clock(answer.headers.get("Date"))
        return answer

    def _answer(self, prepared: requests.PreparedRequest, request: Request) -> Answer:
        """What comes back. Raises Passing and SourceContractError."""
        http = self.source.http
        try:
            with self._http.send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=(http.connect_timeout_seconds, http.timeout_seconds),
                verify=self._http.verify,
                proxies=self._http.proxies,
            ) as response:
                content = self._read(response, request)
        except requests.exceptions.SSLError:
            # The text of these errors carries whole addresses, so they are told by kind.
            raise SourceUnavailable(
                f"{self.source.title}的 TLS 证书校验未通过:{self.shown(request)}。"
                "自建证书机构的证书请写在 http.ca_file;校验不能关闭"
            ) from None
        except requests.exceptions.ConnectTimeout:
            raise Passing("连接超时") from None
        except requests.exceptions.Timeout:
            raise Passing(f"{http.timeout_seconds:g} 秒内没有响应") from None
        except requests.exceptions.ProxyError:
            raise Passing("代理连接失败") from None
        except requests.exceptions.ConnectionError:
            raise Passing("连接失败或中断") from None
        except urllib3.exceptions.HTTPError:
            raise Passing("响应中断") from None
        except requests.exceptions.RequestException as error:
            raise Passing(f"请求失败({type(error).__name__})") from None
        return Answer(request, response.url, response.status_code, response.headers, content)

    def _look_at_clock(self, said: str | None) -> None:
        """How far our clock is ahead of the source's, as the first answer tells."""
        if self.clock_ahead is not None or not said:
            return
        with contextlib.suppress(TypeError, ValueError):
            theirs = parsedate_to_datetime(said)
            ours = clock.now().replace(tzinfo=clock.BEIJING)
            ahead = (ours - theirs).total_seconds()
            self.clock_ahead = ahead if abs(ahead) >= CLOCK_TOLERANCE else 0.0

    def _read(self, response: requests.Response, request: Request) -> bytes:
        """The body, whose size is bounded. Raises SourceContractError."""
        most = self.source.http.max_response_megabytes << 20
        chunks, size = [], 0
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            size += len(chunk)
            if size > most:
                raise SourceContractError(
                    f"{self.source.title}的一个响应超过 {most >> 20} MB:{self.shown(request)}。"
                    "请减小每页条数(size),或调大 http.max_response_megabytes"
                )
            chunks.append(chunk)
        return b"".join(chunks) if len(chunks) != 1 else chunks[0]

    def _renew(self, generation: int) -> bool:
        """Sign in again, once for all threads that found out at the same time."""
        with self._auth_lock:
            return self._auth.generation != generation or self._auth.renew()

    def _judge(self, answer: Answer) -> None:
        """Look at the business code. Raises Passing or SourceContractError for any but success."""
        success = self.source.success
        assert success is not None
        assert self._success is not None
        try:
            code = text(self._success(answer.body))
        except Undecodable as error:
            raise Passing(f"响应{error}", most=MOST_BROKEN) from None
        if code in success.values:
            return
        if code in success.retry:
            raise Passing(f"业务状态码 {code}")
        said = f"({text(self._message(answer.body))[:200]})" if self._message else ""
        raise SourceContractError(
            f"{self.source.title}返回业务状态码 {code or '(无)'}{said}:{self.shown(answer.request)}。"
            f"成功应为 {'、'.join(success.values)};请核对参数与权限"
        )

    def _refusal(self, request: Request, answer: Answer) -> Exception:
        where = f"{self.source.title}返回 HTTP {answer.status}:{self.shown(request)}。"
        if answer.status in (401, 403):
            return self._denied(request, answer)
        if answer.status == 404:
            return RefusedRequest(where + "没有这个地址;请核对 base_url 与 path", answer.status)
        return RefusedRequest(where + "请核对参数名、参数写法与每页条数上限", answer.status)


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait as the header says: a number, or a date."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except (TypeError, ValueError):
            return None


def _span(seconds: float) -> str:
    """A span for people: 2 天, 3 小时, 12 分."""
    for size, unit in ((86400, "天"), (3600, "小时")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 60:.0f} 分"
