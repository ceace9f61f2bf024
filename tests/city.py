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

from tests.warm import Command, Server


@dataclass(frozen=True)
class Installation:
    """A data home with the environment in which its commands run.

    With `warm`, commands are forked from a process that has imported what they need.
    """

    home: Path
    environment: Mapping[str, str]
    warm: Server | None = None

    @classmethod
    def at(
        cls, home: Path, services: Mapping[str, str], warm: Server | None = None
    ) -> Installation:
        """`services` are the addresses and secrets of a running demo city."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("NIANBAO_", "PREFECT_"))}
        return cls(
            home,
            {
                **kept,
                # As in tests/conftest.py.
                "NIANBAO_THREADS": "1",
                **services,
                "NIANBAO_HOME": str(home),
                "NIANBAO_RETRY_SECONDS": "0.2",
                "COLUMNS": "160",
            },
            warm,
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from deployments.cli import main; main()", *arguments]

    def run(self, *arguments: str, expect: int = 0, timeout: float = 300) -> str:
        """What a command printed, or said of its failure; its exit code must be `expect`."""
        if self.warm is not None:
            command = self.start(*arguments)
            assert command.wait(timeout) == expect, (arguments, command.code, command.output)
            return command.output
        return self._run(self.command(*arguments), expect, timeout)

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
        return done.stdout if expect == 0 else done.stdout + done.stderr

    def json(self, *arguments: str, expect: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", expect=expect))

    def start(self, *arguments: str) -> Command:
        """A command that runs beside the test."""
        assert self.warm is not None
        return self.warm.start(arguments, self.environment)
