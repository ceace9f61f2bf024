"""A province: its figures are those of its cities' editions, pinned, held against each other, and
followed down to the cities' records."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from deployments.declared import deployments_of
from tasks.city.register import register_city
from tasks.clock import now
from tasks.editions.differences import compare_with
from tasks.editions.edition import Edition
from tasks.editions.explain import explain, explanation_json
from tasks.editions.store import load_edition, newest_edition
from tasks.editions.take import NotAProvince
from tasks.publish.maintain import maintain
from tasks.publish.publish import Request, staleness
from tasks.publish.rebuild import rebuild
from tasks.settings import Settings
from tasks.watch.province import stale_editions, standing
from tests.approving import approve_and_publish
from tests.command import told_by
from tests.desk_page import Prefect, browser, text_of
from tests.small_city import NOW, SmallCity
from tests.small_province import CODES, YEAR, SmallProvince
from warehouse.form import form_of
from warehouse.lake import transaction

LATE = datetime(2021, 4, 1, 6, 30)


@pytest.fixture(scope="module")
def template(small_template: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> SmallProvince:
    """Three cities, each with an edition of the year, and a province that has added them up."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        made = SmallProvince.create(
            small_template, tmp_path_factory.mktemp("province") / "template", monkeypatch
        )
        for number, (name, city) in enumerate(made.cities.items(), 1):
            for day in range(1, 3 * number):
                city.application(
                    f"2020-03-{day:02}",
                    f"2020-04-{day:02}" if day % 3 else None,
                    organ_id=("A1", "B", "A", CODES[name])[day % 4],
                    applicant_kind=("natural_person", "commercial_enterprise")[day % 2],
                )
            city.application("2019-12-02", "2020-01-09", organ_id="A2")
            city.add("hotline_call", {"called_at": datetime(2020, 5, number)})
            made.build_city(name)
        assert made.take().told == "取入版次 3 个"
        assert made.build().is_new
    return made


@pytest.fixture
def as_made(template: SmallProvince, monkeypatch: pytest.MonkeyPatch) -> SmallProvince:
    """The same, for who only reads."""
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setenv("COLUMNS", "200")
    template.name(monkeypatch)
    return template


@pytest.fixture
def province(
    template: SmallProvince, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SmallProvince:
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setenv("COLUMNS", "200")
    return template.copied_to(tmp_path / "province", monkeypatch)


def _city_edition(province: SmallProvince, name: str) -> Edition:
    return newest_edition(province.cities[name].lake, form_of(), YEAR)


def _open(edition: Edition, code: str) -> dict[str, str]:
    """The open findings of a rule: message by organ."""
    return {f.organ_id: f.message for f in edition.open_findings if f.code == code}


def test_a_province_is_the_sum_of_its_cities(as_made: SmallProvince) -> None:
    province = as_made
    edition = province.build().edition
    cities = {name: _city_edition(province, name) for name in CODES}
    added = 0
    for key, cell in edition.layout.cells.items():
        if not cell.measure:
            continue
        parts = [city.figures()[key].value for city in cities.values()]
        known = [value for value in parts if value is not None]
        assert edition.figures()[key].value == (sum(known, Decimal(0)) if known else None), key
        added += bool(any(known))
    assert added == 19
    # Below the province every figure is the city's own, whatever it is made of.
    for name, city in cities.items():
        for (organ, scope), figures in city.cells.items():
            known_as = CODES[name] if organ == CODES[name] else f"{CODES[name]}.{organ}"
            ours = edition.cells[(known_as, scope)]
            assert {k: ours[k] for k in figures} == dict(figures), (name, organ)
    assert len(edition.organs) == 1 + sum(len(city.organs) for city in cities.values()) == 13
    # What is made of sums is made anew.
    received, granted = (
        edition.figures()[key].value
        for key in ("overview.applications_received", "t3.granted.total")
    )
    share = edition.figures()["overview.granted_share"]
    assert (share.numerator, share.denominator) == (granted, received)
    assert received == sum(
        city.figures()["overview.applications_received"].value or 0 for city in cities.values()
    )
    assert {f.status for f in edition.findings if f.code == "B8"} == {"pass"}
    assert [(c.city_id, c.edition_id, c.cell_hash, c.snapshot) for c in edition.cities] == [
        (CODES[n], "2020-1", c.cell_hash, c.snapshot) for n, c in cities.items()
    ]
    kept = load_edition(province.lake, edition.id)
    assert (kept.cities, kept.cells) == (edition.cities, edition.cells)
    assert not kept.changed_parts(edition)
    # Nothing changed: the same edition, and nothing is taken twice.
    assert province.take().told == "没有变化的市 3 个"
    assert not province.build().is_new


def test_no_record_is_taken(as_made: SmallProvince) -> None:
    with as_made.lake.read() as connection:
        tables = [
            f"{layer}.{name}"
            for layer, name in connection.execute(
                "SELECT schema_name, table_name FROM duckdb_tables() "
                "WHERE database_name = 'lake' AND schema_name = 'core'"
            ).fetchall()
        ]
        held = {t for t in tables if connection.execute(f"SELECT 1 FROM {t} LIMIT 1").fetchone()}
    assert held == {"core.organ", "core.calendar_day"}


def test_a_city_that_is_missing_pending_or_late_is_named(
    province: SmallProvince, capsys: pytest.CaptureFixture[str]
) -> None:
    with province.cities["bing"].lake.write() as connection, transaction(connection):
        for table in ("edition", "cell", "check_result", "check_record"):
            connection.execute(f"DELETE FROM yearly.{table}")
    (province.folder.parent / "yi").rename(province.folder.parent.parent / "elsewhere")
    assert province.take().told == "没有变化的市 1 个、还没有版次的市 1 个、没有目录的市 1 个"
    absent = "NIANBAO_CITIES 中没有根机关编号为 120 的城市"
    # What was taken of them before is still added up, and that it is old is told.
    assert _open(province.build().edition, "G3") == {
        "120": f"yi市人民政府:{absent}",
        "130": "bing市人民政府:还没有版次",
    }
    with province.lake.write() as connection, transaction(connection):
        for table in ("city_edition", "city_cell", "city_finding"):
            connection.execute(f"DELETE FROM yearly.{table} WHERE city_id <> '110'")
    early = province.build().edition
    assert _open(early, "G1") == {
        "120": f"yi市人民政府没有2020 年年度报告的版次({absent})",
        "130": "bing市人民政府没有2020 年年度报告的版次(还没有版次)",
    }
    assert _open(early, "G2") == {"110": "版次 2020-1 待发布"}
    key = "t3.new_received.total"
    assert early.figures()[key] == _city_edition(province, "jia").figures()[key]
    province.take(now=LATE)
    late = province.build(now=LATE).edition
    assert _open(late, "G2") == {"110": "版次 2020-1 待发布,已过法定期限 2021-03-31"}
    told = standing(
        province.lake,
        province.settings,
        [Settings(city=Path("jia")), Settings(city=Path("bing"))],
        form_of(),
        YEAR,
        today=LATE.date(),
    )
    assert {c.city_id: c.standing for c in told.cities} == {
        "110": "late", "120": "missing", "130": "missing",
    }  # fmt: skip
    ended, said = told_by("province", "status", "2020", capsys=capsys)
    assert ended == 1
    assert "逾期未发布" in said
    assert "没有根机关编号为 120 的城市" in said


def test_a_citys_new_edition_makes_the_provinces_stale(
    province: SmallProvince, capsys: pytest.CaptureFixture[str]
) -> None:
    edition = newest_edition(province.lake, form_of(), YEAR)
    assert told_by("status", capsys=capsys)[0] == 0
    province.cities["yi"].application("2020-06-01", "2020-06-20", organ_id="B")
    assert province.build_city("yi").edition.id == "2020-2"
    # Seen at the city before it is taken in, and told by the province's own lake after.
    ended, said = told_by("province", "status", "2020", "--json", capsys=capsys)
    told = json.loads(said)
    assert (ended, told["is_stale"]) == (1, True)
    assert {c["city"]: c["standing"] for c in told["cities"]} == {
        "jia": "late", "yi": "changed", "bing": "late",
    }  # fmt: skip
    (yi,) = province.take().changed
    assert [(c.before, c.now, c.is_other) for c in yi.changes] == [("2020-1", "2020-2", True)]
    with province.lake.read() as connection:
        assert stale_editions(connection) == {"2020-1": ["120 2020-1(待发布) → 2020-2(待发布)"]}
    ended, said = told_by("status", capsys=capsys)
    assert (ended, "已不是各市的现行数字" in said) == (1, True), said
    ended, said = told_by("status", "--all", capsys=capsys)
    assert (ended, "市已另编" in said) == (1, True), said
    stale = staleness(province.lake, province.folder, edition, now=NOW)
    assert stale.is_stale
    assert "各市版次" in stale.others
    assert {d.organ_id for d in stale.differences} == {"100", "120", "120.B"}
    second = province.build()
    assert (second.is_new, second.edition.id) == (True, "2020-2")
    key = "t3.new_received.total"
    assert second.edition.figures()[key].value == (edition.figures()[key].value or 0) + 1
    with province.lake.read() as connection:
        assert stale_editions(connection) == {}


def test_a_province_is_published_and_built_again_to_the_byte_whatever_became_of_the_cities(
    province: SmallProvince,
) -> None:
    for city in province.cities.values():
        with city.lake.write() as connection:
            connection.execute(
                "UPDATE yearly.edition SET edition_status = 'published', manifest_hash = 'abc'"
            )
    province.take(now=LATE)
    first = province.build(now=LATE).edition
    assert not _open(first, "G2")
    assert {city.manifest_hash for city in first.cities} == {"abc"}
    yi = province.cities["yi"]
    yi.application("2020-06-01", "2020-06-20", organ_id="B")
    province.build_city("yi", now=LATE, reason="补登一件")
    # A pending edition beside the published one: who wants what is published has that alone.
    assert province.take(now=LATE, is_published_only=True).told == "没有变化的市 3 个"
    settings = province.settings
    answers = dict.fromkeys({f.code for f in first.blocking_findings}, "已核对")
    request = Request(first.id, "王", "同意发布", "", answers, "")
    approve_and_publish(province.lake, settings, request, now=LATE)
    manifest = json.loads((settings.editions / first.id / "manifest.json").read_text())
    assert [city["cell_hash"] for city in manifest["cities"]] == [
        city.cell_hash for city in first.cities
    ]
    # One is built again, one is gone, the province's own file is another: what the edition stands
    # on is kept, and maintenance leaves it.
    province.take(now=LATE)
    (province.folder.parent / "bing").rename(province.folder.parent.parent / "elsewhere")
    organs = province.folder / "organs.csv"
    organs.write_text(organs.read_text().replace("yi市", "新yi市"))
    register_city(province.lake, province.folder, now=LATE)
    maintain(province.lake, settings, now=datetime(2023, 1, 1))
    done = rebuild(province.lake, settings, first.id)
    assert {proof.key: proof.outcome for proof in done.proofs if proof.outcome != "same"} == {}
    assert {"各市版次", "report.pdf"} <= {proof.key for proof in done.proofs}
    assert (done.cells, done.findings) == ((), ())
    second = province.build(now=LATE, reason="补登一件").edition
    assert _open(second, "G4") == {"120": f"{first.id} 汇总的是 2020-1,现为 2020-2"}
    assert _open(second, "G2") == {"120": "版次 2020-2 待发布,已过法定期限 2021-03-31"}
    differing = compare_with(province.lake, second, first.id).differences
    assert {d.organ_id for d in differing} == {"100", "120", "120.B"}


def test_an_edition_that_was_changed_is_not_taken(province: SmallProvince) -> None:
    before = newest_edition(province.lake, form_of(), YEAR)
    yi = province.cities["yi"]
    yi.application("2020-06-01", "2020-06-20", organ_id="B")
    province.build_city("yi")
    with yi.lake.write() as connection:
        connection.execute(
            "UPDATE yearly.cell SET value = value + 1 "
            "WHERE edition_id = '2020-2' AND cell = 't3.new_received.total' AND organ_id = 'B'"
        )
    taken = province.take()
    (unseen,) = taken.unseen
    assert (unseen.look.city_id, unseen.look.status) == ("120", "refused")
    assert "版次 2020-2 与编制时的指纹不符(单元格)" in unseen.look.message
    after = province.build().edition
    assert after.cell_hash == before.cell_hash
    assert list(_open(after, "G3")) == ["120"]


def test_figures_that_do_not_go_together_are_told(province: SmallProvince) -> None:
    """A figure that one city has not, one that a city declares otherwise, findings that nobody
    answered for, and a city whose organs do not make up what it has as a whole."""
    jia, yi, bing = (province.cities[name] for name in CODES)
    jia.unmark_loaded("hotline_call")
    overview = yi.folder / "overview.yaml"
    text = overview.read_text(encoding="utf-8")
    overview.write_text(text.replace("where: is_in_year", "where: is_in_year AND TRUE"), "utf-8")
    bing.application("2020-06-01", "2020-06-20", organ_id="B", applicant_kind=None)
    for name in CODES:
        province.build_city(name)
    province.take()
    with province.lake.write() as connection:
        connection.execute(
            "UPDATE yearly.city_cell SET value = 0 WHERE city_id = '120' AND organ_id = 'B' "
            "AND scope = 'own' AND cell = 't3.new_received.total'"
        )
        connection.execute(
            "UPDATE yearly.city_cell SET value = value + 5 WHERE city_id = '130' "
            "AND organ_id = '130' AND scope = 'rolled_up' AND cell = 't3.granted.total'"
        )
    edition = province.build().edition
    for code, organ, said in (("G7", "110", "来电"), ("G5", "120", "来电"), ("G6", "130", "B3 ")):
        found = _open(edition, code)
        assert (list(found), said in found.get(organ, "")) == ([organ], True), found
        assert code in {f.code for f in edition.blocking_findings}
    sums = _open(edition, "B8")
    assert set(sums) == {"120", "130"}
    assert "各机关之和" in sums["120"]


def test_a_figure_is_followed_into_the_cities(
    as_made: SmallProvince, capsys: pytest.CaptureFixture[str]
) -> None:
    province = as_made
    key = "t3.new_received.total"
    whole = explain(province.lake, province.folder, YEAR, key)
    assert {c.edition.city_name: c.value for c in whole.cities} == {
        name: _city_edition(province, name).figures()[key].value for name in CODES
    }
    assert whole.value == sum(c.value or 0 for c in whole.cities)
    below = explain(province.lake, province.folder, YEAR, key, organ_id="120.A1", scope="own")
    for told in (whole.cities[0], *below.cities):
        arguments = shlex.split(told.command)[1:]
        ended, said = told_by(*arguments, "--json", capsys=capsys)
        found = json.loads(said)
        assert (ended, found["value"], len(found["records"])) == (0, told.value, told.value)
    # What is made of others leads on through its parts.
    share = explanation_json(
        explain(province.lake, province.folder, YEAR, "overview.granted_share")
    )
    assert [c["city"]["id"] for c in share["numerator"]["cities"]] == list(CODES.values())
    ended, said = told_by("explain", "2020", key, "--city", "sheng", capsys=capsys)
    assert (ended, whole.cities[0].command in said) == (0, True), said


def test_a_city_is_no_province(province: SmallProvince, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotAProvince, match="kind: province"):
        standing(
            province.cities["yi"].lake, Settings(city=Path("yi")), [], form_of(), YEAR,
            today=NOW.date(),
        )  # fmt: skip
    (province.folder / "city.yaml").write_text("kind: 省\n", encoding="utf-8")
    ended, said = told_by("province", "status", "2020", capsys=capsys)
    assert (ended, "只能是 city" in said) == (2, True), said


def test_each_is_served_what_it_has(as_made: SmallProvince) -> None:
    of = {
        name: {d["name"] for d in deployments_of(Settings(city=Path(name)))}
        for name in ("sheng", "yi")
    }
    assert of["sheng"] - of["yi"] == {"take-editions"}
    assert of["yi"] - of["sheng"] >= {"nightly", "backfill"}
    assert of["sheng"] >= {"year-end", "publish", "maintenance"}


def test_the_page_of_a_province_shows_all_its_cities(province: SmallProvince) -> None:
    """One line a city; one whose lake cannot be read takes no other away, and comes first."""
    settings = Settings(city=province.folder)
    client = browser(settings, Prefect(settings))
    for path in ("", "editions", "data", "deadlines", "search", "log", "people", "audit"):
        answer = client.get(f"/desk/{path}")
        assert answer.status_code == 200, (path, text_of(answer.text))
        assert 'href="/desk/cities"' in answer.text, path
    (province.cities["bing"].lake.catalog.path).write_bytes(b"no database")
    shutil.rmtree(province.cities["yi"].lake.home)
    told = text_of(client.get("/desk/cities").text)
    assert "3 个城市" in told
    lines = {name: told.index(f"{name}市人民政府") for name in CODES}
    assert min(lines, key=lambda name: lines[name]) == "bing"
    assert "读不了" in told
    assert "还没有数据" in told
    assert "2020-1 待发布" in told
    assert f"{now().year - 1} 年年度报告" in told
    assert "某省" not in told


def test_the_page_of_a_city_shows_no_other(province: SmallProvince) -> None:
    settings = Settings(city=province.cities["jia"].folder)
    client = browser(settings, Prefect(settings))
    assert "各市" not in client.get("/desk/editions").text
    assert client.get("/desk/cities").status_code == 404
