"""The rules, each written once in `expectations/*.yaml`, read into `Rule` objects.

A rule has a short code that stays, a severity, a title and a message for the person who must
act, the article of the regulation, and one test from which the query of its bad rows is
made. Both runners, the gates and the quarantine use that one query.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from expectations.conditions import (
    FORMS,
    AnswerTime,
    Codes,
    Declared,
    NotFuture,
    OrganTest,
    Plausible,
    QueryTest,
    Reference,
    RowTest,
    Subject,
    Volume,
    Within,
    WorkingDays,
    both,
    set_aside_by,
)
from expectations.result import BadRow, RuleResult, Severity, Status
from warehouse.disk import yaml_of
from warehouse.errors import ConfigurationError
from warehouse.form import Check
from warehouse.sql import literal
from warehouse.tables import Table, all_tables, table

RULES = Path(__file__).parent
YEARLY = RULES / "yearly.yaml"
PROVINCE = RULES / "province.yaml"
BAD_ROW_COLUMNS = ("source_system", "record_id", "organ_id", "record_on", "detail")
_PLACEHOLDER = re.compile(r"\{([a-z_.]+)\}")
_BARE_TABLE = re.compile(r"(?<![{\w])(?:core|ops|yearly)\.\w+")

Scalar = bool | int | float | str


class RuleError(ConfigurationError):
    """A rule file that cannot be used; the message names the file, the rule and the key."""


class RuleEntry(Declared):
    """One rule as declared: exactly one of the forms, `condition` or `query` is its test."""

    code: str = Field(pattern=r"^[A-Z]{3}-\d{2}$")
    severity: Severity
    title: str = Field(min_length=1)
    message: str = Field(min_length=1)
    article: str = ""
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    when: str | None = None
    record_on: str | None = None
    detail: str | None = None
    sets_aside: list[str] | None = None
    required: list[str] | None = None
    codes: Codes | None = None
    order: list[str] | None = None
    not_future: NotFuture | None = None
    plausible: Plausible | None = None
    within: Within | None = None
    unique: list[str] | None = None
    reference: Reference | None = None
    organ: OrganTest | None = None
    working_days: WorkingDays | None = None
    answer_time: AnswerTime | None = None
    volume: Volume | None = None
    condition: str | None = None
    query: str | None = None

    @property
    def test_name(self) -> str:
        return next(name for name in (*FORMS, "condition", "query") if getattr(self, name))

    @model_validator(mode="after")
    def _one_test(self) -> RuleEntry:
        given = [name for name in (*FORMS, "condition", "query") if getattr(self, name)]
        if len(given) != 1:
            allowed = "、".join((*FORMS, "condition", "query"))
            raise ValueError(f"须恰有一种检验({allowed}),现有:{'、'.join(given) or '无'}")
        if given == ["condition"] and not self.detail:
            raise ValueError("condition 须同时给出 detail(说明不符之处的 SQL 文本)")
        if self.when and given[0] in ("query", "volume"):
            raise ValueError(f"when 不能与 {given[0]} 同用")
        return self


class Identity(Declared):
    """How a record is named in a table that has no source_system and record_id."""

    source_system: str
    record_id: str


class RuleFile(Declared):
    """One rule file: the rules of one core table."""

    table: str
    record_on: str = "NULL"
    organ: str | None = None
    record: Identity | None = None
    rules: list[RuleEntry]


class YearlyEntry(Declared):
    """What a check of the yearly tables is called; its equations are in the layouts."""

    code: str = Field(pattern=r"^[A-Z]\d{1,2}$")
    severity: Severity
    title: str = Field(min_length=1)
    message: str = Field(min_length=1)
    article: str = ""


class YearlyFile(Declared):
    rules: list[YearlyEntry]


@dataclass(frozen=True)
class RuleDescription:
    """What a person reads of a rule, whether it holds for a core table or a yearly table."""

    code: str
    table: str
    severity: Severity
    title: str
    message: str
    article: str


@dataclass(frozen=True)
class Rule:
    """A rule over one core table.

    `sql` is the query of its bad rows with tables and the data date still in braces.
    `condition` is set where a row of the table alone decides, so that many rules can share
    one scan. `sets_aside` gives, as SQL over the row, the columns that a quarantine rule sets
    aside, by commas; without it, or where it gives NULL, the whole record. `is_of_own_rows`
    says that no row of the table is bad for lack of another one of it: with fewer rows there are
    no other bad ones.
    """

    code: str
    table: str
    severity: Severity
    title: str
    message: str
    article: str
    sql: str
    condition: str | None
    sets_aside: str | None = None
    is_of_own_rows: bool = field(default=False, compare=False)

    def as_data(self) -> dict[str, Any]:
        """As JSON values. What a rule does not say is left out, so that rules kept with an
        edition before it could be said keep their fingerprint."""
        data = asdict(self)
        # It follows from the rule, and what it spares is asked without it.
        del data["is_of_own_rows"]
        if self.sets_aside is None:
            del data["sets_aside"]
        return data

    @property
    def depends_on(self) -> tuple[str, ...]:
        """The tables that decide the result."""
        names = (self.table if n == "table" else n for n in _PLACEHOLDER.findall(self.sql))
        return tuple(sorted({n for n in names if "." in n}))

    @property
    def uses_date(self) -> bool:
        """Whether the result changes with the data date."""
        return "{as_of}" in self.sql

    @property
    def description(self) -> RuleDescription:
        return RuleDescription(
            self.code, self.table, self.severity, self.title, self.message, self.article
        )

    def bad_rows_sql(self, as_of: date, relations: Mapping[str, str] | None = None) -> str:
        """The query of the bad rows. `relations` says what to read instead of a table."""
        return self._filled(self.sql, as_of, relations or {})

    def sets_aside_sql(self, as_of: date) -> str:
        """The columns set aside, as SQL over a row; NULL for the whole record."""
        return self._filled(self.sets_aside or "NULL", as_of, {})

    def condition_sql(self, as_of: date) -> str:
        """The condition of a bad row, removed rows left out. Only where `condition` is set."""
        assert self.condition is not None
        return self._filled(self.condition, as_of, {})

    def _filled(self, sql: str, as_of: date, relations: Mapping[str, str]) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name == "as_of":
                return f"DATE '{as_of.isoformat()}'"
            name = self.table if name == "table" else name
            return relations.get(name, name)

        return _PLACEHOLDER.sub(value, sql)

    def fingerprint(self, as_of: date, versions: Mapping[str, str]) -> str:
        """Equal when neither the rule nor anything it reads has changed.

        `versions` maps each table to its version; a rule that looks at the date also
        depends on `as_of`.
        """
        parts = [self.code, self.severity, self.message, self.sql, self.sets_aside or ""]
        parts += [f"{name}={versions[name]}" for name in self.depends_on]
        if self.uses_date:
            parts.append(as_of.isoformat())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def result_of(
    rule: Rule,
    bad_rows: int | None,
    records: Iterable[BadRow] = (),
    *,
    reason: str = "",
    is_reused: bool = False,
) -> RuleResult:
    """The result of a rule: `bad_rows` 0 passes, more fails, None could not run."""
    status: Status = "not_run" if bad_rows is None else "fail" if bad_rows else "pass"
    return RuleResult(
        code=rule.code,
        key=rule.code,
        status=status,
        message=rule.message,
        severity=rule.severity,
        table=rule.table,
        title=rule.title,
        article=rule.article,
        bad_rows=bad_rows,
        records=tuple(records),
        reason=reason,
        is_reused=is_reused,
    )


def _read(path: Path) -> Any:
    try:
        return yaml_of(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RuleError(f"{path}: 读不到文件({error.strerror})") from error
    except yaml.YAMLError as error:
        raise RuleError(f"{path}: 不是有效的 YAML:{error}") from error


def _explain(path: Path, declared: Any, error: ValidationError) -> RuleError:
    """The problems of a file, with the code of the rule in place of its position."""
    problems = []
    for problem in error.errors():
        place = list(map(str, problem["loc"]))
        if len(place) > 1 and place[0] == "rules":
            entry = declared["rules"][int(place[1])]
            code = entry.get("code") if isinstance(entry, dict) else None
            place[:2] = [str(code or f"rules.{place[1]}")]
        found = problem["input"]
        shown = f"(现为 {found!r})" if isinstance(found, str | int | float) else ""
        problems.append(f"  {'.'.join(place)}: {problem['msg']}{shown}")
    return RuleError(f"{path}:\n" + "\n".join(problems))


def load_file(path: Path) -> tuple[Rule, ...]:
    """The rules of one file.

    Raises RuleError, naming file, rule and key, when the file cannot be read, has unknown or
    missing keys, names a table or column that does not exist, or uses one code twice.
    """
    declared = _read(path)
    try:
        file = RuleFile.model_validate(declared)
    except ValidationError as error:
        raise _explain(path, declared, error) from error
    try:
        subject_table = table(file.table)
    except KeyError as error:
        raise RuleError(f"{path}: table: 没有表 {file.table}") from error
    return tuple(_rule(path, file, subject_table, entry) for entry in file.rules)


def _rule(path: Path, file: RuleFile, subject_table: Table, entry: RuleEntry) -> Rule:
    columns = {c.name for c in subject_table.columns}
    if entry.severity == "quarantine" and not subject_table.is_pulled:
        raise RuleError(
            f"{path}: {entry.code}.severity: {file.table} 的行不能隔离(不是来自来源系统)"
        )
    record = file.record or Identity(source_system="source_system", record_id="record_id")
    organ = file.organ or ("organ_id" if "organ_id" in columns else "CAST(NULL AS VARCHAR)")
    subject = Subject(
        subject_table,
        record.source_system,
        record.record_id,
        organ,
        entry.record_on or file.record_on,
    )
    name = entry.test_name
    where = f"{path}: {entry.code}.{name}"
    condition: str | None = None
    if name == "query":
        assert entry.query is not None
        sql = entry.query.strip().rstrip(";")
    else:
        if name == "condition":
            assert entry.condition is not None
            test: RowTest | QueryTest = RowTest(entry.condition, entry.detail or "")
        else:
            try:
                test = FORMS[name](subject, getattr(entry, name), entry.when)
            except KeyError as error:
                raise RuleError(f"{where}: {file.table} 没有列 {error.args[0]}") from error
        if isinstance(test, QueryTest):
            sql = test.sql
        else:
            condition = both(subject.alive, entry.when, test.condition)
            sql = f"{subject.rows(entry.detail or test.detail)} WHERE {condition}"
    sql = _with_parameters(where, sql, entry.parameters)
    if condition is not None:
        condition = _with_parameters(where, condition, entry.parameters)
        # A condition that looks into other tables is no test of a row alone.
        if any("." in n or n == "table" for n in _PLACEHOLDER.findall(condition)):
            condition = None
    return Rule(
        entry.code,
        file.table,
        entry.severity,
        entry.title,
        entry.message,
        entry.article,
        sql,
        condition,
        _sets_aside(where, columns, entry),
        _is_of_own_rows(name, sql, file.table),
    )


_OF_OTHER_ROWS = ("volume", "query")
"""Tests that may find a row bad for what other rows of its table are not there."""


def _is_of_own_rows(test: str, sql: str, table_name: str) -> bool:
    """See `Rule.is_of_own_rows`. Of two rows with one key each is bad for the other that is there."""
    if test == "unique":
        return True
    read = [name for name in _PLACEHOLDER.findall(sql) if name in ("table", table_name)]
    return test not in _OF_OTHER_ROWS and len(read) == 1


def _sets_aside(where: str, columns: set[str], entry: RuleEntry) -> str | None:
    if entry.plausible is not None:
        return set_aside_by(entry.plausible)
    if entry.sets_aside is None:
        return None
    if missing := [name for name in entry.sets_aside if name not in columns]:
        raise RuleError(f"{where}: sets_aside: 没有列 {'、'.join(missing)}")
    return literal(",".join(entry.sets_aside))


def _with_parameters(where: str, sql: str, parameters: Mapping[str, Scalar]) -> str:
    """Put the thresholds of a rule in place; tables and the data date stay for later."""
    known = {t.full_name for t in all_tables()} | {"table", "as_of"}

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in parameters:
            return literal(parameters[name])
        if name not in known:
            raise RuleError(f"{where}: 既没有表也没有参数 {{{name}}}")
        return match[0]

    if bare := _BARE_TABLE.search(sql):
        raise RuleError(f"{where}: 表名须写在花括号中:{{{bare[0]}}}")
    return _PLACEHOLDER.sub(value, sql)


@cache
def load_rules(folder: Path = RULES) -> tuple[Rule, ...]:
    """Every rule of the core tables, by file and in the order of the file. Raises RuleError."""
    rules: list[Rule] = []
    codes: dict[str, Path] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path in (folder / YEARLY.name, folder / PROVINCE.name):
            continue
        for rule in load_file(path):
            if rule.code in codes:
                raise RuleError(f"{path}: {rule.code}: 代码已用于 {codes[rule.code].name}")
            codes[rule.code] = path
            rules.append(rule)
    return tuple(rules)


@cache
def yearly_rules(path: Path = YEARLY) -> Mapping[str, RuleDescription]:
    """The checks of the yearly tables by code: B1–B11, F1, P1. Raises RuleError.

    Their equations come from the layouts (`expectations.balance`); here is what they are
    called, how grave they are, and what to do.
    """
    declared = _read(path)
    try:
        file = YearlyFile.model_validate(declared)
    except ValidationError as error:
        raise _explain(path, declared, error) from error
    return {
        e.code: RuleDescription(e.code, "yearly.cell", e.severity, e.title, e.message, e.article)
        for e in file.rules
    }


@dataclass(frozen=True)
class Rulebook:
    """All rules that an edition is checked by: `core` over the records, `yearly` over the
    tables. As plain data it is kept with the edition, so that years later the same is asked."""

    core: tuple[Rule, ...]
    yearly: Mapping[str, RuleDescription]

    def describe(self, code: str) -> RuleDescription:
        """What is known of a rule by its code. Raises KeyError."""
        if code in self.yearly:
            return self.yearly[code]
        for rule in self.core:
            if rule.code == code:
                return rule.description
        raise KeyError(code)

    def with_checks(self, checks: Iterable[Check]) -> Rulebook:
        """These rules and a form's own checks of its tables. Raises RuleError for a code that is
        taken."""
        yearly = dict(self.yearly)
        for c in checks:
            if c.code in yearly:
                raise RuleError(f"form.yaml: checks: 代码 {c.code} 已用于“{yearly[c.code].title}”")
            yearly[c.code] = RuleDescription(
                c.code, "yearly.cell", c.severity, c.title, c.message, c.article
            )
        return Rulebook(self.core, yearly)

    def of_province(self) -> Rulebook:
        """These rules for what is added up of the editions of cities: no rules of records, as there
        are none, and the checks of `province.yaml`."""
        return Rulebook((), {**self.yearly, **yearly_rules(PROVINCE)})

    def as_data(self) -> dict[str, list[dict[str, Any]]]:
        """Both kinds as JSON values; `from_data` reads them back."""
        return {
            "core": [rule.as_data() for rule in self.core],
            "yearly": [asdict(rule) for rule in self.yearly.values()],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Sequence[Mapping[str, Any]]]) -> Rulebook:
        """The rules that `as_data` wrote."""
        yearly = (RuleDescription(**rule) for rule in data["yearly"])
        return cls(
            tuple(Rule(**rule) for rule in data["core"]), {rule.code: rule for rule in yearly}
        )


@cache
def rulebook() -> Rulebook:
    """The rules of this version. Raises RuleError."""
    return Rulebook(load_rules(), yearly_rules())


def describe(code: str) -> RuleDescription:
    """What this version knows of a rule by its code. Raises KeyError."""
    return rulebook().describe(code)
