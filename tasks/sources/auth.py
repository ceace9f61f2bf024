"""Signing in, and signing each request, as the source file's `auth` says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from tasks.clock import BEIJING
from tasks.sources import address, raw_body
from tasks.sources.decode import Undecodable
from tasks.sources.errors import Passing, SourceDenied, SourceUnavailable
from tasks.sources.exchange import Answer, Request
from tasks.sources.model.auth import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    Expired,
    NoAuth,
    OAuth2ClientCredentials,
    OAuth2Password,
    SessionLogin,
    Signed,
    SignInPage,
)
from tasks.sources.model.source import Source
from tasks.sources.select import compile_path, fill, text


class Caller(Protocol):
    """What signing in needs of whoever calls the system."""

    source: Source
    base_url: str

    def exchange(self, request: Request, *, signed: bool) -> Answer:
        """One exchange. Raises Passing or SourceError."""

    def shown(self, request: Request) -> str:
        """The request for a message."""

    def rest(self, attempt: int) -> None:
        """Wait before a repeat."""

    def forget_cookies(self) -> None:
        """Before a new sign-in."""

    def has_cookie(self, name: str) -> bool:
        """Whether the system set a cookie of that name."""


class SignIn(ABC):
    """Puts what proves who we are on each request.

    `generation` counts the sign-ins; `proven` is the last of them that was let in.
    """

    generation = 0
    proven = -1

    @abstractmethod
    def sign(self, request: Request) -> Request:
        """The request with its proof."""

    def is_signed_out(self, answer: Answer) -> bool:
        """Whether the answer says that the sign-in has run out or was refused."""
        return False

    def is_sign_in_page(self, location: str) -> bool:
        """Whether a redirect leads to the sign-in page."""
        return False

    def renew(self) -> bool:
        """Sign in again; False when there is nothing that could be renewed."""
        return False


class Fixed(SignIn):
    """The same headers and parameters on every request."""

    def __init__(self, headers: Mapping[str, str], params: Mapping[str, str]) -> None:
        self._headers = dict(headers)
        self._params = dict(params)

    def sign(self, request: Request) -> Request:
        return replace(
            request,
            url=address.without(request.url, self._params),
            headers={**request.headers, **self._headers},
            params={**request.params, **self._params},
        )


class RequestSignature(SignIn):
    """A digest over the request's own parts."""

    def __init__(self, auth: Signed) -> None:
        self._auth = auth

    def sign(self, request: Request) -> Request:
        auth = self._auth
        parts = urlsplit(address.without(request.url, auth.params))
        own = {
            "key": auth.key,
            "timestamp": _timestamp(auth.timestamp),
            "nonce": secrets.token_hex(16),
        }
        # What is sent beside is signed with the rest; the signature itself cannot be.
        unsigned = _without_signature(auth.params, own)
        body = request.body
        if auth.body:
            body = _beside(body, _without_signature(auth.body, own))
        request = replace(request, body=body)
        pairs = sorted(
            [
                *parse_qsl(parts.query, keep_blank_values=True),
                *request.params.items(),
                *unsigned.items(),
            ]
        )
        # Keys of a body are signed like parameters where a form is sent, or where the
        # signature itself goes into the body.
        is_form = request.body_type == "form" or bool(auth.body)
        keys = body if isinstance(body, dict) and is_form else {}
        sent = [(n, _written(v)) for n, v in keys.items()]
        plain = [(n, v) for n, v in sorted([*pairs, *sent]) if v != ""]
        content = request.content
        values = {
            **own,
            "secret": auth.secret.get_secret_value(),
            "method": request.method,
            "path": parts.path,
            "query": "&".join(f"{_encoded(n)}={_encoded(v)}" for n, v in pairs),
            "params": "&".join(f"{n}={v}" for n, v in plain),
            "joined": "".join(f"{n}{v}" for n, v in plain),
            "values": "".join(v for _, v in plain),
            "body": content.decode("utf-8", errors="replace"),
            "body_digest": _hashed(_digest(auth.algorithm), content).hex(),
            "body_md5": hashlib.md5(content).hexdigest(),
            "body_md5_base64": base64.b64encode(hashlib.md5(content).digest()).decode(),
            "body_sha256": hashlib.sha256(content).hexdigest(),
        }
        values["signature"] = self._signature(values)
        signature = {"signature": values["signature"], **own}
        query = [*pairs, *_with_signature(auth.params, signature)]
        return replace(
            request,
            # The query goes out exactly as it was signed.
            url=urlunsplit(
                parts._replace(query="&".join(f"{_encoded(n)}={_encoded(v)}" for n, v in query))
            ),
            params={},
            headers={**request.headers, **{n: _plain(t, values) for n, t in auth.headers.items()}},
            body=body and _beside(body, dict(_with_signature(auth.body, signature))),
        )

    def _signature(self, values: Mapping[str, str]) -> str:
        auth, digest = self._auth, _digest(self._auth.algorithm)
        canonical = _plain(auth.canonical, values).encode()
        if auth.algorithm.startswith("hmac_"):
            raw = _keyed(digest, _plain(auth.hmac_key, values).encode(), canonical)
        else:
            raw = _hashed(digest, canonical)
        if auth.encoding == "base64":
            return base64.b64encode(raw).decode()
        return raw.hex().upper() if auth.encoding == "hex_upper" else raw.hex()


class _Renewed(SignIn):
    """A proof that is fetched, may run out, and is fetched again."""

    def __init__(self, client: Caller, expired: Expired) -> None:
        self._client = client
        self._expired = expired
        self._code = compile_path(expired.path) if expired.path else None
        self._lock = threading.RLock()

    def is_signed_out(self, answer: Answer) -> bool:
        if answer.status in self._expired.status:
            return True
        if self._expired.contains is not None and self._expired.contains in answer.text:
            return True
        if self._code is None:
            return False
        try:
            return text(self._code(answer.body)) in self._expired.values
        except Undecodable:
            return False

    def _ask(self, request: Request, what: str) -> Answer:
        """The answer to a sign-in request, with a few retries of its own."""
        client = self._client
        for attempt in range(client.source.http.retries + 1):
            try:
                answer = client.exchange(request, signed=False)
            except Passing:
                answer = None
            if answer is not None and answer.status < 500 and answer.status != 429:
                return answer
            if attempt < client.source.http.retries:
                client.rest(attempt)
        raise SourceUnavailable(
            f"{client.source.title}的{what}没有正常响应:{client.shown(request)}。请确认系统是否在线"
        )

    def _refused(self, request: Request, what: str, status: int) -> SourceDenied:
        return SourceDenied(
            f"{self._client.source.title}的{what}未成功(HTTP {status}):{self._client.shown(request)}。"
            "请核对来源文件 auth 的账号与密钥"
        )


class TokenGrant(_Renewed):
    """OAuth 2: a token is fetched, sent, and fetched again shortly before it ends."""

    def __init__(self, auth: OAuth2ClientCredentials | OAuth2Password, client: Caller) -> None:
        super().__init__(client, auth.expired)
        self._grant = auth
        self._token: str | None = None
        self._ends_at = float("inf")

    def sign(self, request: Request) -> Request:
        with self._lock:
            if self._token is None or time.monotonic() >= self._ends_at:
                self.renew()
            token = self._token
        return _carrying(request, self._grant, text(token))

    def renew(self) -> bool:
        grant = self._grant
        body: dict[str, Any] = dict(grant.extra)
        if isinstance(grant, OAuth2Password):
            body |= {"grant_type": "password", "username": grant.username}
            body["password"] = grant.password.get_secret_value()
        else:
            body["grant_type"] = "client_credentials"
        if grant.scope:
            body["scope"] = grant.scope
        headers = {"Accept": "application/json"}
        secret = grant.client_secret.get_secret_value() if grant.client_secret else ""
        if grant.client_id and grant.send_client == "basic":
            headers |= _basic(grant.client_id, secret)
        elif grant.client_id:
            body |= {"client_id": grant.client_id, "client_secret": secret}
        request = _request(self._client, grant.token_url, body, grant.body_type, headers)
        with self._lock:
            answer = self._ask(request, "令牌接口")
            token = _value(answer, grant.token) if answer.status < 300 else None
            if not token:
                raise self._refused(request, "令牌接口", answer.status)
            self._token = text(token)
            lifetime = _number(_value(answer, grant.expires_in))
            # Renewed a little early, so that a request on its way is not caught out.
            self._ends_at = time.monotonic() + lifetime - min(30.0, lifetime / 10)
            self.generation += 1
        return True


class Session(_Renewed):
    """Signs in with a form and keeps the cookie, or a token of the answer."""

    def __init__(self, auth: SessionLogin, client: Caller) -> None:
        super().__init__(client, auth.expired)
        self._login = auth
        self._token: str | None = None
        self._is_signed_in = False

    def sign(self, request: Request) -> Request:
        with self._lock:
            if not self._is_signed_in:
                self.renew()
            token = self._token
        if token is None:
            return request
        return _carrying(request, self._login, token)

    def is_signed_out(self, answer: Answer) -> bool:
        location = answer.headers.get("Location", "")
        return super().is_signed_out(answer) or self.is_sign_in_page(location)

    def is_sign_in_page(self, location: str) -> bool:
        return (
            bool(self._login.signed_out_location)
            and str(self._login.signed_out_location) in location
        )

    def renew(self) -> bool:
        login = self._login
        body = {name: value.get_secret_value() for name, value in login.body.items()}
        with self._lock:
            self._client.forget_cookies()
            if login.page is not None:
                body[login.page.field] = self._from_page(login.page)
            request = _request(self._client, login.login_path, body, login.body_type, {})
            if login.method == "GET":
                request = replace(request, method="GET", params=body, body=None)
            answer = self._ask(request, "登录接口")
            self._token = text(_value(answer, login.token)) or None if login.token else None
            has_proof = (self._token is not None if login.token else True) and (
                self._client.has_cookie(login.cookie) if login.cookie else True
            )
            if answer.status >= 400 or not has_proof or super().is_signed_out(answer):
                raise self._refused(request, "登录接口", answer.status)
            self._is_signed_in = True
            self.generation += 1
        return True

    def _from_page(self, page: SignInPage) -> str:
        """The hidden value of the page before the sign-in; its cookies are kept too."""
        request = Request(address.join(self._client.base_url, page.path))
        answer = self._ask(request, "登录页")
        found = re.search(page.pattern, answer.text)
        if answer.status >= 400 or found is None:
            raise SourceDenied(
                f"{self._client.source.title}的登录页中没有找到 auth.page.pattern 所指的值"
                f"(HTTP {answer.status}):{self._client.shown(request)}。请核对地址与正则表达式"
            )
        return str(found[1])


def sign_in(auth: Auth, client: Caller) -> SignIn:
    """What signs the requests of a source."""
    match auth:
        case NoAuth():
            return Fixed({}, {})
        case ApiKey():
            pair = {auth.name: auth.value.get_secret_value()}
            return Fixed(pair, {}) if auth.location == "header" else Fixed({}, pair)
        case Basic():
            return Fixed(_basic(auth.username, auth.password.get_secret_value()), {})
        case Bearer():
            value = f"{auth.prefix} {auth.token.get_secret_value()}".strip()
            return Fixed({"Authorization": value}, {})
        case Signed():
            return RequestSignature(auth)
        case SessionLogin():
            return Session(auth, client)
        case _:
            return TokenGrant(auth, client)


def _carrying(
    request: Request, auth: OAuth2ClientCredentials | OAuth2Password | SessionLogin, token: str
) -> Request:
    """The request with the token where the system looks for it."""
    value = f"{auth.prefix} {token}".strip()
    if auth.token_param is None:
        return replace(request, headers={**request.headers, auth.header: value})
    return replace(
        request,
        url=address.without(request.url, [auth.token_param]),
        params={**request.params, auth.token_param: token},
    )


def _basic(username: str, password: str) -> dict[str, str]:
    proof = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {proof}"}


def _request(
    client: Caller, url: str, body: dict[str, Any], body_type: str, headers: dict[str, str]
) -> Request:
    request = Request(address.join(client.base_url, url), "POST", {}, headers, {}, body_type)
    if body_type == "json":
        # Dotted names lead into objects, as those of page parameters do.
        return request.with_values(body, "body")
    return replace(request, body=body)


def _value(answer: Answer, path: str | None) -> Any:
    try:
        return compile_path(path)(answer.body)
    except Undecodable:
        return None


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("inf")


def _plain(template: str, values: Mapping[str, str]) -> str:
    return str(fill(template, values))


def _beside(body: dict[str, Any] | str | None, values: Mapping[str, str]) -> dict[str, Any] | str:
    """A body with more values; a text has them where their names stand in it."""
    return (
        raw_body.with_values(body, values) if isinstance(body, str) else {**(body or {}), **values}
    )


def _without_signature(templates: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return {n: _plain(t, values) for n, t in templates.items() if "{signature}" not in t}


def _with_signature(
    templates: Mapping[str, str], values: Mapping[str, str]
) -> list[tuple[str, str]]:
    return [(n, _plain(t, values)) for n, t in templates.items() if "{signature}" in t]


def _written(value: Any) -> str:
    """A value of a body as it is signed; what is nested as compact JSON."""
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else text(value)


def _encoded(value: str) -> str:
    return quote(value, safe="-._~")


def _digest(algorithm: str) -> str:
    return algorithm.removeprefix("hmac_")


def _hashed(digest: str, content: bytes) -> bytes:
    """A digest. SM3 (GB/T 32905-2016) comes from a library: not every Python knows it."""
    if digest != "sm3":
        return hashlib.new(digest, content).digest()
    sm3 = hashes.Hash(hashes.SM3())
    sm3.update(content)
    return sm3.finalize()


def _keyed(digest: str, key: bytes, content: bytes) -> bytes:
    """A digest keyed with a secret."""
    if digest != "sm3":
        return hmac.new(key, content, digest).digest()
    sm3 = HMAC(key, hashes.SM3())
    sm3.update(content)
    return sm3.finalize()


def _timestamp(kind: str) -> str:
    now = datetime.now(UTC)
    if kind == "seconds":
        return str(int(now.timestamp()))
    if kind == "milliseconds":
        return str(int(now.timestamp() * 1000))
    if kind == "iso":
        return now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return now.astimezone(BEIJING).strftime("%Y%m%d%H%M%S" if kind == "compact" else kind)
