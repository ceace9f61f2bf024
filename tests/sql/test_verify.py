"""Whatever is changed of a publication is seen: files, links, modes, signature, chain, the lake's rows."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from deployments.server import check_doors
from tasks.editions.build import build_edition
from tasks.people.office import Office, OfficeError
from tasks.people.persons import APPROVES
from tasks.publish.approvals import Request, approve
from tasks.publish.files import publishing
from tasks.publish.maintain import maintain
from tasks.publish.pages import maintenance
from tasks.publish.publish import publish
from tasks.publish.signature import (
    KEY,
    PUBLIC_KEY,
    SIGNATURE,
    Checkpoint,
    Signature,
    UnusableKey,
    WrongCheckpoint,
    public_key,
    sign,
    signing_key,
)
from tasks.publish.verify import (
    CannotVerify,
    frozen_files_changed,
    verify_folder,
    verify_folder_with_lake,
    verify_home,
)
from tasks.render.manifest import MANIFEST, sha256_of
from tasks.settings import Settings
from tests.approving import approve_and_publish
from tests.operator_room import add_people
from tests.small_city import SmallCity
from warehouse.disk import FILE_MODE, FOLDER_MODE
from warehouse.errors import ExitCode
from warehouse.period import Period

NOW = datetime(2021, 1, 25, 9, 0)
FIRST, SECOND = "2020-1", "2020-2"


def settings_of(city: SmallCity) -> Settings:
    return Settings(home=city.lake.home, city=city.folder)


@pytest.fixture(scope="module")
def published(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    """A city with two publications of one year, the first with answers, and one that waits."""
    city = small_template.copied_to(tmp_path_factory.mktemp("published"))
    record = city.application("2020-03-02", "2020-03-20", applicant_kind=None)
    for reason in ("", "补登申请人类别"):
        edition = build_edition(
            city.lake, city.folder, Period.of_year(2020), now=NOW, reason=reason, built_by="李四"
        ).edition
        answers = {f.code: "已核实" for f in edition.blocking_findings}
        request = Request(edition.id, "张三", "同意发布", answers=answers)
        approve_and_publish(city.lake, settings_of(city), request, now=NOW)
        with city.lake.write() as connection:
            connection.execute(
                "UPDATE core.application SET applicant_kind = 'natural_person' WHERE record_id = ?",
                [record],
            )
    return city


TABLES = ("publication", "edition", "cell", "check_result", "check_record")


@pytest.fixture
def city(published: SmallCity, tmp_path: Path) -> Iterator[SmallCity]:
    """The city, made again as it was after each test: quicker than a lake of its own for each."""
    editions = published.lake.home / "editions"
    kept = tmp_path / "kept"
    shutil.copytree(editions, kept)
    catalog = published.lake.home / "lake" / "catalog.sqlite"
    before = catalog.read_bytes()
    yield published
    remove(editions)
    shutil.copytree(kept, editions)
    remove(kept)
    if catalog.read_bytes() != before:
        # Another file under the name, by which the lake knows that it must look anew.
        again = catalog.with_name("again")
        again.write_bytes(before)
        again.replace(catalog)


def remove(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def writable(folder: Path) -> Iterator[Path]:
    """A folder for someone who changes it and leaves its mode as it was."""
    folder.chmod(0o755)
    yield folder
    folder.chmod(FOLDER_MODE)


def replaced(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)
    path.chmod(FILE_MODE)


def in_folder(change: Callable[[Path], None]) -> Callable[[Path], None]:
    def changing(folder: Path) -> None:
        with writable(folder):
            change(folder)

    return changing


def edited(path: Path, **changes: Any) -> None:
    told = json.loads(path.read_text(encoding="utf-8"))
    replaced(path, json.dumps({**told, **changes}, ensure_ascii=False).encode())


def signed_by_another(folder: Path) -> None:
    """All of it made anew, with a key of the forger's own."""
    home = folder.parent.parent / "forger"
    told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    told["approval"]["approver"] = "别人"
    told["chain"]["key"] = signing_key(home, is_first=True)
    raw = json.dumps(told, ensure_ascii=False).encode()
    replaced(folder / MANIFEST, raw)
    (folder / SIGNATURE).unlink()
    sign(home, raw).save(folder)
    (folder / SIGNATURE).chmod(FILE_MODE)


def stripped_of_signature(folder: Path) -> None:
    """As if it were of the time before there were signatures."""
    told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    del told["chain"]
    replaced(folder / MANIFEST, json.dumps(told, ensure_ascii=False).encode())
    (folder / SIGNATURE).unlink()


def linked(folder: Path) -> None:
    aside = folder.parent / "aside.csv"
    (folder / "cells.csv").rename(aside)
    (folder / "cells.csv").symlink_to(aside)


def hard_linked(folder: Path) -> None:
    os.link(folder / "cells.csv", folder.parent / "aside.csv")


def folder_for_file(folder: Path) -> None:
    (folder / "cells.csv").unlink()
    (folder / "cells.csv").mkdir()


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a file added": (in_folder(lambda f: (f / "note.txt").write_text("x") and None), "note.txt"),
    "a hidden file added": (in_folder(lambda f: (f / ".x").touch()), ".x"),
    "a folder added": (in_folder(lambda f: (f / "more").mkdir()), "more"),
    "a link added": (in_folder(lambda f: (f / "out").symlink_to("/etc")), "out"),
    "a broken link added": (in_folder(lambda f: (f / "out").symlink_to("nowhere")), "out"),
    "a file replaced by a link to the same": (in_folder(linked), "cells.csv"),
    "a second name for a file": (in_folder(hard_linked), "cells.csv"),
    "a folder for a file": (in_folder(folder_for_file), "cells.csv"),
    "a file taken away": (in_folder(lambda f: (f / "cells.csv").unlink()), "cells.csv"),
    "a file changed": (in_folder(lambda f: replaced(f / "cells.csv", b"x")), "cells.csv"),
    "a file emptied": (in_folder(lambda f: replaced(f / "tables.xlsx", b"")), "tables.xlsx"),
    "a file's mode": (lambda f: (f / "cells.csv").chmod(0o644), "cells.csv"),
    "a file's mode, executable": (lambda f: (f / "cells.csv").chmod(0o555), "cells.csv"),
    "the manifest's mode": (lambda f: (f / MANIFEST).chmod(0o664), MANIFEST),
    "the folder's mode": (lambda f: f.chmod(0o755), FIRST),
    "the manifest changed": (in_folder(lambda f: edited(f / MANIFEST, reason="x")), MANIFEST),
    "the manifest's link of the chain": (
        in_folder(lambda f: edited(f / MANIFEST, chain={"number": 7})),
        MANIFEST,
    ),
    "the manifest taken away": (in_folder(lambda f: (f / MANIFEST).unlink()), MANIFEST),
    "the manifest is no JSON": (in_folder(lambda f: replaced(f / MANIFEST, b"{")), MANIFEST),
    "the signature taken away": (in_folder(lambda f: (f / SIGNATURE).unlink()), SIGNATURE),
    "the signature changed": (
        in_folder(lambda f: edited(f / SIGNATURE, signature="00" * 64)),
        SIGNATURE,
    ),
    "signed by another": (in_folder(signed_by_another), MANIFEST),
    "stripped of its signature": (in_folder(stripped_of_signature), MANIFEST),
}


@pytest.mark.parametrize("name", FILES)
def test_any_change_of_a_folder_is_seen(city: SmallCity, name: str) -> None:
    change, what = FILES[name]
    settings = settings_of(city)
    folder = settings.editions / FIRST
    assert verify_folder(folder).is_unchanged
    change(folder)
    found = frozen_files_changed(city.lake, settings)
    assert list(found) == [FIRST]
    assert what in found[FIRST]
    if name not in ("signed by another", "stripped of its signature"):
        # By the folder alone as well: by what signs the manifest, where that is what was changed.
        alone = verify_folder(folder).by_edition()[FIRST]
        assert what in alone or (what, SIGNATURE) == (MANIFEST, *alone)
    if name in ("a file added", "signed by another"):
        both = verify_folder_with_lake(folder, city.lake, settings)
        assert what in both.by_edition()[FIRST]


def test_a_folder_moved_swapped_or_put_in_is_seen(city: SmallCity, tmp_path: Path) -> None:
    settings = settings_of(city)
    copy = settings.editions / "2020-7"
    shutil.copytree(settings.editions / FIRST, copy)
    assert frozen_files_changed(city.lake, settings) == {"2020-7": ["yearly.publication"]}
    copy.rename(tmp_path / "copy")
    assert frozen_files_changed(city.lake, settings) == {}
    (settings.editions / FIRST).rename(tmp_path / "gone")
    assert frozen_files_changed(city.lake, settings) == {FIRST: [MANIFEST]}
    (settings.editions / FIRST).symlink_to(tmp_path / "gone")
    assert FIRST in frozen_files_changed(city.lake, settings)[FIRST]
    (settings.editions / FIRST).unlink()
    shutil.copytree(settings.editions / SECOND, settings.editions / FIRST)
    assert MANIFEST in frozen_files_changed(city.lake, settings)[FIRST]


ROWS = {
    "approved_by": "UPDATE yearly.edition SET approved_by = '别人' WHERE edition_id = '2020-1'",
    "statement": "UPDATE yearly.edition SET statement = '不同意' WHERE edition_id = '2020-1'",
    "approved_at to NULL": "UPDATE yearly.edition SET approved_at = NULL WHERE edition_id = '2020-1'",
    "approval taken back": "UPDATE yearly.edition SET approved_at = NULL, approved_by = NULL, "
    "statement = NULL, edition_status = 'pending', manifest_hash = NULL WHERE edition_id = '2020-2'",
    "status set back": "UPDATE yearly.edition SET edition_status = 'pending' WHERE edition_id = '2020-2'",
    "status superseded": "UPDATE yearly.edition SET edition_status = 'superseded' "
    "WHERE edition_id = '2020-2'",
    "the old one called valid": "UPDATE yearly.edition SET edition_status = 'published' "
    "WHERE edition_id = '2020-1'",
    "built_by": "UPDATE yearly.edition SET built_by = NULL WHERE edition_id = '2020-1'",
    "reason": "UPDATE yearly.edition SET reason = '另一理由' WHERE edition_id = '2020-2'",
    "data_as_of": "UPDATE yearly.edition SET data_as_of = NULL WHERE edition_id = '2020-1'",
    "snapshot": "UPDATE yearly.edition SET lake_snapshot = 1 WHERE edition_id = '2020-1'",
    "fingerprints": "UPDATE yearly.edition SET cell_hash = 'x' WHERE edition_id = '2020-1'",
    "manifest hash": "UPDATE yearly.edition SET manifest_hash = 'x' WHERE edition_id = '2020-1'",
    "year": "UPDATE yearly.edition SET report_year = 2021 WHERE edition_id = '2020-2'",
    "definitions": "UPDATE yearly.edition SET definitions = replace(definitions, '某市', '另市') "
    "WHERE edition_id = '2020-1'",
    "edition row gone": "DELETE FROM yearly.edition WHERE edition_id = '2020-1'",
    "edition row twice": "INSERT INTO yearly.edition SELECT * FROM yearly.edition "
    "WHERE edition_id = '2020-1'",
    "answer": "UPDATE yearly.check_result SET verdict = '另一答复' "
    "WHERE edition_id = '2020-1' AND verdict IS NOT NULL",
    "who answered": "UPDATE yearly.check_result SET verdict_by = NULL WHERE edition_id = '2020-1'",
    "finding": "UPDATE yearly.check_result SET check_status = 'pass' WHERE edition_id = '2020-1' "
    "AND check_status = 'fail'",
    "finding added": "INSERT INTO yearly.check_result (edition_id, organ_id, check_key, code, "
    "severity, check_status) VALUES ('2020-2', 'R', 'B9', 'B9', 'warn', 'pass')",
    "record of a finding": "DELETE FROM yearly.check_record WHERE edition_id = '2020-1'",
    "cell": "UPDATE yearly.cell SET value = 7 WHERE edition_id = '2020-2' "
    "AND cell = 't3.granted.total'",
    "cell gone": "DELETE FROM yearly.cell WHERE edition_id = '2020-2' AND organ_id = 'R'",
    "registered manifest": "UPDATE yearly.publication SET manifest = replace(manifest, '张三', '别人') "
    "WHERE edition_id = '2020-1'",
    "registered signature": "UPDATE yearly.publication SET signature = repeat('0', 128) "
    "WHERE edition_id = '2020-1'",
    "registered key": "UPDATE yearly.publication SET signing_key = repeat('0', 64) "
    "WHERE edition_id = '2020-1'",
    "registered approval": "UPDATE yearly.publication SET approval_number = 99 "
    "WHERE edition_id = '2020-1'",
    "registered as unsigned": "UPDATE yearly.publication SET publication_number = NULL "
    "WHERE edition_id = '2020-1'",
    "first link gone": "DELETE FROM yearly.publication WHERE edition_id = '2020-1'",
    "last link gone": "DELETE FROM yearly.publication WHERE edition_id = '2020-2'",
    "links swapped": "UPDATE yearly.publication SET publication_number = 3 - publication_number",
    "link twice": "INSERT INTO yearly.publication SELECT * FROM yearly.publication "
    "WHERE edition_id = '2020-1'",
}


@pytest.mark.parametrize("name", ROWS)
def test_any_change_of_the_lakes_rows_is_seen(city: SmallCity, name: str) -> None:
    with city.lake.write() as connection:
        connection.execute(ROWS[name])
    found = verify_home(city.lake, settings_of(city))
    assert not found.is_unchanged
    named = {p.name.partition(".")[0] for p in found.problems}
    # An approval that nobody gave is missing in the register of persons as well.
    assert named - {"office"} == {"yearly"}
    of_lake = [p for p in found.problems if p.name.startswith("yearly")]
    assert all(p.edition in (FIRST, SECOND) for p in of_lake)


def test_a_tail_that_was_cut_off_is_seen_by_a_checkpoint_kept_outside(
    city: SmallCity, tmp_path: Path
) -> None:
    """The last publication undone everywhere: rows, register, folder."""
    settings = settings_of(city)
    kept = verify_home(city.lake, settings).checkpoint
    assert kept is not None
    assert kept.number == 2
    (settings.editions / SECOND).rename(tmp_path / "gone")
    with city.lake.write() as connection:
        for table in TABLES:
            connection.execute(f"DELETE FROM yearly.{table} WHERE edition_id = '2020-2'")
        connection.execute("UPDATE yearly.edition SET edition_status = 'published'")
    assert verify_home(city.lake, settings).is_unchanged
    cut = verify_home(city.lake, settings, kept)
    assert [p.kind for p in cut.problems] == ["chain"]
    assert "尾部被截去" in cut.problems[0].text


def test_all_of_it_signed_anew_is_seen_by_a_checkpoint_kept_outside(
    published: SmallCity, small_template: SmallCity, tmp_path: Path
) -> None:
    """Whoever has the key can make another history, but not the one that was handed out."""
    kept = verify_home(published.lake, settings_of(published)).checkpoint
    assert kept is not None
    other = small_template.copied_to(tmp_path / "other")
    shutil.copy(published.lake.home / KEY, other.lake.home)
    other.application("2020-03-02", "2020-03-20")
    edition = build_edition(other.lake, other.folder, Period.of_year(2020), now=NOW).edition
    done = approve_and_publish(
        other.lake, settings_of(other), Request(edition.id, "张三", "同意发布"), now=NOW
    )
    assert done.signing_key == public_key(published.lake.home)
    forged = Checkpoint(1, kept.head)
    assert verify_home(other.lake, settings_of(other)).is_unchanged
    for found in (
        verify_home(other.lake, settings_of(other), forged),
        verify_folder(done.folder, forged),
        verify_folder_with_lake(done.folder, other.lake, settings_of(other), forged),
    ):
        assert "不符" in found.problems[0].text


def test_a_folder_is_looked_at_without_a_lake(city: SmallCity, tmp_path: Path) -> None:
    settings = settings_of(city)
    elsewhere = tmp_path / "elsewhere" / "copy"
    shutil.copytree(settings.editions / SECOND, elsewhere)
    found = verify_folder(elsewhere)
    assert found.is_unchanged
    assert found.editions == (SECOND,)
    assert found.checkpoint == Checkpoint(2, sha256_of(elsewhere / MANIFEST))
    assert found.signing_key == public_key(city.lake.home)
    first = verify_folder(settings.editions / FIRST).checkpoint
    # The one before it is in its manifest; of one further away it knows nothing.
    assert verify_folder(elsewhere, first).is_unchanged
    assert not verify_folder(elsewhere, Checkpoint(1, "0" * 64)).is_unchanged
    assert not verify_folder(elsewhere, Checkpoint(7, "0" * 64)).is_judged
    signature = Signature.of_folder(elsewhere)
    assert signature is not None
    assert signature.is_of((elsewhere / MANIFEST).read_bytes())
    assert not signature.is_of(b"")
    with pytest.raises(CannotVerify, match="没有这个文件夹"):
        verify_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CannotVerify, match="是空的"):
        verify_folder(tmp_path / "empty")


@pytest.mark.parametrize(
    "text", ["", "1", "x:y", "1:" + "g" * 64, "-1:" + "0" * 64, "1:" + "0" * 63]
)
def test_checkpoints_are_read_as_they_were_handed_out(text: str) -> None:
    with pytest.raises(WrongCheckpoint, match="照发布时的消息原样填写"):
        Checkpoint.read(text)
    given = Checkpoint(3, "ab" * 32)
    assert Checkpoint.read(str(given)) == given
    assert Checkpoint.read(f" 3：{given.head.upper()} ") == given


def test_the_command_says_what_it_found(
    city: SmallCity,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import deployments.cli as cli

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["nianbao", "verify", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out + told.err

    folder = city.lake.home / "editions" / FIRST
    monkeypatch.setenv("NIANBAO_HOME", str(city.lake.home))
    monkeypatch.setenv("NIANBAO_CITY", str(city.folder))
    code, told = run("--json")
    assert code == 0
    checkpoint = json.loads(told)["checkpoint"]
    assert run("--checkpoint", checkpoint)[0] == 0
    assert run("--checkpoint", "7:" + "0" * 64)[0] == ExitCode.BLOCKED
    assert run("--checkpoint", "7")[0] == ExitCode.WRONG_USE
    (folder / "cells.csv").chmod(0o644)
    code, told = run(str(folder))
    assert code == ExitCode.BLOCKED
    assert "cells.csv 的权限是 0644" in told
    code, told = run(str(folder), "--json")
    assert json.loads(told)["problems"][0]["kind"] == "mode"
    monkeypatch.setenv("NIANBAO_HOME", str(tmp_path / "nothing"))
    assert run(str(folder))[0] == ExitCode.BLOCKED
    (folder / "cells.csv").chmod(FILE_MODE)
    code, told = run(str(folder))
    assert code == ExitCode.NOT_JUDGED
    assert "--key" in told
    assert "没有发现改动" not in told
    own = public_key(city.lake.home)
    assert run(str(folder), "--key", own)[0] == 0
    assert run(str(folder), "--key", "0" * 64)[0] == ExitCode.BLOCKED
    assert run(str(folder), "--key", "x")[0] == ExitCode.WRONG_USE
    assert run("--key", own)[0] == ExitCode.WRONG_USE
    assert run(str(folder), "--checkpoint", str(verify_folder(folder).checkpoint))[0] == 0
    assert run(str(folder), "--checkpoint", "7:" + "0" * 64)[0] == ExitCode.NOT_JUDGED
    assert run()[0] == ExitCode.WRONG_USE


def test_maintenance_looks_and_mends_nothing_that_was_signed(city: SmallCity) -> None:
    settings = settings_of(city)
    path = settings.editions / FIRST / "cells.csv"
    path.chmod(0o644)
    done = maintain(city.lake, settings, now=NOW)
    assert done.changed_editions == {FIRST: ["cells.csv"]}
    assert "权限是 0644" in maintenance(done)
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(FILE_MODE)
    assert maintain(city.lake, settings, now=NOW).problems == ()


def test_a_copy_elsewhere_that_is_not_what_the_lake_knows_is_seen(
    city: SmallCity, tmp_path: Path
) -> None:
    settings = settings_of(city)

    def copied(name: str, change: Callable[[Path], None]) -> Path:
        copy = tmp_path / name / "editions" / FIRST
        shutil.copytree(settings.editions / FIRST, copy)
        in_folder(change)(copy)
        return copy

    def renamed(folder: Path) -> None:
        edited(folder / MANIFEST, edition="2020-9")
        signed_by_another(folder)

    forged = copied("forged", signed_by_another)
    stripped = copied("stripped", stripped_of_signature)
    unknown = copied("unknown", renamed)
    for folder in (forged, stripped):
        assert not verify_folder(folder, own=public_key(city.lake.home)).is_judged
        found = verify_folder_with_lake(folder, city.lake, settings)
        assert MANIFEST in found.by_edition()[FIRST], folder
    told = verify_folder_with_lake(unknown, city.lake, settings)
    assert not told.is_judged
    assert any("--key" in note for note in told.notes)
    assert any("本机的湖中没有这一版次" in note for note in told.notes)
    # Of another installation, whose key was handed over, it is what it says.
    key = told.signing_key
    for folder in (forged, unknown):
        theirs = verify_folder(folder).signing_key
        assert verify_folder_with_lake(folder, city.lake, settings, None, theirs).is_judged
    other = verify_folder_with_lake(forged, city.lake, settings, None, key)
    assert not other.is_unchanged
    same = verify_folder_with_lake(copied("same", lambda f: None), city.lake, settings)
    assert same.is_unchanged
    assert same.is_judged


def test_a_folders_verification_does_not_hide_the_chain(city: SmallCity) -> None:
    """A checkpoint of another publication than the folder's speaks of the register all the same."""
    settings = settings_of(city)
    for number, other in ((1, SECOND), (2, FIRST)):
        forged = Checkpoint(number, "0" * 64)
        found = verify_folder_with_lake(settings.editions / other, city.lake, settings, forged)
        assert "chain" in {p.kind for p in found.problems}
    with city.lake.write() as connection:
        connection.execute(ROWS["registered signature"])
    found = verify_folder_with_lake(settings.editions / SECOND, city.lake, settings)
    assert "signature" in {p.kind for p in found.problems}


MALFORMED = ('{"files": ["x"]}', '{"files": [{}]}', '{"files": [{"name": 7}]}', "[]", "[" * 90_000)


def test_a_folder_that_cannot_be_read_hides_no_other(
    city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(city)
    first = settings.editions / FIRST
    (settings.editions / SECOND / "cells.csv").chmod(0o644)
    for text in MALFORMED:
        with writable(first):
            replaced(first / MANIFEST, text.encode())
        found = frozen_files_changed(city.lake, settings)
        assert found == {FIRST: [MANIFEST], SECOND: ["cells.csv"]}
        assert not verify_folder(first).is_unchanged
    for name in (MANIFEST, SIGNATURE, "cells.csv"):
        with writable(first):
            (first / name).unlink()
            os.mkfifo(first / name, FILE_MODE)
        found = frozen_files_changed(city.lake, settings)
        assert found[FIRST][0] == MANIFEST
        assert found[SECOND] == ["cells.csv"]
        assert not verify_folder(first).is_unchanged
    stray = settings.editions / "2020-8"
    stray.mkdir()
    os.mkfifo(stray / MANIFEST)
    assert set(frozen_files_changed(city.lake, settings)) == {FIRST, SECOND}

    def unreadable(path: Path) -> str:
        # As for whoever may not read it; the administrator may read everything.
        if path.name == "tables.xlsx":
            raise PermissionError(13, "Permission denied")
        return sha256_of(path)

    monkeypatch.setattr("tasks.publish.verify.sha256_of", unreadable)
    found_ = verify_folder(settings.editions / SECOND)
    assert [(p.kind, p.name) for p in found_.problems] == [
        ("mode", "cells.csv"),
        ("unreadable", "tables.xlsx"),
    ]


@pytest.mark.parametrize("how", ["missing", "empty", "made anew"])
def test_a_register_of_persons_that_is_lost_opens_nothing(
    city: SmallCity, tmp_path: Path, how: str
) -> None:
    settings = settings_of(city)
    check_doors(settings)
    office = Office(settings.home)
    kept = tmp_path / "office"
    office.path.rename(kept)
    try:
        if how != "missing":
            office.path.touch()
        if how == "made anew":
            with office.change():
                pass
        for refused in (
            lambda: check_doors(settings),
            lambda: approve(city.lake, settings, Request(SECOND, "张三", "同意发布"), now=NOW),
            lambda: publish(city.lake, settings, "1", now=NOW),
        ):
            with pytest.raises(OfficeError, match="从备份恢复"):
                refused()
        lost = verify_home(city.lake, settings).problems
        assert [(p.kind, p.name) for p in lost] == [("log", "office.sqlite")]
        # Without a back-up the way on is at the machine: persons anew; verify goes on to tell.
        add_people(settings.home, {"王处长": APPROVES})
        check_doors(settings)
        assert not verify_home(city.lake, settings).is_unchanged
    finally:
        office.path.unlink(missing_ok=True)
        kept.rename(office.path)
    assert verify_home(city.lake, settings).is_unchanged


def test_a_home_of_which_nothing_was_published_needs_no_persons(
    small_template: SmallCity, tmp_path: Path
) -> None:
    check_doors(settings_of(small_template.copied_to(tmp_path / "new")))
    check_doors(Settings(home=tmp_path / "nothing", city=tmp_path))


def test_a_key_that_is_lost_is_not_made_anew(city: SmallCity, tmp_path: Path) -> None:
    """A publication signed by another key would break the chain, and look like a forgery."""
    settings = settings_of(city)
    key, public = city.lake.home / KEY, city.lake.home / PUBLIC_KEY
    own = public_key(city.lake.home)
    # Who verifies needs no private key and writes nothing.
    content = key.read_bytes()
    key.unlink()
    try:
        assert public_key(city.lake.home) == own
        assert verify_home(city.lake, settings).is_unchanged
        with pytest.raises(UnusableKey, match="从备份恢复"):
            sign(city.lake.home, b"")
        edition = build_edition(
            city.lake, city.folder, Period.of_year(2020), now=NOW, reason="再编", built_by="李四"
        ).edition
        answers = {f.code: "已核实" for f in edition.blocking_findings}
        request = Request(edition.id, "张三", "同意发布", answers=answers)
        with pytest.raises(UnusableKey, match="从备份恢复"):
            approve_and_publish(city.lake, settings, request, now=NOW)
        assert not key.exists()
        assert verify_home(city.lake, settings).is_unchanged
    finally:
        key.write_bytes(content)
        key.chmod(0o600)
    text = public.read_text()
    for broken in ("", "x" * 64):
        public.write_text(broken)
        assert public_key(city.lake.home) == own
    public.write_text(text)


def test_maintenance_calls_no_publication_that_goes_on_a_change(city: SmallCity) -> None:
    """Between the lake's writing and the folder's, each would seem to contradict the other."""
    settings = settings_of(city)
    (settings.editions / FIRST / "cells.csv").chmod(0o644)
    with publishing(settings):
        done = maintain(city.lake, settings, now=NOW)
    assert not done.is_verified
    assert done.changed_editions == {}
    assert "正有版次在发布" in maintenance(done)
    assert "相符" not in maintenance(done)
    done = maintain(city.lake, settings, now=NOW)
    assert done.is_verified
    assert list(done.changed_editions) == [FIRST]
