"""The vendor's server: real sockets on loopback, behaviour chosen by attributes."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

Record = dict[str, Any]
SIGN_IN_TITLE = "用户登录"
KEY, SECRET, USER, PASSWORD = "the-key", "the-secret", "reader", "pass word/3"

NUMBERED = (
    "page_number",
    "total_pages",
    "total_header",
    "pages_header",
    "until_empty",
    "has_more",
)


class Vendor:
    """What the server serves and how; change the attributes between requests.

    `paging` is one of the names in `_page`; `size_cap` is the most records it gives a page,
    `refuses_over` a size it answers with 400, `total_told` a count that is wrong,
    `past_end_status` its answer to a page beyond the last, `doubled` how many records of a page
    come twice on it; with `stays` a fault is not over after its first answer. `before_page(number)` is called before each list
    answer, so that a test can insert or delete records while they are read.
    """

    def __init__(self, records: list[Record], **options: Any) -> None:
        self.records = records
        self.paging = "page_number"
        self.auth = "none"
        self.form = "json"
        self.encoding = "utf-8"
        self.size_cap: int | None = None
        self.refuses_over: int | None = None
        self.ignores_size: int | None = None
        self.repeats_page = False
        self.clamps_page = False
        self.tells_total = True
        self.total_told: int | None = None
        self.past_end_status: int | None = None
        self.doubled = 0
        self.start = 1
        self.updated_filter = "since"
        self.window_field = "day"
        self.token_requests: int | None = None
        self.before_page: Callable[[int], None] = lambda number: None
        self.faults: list[Callable[[_Handler], bool]] = []
        self.stays = False
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.largest_at_once = 0
        self.signed_in = 0
        self._tokens: dict[str, int] = {}
        self._at_once = 0
        self._nonces: set[str] = set()
        self.lock = threading.RLock()
        for name, value in options.items():
            assert hasattr(self, name), name
            setattr(self, name, value)
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[Vendor]:
        """Serve until the block ends."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def issue(self) -> str:
        """A new token or session."""
        with self.lock:
            self.signed_in += 1
            token = f"token-{self.signed_in}"
            self._tokens[token] = self.token_requests or 1_000_000
            return token

    def spend(self, token: str) -> bool:
        """Use a token once; False when it is unknown or used up."""
        with self.lock:
            left = self._tokens.get(token, 0)
            self._tokens[token] = left - 1
            return left > 0

    def knows(self, nonce: str) -> bool:
        """Whether the nonce came before; it is remembered."""
        with self.lock:
            seen = nonce in self._nonces
            self._nonces.add(nonce)
            return seen

    def selected(self, given: dict[str, str]) -> list[Record]:
        """The records that the filters let through."""
        with self.lock:
            records = list(self.records)
        since = given.get(self.updated_filter)
        if since:
            records = [r for r in records if str(r.get("updated", "")) >= since]
        if "span" in given:
            given = given | dict(zip(("from", "to"), given["span"].split("~"), strict=True))
        if "from" in given:
            field = self.window_field
            records = [r for r in records if given["from"] <= str(r[field]) <= given["to"]]
        if "site" in given:
            records = [r for r in records if str(r.get("site")) == given["site"]]
        return records


def _handler(vendor: Vendor) -> type[_Handler]:
    return type("Handler", (_Handler,), {"vendor": vendor})


class _Handler(BaseHTTPRequestHandler):
    vendor: Vendor
    protocol_version = "HTTP/1.1"
    # Small answers in two packets wait for each other without this.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        vendor = self.vendor
        self.sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        self.given = dict(parse_qsl(parts.query, keep_blank_values=True))
        if self.sent and "json" in self.headers.get("Content-Type", ""):
            self.given |= {k: str(v) for k, v in _flat(json.loads(self.sent)).items()}
        elif self.sent:
            self.given |= dict(parse_qsl(self.sent.decode(), keep_blank_values=True))
        with vendor.lock:
            vendor.requests.append(self.path)
            vendor._at_once += 1
            vendor.largest_at_once = max(vendor.largest_at_once, vendor._at_once)
        try:
            if vendor.faults and vendor.faults[0](self):
                if not vendor.stays:
                    vendor.faults.pop(0)
                return
            self._route(parts.path)
        finally:
            with vendor.lock:
                vendor._at_once -= 1

    def _route(self, path: str) -> None:
        vendor = self.vendor
        open_to_all = {"/token": self._token, "/login": self._login, "/login.jsp": self._login_page}
        if path in open_to_all:
            return open_to_all[path]()
        refusal = self._refusal(path)
        if refusal is not None:
            return refusal()
        if path == "/records":
            return self._list()
        if path == "/count":
            return self.answer({"count": len(vendor.selected(self.given))})
        return self._route_below(path)

    def _route_below(self, path: str) -> None:
        """Details, children and files."""
        vendor = self.vendor
        if path.startswith("/records/") and path.endswith("/notes"):
            record = self._record(path.split("/")[2])
            return self.answer({"notes": record.get("notes", [])})
        if path.startswith("/records/"):
            record = self._record(path.split("/")[2])
            return self.answer({"data": {"organ": record["organ"], "secret": "PD-detail"}})
        if path == "/files/":
            links = "".join(f'<a href="{quote(name)}">{name}</a>' for name in sorted(vendor.files))
            return self.raw(f"<html><a href='/'>up</a>{links}</html>".encode(), "text/html")
        if path == "/files.json":
            listed = [
                {
                    "name": name,
                    "sha": hashlib.sha256(content).hexdigest(),
                    "link": "/files/" + quote(name),
                }
                for name, content in sorted(vendor.files.items())
            ]
            return self.answer({"files": listed})
        if path.startswith("/files/"):
            from urllib.parse import unquote

            return self.raw(vendor.files[unquote(path[7:])], "application/octet-stream")
        return self.answer({"error": "not found"}, 404)

    def _record(self, identity: str) -> Record:
        with self.vendor.lock:
            return next(r for r in self.vendor.records if str(r["id"]) == identity)

    # ---- sign-in

    def _token(self) -> None:
        given = self.given
        basic = self.headers.get("Authorization", "")
        if basic:
            assert basic == "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
            given |= {"client_id": KEY, "client_secret": SECRET}
        by_client = given.get("grant_type") == "client_credentials" and (
            (given.get("client_id"), given.get("client_secret")) == (KEY, SECRET)
        )
        by_user = given.get("grant_type") == "password" and (
            (given.get("username"), given.get("password")) == (USER, PASSWORD)
        )
        if not (by_client or by_user):
            return self.answer({"error": "invalid_client"}, 400)
        return self.answer({"access_token": self.vendor.issue(), "expires_in": 3600})

    def _login_page(self) -> None:
        """A form with a hidden value that is good for one sign-in of the same visitor."""
        hidden = self.vendor.issue()
        page = f'<title>{SIGN_IN_TITLE}</title><input name="_csrf" value="{hidden}">'
        self.raw(page.encode("gb18030"), "text/html;charset=GBK", {"Set-Cookie": f"V={hidden}"})

    def _login(self) -> None:
        if self.vendor.auth == "sign_in_page" and (
            f"V={self.given.get('_csrf')}" not in self.headers.get("Cookie", "")
        ):
            return self._login_page()
        at = "account." if self.vendor.auth == "nested_login" else ""
        if (self.given.get(f"{at}user"), self.given.get(f"{at}pass")) != (USER, PASSWORD):
            return self.answer({"ok": False}, 200)
        return self.raw(
            b"{}", "application/json", {"Set-Cookie": f"SID={self.vendor.issue()}; Path=/"}
        )

    def _refusal(self, path: str) -> Callable[[], None] | None:
        """How the request is turned away; None when it may pass."""
        auth, given = self.vendor.auth, self.given
        checks: dict[str, Callable[[], bool]] = {
            "none": lambda: True,
            "api_key_header": lambda: self.headers.get("X-API-Key") == KEY,
            "api_key_query": lambda: given.get("key") == KEY,
            "basic": self._is_basic,
            "bearer": lambda: self.headers.get("Authorization") == f"Bearer {KEY}",
            "oauth2_client": self._has_token,
            "oauth2_client_basic": self._has_token,
            "oauth2_password": self._has_token,
            "business_code": self._has_token,
            "session": self._has_session,
            "nested_login": self._has_session,
            "session_redirect": self._has_session,
            "sign_in_page": self._has_session,
            "token_param": lambda: self.vendor.spend(given.get("access_token", "")),
            "body_signature": self._is_body_signed,
            "joined_params": self._is_join_signed,
            "hmac_header": lambda: self._is_signed(path),
            "md5_query": self._is_md5_signed,
        }
        if checks[auth]():
            return None
        told: dict[str, Callable[[], None]] = {
            "business_code": lambda: self.answer({"code": 40101, "msg": "token expired"}),
            "session_redirect": lambda: self.raw(
                b"", "text/html", {"Location": "/login.html"}, 302
            ),
            "sign_in_page": self._login_page,
            "token_param": lambda: self.answer({"errcode": 42001, "errmsg": "expired"}),
        }
        return told.get(auth, lambda: self.answer({"error": "denied"}, 401))

    def _is_basic(self) -> bool:
        proof = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {proof}"

    def _has_token(self) -> bool:
        authorization = self.headers.get("Authorization") or ""
        return self.vendor.spend(authorization.removeprefix("Bearer "))

    def _has_session(self) -> bool:
        pairs = (self.headers.get("Cookie") or "").split(";")
        cookies = dict(pair.strip().split("=", 1) for pair in pairs if "=" in pair)
        return self.vendor.spend(cookies.get("SID", ""))

    def _is_body_signed(self) -> bool:
        sent = {k: v for k, v in self.given.items() if k != "sign"}
        text = "&".join(f"{n}={v}" for n, v in sorted(sent.items())) + f"&key={SECRET}"
        return self.given.get("sign") == hashlib.md5(text.encode()).hexdigest()

    def _is_join_signed(self) -> bool:
        sent = {k: v for k, v in self.given.items() if k != "sign"}
        text = "".join(f"{n}{v}" for n, v in sorted(sent.items()))
        secret = hmac.new(f"{SECRET}&".encode(), text.encode(), "sha1").hexdigest()
        return self.given.get("sign") == secret.upper()

    def _is_signed(self, path: str) -> bool:
        query = "&".join(
            f"{quote(n, safe='-._~')}={quote(v, safe='-._~')}"
            for n, v in sorted(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        )
        stamp, nonce = self.headers.get("X-Timestamp", ""), self.headers.get("X-Nonce", "")
        body = hashlib.sha256(self.sent).hexdigest()
        canonical = f"{self.command}\n{path}\n{query}\n{stamp}\n{nonce}\n{body}"
        signature = hmac.new(SECRET.encode(), canonical.encode(), "sha256").digest()
        return self.headers.get("X-Signature") == base64.b64encode(
            signature
        ).decode() and not self.vendor.knows(nonce)

    def _is_md5_signed(self) -> bool:
        given = dict(self.given)
        sign = given.pop("sign", "")
        text = "&".join(f"{n}={v}" for n, v in sorted(given.items()) if v != "")
        digest = hashlib.md5(f"{text}&secret={SECRET}".encode()).hexdigest().upper()
        return bool(sign == digest and given.get("appId") == KEY)

    # ---- the list

    def _list(self) -> None:
        vendor, given = self.vendor, self.given
        wanted = int(given.get("size", given.get("limit", "20")))
        if vendor.refuses_over is not None and wanted > vendor.refuses_over:
            return self.answer({"error": "size too large"}, 400)
        size = min(wanted, vendor.size_cap or wanted)
        size = vendor.ignores_size or size
        vendor.before_page(len(vendor.requests))
        records = vendor.selected(given)
        body, headers = self._page(records, size)
        if vendor.past_end_status is not None and not body["data"]["list"]:
            return self.answer({"detail": "Invalid page."}, vendor.past_end_status)
        return self.answer(body, headers=headers)

    def _page(self, records: list[Record], size: int) -> tuple[Any, dict[str, str]]:
        paging = self.vendor.paging
        if paging in NUMBERED:
            return self._numbered_page(records, size)
        if paging == "offset":
            offset = int(self.given.get("offset", "0"))
            found = self._doubled(records[offset : offset + size])
            return {"data": {"list": found, **self._total(len(records))}}, {}
        if paging == "single":
            return {"data": {"list": records}}, {}
        if paging == "bare_list":
            return records, {}
        return self._chained_page(records, size)

    def _doubled(self, found: list[Record]) -> list[Record]:
        return found + found[: self.vendor.doubled]

    def _total(self, total: int) -> dict[str, int]:
        vendor = self.vendor
        told = total if vendor.total_told is None else vendor.total_told
        return {"total": told} if vendor.tells_total else {}

    def _numbered_page(self, records: list[Record], size: int) -> tuple[Any, dict[str, str]]:
        vendor, given, paging = self.vendor, self.given, self.vendor.paging
        pages = -(-len(records) // size)
        number = int(given.get("page", given.get("pager.page", vendor.start))) - vendor.start
        if vendor.clamps_page:
            number = min(number, max(pages - 1, 0))
        total = len(records) if vendor.total_told is None else vendor.total_told
        pages = -(-total // size)
        body: dict[str, Any] = {
            "data": {"list": self._doubled(records[number * size : (number + 1) * size])}
        }
        headers = {}
        if paging == "page_number":
            body["data"] |= self._total(total)
        elif paging == "total_pages":
            body["pages"] = pages
        elif paging == "has_more":
            body["more"] = number + 1 < pages
        elif paging == "total_header":
            headers["X-Total"] = str(total)
        elif paging == "pages_header":
            headers["X-Pages"] = str(pages)
        return body, headers

    def _chained_page(self, records: list[Record], size: int) -> tuple[Any, dict[str, str]]:
        vendor, given, paging = self.vendor, self.given, self.vendor.paging
        position, total = int(given.get("cursor") or "0"), len(records)
        following: int | None = position + size if position + size < total else None
        repeats = vendor.repeats_page and (position // size) % 3 == 1 and "again" not in given
        if repeats:
            # The same page once more under another cursor, as systems do after a fail-over.
            following = position
        told = {"total": total} if vendor.tells_total else {}
        body: dict[str, Any] = {"data": {"list": records[position : position + size], **told}}
        if paging == "cursor_body":
            body["next"] = following
        if following is None:
            return body, {}
        if paging == "cursor_header":
            return body, {"X-Next": str(following)}
        kept = "".join(f"&{n}={quote(v)}" for n, v in given.items() if n not in ("cursor", "again"))
        link = f"/records?cursor={following}{kept}{'&again=1' if repeats else ''}"
        if paging == "next_link":
            body["links"] = {"next": vendor.url + link}
        if paging == "link_header":
            first = f'<{vendor.url}/first>; rel="first"'
            return body, {"Link": f'{first}, <{link}>; rel="next"'}
        return body, {}

    # ---- answers

    def answer(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """The body in the vendor's format and encoding."""
        vendor = self.vendor
        found = (
            body["data"]["list"]
            if isinstance(body, dict) and "list" in (body.get("data") or {})
            else None
        )
        if vendor.form == "json" or status != 200 or (found is None and not isinstance(body, list)):
            text = json.dumps(body, ensure_ascii=False)
            kind = "application/json"
        elif vendor.form == "jsonp":
            text, kind = f"/**/back({json.dumps(body)});", "application/javascript"
        elif vendor.form == "ndjson":
            text, kind = (
                "\n".join(
                    json.dumps(r, ensure_ascii=False) for r in (body if found is None else found)
                ),
                "application/x-ndjson",
            )
        elif vendor.form == "xml":
            text, kind = _xml(body, vendor.encoding), "application/xml"
        else:
            text, kind = _csv(found or []), "text/csv"
        self.raw(text.encode(vendor.encoding), kind, headers, status)

    def answer_json(self, body: Any, headers: dict[str, str] | None = None) -> None:
        """A body as it is, in JSON."""
        self.raw(json.dumps(body).encode(), "application/json", headers)

    def raw(
        self, content: bytes, kind: str, headers: dict[str, str] | None = None, status: int = 200
    ) -> None:
        """Bytes as they are."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _flat(body: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in body.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _xml(body: Any, encoding: str) -> str:
    from xml.sax.saxutils import escape

    def element(name: str, value: Any) -> str:
        if isinstance(value, dict):
            return f"<{name}>{''.join(element(n, v) for n, v in value.items())}</{name}>"
        if isinstance(value, list):
            return f"<{name}>{''.join(element('item', v) for v in value)}</{name}>"
        return f"<{name}>{'' if value is None else escape(str(value))}</{name}>"

    return f'<?xml version="1.0" encoding="{encoding}"?>' + element("response", body)


def _csv(records: list[Record]) -> str:
    stream = io.StringIO()
    flat = [_flat({k: v for k, v in r.items() if not isinstance(v, list)}) for r in records]
    writer = csv.DictWriter(stream, list(flat[0]) if flat else ["id"])
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue()


def fail(status: int, headers: dict[str, str] | None = None) -> Callable[[_Handler], bool]:
    """A fault: one answer with this status."""

    def fault(handler: _Handler) -> bool:
        handler.answer({"error": "PD7731 王某某"}, status, headers)
        return True

    return fault


def slip(page: int, body: Any) -> Callable[[_Handler], bool]:
    """A fault: this page says something else, once."""

    def fault(handler: _Handler) -> bool:
        if handler.given.get("page") != str(page):
            return False
        handler.answer(body)
        return True

    return fault


def cut_chain(handler: _Handler) -> bool:
    """A fault: the third page of a chain does not say which is the next, once."""
    if handler.given.get("cursor") != "14":
        return False
    records = handler.vendor.records
    handler.answer({"data": {"list": records[14:21], "total": len(records)}})
    return True


def from_request(number: int, fault: Callable[[_Handler], bool]) -> Callable[[_Handler], bool]:
    """The fault, not before so many requests have come."""
    return lambda handler: len(handler.vendor.requests) >= number and fault(handler)


def envelope(handler: _Handler) -> bool:
    """No fault: the first page with a business code and a count around it, once."""
    with handler.vendor.lock:
        found = handler.vendor.records[:20]
        handler.answer({"code": 0, "data": {"list": found, "total": len(handler.vendor.records)}})
    return True


def drop(handler: _Handler) -> bool:
    """A fault: the connection ends within the answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data": ')
    handler.close_connection = True
    return True


def cut_short(handler: _Handler) -> bool:
    """A fault: half of the JSON, in well-formed HTTP."""
    handler.raw(b'{"data": {"list": [{"id": "1"', "application/json")
    return True
