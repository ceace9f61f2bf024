"""Signing in, and signing each request, as the source file's `auth` says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from pydantic import SecretStr

from tasks.sources import address
from tasks.sources.decode import Undecodable
from tasks.sources.errors import Passing, SourceDenied, SourceUnavailable
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
)
from tasks.sources.select import compile_path, fill, text

if TYPE_CHECKING:
    from tasks.sources.session import Answer, Client, Request

BEIJING = timezone(timedelta(hours=8))


class SignIn(ABC):
    """Puts what proves who we are on each request. `generation` counts the sign-ins."""

    generation = 0

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
        # Parameters are signed with the rest, the signature itself cannot be.
        unsigned = {
            name: _plain(t, own) for name, t in auth.params.items() if "{signature}" not in t
        }
        pairs = sorted(
            [
                *parse_qsl(parts.query, keep_blank_values=True),
                *request.params.items(),
                *unsigned.items(),
            ]
        )
        form = list((request.body or {}).items()) if request.body_type == "form" else []
        values = {
            **own,
            "secret": auth.secret.get_secret_value(),
            "method": request.method,
            "path": parts.path,
            "query": "&".join(f"{_encoded(n)}={_encoded(v)}" for n, v in pairs),
            "params": "&".join(
                f"{n}={text(v)}" for n, v in sorted([*pairs, *form]) if text(v) != ""
            ),
            "body": request.content.decode("utf-8", errors="replace"),
            "body_digest": hashlib.new(_digest(auth.algorithm), request.content).hexdigest(),
        }
        own["signature"] = self._signature(_plain(auth.canonical, values))
        return replace(
            request,
            # The query goes out exactly as it was signed.
            url=urlunsplit(
                parts._replace(
                    query="&".join(
                        f"{_encoded(n)}={_encoded(v)}"
                        for n, v in [
                            *pairs,
                            *(
                                (n, _plain(t, own))
                                for n, t in auth.params.items()
                                if n not in unsigned
                            ),
                        ]
                    )
                )
            ),
            params={},
            headers={**request.headers, **{n: _plain(t, own) for n, t in auth.headers.items()}},
        )

    def _signature(self, canonical: str) -> str:
        digest = _digest(self._auth.algorithm)
        secret = self._auth.secret.get_secret_value().encode()
        if self._auth.algorithm.startswith("hmac_"):
            raw = hmac.new(secret, canonical.encode(), digest).digest()
        else:
            raw = hashlib.new(digest, canonical.encode()).digest()
        if self._auth.encoding == "base64":
            return base64.b64encode(raw).decode()
        return raw.hex().upper() if self._auth.encoding == "hex_upper" else raw.hex()


class _Renewed(SignIn):
    """A proof that is fetched, may run out, and is fetched again."""

    def __init__(self, client: Client, expired: Expired) -> None:
        self._client = client
        self._expired = expired
        self._code = compile_path(expired.path) if expired.path else None
        self._lock = threading.RLock()

    def is_signed_out(self, answer: Answer) -> bool:
        if answer.status in self._expired.status:
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

    def __init__(self, auth: OAuth2ClientCredentials | OAuth2Password, client: Client) -> None:
        super().__init__(client, auth.expired)
        self._grant = auth
        self._token: str | None = None
        self._ends_at = float("inf")

    def sign(self, request: Request) -> Request:
        with self._lock:
            if self._token is None or time.monotonic() >= self._ends_at:
                self.renew()
            token = self._token
        value = f"{self._grant.prefix} {token}".strip()
        return replace(request, headers={**request.headers, self._grant.header: value})

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

    def __init__(self, auth: SessionLogin, client: Client) -> None:
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
        value = f"{self._login.prefix} {token}".strip()
        return replace(request, headers={**request.headers, self._login.header: value})

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
        request = _request(self._client, login.login_path, body, login.body_type, {})
        if login.method == "GET":
            request = replace(request, method="GET", params=body, body=None)
        with self._lock:
            self._client.forget_cookies()
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


def sign_in(auth: Auth, client: Client) -> SignIn:
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


def secret_values(auth: Auth) -> list[str]:
    """Every secret of an `auth`, so that what is shown can be searched for them."""
    found: list[str] = []
    for name in type(auth).model_fields:
        value = getattr(auth, name)
        for item in value.values() if isinstance(value, dict) else [value]:
            if isinstance(item, SecretStr):
                found.append(item.get_secret_value())
    return [value for value in found if value]


def _basic(username: str, password: str) -> dict[str, str]:
    proof = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {proof}"}


def _request(
    client: Client, url: str, body: dict[str, Any], body_type: str, headers: dict[str, str]
) -> Request:
    from tasks.sources.session import Request

    return Request(address.join(client.base_url, url), "POST", {}, headers, body, body_type)


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


def _encoded(value: str) -> str:
    return quote(value, safe="-._~")


def _digest(algorithm: str) -> str:
    return algorithm.removeprefix("hmac_")


def _timestamp(kind: str) -> str:
    now = datetime.now(UTC)
    if kind == "seconds":
        return str(int(now.timestamp()))
    if kind == "milliseconds":
        return str(int(now.timestamp() * 1000))
    if kind == "iso":
        return now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return now.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")
