"""A source file's mistakes are named: file, line, key, and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.sources.errors import SourceFileError
from tasks.sources.model import Source, load_source, load_sources

GOOD = """name: ledger
title: 台账
base_url: ${LEDGER_URL}
auth: {type: basic, username: "${LEDGER_USER:-reader}", password: "${LEDGER_PASSWORD}"}
code_maps:
  organ: {file: ../organs.csv, from: code, to: organ_id, unknown: keep}
  outcome: {values: {01: granted, "02": denied}, unknown: reject}
resources:
  - name: applications
    table: application
    path: /applications
    paginator: {type: link_header, size_param: per_page, size: 500}
    records: data.items
    key: id
    cursor: {field: updatedAt, param: since, lag: 1d12h}
    fields:
      organ_id: {path: organ.code, codes: organ, required: true}
      outcome: {path: result, codes: outcome}
      received_on: receivedDate
"""
ENVIRONMENT = {"LEDGER_URL": "http://127.0.0.1:1", "LEDGER_PASSWORD": "s3cret"}


def _file(tmp_path: Path, text: str) -> Path:
    (tmp_path / "organs.csv").write_text("organ_id,code\nR,001\nA,002\n", encoding="utf-8-sig")
    folder = tmp_path / "sources"
    folder.mkdir(exist_ok=True)
    file = folder / "ledger.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def _problems(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SourceFileError) as raised:
        load_source(_file(tmp_path, text), ENVIRONMENT if environment is None else environment)
    return [str(problem).partition("ledger.yaml:")[2] for problem in raised.value.problems]


def test_a_good_file(tmp_path: Path) -> None:
    source = load_source(_file(tmp_path, GOOD), ENVIRONMENT)
    assert source.code_values == {
        "organ": {"001": "R", "002": "A"},
        "outcome": {"01": "granted", "02": "denied"},
    }
    resource = source.resource("applications")
    assert resource.fields["received_on"].path == ("receivedDate",)
    assert resource.cursor is not None
    assert str(resource.cursor.lag) == "1 day, 12:00:00"
    assert "s3cret" not in repr(source)


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ("    key: id", "    keys: id", "14 resources[0].keys: 没有这个键。是否想写 key?"),
        (
            "type: link_header",
            "type: link_heder",
            "12 resources[0].paginator.type: 类型 link_heder 不认识。允许:page_number、offset、cursor、next_link、link_header、single",
        ),
        (
            "table: application",
            "table: aplication",
            "10 resources[0].table: 没有核心表 aplication。是否想写 application?",
        ),
        (
            "      received_on:",
            "      recieved_on:",
            "19 resources[0].fields.recieved_on: 表 application 没有这一列。是否想写 received_on?",
        ),
        (
            "codes: outcome",
            "codes: outcomes",
            "18 resources[0].fields.outcome.codes: 没有代码表 outcomes。允许:organ、outcome",
        ),
        ("lag: 1d12h", "lag: 36 hours", "15 resources[0].cursor.lag: 时长应写作 2d、12h、90m、30s"),
        (
            "unknown: reject",
            "unknown: drop",
            "7 code_maps.outcome.unknown: 值不在允许之列。允许:reject、keep、null、default",
        ),
        (
            "from: code",
            "from: kode",
            "6 code_maps.organ.from: organs.csv 中没有列 kode。现有:organ_id、code",
        ),
        ("../organs.csv", "../nothing.csv", "6 code_maps.organ.file: 读不出代码表文件"),
        ("size: 500", "size: many", "12 resources[0].paginator.size: 应是整数"),
        ("size: 500", "size: 0", "12 resources[0].paginator.size: 值须不小于 1"),
        ("name: ledger", "name: 台账", "1 name: 写法不对"),
        ("title: 台账", "title: 台账\ntitle: 再来", "3 title: 同一个键写了两次"),
        ("    table: application\n", "", "9 resources[0].table: 缺少这个键"),
        ("${LEDGER_URL}", "127.0.0.1", "3 base_url: 地址须以 http:// 或 https:// 开头并带主机名"),
        ("type: basic", "type: basik", "4 auth.type: 类型 basik 不认识。允许:none、api_key、basic"),
        (
            "    key: id",
            "    key: id\n    windows: {from_param: span, both: '{from}', start: 2020-01-01}",
            "15 resources[0].windows: both 中须有 {from} 与 {to}",
        ),
        (
            "    key: id",
            "    key: id\n    windows: {from_param: span, start: 2020-01-01}",
            "15 resources[0].windows: to_param(终点的参数)与 both",
        ),
        ("    key: id", "    key: a..b", "14 resources[0].key: 路径 a..b 不是合法的 JMESPath"),
        (
            "received_on: receivedDate",
            "received_on: {path: [a, 'b c']}",
            "19 resources[0].fields.received_on: 路径 b c 不是合法的 JMESPath",
        ),
        (
            "received_on: receivedDate",
            "received_on: {path: x, format: yyyy}",
            "19 resources[0].fields.received_on: 时间格式 yyyy 不认识",
        ),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, good: str, bad: str, problem: str) -> None:
    assert good in GOOD
    problems = _problems(tmp_path, GOOD.replace(good, bad, 1))
    assert any(found.startswith(problem) for found in problems), problems


def test_all_mistakes_at_once_and_no_secret_in_them(tmp_path: Path) -> None:
    text = GOOD.replace("key: id", "keyy: id").replace(
        "type: basic", 'type: basic, tokn: "${LEDGER_PASSWORD}"'
    )
    problems = _problems(tmp_path, text)
    assert len(problems) == 3
    assert "s3cret" not in "".join(problems)


def test_an_environment_variable_that_is_not_set(tmp_path: Path) -> None:
    problems = _problems(tmp_path, GOOD, {"LEDGER_PASSWORD": "x"})
    assert problems == [
        "3 base_url: 环境变量 LEDGER_URL 没有设置;请在环境或 <数据目录>/<城市>.env 中设置"
    ]


def test_no_yaml_and_no_file(tmp_path: Path) -> None:
    assert _problems(tmp_path, "name: [")[0].startswith("1 (YAML): 不是合法的 YAML")
    with pytest.raises(SourceFileError, match="没有来源文件"):
        load_sources(tmp_path / "nowhere", {})


def test_two_files_of_one_name(tmp_path: Path) -> None:
    file = _file(tmp_path, GOOD)
    file.with_name("other.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(SourceFileError, match="名称 ledger 已被"):
        load_sources(file.parent, ENVIRONMENT)


def test_the_schema_for_editors() -> None:
    schema = Source.model_json_schema(by_alias=True)
    assert schema["properties"]["name"]["description"].startswith("来源名称")
    assert "cursor" in schema["$defs"]["Resource"]["properties"]
