"""Landings that wait: a worker pulled them and died before they were loaded, and another goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from tasks.clock import BEIJING
from tasks.sources.landing import Landed, read_landed
from tasks.sources.model import Resource, Source
from warehouse.lake import Lake
from warehouse.shelf import Shelf


def waiting(
    shelf: Shelf, lake: Lake, sources: Sequence[Source]
) -> Iterator[tuple[Landed, Source, Resource]]:
    """The landings of these sources that no load has seen, the oldest first, as far as nothing newer of
    their resource was loaded: what is older says nothing any more.

    Only where machines have their landings in common: on one machine the next run pulls anew, from the
    watermark. Raises LakeError.
    """
    if not shelf.is_shared:
        return
    resources = {(s.name, r.name): (s, r) for s in sources for r in s.resources}
    with lake.read() as connection:
        newest = {
            (str(source), str(resource)): at
            for source, resource, at in connection.execute(
                "SELECT source_system, split_part(load_id, '/', 2), max(started_at) FROM ops.load "
                "WHERE landing_manifest IS NOT NULL GROUP BY ALL"
            ).fetchall()
        }
        loaded = {
            str(load_id)
            for (load_id,) in connection.execute("SELECT DISTINCT load_id FROM ops.load").fetchall()
        }
    for load_id in sorted(shelf.names() - loaded, key=lambda one: one.rpartition("/")[2]):
        name, _, rest = load_id.partition("/")
        resource_name, _, last = rest.partition("/")
        found = resources.get((name, resource_name))
        if found is None or not _is_newer(last, newest.get((name, resource_name))):
            continue
        landed = read_landed(shelf, load_id)
        if landed is not None:
            yield landed, *found


def _is_newer(name: str, loaded_at: datetime | None) -> bool:
    """Whether a landing was begun, as the name of its folder says, after the last one that was loaded
    (Asia/Shanghai)."""
    try:
        at = datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return False
    return loaded_at is None or at.astimezone(BEIJING).replace(tzinfo=None) > loaded_at
