"""The yearly tables as each organ filed them itself, and where the filings were planted wrong.

An organ files its own figures; a parent files its own plus what its direct children filed.
The arithmetic here is the demo city's own, apart from the pipeline's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal

from deployments.demo_city.service.applications import Application
from deployments.demo_city.service.ledger_books import Books
from deployments.demo_city.service.moments import YEARS
from deployments.demo_city.service.organs import Organs

Cells = Counter[str]
"""Cell to value; amounts in fen."""

# Filed for 2020 and not what the organ's records say: organ, cell, difference.
WRONG_FILINGS = (
    ("441500D07", "t3.granted.natural_person", 1),
    ("441500D07", "t3.granted.total", 1),
    ("441581D03", "t2.administrative_penalty.decisions", 9),
    ("441500D11", "t3.unprocessed_petition.natural_person", -1),
    ("441500D11", "t3.unprocessed_repeat.natural_person", 1),
)
FILED_NOTHING = "441523103"
PLANTED_YEAR = 2020

KINDS = {
    "10": "natural_person",
    "21": "commercial_enterprise",
    "22": "research_institution",
    "23": "public_welfare_organization",
    "24": "legal_service_organization",
    "29": "other_organization",
}
COLUMNS = (*KINDS.values(), "total")
OUTCOMES = {
    "01": "granted",
    "02": "partially_granted",
    "0301": "denied_state_secret",
    "0302": "denied_law_prohibits",
    "0303": "denied_safety_stability",
    "0304": "denied_third_party_rights",
    "0305": "denied_internal_affairs",
    "0306": "denied_process_information",
    "0307": "denied_enforcement_file",
    "0308": "denied_administrative_query",
    "0401": "unavailable_not_held",
    "0402": "unavailable_needs_creation",
    "0403": "unavailable_unclear",
    "0501": "unprocessed_petition",
    "0502": "unprocessed_repeat",
    "0503": "unprocessed_publication",
    "0504": "unprocessed_excessive",
    "0505": "unprocessed_reconfirm",
    "0601": "other_correction_overdue",
    "0602": "other_fee_overdue",
    "0603": "other_misc",
}
_ACTIONS = {
    "XK": "administrative_license",
    "FW": "other_public_service",
    "CF": "administrative_penalty",
    "QZ": "administrative_coercion",
}
_CASES = {
    "FY": "reconsideration",
    "SSZJ": "litigation_direct",
    "SSFY": "litigation_after_reconsideration",
}
_CASE_OUTCOMES = {"WC": "upheld", "JZ": "corrected", "QT": "other"}


def cell_keys(year: int) -> list[str]:
    """The printed cells of the form in use for a year, in its order."""
    keys: list[str] = []
    if year <= 2020:
        for row in ("regulation", "normative_document"):
            keys += [f"t2.{row}.{c}" for c in ("newly_made", "newly_disclosed", "total_disclosed")]
        for row in _ACTIONS.values():
            keys += [f"t2.{row}.{c}" for c in ("prior_items", "change", "decisions")]
        keys += ["t2.administrative_fee.prior_items", "t2.administrative_fee.change"]
        keys += ["t2.centralized_procurement.items", "t2.centralized_procurement.amount"]
    else:
        for row in ("regulation", "normative_document"):
            keys += [f"t2.{row}.{c}" for c in ("issued", "abolished", "in_force")]
        for row in ("administrative_license", "administrative_penalty", "administrative_coercion"):
            keys.append(f"t2.{row}.decisions")
        keys.append("t2.administrative_fee.amount_10k_yuan")
    rows = ["new_received", "carried_in"]
    rows += [
        _outcome_row(code, year) for code in OUTCOMES if year > 2020 or code not in ("0602", "0603")
    ]
    rows += ["results_total", "carried_out"]
    keys += [f"t3.{row}.{column}" for row in rows for column in COLUMNS]
    for row in _CASES.values():
        keys += [f"t4.{row}.{c}" for c in ("upheld", "corrected", "other", "pending", "total")]
    return keys


def _outcome_row(code: str, year: int) -> str:
    return "other" if year <= 2020 and code.startswith("06") else OUTCOMES[code]


def own_cells(year: int, applications: Iterable[Application], books: Books) -> dict[str, Cells]:
    """Each organ's own cells from its records."""
    cells: dict[str, Cells] = defaultdict(Counter)
    first, last = date(year, 1, 1), date(year, 12, 31)
    _table_two(cells, year, first, last, books)
    for a in applications:
        own = cells[a.organ.organ_id]
        for row in _rows_of(a, year):
            own[f"t3.{row}.total"] += 1
            if a.applicant_kind:
                own[f"t3.{row}.{KINDS[a.applicant_kind]}"] += 1
    _table_four(cells, first, last, books)
    return cells


def _rows_of(a: Application, year: int) -> Iterator[str]:
    """The rows of table three in which an application counts."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    if a.received.year == year:
        yield "new_received"
    if a.received < first and (a.closed is None or a.closed >= first):
        yield "carried_in"
    if a.closed and a.closed.year == year:
        yield "results_total"
        if a.outcome:
            yield _outcome_row(a.outcome, year)
    if a.received <= last and (a.closed is None or a.closed > last):
        yield "carried_out"


def _table_four(cells: dict[str, Cells], first: date, last: date, books: Books) -> None:
    for case in books.reviews:
        if case.accepted > last or (case.closed and case.closed < first):
            continue
        closed = case.closed is not None and case.closed <= last
        outcome = _CASE_OUTCOMES[case.outcome or "QT"] if closed else "pending"
        cells[case.organ_id][f"t4.{_CASES[case.kind]}.{outcome}"] += 1
        cells[case.organ_id][f"t4.{_CASES[case.kind]}.total"] += 1


def _table_two(cells: dict[str, Cells], year: int, first: date, last: date, books: Books) -> None:
    for d in books.documents:
        own = cells[d.organ_id]
        row = "t2.regulation" if d.kind == "GZ" else "t2.normative_document"
        in_force = d.abolished is None or d.abolished > last
        own[f"{row}.newly_made"] += d.issued.year == year
        own[f"{row}.issued"] += d.issued.year == year
        own[f"{row}.newly_disclosed"] += d.disclosed.year == year
        own[f"{row}.total_disclosed"] += d.disclosed <= last and in_force
        own[f"{row}.abolished"] += d.abolished is not None and d.abolished.year == year
        own[f"{row}.in_force"] += d.issued <= last and in_force
    for i in books.items:
        row = f"t2.{_ACTIONS.get(i.kind, 'administrative_fee')}"
        before = i.valid_from < first and (i.valid_to is None or i.valid_to >= first)
        after = i.valid_from <= last and (i.valid_to is None or i.valid_to > last)
        cells[i.organ_id][f"{row}.prior_items"] += before
        cells[i.organ_id][f"{row}.change"] += int(after) - int(before)
    for r in books.actions:
        if r.day.year == year:
            cells[r.organ_id][f"t2.{_ACTIONS[r.kind]}.decisions"] += r.count
    for f in books.fees:
        if f.day.year == year and f.kind == "XZSYXSF":
            cells[f.organ_id]["t2.administrative_fee.amount_10k_yuan"] += f.count
    for p in books.procurements:
        if p.day.year == year:
            cells[p.organ_id]["t2.centralized_procurement.items"] += 1
            cells[p.organ_id]["t2.centralized_procurement.amount"] += p.count


def _written(cell: str, value: int) -> str:
    if cell.endswith(".amount"):
        return str(Decimal(value) / 100)
    if cell.endswith(".amount_10k_yuan"):
        return str(Decimal(value) / 1_000_000)
    return str(value)


def filed_tables(
    organs: Organs, applications: list[Application], books: Books
) -> Iterable[tuple[str, int, str, str]]:
    """Organ, year, cell and value as filed."""
    for year in YEARS:
        own = own_cells(year, applications, books)
        if year == PLANTED_YEAR:
            for organ_id, cell, difference in WRONG_FILINGS:
                own[organ_id][cell] = max(0, own[organ_id][cell] + difference)
        filing = [o for o in organs.ids if _files(organs, o, year)]
        if year == PLANTED_YEAR:
            filing.remove(FILED_NOTHING)
        filed = _added_up(organs, date(year, 12, 31), filing, own)
        keys = cell_keys(year)
        for organ_id in filing:
            for key in keys:
                yield organ_id, year, key, _written(key, filed[organ_id][key])


def _added_up(
    organs: Organs, last: date, filing: list[str], own: dict[str, Cells]
) -> dict[str, Cells]:
    """Each filing organ's cells with those below it, as the tree stood on a day."""
    children: dict[str, list[str]] = defaultdict(list)
    for organ_id in filing:
        children[organs.on(organ_id, last).parent].append(organ_id)
    filed: dict[str, Cells] = {}

    def file(organ_id: str) -> Cells:
        cells = Counter(own[organ_id])
        for child in children[organ_id]:
            cells.update(file(child))
        filed[organ_id] = cells
        return cells

    for root in children[""]:
        file(root)
    return filed


def _files(organs: Organs, organ_id: str, year: int) -> bool:
    """Whether an organ files for a year: it was there on some day of it."""
    ended = organs.ended_on(organ_id)
    return organs.existed_from(organ_id) <= date(year, 12, 31) and (
        ended is None or ended >= date(year, 1, 1)
    )
