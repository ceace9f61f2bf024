"""Objects of a bucket, of whatever kind: put whole, listed, brought, removed.

DuckDB writes and reads the lake's own files; it has no statement that removes an object, and keeps what it
moves in memory. So everything else goes through botocore (the extra `storage`), which is told all it needs:
what the environment says for other programs is none of ours.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from warehouse.errors import ConfigurationError
from warehouse.lake_errors import (
    STORAGE_AWAY,
    STORAGE_HAS_NO_BUCKET,
    STORAGE_REFUSES,
    LakeError,
)
from warehouse.storage import SCHEME

if TYPE_CHECKING:
    from warehouse.storage import Bucket

Answer = TypeVar("Answer")
PATIENCE_READING = 10.0
"""Seconds for which a service that is away is asked again, by one who waits for the answer."""
PATIENCE_WRITING = 90.0
"""The same for what was pulled or built: a service is begun anew within a minute."""
LONGEST_WAIT = 10.0
CONNECT_SECONDS, READ_SECONDS = 10, 60
BLOCK = 1 << 20
_SERVER_FAULT, _TOO_MANY, _REFUSED = 500, 429, (401, 403)
_PASSING = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable"}


class StorageAway(LakeError):
    """The object storage did not answer, for longer than it was waited for."""


class NoObject(Exception):
    """There is no object of this key."""


@dataclass(frozen=True)
class Listed:
    """An object as the service lists it; `etag` is another whenever its content is."""

    bytes: int
    etag: str
    modified_at: datetime


class Objects:
    """The objects of a bucket, by key. Every call is made again while the service is away, for
    `PATIENCE_READING` or `PATIENCE_WRITING` seconds; then it raises StorageAway. Whatever else the
    service refuses is a LakeError. A key or secret is in no message."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._client = _client_of(bucket)

    def put(self, key: str, path: Path) -> str:
        """Write a file as an object; returns its etag. It is there whole or not at all, as the
        service holds what comes against its length and MD5."""
        digest = _md5_of(path)

        def put() -> str:
            with path.open("rb") as stream:
                return self._put(key, stream, digest)

        return self._patiently(put, key, PATIENCE_WRITING)

    def put_bytes(self, key: str, content: bytes) -> None:
        """Write bytes as an object."""
        digest = hashlib.md5(content, usedforsecurity=False).digest()
        self._patiently(lambda: self._put(key, content, digest), key, PATIENCE_WRITING)

    def _put(self, key: str, body: Any, digest: bytes) -> str:
        told = self._client.put_object(
            Bucket=self._bucket.name,
            Key=key,
            Body=body,
            ContentMD5=base64.b64encode(digest).decode(),
        )
        return str(told["ETag"])

    def bytes_of(self, key: str) -> bytes:
        """The content of a small object. Raises NoObject."""
        return self._patiently(lambda: b"".join(self._blocks(key)), key, PATIENCE_READING)

    def bring(self, key: str, path: Path) -> None:
        """Write an object's content to a file. Raises NoObject."""

        def bring() -> None:
            with path.open("wb") as stream:
                stream.writelines(self._blocks(key))

        self._patiently(bring, key, PATIENCE_WRITING)

    def _blocks(self, key: str) -> Iterable[bytes]:
        told = self._client.get_object(Bucket=self._bucket.name, Key=key)
        with closing(told["Body"]) as body:
            yield from body.iter_chunks(BLOCK)

    def listed(self, prefix: str) -> dict[str, Listed]:
        """The objects whose keys begin so."""

        def listed() -> dict[str, Listed]:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket.name, Prefix=prefix
            )
            return {
                str(one["Key"]): Listed(int(one["Size"]), str(one["ETag"]), one["LastModified"])
                for page in pages
                for one in page.get("Contents", [])
            }

        return self._patiently(listed, prefix, PATIENCE_READING)

    def remove(self, keys: Iterable[str]) -> None:
        """Take objects away; what is not there already is no fault."""
        for key in keys:
            remove = partial(self._client.delete_object, Bucket=self._bucket.name, Key=key)
            self._patiently(remove, key, PATIENCE_WRITING)

    def _patiently(self, ask: Callable[[], Answer], key: str, patience: float) -> Answer:
        from botocore.exceptions import BotoCoreError, ClientError

        until, wait = time.monotonic() + patience, 0.2
        while True:
            try:
                return ask()
            except (BotoCoreError, ClientError) as error:
                if not _may_pass(error) or time.monotonic() + wait > until:
                    raise _explained(error, f"{SCHEME}{self._bucket.name}/{key}") from error
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)


def _explained(error: Any, place: str) -> Exception:
    """What is told of a refusal."""
    code, status = _answered(error)
    if code == "NoSuchBucket":
        return LakeError(STORAGE_HAS_NO_BUCKET.format(object=place))
    if status in _REFUSED:
        return LakeError(STORAGE_REFUSES.format(object=place))
    if code in ("NoSuchKey", "404"):
        return NoObject(place)
    said = f"{status} {code}" if code else type(error).__name__
    return StorageAway(STORAGE_AWAY.format(object=place, http=said))


def _answered(error: Any) -> tuple[str, int]:
    """Code and status of an answer that refuses; nothing where no answer came."""
    told = getattr(error, "response", None) or {}
    return (
        str(told.get("Error", {}).get("Code", "")),
        int(told.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)),
    )


def _may_pass(error: Any) -> bool:
    """Whether asking again may help: no answer, half an answer, or one that says that the service is busy."""
    from botocore.exceptions import ConnectionError as Unconnected
    from botocore.exceptions import HTTPClientError, IncompleteReadError, SSLError

    code, status = _answered(error)
    if status:
        return status >= _SERVER_FAULT or status == _TOO_MANY or code in _PASSING
    # A certificate does not become another one.
    is_of_the_way = isinstance(error, (HTTPClientError, Unconnected, IncompleteReadError))
    return is_of_the_way and not isinstance(error, SSLError)


def _md5_of(path: Path) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).digest()


@lru_cache(maxsize=8)
def _client_of(bucket: Bucket) -> Any:
    """A client of the service, which any thread may use. Raises ConfigurationError."""
    try:
        import botocore.session
        from botocore.config import Config
    except ImportError as error:
        raise ConfigurationError(
            "NIANBAO_STORAGE 是对象存储,而没有安装所需的软件包 botocore。请按 requirements/storage.lock "
            "安装,或运行 pip install 'nianbao[storage]'"
        ) from error
    session = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    scheme = "https" if bucket.is_encrypted else "http"
    return session.create_client(
        "s3",
        region_name=bucket.region or None,
        endpoint_url=f"{scheme}://{bucket.endpoint}" if bucket.endpoint else None,
        aws_access_key_id=bucket.key,
        aws_secret_access_key=bucket.secret,
        verify=str(bucket.authority) if bucket.authority is not None else True,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if bucket.has_path_style else "virtual"},
            # `_patiently` asks again.
            retries={"total_max_attempts": 1},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            # Of the newer kinds many services know nothing; MD5 is told with each put.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            ignore_configured_endpoint_urls=True,
        ),
    )
