"""Running the real command line against the demo city, for tests of the whole way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Installation:
    """A data home with the environment in which its commands run."""

    home: Path
    environment: Mapping[str, str]

    @classmethod
    def at(cls, home: Path, services: Mapping[str, str]) -> Installation:
        """`services` are the addresses and secrets of a running demo city."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("NIANBAO_", "PREFECT_"))}
        return cls(
            home,
            {
                **kept,
                **services,
                "NIANBAO_HOME": str(home),
                "NIANBAO_RETRY_SECONDS": "0.2",
                "COLUMNS": "160",
            },
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from deployments.cli import main; main()", *arguments]

    def run(self, *arguments: str, expect: int = 0, timeout: float = 300) -> str:
        """A command's standard output; its exit code must be `expect`."""
        return self._run(self.command(*arguments), expect, timeout)

    def python(self, code: str, timeout: float = 300) -> str:
        """The standard output of a piece of Python, for what has no command."""
        return self._run([sys.executable, "-c", code], 0, timeout)

    def _run(self, command: list[str], expect: int, timeout: float) -> str:
        done = subprocess.run(
            command,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == expect, (command[2:], done.returncode, done.stdout, done.stderr)
        return done.stdout

    def json(self, *arguments: str, expect: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", expect=expect))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command in a process group of its own, so that all of it can be killed."""
        return subprocess.Popen(
            self.command(*arguments),
            env=dict(self.environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
