"""The beginning of a source file: whatever was answered, it can be checked at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.cli.source import app
from tasks.connect.new import AUTHS, PAGINATORS, Answers, starting_file
from tasks.sources.model import load_source


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("paginator", PAGINATORS)
def test_every_answer_gives_a_file_that_loads(tmp_path: Path, auth: str, paginator: str) -> None:
    answers = Answers(
        "hotline", "热线", "http://127.0.0.1:1", auth, "work_order", "/orders", paginator
    )
    file = tmp_path / "hotline.yaml"
    file.write_text(starting_file(answers), encoding="utf-8")
    environment = {
        f"NIANBAO_HOTLINE_{name}": "x"
        for name in (
            "KEY",
            "USER",
            "PASSWORD",
            "TOKEN",
            "CLIENT_ID",
            "CLIENT_SECRET",
            "KEY_ID",
            "SECRET",
        )
    }
    source = load_source(file, environment)
    assert (source.auth.type, source.resources[0].paginator.type) == (auth, paginator)
    assert source.resources[0].path == "/orders"


def test_without_an_address_it_is_a_folder_of_workbooks(tmp_path: Path) -> None:
    answers = Answers("ledger", "台账", "", "none", "application", "../台账", "single")
    file = tmp_path / "ledger.yaml"
    file.write_text(starting_file(answers), encoding="utf-8")
    source = load_source(file, {})
    assert source.base_url is None
    assert source.resources[0].workbook is not None
    assert source.resources[0].workbook.folder == "../台账"
    assert "received_on: 列标题" in file.read_text(encoding="utf-8")


def test_templates_are_listed_and_written(tmp_path: Path) -> None:
    listed = CliRunner().invoke(app, ["new", "--from", "list"])
    assert listed.exit_code == 0
    assert "redmine" in listed.output
    given = [
        "new",
        "--from",
        "wagtail",
        "--name",
        "site",
        "--title",
        "门户",
        "--folder",
        str(tmp_path),
    ]
    done = CliRunner().invoke(app, [*given, "--base-url", "https://x.example"])
    assert done.exit_code == 0, done.output
    source = load_source(tmp_path / "site.yaml", {})
    assert (source.name, source.title, source.base_url) == ("site", "门户", "https://x.example")
    wrong = CliRunner().invoke(
        app,
        [
            "new",
            "--from",
            "nothing",
            "--name",
            "other",
            "--title",
            "x",
            "--base-url",
            "https://x.example",
            "--folder",
            str(tmp_path),
        ],
    )
    assert wrong.exit_code == 2
    assert not (tmp_path / "other.yaml").exists()
