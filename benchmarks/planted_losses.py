"""The silent losses that `benchmarks.losses` plants: each one text of one file, replaced."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Loss:
    """`names` are the sources of the scenario that it is tried on, and its options."""

    key: str
    what: str
    file: str
    old: str
    new: str
    names: tuple[str, ...]


NUMBERED = "tasks/sources/numbered.py"
CHAINED = "tasks/sources/chained.py"
PAGE = "tasks/sources/page.py"
PROJECT = "tasks/sources/project.py"
COMPILED = "tasks/sources/compiled.py"
LANDING = "tasks/sources/landing.py"
KEYS = "tasks/sources/keys.py"
WORKBOOK = "tasks/sources/workbook.py"
FOLDER = "tasks/sources/folder.py"
PLAN = "tasks/sources/plan.py"
STAGE = "tasks/load/stage.py"
MERGE = "tasks/load/merge.py"
LOAD = "tasks/load/load.py"
ABSENT = "tasks/load/absent.py"
TOTALS = "tasks/load/control_totals.py"
TABULATE = "tasks/editions/tabulate.py"
READING = "warehouse/reading.py"
PORTAL, LEDGER, SITE = ("portal",), ("ledger",), ("site",)
PORTAL_FIRST, LEDGER_FIRST = ("portal", "first"), ("ledger", "first")
SITE_FIRST, LINKS_FIRST, BOOKS_FIRST = ("site", "first"), ("links", "first"), ("books", "first")
LEDGER_EDITION = ("ledger", "edition")

_CHAIN = "            yield page\n            answer = future.result()"
_CHAIN_DROPPED = (
    "            if number != 2:\n                yield page\n            answer = future.result()"
)
_CHAIN_END = "            if following is None:\n                yield page"
_CHAIN_CUT = "            if following is None or number == 2:\n                yield page"
_RECORDS = "            return Page(value, answer, total)\n        if isinstance(value, dict)"
_CUT = "            return Page(value[:-1] if len(value) > 2 else value, answer, total)\n        if isinstance(value, dict)"
_PLAIN_KEY = 'code.column("$id", self._expression(key[0]))'
_LISTS = "return {name: writer.finish() for name, writer in self._lists.items()}"
_AFTER = "        write.keep_rejects(staged)\n"


def _then(sql: str) -> str:
    """The steps of a load with one more statement, which nobody counts."""
    return f'{_AFTER}        work.connection.execute(f"{sql}")\n'


LOSSES = (
    # ---- pages
    Loss(
        "numbered.page",
        "a page of a numbered list is dropped",
        NUMBERED,
        "            yield page\n            if len(page.records) < self._awaited",
        "            if number != 2:\n                yield page\n            if len(page.records) < self._awaited",
        PORTAL_FIRST,
    ),
    Loss(
        "numbered.end",
        "a list without a total ends after its second page (control total)",
        NUMBERED,
        "        while page.records:\n            if paginator.ends_with",
        "        while page.records and number < 2:\n            if paginator.ends_with",
        SITE_FIRST,
    ),
    Loss(
        "chained.page",
        "a page of a cursor chain is dropped (control total)",
        CHAINED,
        _CHAIN,
        _CHAIN_DROPPED,
        LEDGER_FIRST,
    ),
    Loss(
        "chained.page.uncounted",
        "a page of a chain of links is dropped, where the source counts nothing",
        CHAINED,
        _CHAIN,
        _CHAIN_DROPPED,
        LINKS_FIRST,
    ),
    Loss(
        "chained.end",
        "a cursor chain ends early (control total)",
        CHAINED,
        _CHAIN_END,
        _CHAIN_CUT,
        LEDGER_FIRST,
    ),
    Loss("page.last", "each page loses its last record", PAGE, _RECORDS, _CUT, PORTAL_FIRST),
    Loss(
        "cursor.lag",
        "late records behind the cursor are not asked for (control total)",
        PLAN,
        "max(now, clock.now())) - reach",
        "max(now, clock.now()))",
        SITE,
    ),
    # ---- projection and landing
    Loss(
        "project.record",
        "a record of each page is lost when it is projected",
        COMPILED,
        'f"{_INDENT}made.append(row)"',
        'f"{_INDENT}if index != 3: made.append(row)"',
        SITE_FIRST,
    ),
    Loss(
        "project.child",
        "the children of one record are lost",
        PROJECT,
        "                    if nested:",
        '                    if nested and row["$id"] != "P00004":',
        PORTAL_FIRST,
    ),
    Loss(
        "project.not_selected",
        "a record that is not selected is not noted",
        PROJECT,
        '        self._left_out.append({"$id": record_id, "$reason": NOT_SELECTED})',
        "        return",
        PORTAL_FIRST,
    ),
    Loss(
        "project.fetched",
        "what was fetched is counted after the conditions",
        PROJECT,
        "self.read += len(records)\n        self._give_left_out(sink)\n        if self._lacking",
        "self.read += len(rows)\n        self._give_left_out(sink)\n        if self._lacking",
        PORTAL_FIRST,
    ),
    Loss(
        "project.withdrawn",
        "a withdrawal by the source is not read",
        PROJECT,
        "\"    row['$removed'] = True\"",
        "\"    row['$removed'] = False\"",
        PORTAL,
    ),
    Loss(
        "key.joined",
        "two ids are made one",
        PROJECT,
        _PLAIN_KEY,
        "code.column(\"$id\", f\"({self._expression(key[0])} or '').replace('00012', '00013')\")",
        PORTAL_FIRST,
    ),
    Loss(
        "key.composite",
        "a composite key loses its second part",
        KEYS,
        '    return "/".join((part or "")',
        '    return written[0] if written else "/".join((part or "")',
        PORTAL_FIRST,
    ),
    Loss(
        "landing.row",
        "the landing writer loses a row of each block",
        LANDING,
        "block, rows = rows[:room], rows[room:]",
        "block, rows = rows[:room][:-1] or rows[:1], rows[room:]",
        SITE_FIRST,
    ),
    Loss(
        "landing.bytes",
        "a row of each block is counted and not written",
        LANDING,
        "_ENCODER.encode_lines(block)",
        "_ENCODER.encode_lines(block[1:])",
        SITE_FIRST,
    ),
    Loss(
        "landing.file",
        "the file of a list is left out of the manifest",
        LANDING,
        _LISTS,
        _LISTS.replace("}", ' if name != "articles"}'),
        SITE_FIRST,
    ),
    Loss(
        "landing.left_out",
        "the file of what was left out is left out of the manifest",
        LANDING,
        _LISTS,
        _LISTS.replace("}", ' if not name.endswith(".left_out")}'),
        PORTAL_FIRST,
    ),
    # ---- workbooks
    Loss(
        "workbook.row",
        "a row of each sheet is skipped in silence",
        WORKBOOK,
        "            if not filled:\n",
        "            if not filled or number == 3:\n",
        BOOKS_FIRST,
    ),
    Loss(
        "workbook.skipped",
        "a skipped row is not noted",
        WORKBOOK,
        "                self.skipped.append((number, reason))\n",
        "",
        BOOKS_FIRST,
    ),
    Loss(
        "workbook.skipped.landed",
        "skipped rows are counted and not landed",
        FOLDER,
        "for number, reason in sheet.skipped:",
        "for number, reason in sheet.skipped[:0]:",
        BOOKS_FIRST,
    ),
    Loss(
        "workbook.sheet",
        "the second sheet of a workbook is not read",
        WORKBOOK,
        "    for sheet in grids:\n",
        "    for sheet in grids[:1]:\n",
        BOOKS_FIRST,
    ),
    Loss(
        "workbook.file",
        "a workbook of the folder is not read",
        FOLDER,
        'e for e in entries if not e.mark or pull.known_files.get(e.name, ("", ""))[1] != e.mark\n        ]',
        "e for e in entries if not e.mark\n        ][:1]",
        BOOKS_FIRST,
    ),
    # ---- typing and staging
    Loss(
        "stage.row",
        "a row is lost in typing",
        STAGE,
        'typing.landing_sql(staged.files))}))"""\n        )\n        total',
        'typing.landing_sql(staged.files))}) WHERE "$id" IS DISTINCT FROM \'S00004\')"""\n        )\n        total',
        SITE_FIRST,
    ),
    Loss(
        "stage.faulty",
        "faulty rows go with the doubled ones",
        STAGE,
        'WHERE place IN (SELECT place FROM {staged.doubled})"\n        )',
        'WHERE is_faulty OR place IN (SELECT place FROM {staged.doubled})"\n        )',
        PORTAL_FIRST,
    ),
    Loss(
        "stage.joined",
        "joined rows are not counted",
        STAGE,
        "count(*) FILTER (NOT is_conflicting) FROM",
        "0 FROM",
        PORTAL_FIRST,
    ),
    Loss(
        "stage.conflict",
        "another content under a known key is joined",
        STAGE,
        "said IS DISTINCT FROM kept_said\n",
        "false\n",
        PORTAL_FIRST,
    ),
    Loss(
        "stage.conflict.told",
        "a conflict is counted and not told",
        STAGE,
        "        if staged.result.rows_conflicting:\n            reasons = (",
        "        if staged.result.rows_conflicting:\n            reasons = f'SELECT * FROM ({reasons}) WHERE \"$at\" NOT IN (SELECT place FROM {staged.doubled})'\n        if False:\n            reasons = (",
        PORTAL_FIRST,
    ),
    # ---- merge
    Loss(
        "merge.insert",
        "a new row is not inserted",
        MERGE,
        'for name, sql in values.items())} FROM {changed}"',
        "for name, sql in values.items())} FROM {changed} WHERE record_id <> 'S00004'\"",
        SITE_FIRST,
    ),
    Loss(
        "merge.update",
        "a changed row is not updated",
        MERGE,
        "WHEN MATCHED THEN UPDATE",
        "WHEN MATCHED AND old.record_id <> 'P00007' THEN UPDATE",
        PORTAL,
    ),
    Loss(
        "merge.changed",
        "a changed row is taken for unchanged",
        MERGE,
        "(known.row_hash IS DISTINCT FROM s.row_hash{",
        "(s.record_id <> 'P00007' AND known.row_hash IS DISTINCT FROM s.row_hash{",
        PORTAL,
    ),
    Loss(
        "merge.delete",
        "a row is deleted after the merge",
        LOAD,
        _AFTER,
        _then("DELETE FROM {staged.core} WHERE record_id = 'S00004'"),
        SITE,
    ),
    Loss(
        "merge.unchanged",
        "unchanged rows are miscounted",
        MERGE,
        "result.rows_unchanged = self._work.value(",
        "result.rows_unchanged = 1 + self._work.value(",
        SITE_FIRST,
    ),
    Loss(
        "absent.present",
        "a present record is taken for gone",
        ABSENT,
        'WHERE record_id IS NOT NULL)"""',
        'WHERE record_id IS NOT NULL AND record_id <> \'P00013\')"""',
        PORTAL,
    ),
    Loss(
        "absent.kept",
        "a record that is gone is counted as removed and stays",
        MERGE,
        'AND record_id IN (SELECT record_id FROM {absent.gone})"""\n            )\n        of',
        'AND record_id IN (SELECT record_id FROM {absent.gone}) AND false"""\n            )\n        of',
        PORTAL,
    ),
    Loss(
        "reject.kept",
        "rejects are not kept",
        MERGE,
        "        if not self._has_faulty(staged):\n            return\n        known",
        "        if self._work:\n            return\n        known",
        PORTAL_FIRST,
    ),
    Loss(
        "reject.resolved",
        "an open reject is resolved though nothing was mended (control total)",
        LOAD,
        _AFTER,
        _then("UPDATE ops.reject SET reject_status = 'resolved' WHERE record_id = 'K00000'"),
        LEDGER,
    ),
    Loss(
        "reject.resolved.uncounted",
        "the same of a list that nothing counts but its pages",
        LOAD,
        _AFTER,
        _then("UPDATE ops.reject SET reject_status = 'resolved' WHERE record_id = 'P00006'"),
        PORTAL,
    ),
    # ---- what is on record
    Loss(
        "load.left_out.kept",
        "what was left out is counted and not kept by record",
        LOAD,
        "        keep_left_out(work, rule)\n",
        "        pass\n",
        PORTAL_FIRST,
    ),
    Loss(
        "load.record",
        "the second night's load leaves no record",
        "tasks/load/load_record.py",
        "        self._expected()\n        self.load(result)",
        "        self._expected()\n        if self._work.now.day == 10:\n            self.load(result)",
        SITE,
    ),
    Loss(
        "totals.compared",
        "control totals are not compared",
        TOTALS,
        "    if rule is None:\n",
        "    if rule:\n",
        LEDGER_FIRST,
    ),
    Loss(
        "totals.own",
        "our own count is kept as the source's",
        TOTALS,
        '"source_count": d.source_count',
        '"source_count": d.warehouse_count',
        LEDGER_FIRST,
    ),
    # ---- the standing and the figures
    Loss(
        "check.quarantine",
        "what a rule sets aside is not set aside",
        "tasks/check.py",
        'AND t.record_id = b.record_id GROUP BY ALL",\n                [rule.table',
        'AND t.record_id = b.record_id AND false GROUP BY ALL",\n                [rule.table',
        LEDGER_EDITION,
    ),
    Loss(
        "correction.drop",
        "a correction that drops a record is not applied",
        READING,
        "            conditions.append(f\"NOT EXISTS ({match} AND c.action = 'drop')\")\n",
        "",
        LEDGER_EDITION,
    ),
    Loss(
        "correction.override",
        "a correction of a value is not applied",
        READING,
        'ELSE t.{column} END AS {column}"\n        )',
        "ELSE t.{column} END AS {column}\"\n        ) if column == '*' else None",
        LEDGER_EDITION,
    ),
    Loss(
        "account.standing",
        "records that no cell counts are not in the standing",
        "tasks/editions/account_states.py",
        "    LEFT JOIN (SELECT *, TRUE AS is_so",
        "    JOIN (SELECT *, TRUE AS is_so",
        PORTAL_FIRST,
    ),
    Loss(
        "measure.year",
        "a measure loses the year's last month",
        "warehouse/measures/article.sql",
        "    AND a.published_at < getvariable('year_end') + INTERVAL 1 DAY\n",
        "    AND a.published_at < getvariable('year_end') - INTERVAL 30 DAY\n",
        ("portal", "edition"),
    ),
    Loss(
        "measure.cell",
        "a measure of two halves loses records of one of them",
        "warehouse/measures/application.sql",
        "FROM core.application",
        "FROM (SELECT * FROM core.application WHERE closed_on IS NULL OR month(closed_on) <> 5)",
        LEDGER_EDITION,
    ),
    Loss(
        "roll-up.organ",
        "an organ is not rolled up",
        TABULATE,
        "        if organ.parent_id is not None:\n",
        '        if organ.parent_id is not None and organ.id != "B":\n',
        LEDGER_FIRST,
    ),
    Loss(
        "roll-up.own",
        "the records of an organ are not its own",
        TABULATE,
        "        target = own[tree.answers_for(organ_id)]\n",
        '        if organ_id == "B":\n            continue\n        target = own[tree.answers_for(organ_id)]\n',
        LEDGER_FIRST,
    ),
)
