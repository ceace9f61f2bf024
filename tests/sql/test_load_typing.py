"""Typing: every way of writing a date, a number, a code; what cannot be read is told, not guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
import yaml

from tasks.load.typed import ListTyping, make_codes, prepare
from tasks.sources.model import load_source

FULL_WIDTH = str.maketrans("0123456789,", "".join(map(chr, range(0xFF10, 0xFF1A))) + chr(0xFF0C))


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    prepare(connection)
    return connection


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2020-03-05", "2020-03-05 00:00:00"),
        ("2020/3/5", "2020-03-05 00:00:00"),
        ("2020.3.5", "2020-03-05 00:00:00"),
        ("2020年3月5日", "2020-03-05 00:00:00"),
        ("2020年03月05号", "2020-03-05 00:00:00"),
        ("2020年3月5日".translate(FULL_WIDTH), "2020-03-05 00:00:00"),
        ("20200305", "2020-03-05 00:00:00"),
        ("43895", "2020-03-05 00:00:00"),
        ("43895.75", "2020-03-05 18:00:00"),
        ("2020-03-05 14:22:01", "2020-03-05 14:22:01"),
        ("2020-03-05T14:22:01", "2020-03-05 14:22:01"),
        ("2020/3/5 9:05", "2020-03-05 09:05:00"),
        ("2020年3月5日 14时30分", "2020-03-05 14:30:00"),
        ("2020年3月5日14时30分15秒", "2020-03-05 14:30:15"),
        ("20200305142201", "2020-03-05 14:22:01"),
        ("2020-03-05T14:22:01+08:00", "2020-03-05 14:22:01"),
        ("2020-03-05T06:22:01Z", "2020-03-05 14:22:01"),
        ("2020-03-05T06:22:01.250+0000", "2020-03-05 14:22:01.25"),
        ("1583389321", "2020-03-05 14:22:01"),
        ("1583389321000", "2020-03-05 14:22:01"),
        ("2020-03-05T06:22Z", "2020-03-05 14:22:00"),
        ("2020-03-05.14:22:01", "2020-03-05 14:22:01"),
        ("/Date(1583389321000+0800)/", "2020-03-05 14:22:01"),
        ("/Date(1583389321000)/", "2020-03-05 14:22:01"),
        ("Thu, 05 Mar 2020 06:22:01 GMT", "2020-03-05 14:22:01"),
        ("Thu, 05 Mar 2020 14:22:01 +0800", "2020-03-05 14:22:01"),
        ("Thu Mar 05 14:22:01 CST 2020", "2020-03-05 14:22:01"),
        ("Mar 5, 2020 2:22:01 PM", "2020-03-05 14:22:01"),
        ("二〇二〇年三月五日", "2020-03-05 00:00:00"),
        ("二零二零年十二月三十一日", "2020-12-31 00:00:00"),
        ("二〇二〇年十月二十日", "2020-10-20 00:00:00"),
        ("20/3/5", None),
        ("/Date(x)/", None),
        ("Thursday", None),
        ("3月5日", None),
        ("2020年3月", None),
        ("2020-02-30", None),
        ("2020-13-01", None),
        ("三月五日", None),
        ("today", None),
        ("2020", None),
    ],
)
def test_moments(connection: duckdb.DuckDBPyConnection, written: str, meant: str | None) -> None:
    found = connection.execute(
        "SELECT CAST(moment_of(?, 'Asia/Shanghai') AS VARCHAR)", [written]
    ).fetchone()
    assert found == (meant,)


def test_a_time_without_zone_is_the_sources_and_a_day_stays_the_day(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = connection.execute(
        "SELECT moment_of('2020-03-05 20:00:00', 'UTC')::VARCHAR, moment_of('2020-03-05', 'UTC')::VARCHAR"
    ).fetchone()
    assert found == ("2020-03-06 04:00:00", "2020-03-05 00:00:00")
    found = connection.execute(
        "SELECT moment_of('2020-03-05.20:00:00', 'UTC')::VARCHAR, moment_of('二〇二〇年三月五日', 'UTC')::VARCHAR"
    ).fetchone()
    assert found == ("2020-03-06 04:00:00", "2020-03-05 00:00:00")


@pytest.mark.parametrize(
    ("written", "whole", "number"),
    [
        ("12", 12, 12),
        ("12".translate(FULL_WIDTH), 12, 12),
        ("1,234,567", 1234567, 1234567),
        ("1,234".translate(FULL_WIDTH), 1234, 1234),
        ("12.0", 12, 12),
        ("12.5", None, 12.5),
        ("3.2万", 32000, 32000),
        ("1.5亿", 150_000_000, 150_000_000),
        ("3 件", 3, 3),
        ("-7", -7, -7),
        ("1e3", 1000, 1000),
        ("1,2", None, None),
        ("12个月", None, None),
        ("约12", None, None),
    ],
)
def test_numbers(
    connection: duckdb.DuckDBPyConnection, written: str, whole: int | None, number: float | None
) -> None:
    found = connection.execute(
        "SELECT integer_of(?), number_of(?)::DOUBLE", [written, written]
    ).fetchone()
    assert found == (whole, number)


def _typed(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    fields: dict[str, Any],
    rows: list[dict[str, Any]],
    **extra: Any,
) -> tuple[list[Any], list[Any]]:
    """Typed values of the landing rows, and the faults."""
    raw = {
        "name": "s",
        "title": "s",
        "base_url": "http://127.0.0.1:1",
        "resources": [
            {"name": "r", "table": "work_order", "path": "/", "key": "id", "fields": fields}
        ],
        **extra,
    }
    file = folder / "s.yaml"
    file.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    source = load_source(file, {})
    rule = source.resources[0]
    landing = folder / "r.ndjson"
    landing.write_bytes(
        b"\n".join(
            msgspec.json.encode({"$id": str(n), "$at": f"r:{n}", **row})
            for n, row in enumerate(rows)
        )
    )
    typing = ListTyping(source, rule)
    make_codes(connection, source, [rule])
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE typed AS {typing.typed_sql(typing.landing_sql([str(landing)]))}"
    )
    columns = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in fields)
    values = connection.execute(
        f'SELECT {columns} FROM typed ORDER BY CAST("$id" AS INT)'
    ).fetchall()
    faults = connection.execute(
        f'SELECT "$id", field, reason, found FROM ({typing.faults_sql("typed")}) ORDER BY ALL'
    ).fetchall()
    return values, faults


@pytest.mark.parametrize(
    ("rule", "values", "faults"),
    [
        ({"unknown": "reject"}, ["a", None, None], [("1", "category", "unknown_code", "9")]),
        ({"unknown": "keep"}, ["a", "9", None], []),
        ({"unknown": "null"}, ["a", None, None], []),
        ({"unknown": "default", "default": "z"}, ["a", "z", None], []),
    ],
)
def test_the_rule_for_unknown_codes(
    connection: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    rule: dict[str, Any],
    values: list[Any],
    faults: list[Any],
) -> None:
    found = _typed(
        connection,
        tmp_path,
        {"category": {"path": "c", "codes": "m"}},
        [{"category": 1}, {"category": "9"}, {"category": " "}],
        code_maps={"m": {"values": {1: "a"}, **rule}},
    )
    assert found == ([(value,) for value in values], faults)


def test_codes_match_without_white_space_width_and_case(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    code_map = {"values": {"已办结(A)": "closed", "无": "", "a": "low", "A": "high", "空": None}}
    found = _typed(
        connection,
        tmp_path,
        {"category": {"path": "c", "codes": "m"}},
        [
            {"category": one}
            for one in ("已 办结\u3000(A)", "已办结(a)", " 无 ", "a", "A", "\uff21", "空", "未知")
        ],
        code_maps={"m": code_map},
    )
    # A and a mean two things here, so that a wide A means neither.
    assert [value for (value,) in found[0]] == [
        "closed", "closed", None, "low", "high", None, None, None,
    ]  # fmt: skip
    assert [(place, reason) for place, _, reason, _ in found[1]] == [
        ("5", "unknown_code"),
        ("7", "unknown_code"),
    ]


def test_a_required_value_is_not_a_code_for_nothing(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    found = _typed(
        connection,
        tmp_path,
        {"category": {"path": "c", "codes": "m", "required": True}},
        [{"category": "无"}],
        code_maps={"m": {"values": {"无": ""}}},
    )
    assert [reason for _, _, reason, _ in found[1]] == ["missing_required"]


def test_constants_defaults_formats_and_blanks(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    values, faults = _typed(
        connection,
        tmp_path,
        {
            "category": {"value": "C"},
            "work_order_status": {"path": "s", "default": "closed"},
            "dispatched_at": {"path": "d", "format": ["%d/%m/%Y %H:%M", "epoch_s"]},
            "closed_at": {"path": "e", "format": "epoch_ms"},
            "is_solved": {"path": "b"},
        },
        [
            {
                "work_order_status": "\u3000open ",
                "dispatched_at": "05/03/2020 14:22",
                "closed_at": 1583389321000,
                "is_solved": "是",
            },
            {
                "work_order_status": "\u3000",
                "dispatched_at": 1583389321,
                "closed_at": None,
                "is_solved": False,
            },
            {"dispatched_at": "2020-03-05", "is_solved": "maybe", "work_order_status": "N/A"},
        ],
        null_values=["N/A"],
    )
    assert values == [
        ("C", "open", "2020-03-05 14:22:00", "2020-03-05 14:22:01", "true"),
        ("C", "closed", "2020-03-05 14:22:01", None, "false"),
        ("C", "closed", None, None, None),
    ]
    assert faults == [
        ("2", "dispatched_at", "wrong_type", "2020-03-05"),
        ("2", "is_solved", "wrong_type", "maybe"),
    ]
