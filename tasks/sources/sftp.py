"""A folder of workbooks on an SFTP server, read over one connection that stays open for a pull.

The server must show the key that the source file names: a check that could be turned off is none.
"""

from __future__ import annotations

import asyncio
import posixpath
import stat
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from tasks.sources.errors import SourceContractError, SourceDenied, SourceUnavailable
from tasks.sources.grids import UnreadableWorkbook
from tasks.sources.model import Source
from tasks.sources.model.resource import Sftp

Given = TypeVar("Given")
CLOSING_SECONDS = 5
DEEPEST = 6


@dataclass(frozen=True)
class RemoteFile:
    """A file on the server: its name below the folder, size, and time of change."""

    name: str
    size: int
    changed: int

    @property
    def mark(self) -> str:
        """What changes with the content."""
        return f"{self.size}|{self.changed}"


class SftpFolder:
    """An open folder; any thread may read from it."""

    def __init__(
        self,
        source: Source,
        rule: Sftp,
        run: Callable[[Coroutine[Any, Any, Any]], Any],
        client: Any,
    ) -> None:
        self._source = source
        self._rule = rule
        self._run = run
        self._client = client

    def files(self, is_deep: bool) -> list[RemoteFile]:
        """The files of the folder, and of those below it. Raises SourceError."""
        found: list[RemoteFile] = self._run(
            self._walk(self._rule.folder, "", DEEPEST if is_deep else 0)
        )
        return sorted(found, key=lambda one: one.name)

    async def _walk(self, folder: str, prefix: str, deep: int) -> list[RemoteFile]:
        found = []
        for entry in await self._client.readdir(folder):
            name, given = str(entry.filename), entry.attrs
            if name in (".", ".."):
                continue
            mode = given.permissions or 0
            if stat.S_ISDIR(mode):
                if deep:
                    inner = posixpath.join(folder, name)
                    found += await self._walk(inner, f"{prefix}{name}/", deep - 1)
            elif stat.S_ISREG(mode) or not mode:
                found.append(RemoteFile(prefix + name, given.size or 0, given.mtime or 0))
        return found

    def read(self, name: str, most: int) -> bytes:
        """What a file holds. Raises SourceError, and UnreadableWorkbook for one that is too large."""

        async def content() -> bytes:
            async with self._client.open(posixpath.join(self._rule.folder, name), "rb") as file:
                held: bytes = await file.read(most + 1)
                return held

        held: bytes = self._run(content())
        if len(held) > most:
            raise UnreadableWorkbook(f"大于 {most >> 20} MB,未读取;请删去表格之外的内容后另存")
        return held


@contextmanager
def opened(source: Source, rule: Sftp) -> Iterator[SftpFolder]:
    """The folder of a server. Raises SourceUnavailable, SourceDenied or SourceContractError."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sftp", daemon=True)
    thread.start()

    def run(step: Coroutine[Any, Any, Given]) -> Given:
        future = asyncio.run_coroutine_threadsafe(step, loop)
        try:
            return future.result(source.http.longest_answer_seconds)
        except TimeoutError:
            future.cancel()
            raise SourceUnavailable(
                f"{source.title}的 SFTP 服务器 {rule.shown} 在 {source.http.longest_answer_seconds:g} 秒内没有传完;请稍后重试"
            ) from None
        except Exception as error:
            raise _refusal(source, rule, error) from None

    try:
        connection, client = run(_connected(source, rule))
        try:
            yield SftpFolder(source, rule, run, client)
        finally:
            run(_closed(connection, client))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSING_SECONDS)
        loop.close()


async def _connected(source: Source, rule: Sftp) -> tuple[Any, Any]:
    import asyncssh

    given: dict[str, Any] = {}
    if rule.private_key is not None:
        key = str(source.file.parent / rule.private_key)
        passphrase = rule.passphrase.get_secret_value() if rule.passphrase else None
        given["client_keys"] = [asyncssh.read_private_key(key, passphrase)]
    else:
        given["client_keys"] = None
        given["password"] = rule.password.get_secret_value() if rule.password else None
    connection = await asyncssh.connect(
        rule.host,
        rule.port,
        username=rule.username,
        known_hosts=([asyncssh.import_public_key(rule.host_key)], [], []),
        connect_timeout=source.http.connect_timeout_seconds,
        login_timeout=source.http.timeout_seconds,
        # Nothing of the machine's user is ours: no agent, no configuration.
        agent_path=None,
        config=None,
        **given,
    )
    return connection, await connection.start_sftp_client()


async def _closed(connection: Any, client: Any) -> None:
    client.exit()
    connection.close()
    await connection.wait_closed()


def _refusal(source: Source, rule: Sftp, error: Exception) -> Exception:
    """What went wrong, by its kind: texts of these errors may hold more than a message should."""
    if isinstance(error, ImportError):
        return SourceContractError(
            f"{source.title}:读 SFTP 目录需要 asyncssh,请安装(pip install 'nianbao[sftp]')"
        )
    kind = type(error).__name__
    where = f"{source.title}的 SFTP 服务器 {rule.shown}"
    if kind == "HostKeyNotVerifiable":
        return SourceDenied(
            f"{where} 出示的主机密钥与 host_key 不符,已断开;请与对方核实后更新 host_key"
        )
    if kind in ("PermissionDenied", "KeyEncryptionError", "KeyImportError"):
        return SourceDenied(f"{where} 拒绝了登录;请核对 username、password 或 private_key")
    if kind in ("SFTPNoSuchFile", "SFTPNoSuchPath"):
        return SourceContractError(
            f"{where} 没有目录或文件 {rule.folder};请核对 workbook.sftp.folder"
        )
    if kind == "SFTPPermissionDenied":
        return SourceDenied(f"{where} 不许读 {rule.folder};请核对账号的权限")
    return SourceUnavailable(
        f"{where} 连不上或中断({kind});请确认服务器是否在线、地址与端口是否正确"
    )
