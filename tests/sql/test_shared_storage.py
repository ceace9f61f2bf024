"""Landings and editions in a bucket: another machine goes on with them, and nothing half is ever there."""

from __future__ import annotations

import io
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from deployments.server import EditionFiles
from tasks.city.register import register_city
from tasks.desk.edition import files_of
from tasks.desk.publication import zipped
from tasks.editions.build import build_edition
from tasks.editions.edition import Edition
from tasks.editions.explain import explain
from tasks.load.load import load
from tasks.load.waiting import waiting
from tasks.people.office import OfficeError
from tasks.publish.files import finish_all, publishing
from tasks.publish.maintain import maintain
from tasks.publish.publish import Request
from tasks.publish.rebuild import rebuild
from tasks.publish.verify import verify_home
from tasks.render import render_edition
from tasks.render.folder import NotPending
from tasks.settings import Settings
from tasks.sources.landing import MANIFEST, read_landed
from tasks.sources.plan import plan
from tasks.sources.pull import pull
from tasks.watch.doctor import examine
from tests import object_storage, postgres
from tests.approving import approve_and_publish
from tests.contract import source_files as files
from tests.contract.vendor import Vendor
from tests.object_storage import KEY, ObjectStorage
from tests.small_city import NOW, SmallCity
from warehouse import objects
from warehouse.beijing import BEIJING
from warehouse.disk import sha256_of
from warehouse.errors import ConfigurationError, ExitCode
from warehouse.lake import LakeBusy
from warehouse.objects import Objects, StorageAway
from warehouse.period import Period
from warehouse.shelf import BucketShelf, Damaged, IsFrozen
from warehouse.storage import Bucket
from warehouse.tables import all_tables

BUCKET = "archive"
YEAR = Period.of_year(2020)
LATER = NOW.replace(year=2040)


class Killed(BaseException):
    """What a killed process leaves undone."""


@pytest.fixture(scope="module")
def service() -> Iterator[ObjectStorage]:
    with object_storage.running() as made:
        made.make_bucket(BUCKET)
        yield made


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.running(postgres.programs_or_skip()) as made:
        yield made


def bucket_of(service: ObjectStorage, prefix: str) -> Bucket:
    endpoint = service.endpoint.partition("://")[2]
    return Bucket(
        *(BUCKET, prefix, endpoint, "us-east-1", KEY, "s3cr3t"),
        is_encrypted=service.authority is not None,
        authority=service.authority,
    )


@dataclass
class Machines:
    """Shelves of several machines over one bucket."""

    folder: Path
    bucket: Bucket

    def shelf(self, machine: str) -> BucketShelf:
        home = self.folder / machine
        return BucketShelf(home / "editions", self.bucket, "editions", home / "kept")

    def write(self, machine: str, name: str, **content: str) -> Path:
        folder = self.folder / machine / "editions" / name
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in content.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        return folder


@pytest.fixture
def machines(service: ObjectStorage, tmp_path: Path) -> Machines:
    return Machines(tmp_path, bucket_of(service, tmp_path.name))


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_is_the_same_on_every_machine_and_after_it_was_replaced(
    machines: Machines, service: ObjectStorage
) -> None:
    a, b = machines.shelf("a"), machines.shelf("b")
    for text in ("one", "another one", "one more"):
        kept = machines.write("a", "2020-1", **{"x.txt": text, "甲 县/报告 1.docx": text * 9})
        a.forget("2020-1")
        a.keep("2020-1")
        assert contents(b.here("2020-1")) == contents(kept)
    # What was replaced is gone, here and there.
    assert len([k for k in service.objects(BUCKET) if machines.bucket.prefix in k]) == 3
    assert [p.name for p in b.folder.iterdir()] == ["2020-1"]
    assert (a.names(), b.has("2020-1"), b.has("2020-2")) == ({"2020-1"}, True, False)
    a.drop("2020-1")
    assert (b.names(), [k for k in service.objects(BUCKET) if machines.bucket.prefix in k]) == (
        set(),
        [],
    )


def test_a_copy_that_was_touched_is_brought_anew(machines: Machines) -> None:
    machines.write("a", "2020-1", x="one", y="two")
    machines.shelf("a").keep("2020-1")
    b = machines.shelf("b")
    folder = b.here("2020-1")
    kept = contents(folder)
    (folder / "x").unlink()
    (folder / "z").write_text("none of ours", encoding="utf-8")
    assert contents(b.here("2020-1")) == kept
    (folder / "y").write_text("owt", encoding="utf-8")
    assert contents(b.here("2020-1", as_it_is=True)) == kept


@contextmanager
def killed_before(last: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that is killed before a certain change of the bucket."""
    made = 0

    def counted(method: Callable[..., object]) -> Callable[..., object]:
        def calling(*given: object) -> object:
            nonlocal made
            made += 1
            if made == last:
                raise Killed
            return method(*given)

        return calling

    with monkeypatch.context() as patched, suppress(Killed):
        for name in ("put", "put_bytes", "remove"):
            patched.setattr(Objects, name, counted(getattr(Objects, name)))
        yield


def test_killed_at_any_moment_there_is_the_old_folder_or_the_new_one(
    machines: Machines, monkeypatch: pytest.MonkeyPatch, service: ObjectStorage
) -> None:
    a = machines.shelf("a")
    old = contents(machines.write("a", "2020-1", x="old", y="old"))
    a.keep("2020-1")
    new = contents(machines.write("a", "2020-1", x="new one", y="new one"))
    seen = []
    for last in range(1, 7):
        with killed_before(last, monkeypatch):
            a.keep("2020-1")
        found = contents(machines.shelf(f"b{last}").here("2020-1"))
        assert found in (old, new)
        seen.append(found == new)
    assert seen == [False, False, False, True, True, True]
    # Maintenance takes what was left of those that were killed, and what is being put not.
    assert a.sweep(NOW.replace(tzinfo=BEIJING)) == 0
    assert a.sweep(LATER.replace(tzinfo=BEIJING)) > 0
    assert len([k for k in service.objects(BUCKET) if machines.bucket.prefix in k]) == 3
    assert contents(machines.shelf("last").here("2020-1")) == new


def test_an_object_that_was_changed_is_told_and_never_used(
    machines: Machines, service: ObjectStorage
) -> None:
    machines.write("a", "2020-1", x="one")
    machines.shelf("a").keep("2020-1")
    (key,) = [
        k for k in service.objects(BUCKET) if machines.bucket.prefix in k and k.endswith("/x")
    ]
    Objects(machines.bucket).put_bytes(key, b"two")
    with pytest.raises(Damaged, match=r"指纹不符.*备份"):
        machines.shelf("b").here("2020-1")
    assert not (machines.folder / "b" / "editions" / "2020-1").exists()
    # Who judges sees what is there, though a good copy lies here.
    assert (machines.shelf("a").here("2020-1", as_it_is=True) / "x").read_text() == "two"


def test_what_was_published_is_never_written_over(machines: Machines) -> None:
    a, b = machines.shelf("a"), machines.shelf("b")
    machines.write("a", "2020-1", x="pending")
    a.keep("2020-1")
    machines.write("a", ".publishing-2020-1", x="published")
    a.keep(".publishing-2020-1", under="2020-1")
    a.freeze("2020-1", ".publishing-2020-1")
    folder = b.here("2020-1")
    assert ((folder / "x").read_text(), a.names()) == ("published", {"2020-1"})
    assert (folder.stat().st_mode & 0o777, (folder / "x").stat().st_mode & 0o777) == (0o555, 0o444)
    machines.write("c", "2020-1", x="pending again")
    with pytest.raises(IsFrozen, match="已发布"):
        machines.shelf("c").keep("2020-1")
    assert a.sweep(LATER.replace(tzinfo=BEIJING)) == 0
    # Cut off before the staging was let go: that takes nothing of what was published.
    again = machines.shelf("e")
    held = a._held("2020-1")
    assert held is not None
    again._put(msgspec.structs.replace(held, name=".publishing-2020-1"), None)
    again.drop(".publishing-2020-1")
    assert (machines.shelf("d").here("2020-1") / "x").read_text() == "published"


def test_a_freeze_that_was_cut_off_is_finished_by_another_machine(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    for last in range(1, 5):
        name, staging = f"2020-{last}", f".publishing-2020-{last}"
        a, b = machines.shelf("a"), machines.shelf(f"b{last}")
        machines.write("a", name, x="pending")
        a.keep(name)
        machines.write("a", staging, x="published")
        a.keep(staging, under=name)
        with killed_before(last, monkeypatch):
            a.freeze(name, staging)
        assert (b.here(name) / "x").read_text() in ("pending", "published")
        if staging in b.names():
            b.here(staging)
            b.freeze(name, staging)
        assert (b.has(name), b.has(staging)) == (True, False)
        assert (machines.shelf(f"c{last}").here(name) / "x").read_text() == "published"
        a.sweep(LATER.replace(tzinfo=BEIJING))
        assert (machines.shelf(f"d{last}").here(name) / "x").read_text() == "published"


def test_a_storage_that_is_away_is_waited_for_and_then_told(
    machines: Machines, service: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.write("a", "2020-1", x="one")
    a = machines.shelf("a")
    asked = len(service.asked)

    def back(seconds: float) -> None:
        if len(service.asked) - asked > 2:
            service.refuses = None

    monkeypatch.setattr(objects.time, "sleep", back)
    service.refuses = (503, "SlowDown")
    try:
        a.keep("2020-1")
        monkeypatch.setattr(objects, "PATIENCE_READING", 0.0)
        service.refuses = (503, "SlowDown")
        with pytest.raises(StorageAway, match=r"连不上对象存储.*503 SlowDown") as caught:
            machines.shelf("b").here("2020-1")
    finally:
        service.refuses = None
    assert caught.value.exit_code == ExitCode.MACHINE_FAILED
    assert "s3cr3t" not in str(caught.value)
    gone = replace(machines, bucket=replace(machines.bucket, endpoint="127.0.0.1:9"))
    with pytest.raises(StorageAway, match="NIANBAO_STORAGE_ENDPOINT"):
        gone.shelf("c").names()
    assert (machines.shelf("b").here("2020-1") / "x").read_text() == "one"


def test_over_tls_an_authority_of_ones_own_is_believed(tmp_path: Path) -> None:
    with object_storage.running(tmp_path) as service:
        service.make_bucket(BUCKET)
        trusting = Machines(tmp_path, bucket_of(service, "p"))
        trusting.write("a", "2020-1", x="one")
        trusting.shelf("a").keep("2020-1")
        assert (trusting.shelf("b").here("2020-1") / "x").read_text() == "one"
        strange = Machines(tmp_path, replace(trusting.bucket, authority=None))
        with pytest.raises(StorageAway, match=r"SSLError.*NIANBAO_STORAGE_CA"):
            strange.shelf("c").here("2020-1")


def test_a_folder_holds_all_three_and_a_bucket_asks_for_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "home", storage=str(tmp_path / "mounted"))
    assert [settings.landing, settings.editions] == [
        tmp_path / "mounted" / "landing",
        tmp_path / "mounted" / "editions",
    ]
    assert not settings.edition_shelf.is_shared
    secrets = {"storage_key": SecretStr("k"), "storage_secret": SecretStr("s")}
    bucket = Settings(home=tmp_path / "home", storage="s3://bucket-none/a", **secrets)
    assert bucket.editions == tmp_path / "home" / "editions"
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(ConfigurationError, match="botocore"):
        bucket.edition_shelf.names()


@dataclass
class Province:
    """Machines with nothing in common but the catalog and the bucket."""

    small: SmallCity
    service: ObjectStorage
    address: str
    folder: Path

    def settings(self, machine: str) -> Settings:
        return Settings(
            home=self.folder / machine,
            city=self.small.folder,
            catalog=self.address,
            storage=f"s3://{BUCKET}/{self.folder.name}",
            storage_endpoint=self.service.endpoint,
            storage_key=KEY,
            storage_secret="s3cr3t/+=",
        )

    def city(self, machine: str) -> SmallCity:
        return SmallCity(self.small.folder, self.settings(machine).lake())


@pytest.fixture
def province(
    small: SmallCity, service: ObjectStorage, cluster: postgres.Cluster, tmp_path: Path
) -> Province:
    made = Province(small, service, cluster.database(tmp_path.name), tmp_path)
    first = made.city("a")
    first.lake.create()
    register_city(first.lake, first.folder, now=NOW)
    first.mark_loaded([t.name for t in all_tables() if t.is_pulled])
    return made


def fill(city: SmallCity) -> None:
    for number in range(9):
        city.application(f"2020-03-0{number + 1}", "2020-03-20", record_id=f"a{number}")


def built(city: SmallCity, settings: Settings) -> Edition:
    edition = build_edition(city.lake, city.folder, YEAR, now=NOW).edition
    shelf = settings.edition_shelf
    render_edition(edition, settings.editions / edition.id, lake=city.lake, shelf=shelf)
    return edition


def publish(machine: str, province: Province) -> None:
    settings = province.settings(machine)
    request = Request("2020-1", "张三", "同意发布")
    approve_and_publish(settings.lake(), settings, request, now=NOW)


def test_an_edition_is_that_of_the_embedded_default_and_goes_on_elsewhere(
    province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Settings(home=province.small.lake.home, city=province.small.folder)
    fill(province.small)
    fill(province.city("a"))
    edition = built(province.city("a"), province.settings("a"))
    assert built(province.small, here).cell_hash == edition.cell_hash
    # Every file, to the byte, as another machine reads it that has nothing yet.
    b = province.settings("b")
    assert contents(b.edition_shelf.here("2020-1")) == contents(here.editions / "2020-1")
    lake = b.lake()
    assert explain(lake, province.small.folder, YEAR, "t3.new_received.total").value == 9
    shutil.rmtree(b.home)
    assert rebuild(lake, b, "2020-1").is_same
    told = {one.name: one for one in examine(b, now=NOW)}["数据文件"]
    assert told.verdict == "good"
    assert [part in told.found for part in ("lake/files", "/landing", "/editions")] == [True] * 3

    # Published where it was not built; cut off after the lake was written, a third one finishes it.
    with monkeypatch.context() as patched:

        def killed(*_: object) -> None:
            raise Killed

        patched.setattr("tasks.publish.files.freeze", killed)
        with pytest.raises(Killed):
            publish("b", province)
    c = province.settings("c")
    done = maintain(c.lake(), c, now=NOW)
    assert (done.changed_editions, done.is_verified) == ({}, True)
    assert contents(c.editions / "2020-1") == contents(b.editions / ".publishing-2020-1")
    with pytest.raises(NotPending):
        render_edition(edition, province.settings("a").editions / "2020-1", lake=lake)
    d = province.settings("d")
    with zipfile.ZipFile(io.BytesIO(zipped(d, "2020-1"))) as packed:
        assert len(packed.namelist()) == len(contents(c.editions / "2020-1"))
    assert files_of(d, "2020-1").is_there
    assert rebuild(lake, d, "2020-1").is_same
    # Persons and the signing key are where it was published, and there all of it is judged.
    found = {name: verify_home(lake, province.settings(name)) for name in "bc"}
    assert [found[name].is_judged for name in "bc"] == [True, False]
    assert [found[name].problems for name in "bc"] == [(), ()]
    with pytest.raises(OfficeError, match="操作页面所在的机器"):
        publish("c", province)
    # What the storage holds is what is verified, not a copy.
    keys = province.service.objects(BUCKET)
    (key,) = [k for k in keys if province.folder.name in k and k.endswith("/cells.csv")]
    Objects(bucket_of(province.service, "")).put_bytes(key, b"other")
    assert verify_home(c.lake(), c).by_edition() == {"2020-1": ["cells.csv"]}


def test_files_are_served_from_a_home_that_has_none(machines: Machines) -> None:
    def client_of(shelf: BucketShelf) -> TestClient:
        return TestClient(Starlette(routes=[Mount("/", EditionFiles(shelf))]))

    machines.write("a", "2020-1", **{"报告.docx": "text"})
    machines.write("a", ".publishing-2020-2", x="hidden")
    for name in ("2020-1", ".publishing-2020-2"):
        machines.shelf("a").keep(name)
    client = client_of(machines.shelf("b"))
    assert client.get("/2020-1/报告.docx").text == "text"
    assert client.get("/2020-3/x").status_code == 404
    assert client.get("/.publishing-2020-2/x").status_code == 404
    away = replace(machines, bucket=replace(machines.bucket, name="nosuch-bucket"))
    answer = client_of(away.shelf("c")).get("/2020-1/x")
    assert (answer.status_code, "没有这个桶" in answer.text) == (503, True)


def test_another_machine_loads_what_a_killed_worker_had_pulled(province: Province) -> None:
    vendor = Vendor(files.records(20))
    a, b = province.settings("a"), province.settings("b")
    with vendor.serving():
        source = files.written(province.folder, files.raw_source(vendor), "vendor")
        (due,) = plan(source, a.lake())
        province.service.refuses = (403, "AccessDenied")
        try:
            with pytest.raises(objects.LakeError, match="拒绝访问"):
                pull(due, a.landing, shelf=a.landing_shelf)
        finally:
            province.service.refuses = None
        # Nothing half is left here, and the next pull goes on.
        assert not list(a.landing.rglob(MANIFEST))
        landed = pull(due, a.landing, shelf=a.landing_shelf)
    ((found, of, resource),) = waiting(b.landing_shelf, b.lake(), [source])
    assert (found.manifest, of, resource.name) == (
        landed.manifest,
        source,
        landed.manifest.resource,
    )
    assert load(found, source, b.lake(), now=NOW).rows_written == 20
    assert list(waiting(b.landing_shelf, b.lake(), [source])) == []
    # The one that was thought dead loads nothing twice.
    assert load(landed, source, a.lake(), now=NOW).is_repeated
    again = read_landed(province.settings("c").landing_shelf, landed.load_id)
    assert again is not None
    assert again.manifest == landed.manifest
    assert read_landed(a.landing_shelf, f"{source.name}/none/x") is None

    # Maintenance keeps no copies for ever, and what retention lets go is gone for all.
    maintain(b.lake(), b, now=LATER)
    assert not list(b.landing.rglob(MANIFEST))
    with b.lake().write() as connection:
        connection.execute(
            "INSERT INTO ops.load BY NAME SELECT * REPLACE (load_id || 'x' AS load_id, "
            "started_at + INTERVAL 1 YEAR AS started_at, landing_manifest || 'x' AS landing_manifest) "
            "FROM ops.load WHERE load_id = ?",
            [landed.load_id],
        )
    limited = b.model_copy(update={"keep_landing_years": 1})
    assert maintain(b.lake(), limited, now=LATER + timedelta(days=400)).landings_dropped == 1
    assert b.landing_shelf.names() == set()
    keys = province.service.objects(BUCKET)
    assert [k for k in keys if f"{province.folder.name}/landing/" in k] == []


def test_what_a_home_held_before_is_put_into_the_bucket(province: Province) -> None:
    """The storage was a folder until now; maintenance takes over what lies there, but not while a
    publication goes on, on whichever machine."""
    a = province.settings("a")
    edition = built(province.city("a"), a.model_copy(update={"storage": ""}))
    landing = a.landing / "s" / "r" / "20210101T000000-00000000"
    landing.mkdir(parents=True)
    (landing / MANIFEST).write_text("{}", encoding="utf-8")
    assert a.edition_shelf.names() == set()
    maintain(a.lake(), a, now=NOW)
    b = province.settings("b")
    assert contents(b.edition_shelf.here(edition.id)) == contents(a.editions / edition.id)
    assert b.landing_shelf.names() == {"s/r/20210101T000000-00000000"}
    machines = Machines(b.home, bucket_of(province.service, province.folder.name))
    with publishing(a):
        machines.write("", ".publishing-2020-9", x="being published")
        b.edition_shelf.keep(".publishing-2020-9", under="2020-9")
        finish_all(b.lake(), b)
        assert ".publishing-2020-9" in b.edition_shelf.names()
        with pytest.raises(LakeBusy), publishing(b, timeout=0):
            pass
    finish_all(b.lake(), b)
    assert ".publishing-2020-9" not in b.edition_shelf.names()
