"""An object storage of the tests' own on a free port of the loopback: moto's server, over HTTP or TLS,
which can be told to refuse, and to be away."""

from __future__ import annotations

import ipaddress
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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

    own = None if folder is None else certificate(folder)
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


def certificate(folder: Path, host: str = HOST) -> tuple[str, str]:
    """A certificate for an address that only those trust who are given it, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    address = x509.IPAddress(ipaddress.ip_address(host))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = (folder / "authority.pem", folder / "key.pem")
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(files[0]), str(files[1])
