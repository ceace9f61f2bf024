"""The ledger's records as its API gives them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from deployments.demo_city.service.applications import Application, ApplicationBook
from deployments.demo_city.service.filed import filed_tables
from deployments.demo_city.service.ledger_books import Books, keep_books
from deployments.demo_city.service.moments import PRESENT, day_ms, iso, office_hours
from deployments.demo_city.service.organs import Organ, Organs
from deployments.demo_city.service.personal import People
from deployments.demo_city.service.store import Row, as_json, write_store
from deployments.demo_city.service.workbooks import write_workbooks


def typed_date(day: date | None, office: str) -> str | None:
    """A date as the office that types it writes dates."""
    if day is None:
        return None
    style = sum(map(ord, office)) % 4
    if style == 0:
        return f"{day.year}年{day.month}月{day.day}日"
    if style == 1:
        return f"{day.year}/{day.month}/{day.day}"
    return day.isoformat()


# The scale below which only governments have filed tables.
FEW_FILINGS_BELOW = 0.01


@dataclass
class _Clerk:
    """What every record of the ledger shares: the organ, the dates, the marks of its state."""

    rng: Random
    organs: Organs
    people: People

    def organ(self, organ_id: str, day: date) -> dict[str, str]:
        organ = self.organs.on(organ_id, day)
        return {"code": organ.ledger_code, "name": organ.name}

    def row(
        self,
        record: dict[str, Any],
        touched: date,
        business: date,
        withdrawn: date | None = None,
    ) -> Row:
        """Stamp and serialise. `touched` is the day of the last change."""
        updated = office_hours(self.rng, min(withdrawn or touched, PRESENT))
        record["filledBy"] = self.people.anyone().name
        record["status"] = "withdrawn" if withdrawn else "normal"
        record["withdrawnAt"] = iso(updated) if withdrawn else None
        record["updatedAt"] = iso(updated)
        text = as_json(record)
        return updated, record["id"], day_ms(business), withdrawn is not None, text


def _applicant(people: People, kind: str) -> dict[str, str]:
    person = people.anyone()
    organization = kind.startswith("2")
    return {
        "kind": kind,
        "name": people.company() if organization else person.name,
        "contact": person.name,
        "idNumber": person.identity,
        "phone": person.phone,
        "address": person.address,
    }


def _application(clerk: _Clerk, a: Application, withdrawn: date | None) -> Row:
    office = a.organ.organ_id
    people = clerk.people
    steps = a.events()
    events = [
        {"seq": n, "type": kind, "date": day.isoformat(), "handler": people.anyone().name}
        for n, (kind, day) in enumerate(steps, start=1)
    ]
    if a.closed:
        events[-1]["note"] = people.text()
    record = {
        "id": a.application_id,
        "registeredNumber": a.registered_number,
        "organ": clerk.organ(office, a.received),
        "receiptChannel": a.channel,
        "applicant": _applicant(people, a.applicant_kind),
        "requestText": people.text(),
        "receivedDate": typed_date(a.received, office),
        "correctedDate": typed_date(a.corrected, office),
        "extendedDate": typed_date(a.extended, office),
        "consultationDays": a.consultation_days,
        "dueDate": typed_date(a.due, office),
        "closedDate": typed_date(a.closed, office),
        "result": a.outcome,
        "events": events,
    }
    return clerk.row(record, steps[-1][1], a.received, withdrawn)


def _applications(clerk: _Clerk, book: ApplicationBook) -> Iterator[Row]:
    for application in book.all:
        if application.organ.has_system:
            yield _application(clerk, application, None)
    for application in book.withdrawn:
        yield _application(clerk, application, ApplicationBook.withdrawn_on(application))


def _reviews(clerk: _Clerk, books: Books) -> Iterator[Row]:
    for n, case in enumerate(sorted(books.reviews, key=lambda c: c.accepted), start=1):
        office = case.organ_id
        record = {
            "id": f"FS{case.accepted.year}-{n:04d}",
            "organ": clerk.organ(office, case.accepted),
            "kind": case.kind,
            "applicationId": case.application_id,
            "party": _applicant(clerk.people, "10"),
            "acceptedDate": typed_date(case.accepted, office),
            "closedDate": typed_date(case.closed, office),
            "result": case.outcome,
            "summary": clerk.people.text(),
        }
        yield clerk.row(record, case.closed or case.accepted, case.accepted)


def _documents(clerk: _Clerk, books: Books) -> Iterator[Row]:
    for n, d in enumerate(books.documents, start=1):
        record = {
            "id": f"WJ{n:05d}",
            "organ": clerk.organ(d.organ_id, d.issued),
            "kind": d.kind,
            "number": d.number,
            "title": d.title,
            "issuedDate": typed_date(d.issued, d.organ_id),
            "disclosedDate": typed_date(d.disclosed, d.organ_id),
            "abolishedDate": typed_date(d.abolished, d.organ_id),
            "drafter": clerk.people.anyone().name,
        }
        touched = max(d.abolished or d.disclosed, d.disclosed, date(2018, 12, 3))
        yield clerk.row(record, touched, d.issued)


def _items(clerk: _Clerk, books: Books) -> Iterator[Row]:
    for i in books.items:
        record = {
            "id": i.item_id,
            "organ": clerk.organ(i.organ_id, i.valid_from),
            "kind": i.kind,
            "name": i.name,
            "validFrom": i.valid_from.isoformat(),
            "validTo": i.valid_to.isoformat() if i.valid_to else None,
        }
        yield clerk.row(record, max(i.valid_to or i.valid_from, date(2018, 12, 3)), i.valid_from)


def _actions(clerk: _Clerk, books: Books) -> Iterator[Row]:
    for n, r in enumerate(books.actions, start=1):
        record = {
            "id": f"JD{n:06d}",
            "organ": clerk.organ(r.organ_id, r.day),
            "kind": r.kind,
            "itemId": r.item_id,
            "decidedDate": typed_date(r.day, r.organ_id),
            "count": r.count,
        }
        yield clerk.row(record, r.day + timedelta(days=4), r.day)


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _fees(clerk: _Clerk, books: Books) -> Iterator[Row]:
    for n, f in enumerate(books.fees, start=1):
        record = {
            "id": f"SF{n:06d}",
            "organ": clerk.organ(f.organ_id, f.day),
            "kind": f.kind,
            "itemId": f.item_id,
            "chargedDate": typed_date(f.day, f.organ_id),
            "amount": _yuan(f.count),
            "payer": clerk.people.anyone().name,
        }
        yield clerk.row(record, f.day + timedelta(days=3), f.day)


def _procurements(clerk: _Clerk, books: Books) -> Iterator[Row]:
    for n, p in enumerate(books.procurements, start=1):
        record = {
            "id": f"CG{p.day.year}-{n:05d}",
            "organ": clerk.organ(p.organ_id, p.day),
            "projectName": p.name,
            "signedDate": typed_date(p.day, p.organ_id),
            "amount": _yuan(p.count),
            "contact": clerk.people.anyone().phone,
        }
        yield clerk.row(record, p.day + timedelta(days=2), p.day)


def _gazettes(clerk: _Clerk, books: Books) -> Iterator[Row]:
    for g in books.gazettes:
        record = {
            "id": f"GB{g.organ_id}-{g.day.year}-{int(g.kind):02d}",
            "organ": clerk.organ(g.organ_id, g.day),
            "name": g.name,
            "issue": f"{g.day.year}年第{g.kind}期",
            "publishedDate": typed_date(g.day, g.organ_id),
            "copies": g.count,
            "editor": clerk.people.anyone().name,
        }
        yield clerk.row(record, g.day + timedelta(days=1), g.day)


def _filed_cells(clerk: _Clerk, book: ApplicationBook, books: Books, scale: float) -> Iterator[Row]:
    name = clerk.people.anyone().name
    governments = {organ.parent for organ in clerk.organs.rows}
    touched: dict[tuple[str, int], tuple[int, dict[str, str]]] = {}
    for organ_id, year, cell, value in filed_tables(clerk.organs, book.all, books):
        # A table has as many cells at any scale; the smallest cities get those of a few organs.
        if scale < FEW_FILINGS_BELOW and organ_id not in governments:
            continue
        if (organ_id, year) not in touched:
            filed_on = date(year + 1, 1, clerk.rng.randint(11, 28))
            updated = office_hours(clerk.rng, filed_on)
            touched[organ_id, year] = (updated, clerk.organ(organ_id, date(year, 12, 31)))
        updated, organ = touched[organ_id, year]
        record_id = f"TB{year}-{organ_id}-{cell}"
        text = as_json(
            {
                "id": record_id,
                "organ": organ,
                "year": year,
                "cell": cell,
                "value": value,
                "filledBy": name,
                "status": "normal",
                "withdrawnAt": None,
                "updatedAt": iso(updated),
            }
        )
        yield updated, record_id, day_ms(date(year, 12, 31)), False, text


def generate(folder: Path, seed: int, scale: float) -> None:
    """Write the ledger's records and workbooks."""
    rng = Random(f"{seed}/ledger")
    organs = Organs()
    clerk = _Clerk(rng, organs, People(rng))
    book = ApplicationBook(seed, organs, scale)
    books = keep_books(seed, organs, scale, book.all)
    write_store(folder, "applications", _applications(clerk, book))
    write_store(folder, "reviews", _reviews(clerk, books))
    write_store(folder, "documents", _documents(clerk, books))
    write_store(folder, "items", _items(clerk, books))
    write_store(folder, "actions", _actions(clerk, books))
    write_store(folder, "fees", _fees(clerk, books))
    write_store(folder, "procurements", _procurements(clerk, books))
    write_store(folder, "gazette", _gazettes(clerk, books))
    write_store(folder, "filed-cells", _filed_cells(clerk, book, books, scale))
    keeping_paper: dict[str, Organ] = {o.organ_id: o for o in organs.rows if not o.has_system}
    townships = list(keeping_paper.values())
    workbooks = folder / "workbooks"
    write_workbooks(workbooks, rng, clerk.people, townships, book.all, with_empty=scale >= 0.2)
