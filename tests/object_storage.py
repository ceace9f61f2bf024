"""An object storage of the tests' own on a free port of the loopback: moto's server, over HTTP or TLS,
which can be told to refuse, and to be away."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.certificates import certificate

HOST = "127.0.0.1"
KEY = "key-of-the-tests"


@dataclass
class ObjectStorage:
    """`refuses` is a status and an error code that every request is answered with; `asked` holds
    method and path of each request."""

    endpoint: str
    authority: Path | None = None
    refuses: tuple[int, str] | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    def make_bucket(self, name: str) -> None:
        made = requests.put(
            f"{self.endpoint}/{name}", verify=str(self.authority or True), timeout=10
        )
        assert made.status_code == 200

    def put(self, address: str, content: bytes) -> None:
        """Write an object byte by byte, as a copying tool would."""
        made = requests.put(
            f"{self.endpoint}/{address.removeprefix('s3://')}", data=content, timeout=10
        )
        assert made.status_code == 200

    def objects(self, bucket: str) -> list[str]:
        """The keys of a bucket's objects."""
        found = requests.get(
            f"{self.endpoint}/{bucket}?list-type=2", verify=str(self.authority or True), timeout=10
        )
        return sorted(re.findall("<Key>(.*?)</Key>", found.text))


@contextmanager
def running(folder: Path | None = None) -> Iterator[ObjectStorage]:
    """A service, encrypted where a folder for its certificates is given."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    backend = DomainDispatcherApplication(create_backend_app)
    made: list[ObjectStorage] = []

    def answer(environ: dict[str, Any], start: Any) -> Any:
        storage = made[0]
        storage.asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        is_ours = KEY in environ.get("HTTP_AUTHORIZATION", KEY)
        refuses = storage.refuses or (None if is_ours else (403, "InvalidAccessKeyId"))
        if refuses is None:
            return backend(environ, start)
        start(f"{refuses[0]} refused", [("Content-Type", "application/xml")])
        return [f"<Error><Code>{refuses[1]}</Code><Message>no</Message></Error>".encode()]

    own = None if folder is None else certificate(folder, HOST)
    server = make_server(HOST, 0, answer, threaded=True, ssl_context=own)
    made.append(
        ObjectStorage(
            f"{'http' if own is None else 'https'}://{HOST}:{server.port}",
            None if own is None else Path(own[0]),
        )
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
