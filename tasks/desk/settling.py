"""How far the records of an edition are settled, in numbers: for the page of the day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tasks.desk.matters import matters_of
from tasks.settings import Settings
from warehouse.lake import Lake


@dataclass(frozen=True)
class Settling:
    """What keeps an edition from being published, by where it stands: `turns` wait for whoever
    edits, `waits` for an organ or a second person, `settled` for nobody, `mended` of those come in
    with the next build only. `sender` handed it over to be approved at `sent_at`, `remark` is why
    the approver gave it back, if that was last."""

    turns: int = 0
    waits: int = 0
    settled: int = 0
    mended: int = 0
    sender: str = ""
    sent_at: datetime | None = None
    returned_by: str = ""
    remark: str = ""

    @property
    def is_handed_over(self) -> bool:
        return self.sent_at is not None

    @property
    def open(self) -> int:
        return self.turns + self.waits


def settling_of(lake: Lake, settings: Settings, edition_id: str) -> Settling:
    """How an edition stands now. Raises NoEdition, OfficeError, NoLake."""
    found = matters_of(lake, settings, edition_id)
    sent, returned = found.handed_over, found.returned
    return Settling(
        turns=len(found.turns),
        waits=len(found.waiting),
        settled=len(found.settled),
        mended=len(found.mended),
        sender=sent.person if sent else "",
        sent_at=sent.done_at if sent else None,
        returned_by=returned.person if returned else "",
        remark=returned.said if returned else "",
    )
