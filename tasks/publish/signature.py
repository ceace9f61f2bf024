"""The installation's signature: an Ed25519 key (RFC 8032) of the data home signs each manifest.

Every publication carries the hash of the one before it, so that together they are a chain. A
chain does not show that its tail was cut off: a checkpoint, number and head, kept outside does.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from warehouse.errors import EntryError, MachineError
from warehouse.lake_errors import unwritable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY = "signing.key"
PUBLIC_KEY = "signing.pub"
SIGNATURE = "manifest.sig"
"""Beside the manifest; it is not listed in what it signs."""
ALGORITHM = "Ed25519"
_DOMAIN = b"nianbao publication 1\n"
_KEY = re.compile("[0-9a-f]{64}")
_CHECKPOINT = re.compile(r"(\d{1,9})\s*[:\uff1a]\s*([0-9a-f]{64})")


class UnusableKey(MachineError):
    """The installation's key cannot be read; the message says what to do."""


class WrongCheckpoint(EntryError):
    """A checkpoint that cannot be read; the message says how it is written."""


class WrongKey(EntryError):
    """A public key that cannot be read; the message says how it is written."""


def key_read(text: str) -> str:
    """A public key as `signing.pub` shows it. Raises WrongKey."""
    key = text.strip().lower()
    if not _KEY.fullmatch(key):
        raise WrongKey(
            f"公钥“{text[:80]}”看不懂:应为 64 位的数字与字母 a-f,照 signing.pub 原样填写"
        )
    return key


@dataclass(frozen=True)
class Checkpoint:
    """How far the chain went: the number of a publication, and the hash of its manifest."""

    number: int
    head: str

    def __str__(self) -> str:
        return f"{self.number}:{self.head}"

    @classmethod
    def read(cls, text: str) -> Checkpoint:
        """From how it was handed out. Raises WrongCheckpoint."""
        found = _CHECKPOINT.fullmatch(text.strip().lower())
        if found is None:
            raise WrongCheckpoint(
                f"核对码“{text[:80]}”看不懂:应为 次数:指纹,如 3:5b07…(64 位),照发布时的消息原样填写"
            )
        return cls(int(found[1]), found[2])


@dataclass(frozen=True)
class Signature:
    """What lies beside a manifest: which key signed it, and the signature, in hexadecimals."""

    key: str
    signature: str

    def is_of(self, manifest: bytes) -> bool:
        """Whether that key signed these very bytes."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
            public.verify(bytes.fromhex(self.signature), _DOMAIN + manifest)
        except (InvalidSignature, ValueError):
            return False
        return True

    def save(self, folder: Path) -> None:
        """Write it beside the manifest."""
        told = {"algorithm": ALGORITHM, "key": self.key, "signature": self.signature}
        (folder / SIGNATURE).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def of_folder(cls, folder: Path) -> Signature | None:
        """The one that lies in a folder; None where there is none that can be read."""
        try:
            told: Any = json.loads(bytes_of(folder / SIGNATURE) or b"")
            return cls(str(told["key"]), str(told["signature"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return None


def bytes_of(path: Path) -> bytes | None:
    """A file's bytes; None where none can be read. Only of a file that is one: a link leads
    elsewhere, and whoever opens a pipe waits for ever."""
    try:
        return path.read_bytes() if stat.S_ISREG(os.lstat(path).st_mode) else None
    except OSError:
        return None


def sign(home: Path, manifest: bytes) -> Signature:
    """Sign a manifest with the installation's key (`signing_key`). Raises LakeError, UnusableKey."""
    key = _key(home, makes=False)
    return Signature(_public(key), key.sign(_DOMAIN + manifest).hex())


def public_key(home: Path) -> str:
    """The installation's public key in hexadecimals; empty where nothing was signed yet. Who
    verifies need not be able to sign. Raises LakeError, UnusableKey."""
    found = (bytes_of(home / PUBLIC_KEY) or b"").decode("ascii", errors="replace").strip()
    if _KEY.fullmatch(found):
        return found
    return _public(_key(home, makes=False)) if (home / KEY).exists() else ""


def signing_key(home: Path, *, is_first: bool) -> str:
    """The public key of the key that will sign. It is made for the first signature only: with
    another key the chain could not go on. Raises LakeError, UnusableKey."""
    return _public(_key(home, makes=is_first))


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def _key(home: Path, *, makes: bool) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = home / KEY
    try:
        if not path.exists() and not makes:
            raise UnusableKey(
                f"签名密钥 {path} 不在了。已有用它签名发布的版次,换一把密钥就接不上发布链。"
                "请从备份恢复 signing.key 和 signing.pub"
            )
        if not path.exists():
            home.mkdir(parents=True, exist_ok=True)
            with FileLock(home / f".{KEY}.lock"):
                if not path.exists():
                    _make(path)
        found = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise unwritable(path, error) from error
    except ValueError as error:
        raise UnusableKey(f"签名密钥 {path} 读不出来。请从备份恢复该文件") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise UnusableKey(f"签名密钥 {path} 不是 {ALGORITHM} 密钥。请从备份恢复该文件")
    return found


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    working = path.with_name(f".{KEY}.new")
    working.unlink(missing_ok=True)
    with os.fdopen(os.open(working, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    path.with_name(PUBLIC_KEY).write_text(f"{_public(key)}\n", encoding="ascii")
    working.rename(path)
