"""What the demo city serves: its balances, its dates, its plants, its personal data."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.demo_city.service import personal, running
from deployments.demo_city.service.check import read_date, sum_up, workbook_applications
from deployments.demo_city.service.client import Client, Record
from deployments.demo_city.service.filed import FILED_NOTHING, OUTCOMES, WRONG_FILINGS
from deployments.demo_city.service.generate import generated
from deployments.demo_city.service.totals import APPLICATIONS, CMS, HOTLINE, scaled
from deployments.demo_city.service.workdays import add_working_days

SCALE = 0.02
CITY = Path("deployments/demo_city").resolve()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with running(tmp_path_factory.mktemp("home"), scale=SCALE) as environment:
        yield Client(environment)


@pytest.fixture(scope="module")
def summed(client: Client) -> tuple[dict[str, Any], list[str]]:
    return sum_up(client)


@pytest.fixture(scope="module")
def applications(client: Client) -> list[Record]:
    return list(client.ledger("applications"))


@pytest.fixture(scope="module")
def organs() -> list[dict[str, str]]:
    with (CITY / "organs.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def some(count: int) -> int:
    return scaled(count, SCALE)


def test_full_scale_totals_are_the_published_ones() -> None:
    year = APPLICATIONS[2020]
    printed = yaml.safe_load((CITY / "published" / "2020.yaml").read_text(encoding="utf-8"))
    published = {f["key"]: f["value"] for f in printed["figures"]}
    outcomes = Counter[str]()
    for code, count in year.outcomes.items():
        outcomes[OUTCOMES[code].partition("_")[0] if code[:2] != "02" else "partially_granted"] += (
            count
        )
    for key in ("granted", "partially_granted", "denied", "unavailable", "unprocessed", "other"):
        assert str(outcomes[key]) == published[key]
    received = outcomes.total() + len(year.without_outcome) + year.open_at_end
    assert str(received) == published["applications_received"]
    assert str(sum(year.organizations.values())) == published["applications_legal_person"]
    assert str(HOTLINE[2020].calls) == published["hotline_calls"]
    assert str(CMS[2020].disclosed) == published["disclosed_items"]
    first = APPLICATIONS[2019]
    assert sum(first.outcomes.values()) + first.open_at_end == 1643


def test_2020_comes_out_at_this_scale(summed: tuple[dict[str, Any], list[str]]) -> None:
    figures, _ = summed
    cms, applications_of = CMS[2020], APPLICATIONS[2020]
    assert figures["hotline_calls"] == some(HOTLINE[2020].calls)
    assert figures["hotline_work_orders"] == some(HOTLINE[2020].work_orders)
    assert figures["key_field_items"] == some(cms.key_field)
    assert figures["online_inquiries_closed"] == some(cms.inquiries_closed)
    assert figures["online_inquiries_open"] == some(cms.inquiries_open)
    assert figures["portal_visits"] == cms.portal_visits
    assert figures["gazette_copies"] == 24_200
    assert figures["normative_documents"] == 195
    assert figures["normative_documents_abolished"] == 45
    assert figures["new_media_accounts"] == 120
    assert figures["wechat_followers"] == 21_983
    assert figures["granted"] == some(applications_of.outcomes["01"])
    assert figures["applications_carried_in"] == some(APPLICATIONS[2019].open_at_end)
    outcomes = ("granted", "partially_granted", "denied", "unavailable", "unprocessed", "other")
    closed = sum(figures[key] for key in outcomes) + len(applications_of.without_outcome)
    assert figures["applications_received"] == closed + figures["applications_carried_out"]
    persons = figures["applications_natural_person"] + figures["applications_legal_person"]
    assert figures["applications_received"] == persons + len(applications_of.without_kind)


def test_six_applications_are_defective(
    summed: tuple[dict[str, Any], list[str]], applications: list[Record]
) -> None:
    defective = summed[1]
    assert len(defective) == 6
    found = [a for a in applications if a["id"] in defective]
    assert len({a["organ"]["code"] for a in found}) == 6
    assert len({(read_date(a["receivedDate"]) or date.min).month for a in found}) == 6
    assert sum(not a["applicant"]["kind"] for a in found) == 4
    assert sum(a["closedDate"] is not None and a["result"] is None for a in found) == 2


def test_application_dates_follow_the_calendar(applications: list[Record]) -> None:
    late = 0
    for a in applications:
        received, due = read_date(a["receivedDate"]), read_date(a["dueDate"])
        closed, extended = read_date(a["closedDate"]), read_date(a["extendedDate"])
        corrected = read_date(a["correctedDate"])
        assert received is not None
        assert closed is None or closed >= received
        days = 20 + (20 if extended else 0) + (a["consultationDays"] or 0)
        assert due == add_working_days(corrected or received, days)
        late += closed is not None and due is not None and closed > due
        events = {event["type"]: event["date"] for event in a["events"]}
        assert events["SD"] == received.isoformat()
        assert events.get("BJ") == (closed.isoformat() if closed else None)
        assert [e["date"] for e in a["events"]] == sorted(e["date"] for e in a["events"])
    assert late == sum(some(year.overdue) for year in APPLICATIONS.values())


def test_organs_are_known_and_valid_on_the_day(
    applications: list[Record], organs: list[dict[str, str]]
) -> None:
    periods: dict[str, list[tuple[str, str]]] = {}
    for o in organs:
        period = (o["valid_from"], o["valid_to"] or "9999-12-31")
        periods.setdefault(o["ledger_code"], []).append(period)
    for a in applications:
        day = (read_date(a["receivedDate"]) or date.min).isoformat()
        assert any(first <= day <= last for first, last in periods[a["organ"]["code"]])


def test_organs_of_the_city(organs: list[dict[str, str]]) -> None:
    now = [o for o in organs if not o["valid_to"]]
    kinds = Counter(o["organ_kind"] for o in now)
    assert kinds["city"] == 1
    assert kinds["county"] == 4
    assert kinds["functional_zone"] == 2
    assert kinds["township"] == 51
    assert sum(o["has_system"] == "false" for o in now) == 12
    known = {o["organ_id"] for o in organs}
    for o in organs:
        assert not o["parent_organ_id"] or o["parent_organ_id"] in known
        assert not o["successor_organ_id"] or o["successor_organ_id"] in known


def test_unknown_units_are_of_2021_only(client: Client, organs: list[dict[str, str]]) -> None:
    known = {o["hotline_code"] for o in organs}
    lost = [o for o in client.hotline("workOrders") if o["handleUnit"]["code"] not in known]
    assert len(lost) == 3
    assert all(o["orderId"].startswith("GD2021") for o in lost)


def test_filings_agree_but_for_the_plants(client: Client, organs: list[dict[str, str]]) -> None:
    codes = {o["ledger_code"]: o["organ_id"] for o in organs}
    parents = {o["organ_id"]: o["parent_organ_id"] for o in organs if not o["valid_to"]}
    filed: dict[tuple[str, str], int] = {}
    for cell in client.ledger("filed-cells"):
        if cell["year"] == 2020 and cell["cell"].startswith("t3."):
            filed[codes[cell["organ"]["code"]], cell["cell"]] = int(cell["value"])
    assert not any(organ == FILED_NOTHING for organ, _ in filed)
    records: Counter[tuple[str, str]] = Counter()
    rows = [*client.ledger("applications"), *workbook_applications(client)]
    for a in rows:
        closed = read_date(a["closedDate"])
        if a["status"] == "normal" and a["result"] and closed and closed.year == 2020:
            organ = codes[a["organ"]["code"]]
            key = "other" if a["result"].startswith("06") else OUTCOMES[a["result"]]
            while organ:
                records[organ, f"t3.{key}.total"] += 1
                organ = parents.get(organ, "")
    touched = {FILED_NOTHING, *(organ for organ, _, _ in WRONG_FILINGS)}
    for organ in list(touched):
        while organ:
            touched.add(organ)
            organ = parents[organ]
    for (organ, cell), value in filed.items():
        if organ not in touched and any(cell == f"t3.{o}.total" for o in OUTCOMES.values()):
            assert records[organ, cell] == value, (organ, cell)


def marked(value: Any) -> bool:
    return bool(personal.find_mark(str(value).encode()))


def test_every_record_carries_marked_personal_data(client: Client) -> None:
    everywhere = {
        "cms": [next(client.cms("wenzhang")), next(client.cms("hudong"))],
        "hotline": [next(client.hotline("calls")), next(client.hotline("workOrders"))],
        "media": [next(client.media(n)) for n in ("accounts", "followers", "posts", "inspections")],
        "ledger": [next(client.ledger(n)) for n in ("applications", "reviews", "fees", "gazette")],
    }
    for records in everywhere.values():
        assert all(marked(record) for record in records)
    call = everywhere["hotline"][0]
    for field in ("callerName", "callerPhone", "address", "content"):
        assert marked(call[field])


def declared_paths(fields: dict[str, Any]) -> set[str]:
    paths = (rule if isinstance(rule, str) else rule.get("path") for rule in fields.values())
    return {p for path in paths if path for p in ([path] if isinstance(path, str) else path)}


def reached(record: Any, path: str) -> Any:
    for part in path.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


def test_sources_declare_nothing_personal(client: Client) -> None:
    pulls = {
        "cms": client.cms,
        "hotline": client.hotline,
        "new_media": client.media,
        "ledger": client.ledger,
    }
    for name, pull in pulls.items():
        source = yaml.safe_load((CITY / "sources" / f"{name}.yaml").read_text(encoding="utf-8"))
        for resource in source["resources"]:
            records = [
                r
                for _, r in zip(range(300), pull(resource["path"].rpartition("/")[2]), strict=False)
            ]
            for path in declared_paths(resource["fields"]):
                assert not any(marked(reached(r, path)) for r in records), (name, path)
            for child in resource.get("children", ()):
                for path in declared_paths(child["fields"]):
                    inner = [e for r in records for e in reached(r, child["records"])]
                    assert not any(marked(reached(e, path)) for e in inner), (name, path)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    one, two = generated(tmp_path / "a", scale=0.005), generated(tmp_path / "b", scale=0.005)
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
    assert all((one / f).read_bytes() == (two / f).read_bytes() for f in files)
    other = generated(tmp_path / "a", seed=7, scale=0.005)
    assert other != one
    assert (other / "cms/wenzhang.data").read_bytes() != (one / "cms/wenzhang.data").read_bytes()


def test_the_pipeline_does_not_know_the_demo_city() -> None:
    root = CITY.parents[1]
    for folder in ("flows", "tasks", "warehouse", "expectations"):
        for module in (root / folder).rglob("*.py"):
            assert "demo_city.service" not in module.read_text(encoding="utf-8"), module
