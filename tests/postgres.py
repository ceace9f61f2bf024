"""A PostgreSQL of the tests' own: a private cluster on a free port of the loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

PASSWORD = "p'a s\\s:w@rd"
"""With all that an address must quote."""


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; Debian keeps them off the path."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def programs_or_skip() -> Path:
    """The same, for tests: without them there is nothing to test (in CI that is a failure)."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    return found


def _not_root() -> dict[str, Any]:
    """PostgreSQL refuses root, which a container's tests may run as."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@dataclass(frozen=True)
class Cluster:
    programs: Path
    folder: Path
    port: int
    language: str = ""

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PGPASSWORD": PASSWORD,
                # The plain "C" would be English, whatever the language.
                "LC_ALL": "C.UTF-8" if self.language else "C",
                "LANGUAGE": self.language,
            },
            check=True,
            # The server inherits what pg_ctl is given: a pipe would never end.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            **_not_root(),
        )

    def control(self, command: str) -> None:
        self.run("pg_ctl", "-w", "-D", "data", "-m", "fast", "-l", "log", command)

    def database(self, name: str) -> str:
        """Make a database; returns its address."""
        server = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "nianbao")
        self.run("createdb", *server, name)
        quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        return f"host=127.0.0.1 port={self.port} user=nianbao dbname={name} password='{quoted}'"


@contextmanager
def running(programs: Path, language: str = "") -> Iterator[Cluster]:
    """A new cluster, gone afterwards. It speaks English unless a language is named."""
    port = free_port()
    # Below pytest's folder nobody but its owner may go.
    folder = Path(tempfile.mkdtemp(prefix="nianbao-postgres-"))
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if given := _not_root():
            os.chown(folder, given["user"], given["group"])
            os.chown(secret, given["user"], given["group"])
        cluster = Cluster(programs, folder, port, language)
        cluster.run(
            "initdb",
            *("-D", "data", "-U", "nianbao", "-E", "UTF8", "--locale=C", "--no-sync"),
            *("--auth=scram-sha-256", "--pwfile=password"),
        )
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write(
                f"port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"
                "fsync = off\n"
            )
            if language:
                file.write("lc_messages = 'C.UTF-8'\n")
        cluster.control("start")
        try:
            yield cluster
        finally:
            cluster.control("stop")
    finally:
        shutil.rmtree(folder)
