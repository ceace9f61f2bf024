"""A command where the machine or the environment is not as it should be: it works, or it is one
Chinese sentence with an exit code that says whose matter it is. Never a traceback, never 1."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments.cli.surroundings import Defect, as_told
from deployments.server import Patience
from tests.small_city import SmallCity
from warehouse.errors import ExitCode

CHINESE = re.compile(r"[\u4e00-\u9fff]")
MAIN = "from deployments.cli import main; main()"
STATUS_OF_SMALL = "applications"


def _runs(
    home: Path, *arguments: str, limits: str = "", encoding: str = "utf-8", **environment: str
) -> tuple[int, str, str]:
    """Exit code, output and errors of a command, in a process of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NIANBAO_", "PREFECT_"))}
    done = subprocess.run(
        ["bash", "-c", f'{limits} exec "$@"', "bash", sys.executable, "-c", MAIN, *arguments],
        env={**kept, "NIANBAO_HOME": str(home), "COLUMNS": "160", **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


def _is_one_sentence(told: tuple[int, str, str], code: ExitCode, *words: str) -> None:
    assert told[0] == code, told
    assert told[1] == ""
    lines = told[2].strip().splitlines()
    assert len(lines) == 1, told[2]
    assert lines[0].startswith("错误：")
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("MEMORY_LIMIT", v) for v in ("abc", "0", "50%", "-1GB", "1", "10MB", "1e3", "1 XB")],
        *[("HOME", v) for v in ("s3://bucket/home", "https://host/home", "file:///home")],
        ("TEMPORARY", "s3://bucket/t"),
        *[("THREADS", v) for v in ("0", "-1", "100000", "x")],
        *[("LAG_HOURS", v) for v in ("0", "99999999999999999999")],
        *[("KEEP_SNAPSHOT_DAYS", v) for v in ("0", "99999999999")],
        *[("RETRY_SECONDS", v) for v in ("inf", "nan", "-1")],
        *[("PORT", v) for v in ("0", "65536", "http")],
    ],
)
def test_an_impossible_setting_is_named_with_what_to_write_instead(
    tmp_path: Path, name: str, value: str
) -> None:
    told = _runs(tmp_path, "status", **{f"NIANBAO_{name}": value})
    _is_one_sentence(told, ExitCode.WRONG_USE, f"NIANBAO_{name}", value)


def test_an_impossible_secret_is_named_and_not_shown(tmp_path: Path) -> None:
    told = _runs(tmp_path, "status", NIANBAO_AUTH="geheim")
    _is_one_sentence(told, ExitCode.WRONG_USE, "NIANBAO_AUTH 写得不对")
    assert "geheim" not in told[2]


def test_a_setting_left_empty_is_left_out(small: SmallCity) -> None:
    empty = dict.fromkeys(("NIANBAO_MEMORY_LIMIT", "NIANBAO_AUTH", "NIANBAO_THREADS"), "")
    code, out, err = _runs(small.lake.home, "status", NIANBAO_CITY=str(small.folder), **empty)
    assert (code, err) == (ExitCode.BLOCKED, "")
    assert STATUS_OF_SMALL[:5] in out


@pytest.mark.parametrize(
    "limits",
    ["ulimit -n 10;", "ulimit -n 30;", "ulimit -v 400000;", "ulimit -v 900000;"],
)
def test_a_limit_that_is_too_low_is_told(small: SmallCity, limits: str) -> None:
    told = _runs(small.lake.home, "status", limits=limits)
    _is_one_sentence(told, ExitCode.MACHINE_FAILED, limits[: len("ulimit -n")], "请至少设为")


def test_doctor_tells_a_fault_of_the_machine_from_one_of_the_configuration(
    small: SmallCity, tmp_path: Path
) -> None:
    """With both, the machine's comes first: nothing else can be put right before it."""
    good = {"NIANBAO_CITY": str(small.folder)}
    (small.folder / "sources").mkdir()
    assert _runs(small.lake.home, "doctor", **good)[0] in (ExitCode.DONE, ExitCode.WRONG_USE)
    wrong = {"NIANBAO_CITY": str(tmp_path / "no city")}
    assert _runs(small.lake.home, "doctor", **wrong)[0] == ExitCode.WRONG_USE
    (small.lake.home / "lake" / "catalog.sqlite").write_bytes(b"no catalog" * 500)
    code, out, err = _runs(small.lake.home, "doctor", **wrong)
    assert (code, err) == (ExitCode.MACHINE_FAILED, "")
    assert "Traceback" not in out
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert _runs(tmp_path / "file", "doctor", **good)[0] == ExitCode.MACHINE_FAILED


@pytest.mark.parametrize(
    ("environment", "encoding"),
    [
        ({"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, "utf-8"),
        ({"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "utf-8"),
        ({"PYTHONIOENCODING": "latin-1"}, "utf-8"),
        ({"PYTHONIOENCODING": "gbk"}, "gbk"),
        ({"PYTHONIOENCODING": "gb18030"}, "gb18030"),
    ],
)
def test_a_terminal_that_is_said_to_know_no_chinese(
    small: SmallCity, environment: dict[str, str], encoding: str
) -> None:
    home = small.lake.home
    code, out, err = _runs(home, "doctor", encoding=encoding, **environment)
    assert (code in (0, 2), err) == (True, "")
    assert CHINESE.search(out)
    code, out, err = _runs(home, "nosuch", encoding=encoding, **environment)
    assert (code, out) == (ExitCode.WRONG_USE, "")
    assert "没有命令 nosuch" in err


@pytest.mark.parametrize(
    "name",
    ["a?b", "a#b", "a%20b", "a b", "数据 目录", "a'b", 'a"b', "a*[1]", "a;b&c=d", "~a", "a\nb"],
)
def test_a_home_of_any_name(small: SmallCity, tmp_path: Path, name: str) -> None:
    moved = small.copied_to(tmp_path / name)
    code, out, err = _runs(moved.lake.home, "status", NIANBAO_CITY=str(moved.folder))
    assert (code, err) == (ExitCode.BLOCKED, "")
    assert "过期" in out


def test_a_server_that_is_not_there_or_not_in_time_is_told(tmp_path: Path) -> None:
    kept = {"NIANBAO_CMS_URL": "http://127.0.0.1:9"}
    late = _runs(
        tmp_path, "nightly", PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="0.1", **kept
    )
    _is_one_sentence(late, ExitCode.MACHINE_FAILED, "没有启动起来", str(tmp_path / "logs"))
    named = "http://127.0.0.1:9/api"
    absent = _runs(tmp_path, "nightly", PREFECT_API_URL=named, **kept)
    _is_one_sentence(absent, ExitCode.MACHINE_FAILED, "连不上 Prefect 服务", named)


def test_a_damaged_database_of_the_server_is_told(tmp_path: Path) -> None:
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "prefect.db").write_bytes(b"no database at all" * 500)
    told = _runs(tmp_path, "nightly", NIANBAO_CMS_URL="http://127.0.0.1:9")
    _is_one_sentence(told, ExitCode.MACHINE_FAILED, "没有启动起来", "server.log")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "内存"),
        (RuntimeError("can't start new thread"), "线程"),
        (OSError(24, "Too many open files", "/d/x"), "ulimit -n"),
        (OSError(12, "Cannot allocate memory"), "内存不足"),
        (ImportError("libx.so: failed to map segment from shared object"), "装不进内存"),
    ],
)
def test_what_the_machine_refuses_is_told_whatever_was_wrapped_around_it(
    home: Path, error: Exception, words: str
) -> None:
    def wrapped() -> None:
        try:
            raise error
        except Exception as inner:
            raise KeyError("a library's own words") from inner

    with pytest.raises(KeyError) as caught:
        wrapped()
    for one in (error, caught.value):
        told = as_told(one)
        assert told.exit_code == ExitCode.MACHINE_FAILED
        assert words in str(told)


def test_what_nobody_foresaw_is_kept_with_its_particulars(home: Path) -> None:
    told = as_told(KeyError("x"))
    assert isinstance(told, Defect)
    assert "KeyError: 'x'" in (home / "logs" / "errors.log").read_text(encoding="utf-8")


def _asked(patience: Patience, method: str = "POST") -> tuple[int, bytes]:
    sent: list[Any] = []
    parts = iter(
        [
            {"type": "http.request", "body": b"a form ", "more_body": True},
            {"type": "http.request", "body": b"of one year"},
        ]
    )

    async def receive() -> Any:
        return next(parts, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(patience({"type": "http", "method": method, "path": "/api/flows"}, receive, send))
    return sent[0]["status"], b"".join(m.get("body", b"") for m in sent)


@pytest.mark.parametrize(("busy", "answer"), [(0, 201), (2, 201), (3, 503)])
def test_a_form_sent_to_a_server_that_is_busy_for_a_moment_arrives_once(
    busy: int, answer: int
) -> None:
    arrived = []
    left = [busy]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        is_busy, left[0] = left[0] > 0, left[0] - 1
        if not is_busy:
            arrived.append(body)
        await send({"type": "http.response.start", "status": 503 if is_busy else 201})
        await send({"type": "http.response.body", "body": b"busy" if is_busy else b"made"})
        if is_busy and left[0] >= 0 and busy < 3:
            raise RuntimeError("as Starlette does after its answer")

    told = _asked(Patience(app, waits=(0, 0)))
    assert told == (answer, b"made" if answer == 201 else b"busy")
    assert arrived == [b"a form of one year"] * (answer == 201)
