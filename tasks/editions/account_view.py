"""The account of a year as it stands now, or as an edition keeps it: for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tasks.editions.account import AccountRecord, Line, account_records, read_account
from tasks.editions.definitions import Definitions
from tasks.editions.store import load_edition
from warehouse.form import form_of
from warehouse.form_file import ANNUAL_REPORT
from warehouse.lake import Lake
from warehouse.layout import Layout
from warehouse.period import Period
from warehouse.reading import Reading, reading
from warehouse.tables import Table


@contextmanager
def _opened(
    lake: Lake, city: Path, period: Period, edition_id: str | None, form: str
) -> Iterator[tuple[Reading, Layout]]:
    """A reading and the layout to count by: those of an edition, or of now."""
    snapshot = None
    definitions = Definitions.now(form_of(form, city), city, period)
    if edition_id:
        edition = load_edition(lake, edition_id, with_figures=False)
        definitions = edition.definitions or definitions
        snapshot = edition.snapshot
    with reading(lake, snapshot, declared=definitions.parsed_measures) as opened:
        yield opened, definitions.parsed_layout


def account_of(
    lake: Lake,
    city: Path,
    period: Period,
    edition_id: str | None = None,
    *,
    form: str = ANNUAL_REPORT,
) -> tuple[Line, ...]:
    """The account of a period now, or at the snapshot of an edition.

    Raises NoEdition, NoLake, LayoutError.
    """
    with _opened(lake, city, period, edition_id, form) as (opened, layout):
        return read_account(opened, layout, period)


def records_of(
    lake: Lake,
    city: Path,
    period: Period,
    states: Sequence[str],
    *,
    source: str | None = None,
    resource: str | None = None,
    tables: Sequence[Table] | None = None,
    edition_id: str | None = None,
    form: str = ANNUAL_REPORT,
    limit: int = 20,
    offset: int = 0,
) -> list[AccountRecord]:
    """The records behind some states of the account, a page of them; see `account_records`."""
    with _opened(lake, city, period, edition_id, form) as (opened, layout):
        return account_records(
            opened,
            layout,
            period,
            states,
            source=source,
            resource=resource,
            tables=tables,
            limit=limit,
            offset=offset,
        )
