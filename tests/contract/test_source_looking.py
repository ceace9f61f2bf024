"""`source check` and `source try`: what they show of a source before anything is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli.source import app
from tasks.connect.source_check import ListCheck, check_source
from tests.contract import source_files as files
from tests.contract.vendor import Vendor

CODES = {
    "genre": {"values": {"通知": "notice", "公 告A": "notice", "没有": ""}, "unknown": "reject"},
}


def records() -> list[dict[str, Any]]:
    """Records whose kinds are written in many ways, one of them withdrawn, one without an organ."""
    kinds = ["通知", "公告A", "公告a", "没有", "简报", "简报"]
    made = files.records(12)
    for n, record in enumerate(made):
        record["kind"] = kinds[n % len(kinds)]
        record["day"] = "2020-02-30" if n == 7 else "1900-01-01" if n == 8 else record["day"]
        record["gone"] = "1" if n == 9 else "0"
    return made


def checked(tmp_path: Path, vendor: Vendor, **changes: Any) -> ListCheck:
    raw = files.raw_source(vendor, **changes)
    raw["code_maps"] = CODES
    return next(iter(check_source(files.written(tmp_path, raw))))


FIELDS = {
    **files.FIELDS,
    "genre": {"path": "kind", "codes": "genre"},
    "published_at": {"path": "day", "required": True},
}


def test_wordings_that_a_code_map_lacks_are_counted(tmp_path: Path) -> None:
    with Vendor(records()).serving() as vendor:
        found = checked(tmp_path, vendor, fields=FIELDS)
    assert [(one.column, one.values) for one in found.unknown_codes] == [("genre", {"简报": 2})]


def test_each_record_of_the_page_is_accounted_for(tmp_path: Path) -> None:
    with Vendor(records()).serving() as vendor:
        vendor.records[3]["id"] = vendor.records[2]["id"]
        found = checked(
            tmp_path,
            vendor,
            fields=FIELDS,
            paginator={
                "type": "page_number",
                "size_param": "size",
                "size": 12,
                "total": "data.total",
            },
            where=[{"path": "organ.code", "not_in": ["O1"]}],
            removed={"path": "gone", "equals": "1"},
        )
    account = found.account
    assert account is not None
    # O1 are two of twelve; four 简报 and the day that is none are rejected.
    assert account.left_out == {"not_selected": 2}
    assert (account.read, account.rejected, account.removed, account.joined) == (12, 5, 1, 1)
    assert account.kept == 12 - 2 - 5 - 1 - 1
    assert account.text.startswith("读到 12 = 保留 3 + 登记作废 1 + 退回 5 + 编号重复 1")


def test_days_that_do_not_exist_are_told_as_such(tmp_path: Path) -> None:
    with Vendor(records()).serving() as vendor:
        paging = {"type": "page_number", "size_param": "size", "size": 12, "total": "data.total"}
        found = checked(tmp_path, vendor, fields=FIELDS, paginator=paging)
    assert any("“2020-02-30”没有这一天" in fault for fault in found.faults)
    assert any("1900-01-01" in hint and "null_values" in hint for hint in found.hints)


def test_a_parameter_that_is_passed_over_is_a_fault(tmp_path: Path) -> None:
    cursor = {"field": "updated", "param": "changedAfter", "lag": "2d"}
    with Vendor(files.records(12)).serving() as vendor:
        found = checked(tmp_path, vendor, cursor=cursor)
        assert any("changedAfter 没有起作用" in fault for fault in found.faults)
        found = checked(tmp_path, vendor, cursor={**cursor, "param": "since"})
        assert not found.faults


def test_the_request_is_shown_whole_but_for_secrets(tmp_path: Path) -> None:
    with Vendor(files.records(3), auth="api_key_query").serving() as vendor:
        found = checked(tmp_path, vendor, params={"filter[kind][eq]": "通知", "token": "t0p"})
    assert "filter[kind][eq]=通知" in found.request
    assert "page=1&size=7" in found.request
    assert "the-key" not in found.request
    assert "t0p" not in found.request
    assert found.places == ["第 1 页 3 条(按此共 1 页)"]


def test_lines_to_paste_and_a_trial_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with Vendor(records()).serving() as vendor:
        raw = files.raw_source(vendor, fields=FIELDS)
        raw["code_maps"] = CODES
        file = files.written(tmp_path, raw).file
        said = CliRunner().invoke(app, ["check", str(file)]).output
        assert "      简报:    # 2 条" in said
        tried = CliRunner().invoke(app, ["try", str(file), "--pages", "1"])
    assert tried.exit_code == 1, tried.output
    assert "读到 7 条,在库有效 5 条" in tried.output
    assert "✗ 退回 2 条:genre 代码不在代码表内" in tried.output
    assert "触发的规则" in tried.output
    assert "2020 年的数字" in tried.output
    wrong = CliRunner().invoke(app, ["try", str(file), "--resource", "nothing"])
    assert wrong.exit_code == 2
