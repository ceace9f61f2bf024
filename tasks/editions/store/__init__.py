"""Editions in the lake: the one place that reads and writes the tables `yearly.*`."""

from tasks.editions.store.read import (
    NoEdition,
    SignedEdition,
    changed_rows,
    figures_besides_tables,
    kept_approval,
    load_edition,
    newest_edition,
    signed_edition,
    with_all_records,
)
from tasks.editions.store.rows import (
    EditionRow,
    earlier_editions,
    edition_rows,
    editions_of,
    find_row,
    pinned_snapshots,
    published_edition,
)
from tasks.editions.store.sealed import (
    NOTHING_BEFORE,
    Publication,
    Seals,
    before_signatures,
    last_link,
    publications,
    seals,
)
from tasks.editions.store.write import copy_rows, keep, keep_approval

__all__ = [
    "NOTHING_BEFORE",
    "EditionRow",
    "NoEdition",
    "Publication",
    "Seals",
    "SignedEdition",
    "before_signatures",
    "changed_rows",
    "copy_rows",
    "earlier_editions",
    "edition_rows",
    "editions_of",
    "figures_besides_tables",
    "find_row",
    "keep",
    "keep_approval",
    "kept_approval",
    "last_link",
    "load_edition",
    "newest_edition",
    "pinned_snapshots",
    "publications",
    "published_edition",
    "seals",
    "signed_edition",
    "with_all_records",
]
