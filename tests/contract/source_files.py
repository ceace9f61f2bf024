"""Source files for the fake vendor, written as a city would write them, and what was landed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import yaml
import zstandard

from tasks.sources.landing import Landed
from tasks.sources.model import Source, load_source
from tasks.sources.plan import Pull
from tasks.sources.pull import pull
from tests.contract.vendor import Vendor
from tests.contract.vendor.server import KEY, PASSWORD, SECRET, SIGN_IN_TITLE, USER

ENVIRONMENT = {"VENDOR_KEY": KEY, "VENDOR_SECRET": SECRET, "VENDOR_PASSWORD": PASSWORD}

PAGINATORS: dict[str, dict[str, Any]] = {
    "page_number": {"type": "page_number", "size_param": "size", "total": "data.total"},
    "total_pages": {"type": "page_number", "size_param": "size", "total_pages": "pages"},
    "total_header": {"type": "page_number", "size_param": "size", "total_header": "X-Total"},
    "pages_header": {"type": "page_number", "size_param": "size", "total_pages_header": "X-Pages"},
    "until_empty": {"type": "page_number", "size_param": "size"},
    "has_more": {"type": "page_number", "size_param": "size", "has_more": "more"},
    "offset": {"type": "offset", "total": "data.total"},
    "cursor_body": {"type": "cursor", "next": "next", "size_param": "size"},
    "cursor_header": {"type": "cursor", "next_header": "X-Next", "size_param": "size"},
    "next_link": {"type": "next_link", "next": "links.next", "size_param": "size"},
    "link_header": {"type": "link_header", "size_param": "size"},
    "single": {"type": "single"},
}
AUTHS: dict[str, dict[str, Any]] = {
    "none": {"type": "none"},
    "api_key_header": {"type": "api_key", "value": "${VENDOR_KEY}"},
    "api_key_query": {"type": "api_key", "in": "query", "name": "key", "value": "${VENDOR_KEY}"},
    "basic": {"type": "basic", "username": USER, "password": "${VENDOR_PASSWORD}"},
    "bearer": {"type": "bearer", "token": "${VENDOR_KEY}"},
    "oauth2_client": {
        "type": "oauth2_client_credentials",
        "token_url": "/token",
        "client_id": "${VENDOR_KEY}",
        "client_secret": "${VENDOR_SECRET}",
    },
    "oauth2_client_basic": {
        "type": "oauth2_client_credentials",
        "token_url": "/token",
        "client_id": "${VENDOR_KEY}",
        "client_secret": "${VENDOR_SECRET}",
        "send_client": "basic",
    },
    "oauth2_password": {
        "type": "oauth2_password",
        "token_url": "/token",
        "username": USER,
        "password": "${VENDOR_PASSWORD}",
        "body_type": "json",
    },
    "business_code": {
        "type": "oauth2_client_credentials",
        "token_url": "/token",
        "client_id": "${VENDOR_KEY}",
        "client_secret": "${VENDOR_SECRET}",
        "expired": {"path": "code", "values": [40101]},
    },
    "session": {
        "type": "session",
        "login_path": "/login",
        "body": {"user": USER, "pass": "${VENDOR_PASSWORD}"},
        "cookie": "SID",
    },
    "session_redirect": {
        "type": "session",
        "login_path": "/login",
        "body": {"user": USER, "pass": "${VENDOR_PASSWORD}"},
        "cookie": "SID",
        "signed_out_location": "login.html",
    },
    "hmac_header": {
        "type": "signed",
        "secret": "${VENDOR_SECRET}",
        "canonical": "{method}\n{path}\n{query}\n{timestamp}\n{nonce}\n{body_digest}",
        "encoding": "base64",
        "headers": {
            "X-Timestamp": "{timestamp}",
            "X-Nonce": "{nonce}",
            "X-Signature": "{signature}",
        },
    },
    "md5_query": {
        "type": "signed",
        "algorithm": "md5",
        "key": "${VENDOR_KEY}",
        "secret": "${VENDOR_SECRET}",
        "canonical": "{params}&secret={secret}",
        "encoding": "hex_upper",
        "timestamp": "compact",
        "params": {"appId": "{key}", "timestamp": "{timestamp}", "sign": "{signature}"},
    },
}
RARER_AUTHS: dict[str, dict[str, Any]] = {
    "sign_in_page": {
        "type": "session",
        "page": {
            "path": "/login.jsp",
            "pattern": 'name="_csrf" value="([^"]+)"',
            "field": "_csrf",
        },
        "login_path": "/login",
        "body": {"user": USER, "pass": "${VENDOR_PASSWORD}"},
        "cookie": "SID",
        "expired": {"contains": SIGN_IN_TITLE},
    },
    "nested_login": {
        "type": "session",
        "login_path": "/login",
        "body_type": "json",
        "body": {"account.user": USER, "account.pass": "${VENDOR_PASSWORD}"},
        "cookie": "SID",
    },
    "token_param": {
        "type": "session",
        "login_path": "/token",
        "method": "GET",
        "body": {
            "grant_type": "client_credentials",
            "client_id": "${VENDOR_KEY}",
            "client_secret": "${VENDOR_SECRET}",
        },
        "token": "access_token",
        "token_param": "access_token",
        "expired": {"path": "errcode", "values": [42001]},
    },
    "body_signature": {
        "type": "signed",
        "algorithm": "md5",
        "key": "${VENDOR_KEY}",
        "secret": "${VENDOR_SECRET}",
        "timestamp": "%Y-%m-%d %H:%M:%S",
        "canonical": "{params}&key={secret}",
        "body": {"appId": "{key}", "timestamp": "{timestamp}", "sign": "{signature}"},
    },
    "joined_params": {
        "type": "signed",
        "algorithm": "hmac_sha1",
        "hmac_key": "{secret}&",
        "secret": "${VENDOR_SECRET}",
        "encoding": "hex_upper",
        "canonical": "{joined}",
        "params": {"timestamp": "{timestamp}", "sign": "{signature}"},
    },
}
FIELDS: dict[str, Any] = {
    "title": "title",
    "organ_id": {"path": "organ.code", "required": True},
    "published_at": {"path": "day", "type": "timestamp"},
}


def records(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Records as a vendor keeps them, personal data among them."""
    return [
        {
            "id": f"R{n:05d}",
            "title": f"关于第{n}号事项的通知",
            "organ": {"code": f"O{n % 7}", "name": "汕尾市教育局"},
            "day": f"2020-{n % 12 + 1:02d}-{n % 28 + 1:02d}",
            "updated": f"2020-12-{n % 28 + 1:02d}T10:00:{n % 60:02d}",
            "citizen": {"name": "PD7731 王某某", "phone": "12077310000"},
            "notes": [{"seq": k, "day": "2020-03-05", "text": "PD7731"} for k in range(n % 3)],
        }
        for n in range(start, start + count)
    ]


def raw_source(vendor: Vendor, paging: str = "page_number", **changes: Any) -> dict[str, Any]:
    """A source file's content; `changes` replace keys of the resource."""
    paginator = dict(PAGINATORS[paging])
    if paginator["type"] != "single":
        paginator.setdefault("size", 7)
    return {
        "name": "vendor",
        "title": "测试系统",
        "base_url": vendor.url,
        "auth": {**AUTHS, **RARER_AUTHS}[vendor.auth],
        "http": {"retries": 3, "concurrency": 4},
        "resources": [
            {
                "name": "articles",
                "title": "文章",
                "table": "article",
                "path": "/records",
                "paginator": paginator,
                "records": "data.list",
                "key": "id",
                "fields": FIELDS,
                **changes,
            }
        ],
    }


def written(tmp_path: Path, raw: dict[str, Any], name: str = "vendor") -> Source:
    """The source, read from a file as a city's would be."""
    file = tmp_path / f"{name}.yaml"
    file.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return load_source(file, ENVIRONMENT)


def pulled(tmp_path: Path, source: Source, **given: Any) -> Landed:
    """A whole pull of the source's first resource."""
    return pull(Pull(source, source.resources[0], is_full=True, **given), tmp_path / "landing")


def lines(file: Path) -> list[dict[str, Any]]:
    """The rows of a landing file."""
    content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(file.read_bytes()))
    return [msgspec.json.decode(line) for line in content.read().splitlines()]


def rows(landed: Landed, name: str = "articles") -> list[dict[str, Any]]:
    """The landed rows of a list."""
    return [row for file in landed.manifest.files(name) for row in lines(landed.folder / file.name)]


def ids(landed: Landed, name: str = "articles") -> list[str]:
    """The ids of the landed rows, sorted."""
    return sorted(row["$id"] for row in rows(landed, name))
