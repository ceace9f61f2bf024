"""Typing: the SQL that turns landed texts of one list into typed columns and their faults.

Set-based and in place; no row passes through Python. What cannot be typed is not guessed:
the row is marked, and why is told by `faults_sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tasks.sources.compiled import NOT_SCALAR
from tasks.sources.keys import IMPRECISE
from tasks.sources.model import Child, FieldRule, Resource, Source
from warehouse.beijing import to_beijing
from warehouse.lake import Connection
from warehouse.sql import named, quoted
from warehouse.tables import Column, Table, table

MACROS = Path(__file__).with_suffix(".sql")
# Columns of a landing row beside the fields.
NOTES = ("$id", "$at", "$kind", "$updated", "$cursor", "$removed", "$removed_at", "$parent")
# Those of them that tell a moment.
MOMENTS = ("$updated", "$removed_at")
NO_KEY = f'"$id" IS NULL OR starts_with("$id", {quoted(IMPRECISE)})'
"""That a landing row has no id that tells it from all others, as SQL."""
KEY = f'CASE WHEN {NO_KEY} THEN NULL ELSE "$id" END'
PRECISE = "不超过 15 位的数,或文字:请在来源(或工作簿该列)中改为文本格式"
NOTHING = "∅"
SEPARATOR = "␟"
_TYPES = {
    "VARCHAR": "text",
    "BIGINT": "integer",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
}
FOUND = {
    "object": "(对象)",
    "list": "(列表)",
    "formula": "(公式没有计算结果,请打开后保存)",
    "error": "公式出错:",
}
"""What stands in a message for a value that is none."""
EXPECTED = {
    "text": "文字",
    "integer": "整数",
    "decimal": "数",
    "boolean": "是或否",
    "date": "日期",
    "timestamp": "时间",
}


def prepare(connection: Connection) -> None:
    """Make the typing macros known to a connection."""
    for statement in _macros():
        connection.execute(statement)


@cache
def _macros() -> tuple[str, ...]:
    beijing = f"CREATE OR REPLACE TEMP MACRO beijing(instant) AS {to_beijing('instant')}"
    text = MACROS.read_text(encoding="utf-8")
    return beijing, *(part.strip() for part in text.split(";\n") if "MACRO" in part)


@dataclass(frozen=True)
class TypedColumn:
    """A column of the core table: its rule, its type, and what a fault of it is called."""

    column: Column
    rule: FieldRule
    type: str

    @property
    def expected(self) -> str:
        """What should have been there, for people."""
        if self.rule.codes is not None:
            return f"代码表 {self.rule.codes} 中的代码"
        if self.type in ("date", "timestamp") and self.rule.format != ("auto",):
            return f"{EXPECTED[self.type]}({'、'.join(self.rule.format)})"
        return EXPECTED[self.type]


class ListTyping:
    """How the landing rows of one list are typed for its core table."""

    def __init__(self, source: Source, rule: Resource | Child) -> None:
        self.source = source
        self.rule = rule
        self.table: Table = table(f"core.{rule.table}")
        columns = {column.name: column for column in self.table.business_columns}
        self.columns = [
            TypedColumn(columns[name], field, field.type or _type_of(columns[name]))
            for name, field in rule.fields.items()
        ]
        nothing = list(source.null_values)
        if isinstance(rule, Resource) and rule.workbook is not None:
            nothing += rule.workbook.null_values
        self._notes = ["$id", "$at", "$kind", "$updated"]
        if isinstance(rule, Resource) and rule.cursor is not None and rule.cursor.kind == "number":
            self._notes.append("$cursor")
        if rule.removed is not None:
            self._notes += ["$removed", "$removed_at"]
        if isinstance(rule, Child):
            self._notes.append("$parent")
        self._nothing = ", ".join(quoted(value) for value in nothing)

    @property
    def column_names(self) -> list[str]:
        return [typed.column.name for typed in self.columns]

    def landing_sql(self, files: list[str]) -> str:
        """The landing rows of these files, every value as text."""
        wanted = [t.column.name for t in self.columns if t.rule.value is None]
        columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in [*wanted, *self._notes])
        missing = "".join(
            f", CAST(NULL AS VARCHAR) AS {named(note)}" for note in NOTES if note not in self._notes
        )
        if not files:
            nothing = ", ".join(f"CAST(NULL AS VARCHAR) AS {named(n)}" for n in [*wanted, *NOTES])
            return f"SELECT {nothing} WHERE false"
        listed = ", ".join(quoted(file) for file in files)
        compression = "zstd" if files[0].endswith(".zst") else "auto_detect"
        return (
            f"SELECT *{missing} FROM read_json([{listed}], format = 'newline_delimited',"
            f" compression = '{compression}', columns = {{{columns}}}, maximum_object_size = 8388608)"
        )

    def typed_sql(self, landing: str) -> str:
        """From landing rows to, for each column c: `c` as typed, `c$` as it was read.

        Beside them the notes as `$id` …, and `$fault`, true when the row cannot be kept.
        """
        read, typed, joins, faults = [], [], [], [f"({NO_KEY})"]
        for item in self.columns:
            name, rule = item.column.name, item.rule
            raw = named(f"{name}$")
            if rule.value is not None:
                read.append(f"{quoted(rule.value)} AS {raw}")
            else:
                read.append(f"{self._text(named(name))} AS {raw}")
            value = raw
            if rule.codes is not None:
                exact, folded = named(f"codes {name}"), named(f"folded {name}")
                joins.append(
                    f"LEFT JOIN {codes_table(self.source, rule.codes)} AS {exact} ON {exact}.code = {raw}"
                )
                # As it is written first; else without blanks, width and case.
                joins.append(
                    f"LEFT JOIN {folded_table(self.source, rule.codes)} AS {folded}"
                    f" ON {folded}.code = CASE WHEN {exact}.code IS NULL THEN {code_key(raw)} END"
                )
                nothing = f"coalesce({exact}.is_nothing, {folded}.is_nothing, false)"
                found = f"coalesce({exact}.value, {folded}.value)"
                value = f"CASE WHEN NOT {nothing} THEN {self._mapped(rule.codes, raw, found)} END"
                typed.append(f"{nothing} AS {named(f'{name}$nothing')}")
            if rule.default is not None:
                value = (
                    f"coalesce({value}, CASE WHEN {raw} IS NULL THEN {quoted(rule.default)} END)"
                )
            typed.append(f"{self._cast(item, value)} AS {named(name)}")
            faults.append(self._fault(item))
        notes = ", ".join(named(note) for note in NOTES)
        read += [
            f"text_of({named(note)}) AS {named(note)}" if note in MOMENTS else named(note)
            for note in NOTES
        ]
        return (
            f'SELECT *, ({" OR ".join(faults)}) AS "$fault" FROM ('
            f"SELECT {', '.join([*typed, *(named(f'{n}$') for n in self.column_names), notes])}"
            f" FROM (SELECT {', '.join(read)} FROM ({landing})) {' '.join(joins)})"
        )

    def _text(self, value: str) -> str:
        """A landed value without blanks around it; what the source writes for nothing is NULL."""
        text = f"text_of({value})"
        if self._nothing:
            text = f"CASE WHEN {text} NOT IN ({self._nothing}) THEN {text} END"
        return text

    def _mapped(self, codes: str, raw: str, value: str) -> str:
        code_map = self.source.code_maps[codes]
        if code_map.unknown == "keep":
            return f"coalesce({value}, {raw})"
        if code_map.unknown == "default":
            return f"CASE WHEN {raw} IS NOT NULL THEN coalesce({value}, {quoted(code_map.default or '')}) END"
        return value

    def _fault(self, item: TypedColumn) -> str:
        """A condition that is true (never NULL) when the column is at fault."""
        name, raw = named(item.column.name), named(f"{item.column.name}$")
        rule = item.rule
        conditions = []
        if rule.required:
            conditions.append(f"{name} IS NULL")
        elif not (rule.codes and self.source.code_maps[rule.codes].unknown == "null"):
            told = f" AND NOT {named(f'{item.column.name}$nothing')}" if rule.codes else ""
            conditions.append(f"({raw} IS NOT NULL AND {name} IS NULL{told})")
        if item.type == "text":
            conditions.append(f"coalesce(starts_with({raw}, {quoted(NOT_SCALAR)}), false)")
        return "(" + " OR ".join(conditions or ["false"]) + ")"

    def _cast(self, item: TypedColumn, value: str) -> str:
        rule, sql_type = item.rule, item.column.sql_type
        zone = quoted(rule.timezone or self.source.timezone)
        match item.type:
            case "integer" if rule.multiply is not None:
                found = f"whole_number(number_of({value}) * {rule.multiply:g})"
            case "integer":
                found = f"integer_of({value})"
            case "decimal":
                found = f"number_of({value})"
                if rule.multiply is not None:
                    found = f"TRY({found} * {rule.multiply:g})"
            case "boolean":
                yes = ", ".join(quoted(text.lower()) for text in rule.true_values)
                no = ", ".join(quoted(text.lower()) for text in rule.false_values)
                found = f"CASE WHEN lower({value}) IN ({yes}) THEN true WHEN lower({value}) IN ({no}) THEN false END"
            case "date" | "timestamp":
                found = moment_sql(value, rule.format, zone)
            case _:
                found = value
        return (
            found
            if item.type == "text" and sql_type == "VARCHAR"
            else f"TRY_CAST({found} AS {sql_type})"
        )

    def hash_sql(self) -> str:
        """The fingerprint of the business columns and of the withdrawal."""
        own = {name: named(name) for name in self.column_names}
        values = [
            written_apart(f"CAST({own[column.name]} AS VARCHAR)")
            for column in self.table.business_columns
            if column.name in own
        ]
        removed = f"CASE WHEN is_removed THEN coalesce(CAST(removed_at AS VARCHAR), 'removed') ELSE {quoted(NOTHING)} END"
        return f"md5(concat_ws({quoted(SEPARATOR)}, {', '.join([*values, removed])}))"

    def moment_sql(self, note: str, formats: tuple[str, ...] = ("auto",)) -> str:
        """A note of a typed row as a moment."""
        return moment_sql(named(note), formats, quoted(self.source.timezone))

    def faults_sql(self, faulty: str) -> str:
        """From faulty typed rows: a row a fault, with field, reason, found and expected."""
        parts = [
            f'SELECT NULL AS "$id", "$at", NULL AS field, CASE WHEN "$id" IS NULL'
            f" THEN 'missing_key' ELSE 'imprecise_key' END AS reason,"
            f' replace("$id", {quoted(IMPRECISE)}, \'\') AS found, CASE WHEN "$id" IS NULL'
            f" THEN {quoted('编号 ' + '、'.join(self.rule.key))} ELSE {quoted(PRECISE)} END AS expected"
            f" FROM {faulty} WHERE {NO_KEY}"
        ]
        for item in self.columns:
            name, raw = item.column.name, named(f"{item.column.name}$")
            nothing = f" OR {named(f'{item.column.name}$nothing')}" if item.rule.codes else ""
            reason = (
                f"CASE WHEN {raw} IS NULL{nothing} THEN 'missing_required'"
                f" WHEN starts_with({raw}, {quoted(NOT_SCALAR)}) THEN 'not_scalar'"
                f" ELSE {quoted('unknown_code' if item.rule.codes else 'wrong_type')} END"
            )
            found = raw
            for mark, shown in FOUND.items():
                found = f"replace({found}, {quoted(NOT_SCALAR + mark)}, {quoted(shown)})"
            parts.append(
                f'SELECT {KEY}, "$at", {quoted(name)}, {reason}, {found}, {quoted(item.expected)}'
                f" FROM {faulty} WHERE {self._fault(item)}"
            )
        return " UNION ALL ".join(parts)

    def payload_sql(self, without: tuple[str, ...] = ()) -> str:
        """The declared fields of a typed row as they were read, as JSON, for another try."""
        names = [t.column.name for t in self.columns if t.rule.value is None]
        pairs = [f"{quoted(name)}, {named(name + '$')}" for name in names]
        pairs += [f"{quoted(note)}, {named(note)}" for note in NOTES if note not in without]
        return f"CAST(json_object({', '.join(pairs)}) AS VARCHAR)"


def written_apart(text: str) -> str:
    """A text (SQL) as it goes into a fingerprint: nothing, and the marks that a fingerprint itself
    uses, are told from a text that holds them. Nearly no text does."""
    marked = " OR ".join(f"contains({text}, {quoted(mark)})" for mark in (NOTHING, SEPARATOR))
    return (
        f"coalesce(CASE WHEN {marked} THEN concat('text:', length({text}), ':', {text})"
        f" ELSE {text} END, {quoted(NOTHING)})"
    )


def moment_sql(value: str, formats: tuple[str, ...], zone: str) -> str:
    """A text as a moment in Beijing time, in the first of the formats that fits."""
    return "coalesce(" + ", ".join(_moment(value, form, zone) for form in formats) + ", NULL)"


def _moment(value: str, form: str, zone: str) -> str:
    if form == "auto":
        return f"moment_of({value}, {zone})"
    if form == "iso":
        return f"iso_moment({value}, {zone})"
    if form == "epoch_s":
        return f"epoch_moment(TRY_CAST({value} AS DOUBLE))"
    if form == "epoch_ms":
        return f"epoch_moment(TRY_CAST({value} AS DOUBLE) / 1000)"
    if form == "excel":
        return f"excel_moment(TRY_CAST({value} AS DOUBLE))"
    parsed = f"try_strptime({value}, {quoted(form)})"
    if "%z" in form or "%Z" in form:
        return f"beijing({parsed})"
    if zone == quoted("Asia/Shanghai") or not any(mark in form for mark in ("%H", "%I", "%T")):
        return parsed
    return f"beijing(timezone({zone}, {parsed}))"


def codes_table(source: Source, name: str) -> str:
    """The temporary table of a code map."""
    return named(f"codes of {source.name} {name}")


def folded_table(source: Source, name: str) -> str:
    """The temporary table of a code map by folded codes; those that would mean two things are not
    in it."""
    return named(f"folded codes of {source.name} {name}")


_WIDE = "".join(map(chr, range(0xFF01, 0xFF5F)))
_NARROW = "".join(map(chr, range(0x21, 0x7F)))
_BLANK = " \t\n\r\v\f\x85\xa0\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200E)))


def code_key(value: str) -> str:
    """A text (SQL) as codes are compared: without white space, width and case."""
    return f"lower(translate({value}, {quoted(_WIDE + _BLANK)}, {quoted(_NARROW)}))"


def make_codes(connection: Connection, source: Source, rules: list[Resource | Child]) -> None:
    """Fill the temporary tables of the code maps that these lists use."""
    used = {f.codes for rule in rules for f in rule.fields.values() if f.codes is not None}
    for name in sorted(used):
        values: Mapping[str, str] = source.code_values[name]
        target = f"temp.main.{codes_table(source, name)}"
        rows = ", ".join(
            f"({quoted(code)}, nullif({quoted(value)}, ''), {value == ''})"
            for code, value in values.items()
        )
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {codes_table(source, name)}"
            " (code VARCHAR, value VARCHAR, is_nothing BOOLEAN)"
        )
        if rows:
            connection.execute(f"INSERT INTO {target} VALUES {rows}")
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {folded_table(source, name)} AS"
            f" SELECT {code_key('code')} AS code, any_value(value) AS value, bool_and(is_nothing) AS is_nothing"
            f" FROM {target} GROUP BY 1 HAVING count(DISTINCT coalesce(value, '')) = 1"
        )


def _type_of(column: Column) -> str:
    return "decimal" if column.sql_type.startswith("DECIMAL") else _TYPES[column.sql_type]
