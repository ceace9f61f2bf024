"""A command of `nianbao` in the test's own process."""

from __future__ import annotations

import sys

import pytest

from deployments import cli


def told_by(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """How a command ended, and what it said."""
    sys.argv = ["nianbao", *arguments]
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out + told.err
