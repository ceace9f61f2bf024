"""The second half of a load: what changed is merged by key, what is absent is marked, what
cannot be kept is put on record. Called inside the one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

from tasks.load.batch import Staged, Work
from tasks.sources.model import Child
from warehouse.errors import must_be
from warehouse.sql import named, quoted


class Write:
    """Writes one staged list after another."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._open_rejects: dict[str, int] = {}

    def find_changed(self, staged: Staged) -> None:
        """Which rows are new or differ from what the core table holds."""
        ours = f"source_system = {quoted(self._work.source.name)}"
        staged.has_known = (
            self._work.connection.execute(
                f"SELECT 1 FROM {staged.core} WHERE {ours} LIMIT 1"
            ).fetchone()
            is not None
        )
        staged.was_known = staged.has_known
        result = staged.result
        if staged.has_known:
            self._find_known(staged)
            self._work.connection.execute(
                f"""CREATE OR REPLACE TEMP TABLE {staged.changed.removeprefix("temp.main.")} AS
                SELECT s.*, known.row_hash IS NOT NULL AS is_known, known.removed_at AS known_removed_at,
                       known.origin AS known_origin, known.row_hash AS known_hash, known.known_on
                FROM {staged.table} s LEFT JOIN {staged.known} known USING (record_id)
                WHERE NOT s.is_faulty AND (known.row_hash IS DISTINCT FROM s.row_hash{self._has_moved(staged)})"""
            )
            result.rows_new, known = self._work.row(
                f"SELECT count(*) FILTER (NOT is_known), count(*) FILTER (is_known) FROM {staged.changed}"
            )
            result.moved_from = self._moved_from(staged) if known else {}
            staged.has_known = known > 0
            result.rows_written = result.rows_new + known
        else:
            # The first load of a system has nothing to be compared with.
            self._work.connection.execute(
                f"""CREATE OR REPLACE TEMP VIEW {staged.changed.removeprefix("temp.main.")} AS
                SELECT *, CAST(NULL AS TIMESTAMP) AS known_removed_at FROM {staged.table} WHERE NOT is_faulty"""
            )
            result.rows_new = self._work.value(f"SELECT count(*) FROM {staged.changed}")
            result.rows_written = result.rows_new
        changed = f"SELECT record_id FROM {staged.changed}"
        result.rows_unchanged = self._work.value(
            f"SELECT count(*) FROM {staged.table} WHERE NOT is_faulty AND record_id NOT IN ({changed})"
        )

    def _find_known(self, staged: Staged) -> None:
        """What the core table holds of the staged rows, so that a night costs what it brings and
        not what is kept of all years: first where their own dates lie, then, of those that are
        not found there, everywhere else. A record whose date was changed is in the second."""
        work = self._work
        known = staged.known.removeprefix("temp.main.")
        on = staged.dated_by
        ours = f"source_system = {quoted(work.source.name)}"
        rows = f"SELECT record_id FROM {staged.table} WHERE NOT is_faulty"
        select = (
            f"SELECT record_id, row_hash, removed_at, origin, {on or 'NULL'} AS known_on"
            f" FROM {staged.core} WHERE {ours}"
        )
        near = self._reach(on, f"SELECT {on} FROM {staged.table} WHERE NOT is_faulty")
        work.connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE {known} AS
            {select} AND {near or "TRUE"} AND record_id IN ({rows})"""
        )
        if near is None:
            return
        far = f"{rows} AND record_id NOT IN (SELECT record_id FROM {staged.known})"
        if work.value(f"SELECT count(*) FROM ({far})"):
            work.connection.execute(
                f"""INSERT INTO {known} {select} AND ({near}) IS NOT TRUE AND record_id IN ({far})"""
            )

    def _reach(self, column: str | None, *dates: str) -> str | None:
        """Condition on a core table: between the first and the last of some dates. None where one of
        them is missing, and where there is none: then it may be any row of the table."""
        if column is None:
            return None
        # As text: not every date of a source is one of Python's.
        lowest, highest, kind, is_whole = self._work.row(
            f"SELECT min({column})::VARCHAR, max({column})::VARCHAR, any_value(typeof({column})),"
            f" bool_and({column} IS NOT NULL) FROM ({' UNION ALL '.join(dates)})"
        )
        if not is_whole:
            return None
        return f"{column} BETWEEN {quoted(lowest)}::{kind} AND {quoted(highest)}::{kind}"

    def _moved_from(self, staged: Staged) -> dict[str, int]:
        """How many of the updated rows each other resource of the source brought until now."""
        return dict(
            self._work.connection.execute(
                f"""SELECT split_part(known_origin, '/', 2) AS brought_by, count(*) FROM {staged.changed}
                WHERE is_known AND brought_by <> {quoted(self._work.resource.name)} GROUP BY ALL"""
            ).fetchall()
        )

    def _has_moved(self, staged: Staged) -> str:
        """Condition, for rows of workbooks: that the row stands in another file or sheet now. What
        the place it left lacks is then not missed."""
        rule = staged.rule
        if isinstance(rule, Child) or rule.workbook is None:
            return ""
        place = f"concat({quoted(self._work.batch.origin_prefix)}, s.place)"
        return (
            " OR regexp_replace(known.origin, '![0-9]+$', '')"
            f" IS DISTINCT FROM regexp_replace({place}, '![0-9]+$', '')"
        )

    def _stands_elsewhere(self, staged: Staged, origin: str) -> str:
        """Condition: that what stood at an origin stands there still, in a workbook that the folder
        has and that this pull did not read. FALSE where records do not come in workbooks."""
        rule, manifest = staged.rule, self._work.batch.manifest
        if manifest is None or isinstance(rule, Child) or rule.workbook is None:
            return "FALSE"
        read = {book.name for book in manifest.workbooks if book.is_read}
        begin = [f"{self._work.batch.origin_prefix}{n}#" for n in manifest.listed if n not in read]
        listed = ", ".join(map(quoted, begin))
        if not listed:
            return "FALSE"
        return (
            f"EXISTS (SELECT 1 FROM (SELECT unnest([{listed}]) AS begin)"
            f" WHERE starts_with({origin}, begin))"
        )

    def _keep_doubled_elsewhere(self, staged: Staged) -> int:
        """Ids of which another workbook, as it lies in the folder, has another content: the one read
        last is kept, as something must be, and a person is told. Returns how many."""
        work = self._work
        elsewhere = self._stands_elsewhere(staged, "known_origin")
        if elsewhere == "FALSE" or not staged.has_known:
            return 0
        at = f"concat({quoted(work.batch.origin_prefix)}, place)"
        return int(
            work.value(
                f"""INSERT INTO ops.reject (reject_id, load_id, source_system, resource, table_name,
                    record_id, reason, found, expected, origin, payload, rejected_at, reject_status)
                SELECT concat({quoted(work.batch.load_id)}, '/', place, '/elsewhere'),
                    {quoted(work.batch.load_id)}, {quoted(work.source.name)},
                    {quoted(staged.rule.name)}, {quoted(staged.core)}, record_id,
                    'conflicting_key', '另一工作簿中的内容',
                    concat('与 ', {at}, ' 相同的内容(编号相同,留用该处)'), known_origin,
                    json_object('$id', record_id), {work.moment}, 'open'
                FROM {staged.changed} WHERE is_known AND known_hash IS DISTINCT FROM row_hash
                AND known_removed_at IS NULL AND {elsewhere}"""
            )
        )

    def merge(self, staged: Staged) -> None:
        """Insert what is new, update what differs. Each by itself: one statement for both holds every
        row of the core table within reach in memory, to find what is in none of them."""
        if not staged.result.rows_written:
            return
        typing, changed = staged.typing, staged.changed
        business = [column.name for column in typing.table.business_columns]
        mapped = set(typing.column_names)
        values = {
            "source_system": quoted(self._work.source.name),
            "record_id": "record_id",
            **{name: named(name) if name in mapped else "NULL" for name in business},
            "source_updated_at": "source_updated_at",
            "removal": "CASE WHEN is_removed THEN 'withdrawn' END",
            "removed_at": f"CASE WHEN is_removed THEN coalesce(removed_at, known_removed_at, {self._work.moment}) END",
            "origin": f"concat({quoted(self._work.batch.origin_prefix)}, place)",
            "row_hash": "row_hash",
            "load_id": quoted(self._work.batch.load_id),
            "loaded_at": self._work.moment,
        }
        columns = ", ".join(named(name) for name in values)
        rows = f"SELECT {', '.join(f'{sql} AS {named(name)}' for name, sql in values.items())} FROM {changed}"
        new = f"{rows} WHERE NOT is_known" if staged.has_known else rows
        if staged.result.rows_new:
            self._work.connection.execute(f"INSERT INTO {staged.core} ({columns}) {new}")
        if not staged.has_known:
            return
        updates = ", ".join(
            f"{named(name)} = new.{named(name)}"
            for name in values
            if name not in ("source_system", "record_id")
        )
        near = self._reach(
            staged.dated_by,
            f"SELECT known_on AS {staged.dated_by} FROM {changed} WHERE is_known",
        )
        where = f" AND old.{near}" if near else ""
        self._work.connection.execute(
            f"""MERGE INTO {staged.core} AS old USING ({rows} WHERE is_known) AS new
            ON old.source_system = {quoted(self._work.source.name)} AND old.record_id = new.record_id{where}
            WHEN MATCHED THEN UPDATE SET {updates}"""
        )

    def remove_absent(self, staged: Staged) -> None:
        """Mark what is gone; keep in mind what was not seen, and forget what is seen again."""
        work, result = self._work, staged.result
        absent = staged.absent
        if absent is not None and result.rows_removed:
            work.connection.execute(
                f"""UPDATE {staged.core} SET removed_at = {work.moment}, removal = 'unseen', row_hash = md5(row_hash || 'absent'),
                    load_id = {quoted(work.batch.load_id)}, loaded_at = {work.moment}
                WHERE source_system = {quoted(work.source.name)}
                AND record_id IN (SELECT record_id FROM {absent.gone})"""
            )
        of = f"source_system = {quoted(work.source.name)} AND resource = {quoted(staged.rule.name)}"
        # A condition on a table that never held a row is dear; see `keep_rejects`.
        if work.connection.execute("SELECT 1 FROM ops.unseen LIMIT 1").fetchone() is not None:
            gone = f" OR record_id IN (SELECT record_id FROM {absent.gone})" if absent else ""
            work.connection.execute(
                f"""DELETE FROM ops.unseen WHERE {of}
                AND (record_id IN (SELECT record_id FROM {staged.table}){gone})"""
            )
        if absent is not None and result.rows_unseen:
            work.connection.execute(
                f"""INSERT INTO ops.unseen
                    (source_system, resource, table_name, record_id, unseen_since, load_id)
                SELECT {quoted(work.source.name)}, {quoted(staged.rule.name)}, {quoted(staged.core)},
                    record_id, {work.moment}, {quoted(work.batch.load_id)} FROM {absent.unseen}
                WHERE record_id NOT IN (SELECT record_id FROM ops.unseen WHERE {of})"""
            )

    def prove(self, staged: Staged) -> None:
        """That each staged row that is not at fault stands in the core table as it was staged, that
        what the list lacks is marked, and that each reject is open or was answered: all counted
        anew in the tables themselves. Raises LostRecords, which undoes the load."""
        work, result, absent = self._work, staged.result, staged.absent
        title = work.title(staged.rule)
        of = f"source_system = {quoted(work.source.name)}"
        near = self._reach(staged.dated_by, *self._dates(staged)) or "TRUE"
        brought = f"load_id = {quoted(work.batch.load_id)}"
        # What this load wrote lies in few files, and what it did not need not be looked for.
        held = sum(
            work.value(
                f"""SELECT count(*) FROM (
                    SELECT record_id, row_hash FROM {staged.core} WHERE {of} AND {near} AND {by})
                JOIN (SELECT record_id, row_hash FROM {staged.table} WHERE NOT is_faulty)
                USING (record_id, row_hash)"""
            )
            for by, count in (
                (brought, result.rows_written),
                (f"NOT {brought}", result.rows_unchanged),
            )
            if count
        )
        must_be(f"{title}:库内", result.rows_written + result.rows_unchanged, held)
        if absent is not None and result.rows_removed:
            marked = work.value(
                f"""SELECT count(*) FROM {staged.core} WHERE {of} AND removal = 'unseen'
                AND load_id = {quoted(work.batch.load_id)}
                AND record_id IN (SELECT record_id FROM {absent.gone})"""
            )
            must_be(f"{title}:标为不再出现的", result.rows_removed, marked)
        expected = self._open_rejects.get(staged.rule.name)
        if expected is not None:
            count = work.value(
                f"SELECT count(*) FROM ops.reject WHERE {self._of(staged)} AND reject_status = 'open'"
            )
            must_be(f"{title}:退回未答复的", expected, count)

    def _dates(self, staged: Staged) -> Iterator[str]:
        """Where the staged rows lie: by their own dates, and by those that they were known under."""
        on = staged.dated_by
        yield f"SELECT {on} FROM {staged.table} WHERE NOT is_faulty"
        if staged.was_known:
            yield f"SELECT known_on FROM {staged.known}"

    def _of(self, staged: Staged) -> str:
        """Condition: what a table of `ops` keeps of this list."""
        return (
            f"source_system = {quoted(self._work.source.name)}"
            f" AND resource = {quoted(staged.rule.name)}"
        )

    def _has_faulty(self, staged: Staged) -> bool:
        return bool(staged.result.rows_rejected or staged.result.rows_conflicting)

    def keep_rejects(self, staged: Staged) -> None:
        """New rejects are kept, repeated ones not doubled, mended ones resolved."""
        who = self._of(staged)
        # A condition on a table that never held a row is dear: its statistics are looked for
        # anew each time. Most lakes never had a reject.
        has_open = self._work.connection.execute(
            "SELECT 1 FROM ops.reject LIMIT 1"
        ).fetchone() is not None and self._work.value(
            f"SELECT count(*) FROM ops.reject WHERE {who} AND reject_status = 'open'"
        )
        faulty = staged.faulty
        resolved = 0
        if has_open:
            still = (
                f"""SELECT 1 FROM {faulty}_reasons f WHERE f."$id" = r.record_id
                AND f.field IS NOT DISTINCT FROM r.field AND f.reason = r.reason AND f.found IS NOT DISTINCT FROM r.found"""
                if self._has_faulty(staged)
                else "SELECT 1 WHERE false"
            )
            # A workbook that was put right, or is gone, need not bring the record again.
            rule = staged.rule
            is_of_workbooks = (
                "reason = 'conflicting_key'"
                if not isinstance(rule, Child) and rule.workbook is not None
                else "FALSE"
            )
            resolved = self._work.value(
                f"""UPDATE ops.reject AS r SET reject_status = 'resolved', resolved_at = {self._work.moment}
                WHERE {who} AND reject_status = 'open'
                AND (record_id IN (SELECT record_id FROM {staged.table}) OR {is_of_workbooks})
                AND NOT EXISTS ({still})
                AND NOT (reason = 'conflicting_key' AND {self._stands_elsewhere(staged, "origin")})"""
            )
        elsewhere = self._keep_doubled_elsewhere(staged)
        if has_open or elsewhere:
            self._open_rejects[staged.rule.name] = int(has_open) - resolved + elsewhere
        if not self._has_faulty(staged):
            return
        known = (
            f"""WHERE NOT EXISTS (SELECT 1 FROM ops.reject r WHERE {who} AND reject_status = 'open'
            AND f."$id" IS NOT DISTINCT FROM r.record_id AND f.field IS NOT DISTINCT FROM r.field
            AND f.reason = r.reason AND f.found IS NOT DISTINCT FROM r.found
            AND (r.record_id IS NOT NULL OR r.payload = {staged.typing.payload_sql()}))"""
            if has_open
            else ""
        )
        result = staged.result
        result.rows_rejected_again = self._work.value(
            f"""SELECT count(*) FROM {staged.table} WHERE is_faulty AND place NOT IN (
                SELECT "$at" FROM {faulty}_reasons f JOIN (SELECT * EXCLUDE ("$id") FROM {faulty})
                USING ("$at") {known})"""
        )
        kept = self._work.value(
            f"""INSERT INTO ops.reject (reject_id, load_id, source_system, resource, table_name, record_id, field,
                reason, found, expected, origin, payload, rejected_at, reject_status)
            SELECT concat({quoted(self._work.batch.load_id)}, '/', f."$at", '/', coalesce(f.field, '$id')),
                {quoted(self._work.batch.load_id)}, {quoted(self._work.source.name)}, {quoted(staged.rule.name)},
                {quoted(staged.core)}, f."$id", f.field, f.reason, f.found, f.expected,
                concat({quoted(self._work.batch.origin_prefix)}, f."$at"), {staged.typing.payload_sql()}, {self._work.moment}, 'open'
            FROM {faulty}_reasons f JOIN (SELECT * EXCLUDE ("$id") FROM {faulty}) USING ("$at") {known}"""
        )
        self._open_rejects[staged.rule.name] = int(has_open) - resolved + elsewhere + kept
