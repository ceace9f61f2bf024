"""The Great Expectations runner: the same bad-rows queries, run in place on the lake.

Each table becomes a suite of `UnexpectedRowsExpectation`, one a rule. Great Expectations
reaches DuckDB through SQLAlchemy with the lake attached read-only at one snapshot, so a
table of any size is evaluated by DuckDB and only counts come back. Importing Great
Expectations takes seconds and 250 MB, so it happens inside the functions, and callers
import this module only when there is something to check.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb
from duckdb_engine import Dialect as DuckDBDialect
from sqlalchemy.dialects import registry
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.engine.default import DefaultExecutionContext

from expectations.conditions import text
from expectations.rules import Rule, RuleResult, result_of
from expectations.runner import FIRST_RECORDS, bad_rows, reason_of, relation_of, small_table_copies
from warehouse.lake import EXTENSIONS, Lake, connection_config, extension_file

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite, ExpectationValidationResult
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )

DRIVER = "nianbao_lake"
BUFFERED_ROWS = 1000
"""Great Expectations reads at most 200 rows of a query; a result is never held whole."""


class _BufferedContext(DefaultExecutionContext):
    """Takes the first rows as soon as the statement has run.

    Great Expectations reads results after it has closed the connection, and by then DuckDB
    has dropped them: every expectation would end in a hidden IndexError.
    """

    def post_exec(self) -> None:
        description = self.cursor.description
        if description:
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
                self.cursor,
                alternate_description=description,
                initial_buffer=self.cursor.fetchmany(BUFFERED_ROWS),
            )


class LakeDialect(DuckDBDialect):
    """duckdb-engine with buffered rows; `statements` are run on every new connection."""

    execution_ctx_cls = _BufferedContext  # type: ignore[assignment]
    supports_statement_cache = False

    def connect(self, *arguments: Any, statements: Sequence[str] = (), **options: Any) -> Any:
        connection = super().connect(*arguments, **options)
        for statement in statements:
            connection.execute(statement)
        return connection


def run_rules_with_great_expectations(
    lake: Lake,
    rules: Sequence[Rule],
    *,
    as_of: date,
    snapshot: int | None = None,
    relations: Mapping[str, str] | None = None,
    first: int = FIRST_RECORDS,
) -> list[RuleResult]:
    """Evaluate `rules` on the lake at `snapshot` (default: the newest), a result each, in order.

    `relations` says what is read in place of a table.

    What Great Expectations could not evaluate (a query error, a missing table, a broken
    connection, an exception of its own) is `not_run` with the reason.
    """
    outcomes: dict[str, int | str] = {}
    try:
        with lake.read(snapshot) as connection:
            copies = small_table_copies(connection, rules, relations or {})
        read = {**(relations or {}), **{name: relation_of(name) for name in copies}}
        with _validating(lake, snapshot, tuple(copies.values())) as (context, batch):
            for table_name in dict.fromkeys(r.table for r in rules):
                group = [r for r in rules if r.table == table_name]
                outcomes.update(_validate(context, batch, group, as_of, read))
    except Exception as error:
        reason = f"Great Expectations 未能运行:{reason_of(error)}"
        outcomes = {r.code: outcomes.get(r.code, reason) for r in rules}
    return list(_results(lake, rules, outcomes, as_of, snapshot, relations, first))


def _results(
    lake: Lake,
    rules: Sequence[Rule],
    outcomes: Mapping[str, int | str],
    as_of: date,
    snapshot: int | None,
    relations: Mapping[str, str] | None,
    first: int,
) -> Iterator[RuleResult]:
    """Outcomes as results; the first bad rows of what failed are read with the same query."""
    with contextlib.ExitStack() as stack:
        connection = None
        for rule in rules:
            outcome = outcomes.get(rule.code, "Great Expectations 没有给出结果")
            if isinstance(outcome, str):
                yield result_of(rule, None, reason=outcome)
                continue
            if not outcome:
                yield result_of(rule, 0)
                continue
            connection = connection or stack.enter_context(lake.read(snapshot))
            try:
                records = bad_rows(connection, rule, as_of, first, relations=relations)
            except duckdb.Error as error:
                yield result_of(rule, None, reason=reason_of(error))
            else:
                yield result_of(rule, outcome, records)


@contextlib.contextmanager
def _validating(
    lake: Lake, snapshot: int | None, statements: Sequence[str]
) -> Iterator[tuple[EphemeralDataContext, BatchDefinition[Any]]]:
    """A context in memory and a batch over the lake; neither writes a file nor calls home."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    registry.register(DRIVER, __name__, LakeDialect.__name__)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_sql(  # type: ignore[call-arg]
        "lake",
        connection_string=f"{DRIVER}:///:memory:",
        create_temp_table=False,
        kwargs={"connect_args": connect_arguments(lake, snapshot, statements)},
    )
    try:
        # Rules name their tables themselves; the batch is only what they are attached to.
        asset = source.add_query_asset("rules", query="SELECT 1 AS rules")
        yield context, asset.add_batch_definition_whole_table("all")
    finally:
        with contextlib.suppress(Exception):
            source.get_engine().dispose()


def connect_arguments(
    lake: Lake, snapshot: int | None = None, statements: Sequence[str] = ()
) -> dict[str, Any]:
    """What `LakeDialect.connect` is given: settings, and statements that attach the lake."""
    return {
        "config": connection_config(lake.memory_limit, lake.threads),
        "statements": [
            *(f"LOAD {text(str(extension_file(name)))}" for name in EXTENSIONS),
            f"SET temp_directory = {text(str(lake.home / 'lake' / 'temporary'))}",
            lake.attach_sql(read_only=True, snapshot=snapshot),
            "USE lake",
            *statements,
        ],
    }


@cache
def _expectation_class() -> Any:
    """`UnexpectedRowsExpectation` that counts the rows and does not fetch them: half the queries.

    The rows themselves are read where they are shown, with the same query. Made once,
    because Great Expectations registers every class that is made.
    """
    from great_expectations.expectations.core.unexpected_rows_expectation import (
        UnexpectedRowsExpectation,
    )

    class BadRowsExpectation(UnexpectedRowsExpectation):
        """The bad rows of a rule."""

        metric_dependencies = ("unexpected_rows_query.row_count",)

        def _validate(self, metrics: dict[str, Any], *arguments: Any, **options: Any) -> Any:
            rows = {"unexpected_rows_query.table": None}
            return super()._validate({**metrics, **rows}, *arguments, **options)

    return BadRowsExpectation


def _suite(rules: Sequence[Rule], as_of: date, relations: Mapping[str, str]) -> ExpectationSuite:
    """The rules of one table as a suite; the code of a rule is its `meta`."""
    import great_expectations as gx

    expectation = _expectation_class()
    suite = gx.ExpectationSuite(name=rules[0].table)
    for rule in rules:
        query = rule.bad_rows_sql(as_of, relations).replace("{", "{{").replace("}", "}}")
        suite.add_expectation(
            expectation(
                # A query that does not name its batch is warned about on standard output,
                # several times a rule; a comment names it.
                unexpected_rows_query=f"/* {{batch}} */ {query}",
                description=rule.title,
                meta={"code": rule.code, "severity": rule.severity},
            )
        )
    return suite


def _validate(
    context: EphemeralDataContext,
    batch: BatchDefinition[Any],
    rules: Sequence[Rule],
    as_of: date,
    relations: Mapping[str, str],
) -> Iterator[tuple[str, int | str]]:
    """A count of bad rows, or the reason there is none, by the code of each rule."""
    import great_expectations as gx

    suite = context.suites.add(_suite(rules, as_of, relations))
    definition = gx.ValidationDefinition(name=suite.name, data=batch, suite=suite)
    validated = context.validation_definitions.add(definition).run(result_format="BASIC")
    for result in validated.results:
        configuration = result.expectation_config
        if configuration is not None and configuration.meta:
            yield configuration.meta["code"], _outcome(result)


def _outcome(result: ExpectationValidationResult) -> int | str:
    exception = _exception(result.exception_info)
    if exception:
        return exception
    count = (result.result or {}).get("observed_value")
    if not isinstance(count, int):
        return "Great Expectations 没有给出结果"
    # A verdict that contradicts its own count is no verdict.
    if bool(result.success) != (count == 0):
        return f"Great Expectations 的结论与计数不符:{result.success}, {count}"
    return count


def _exception(info: Mapping[str, Any] | None) -> str:
    """What was raised: given plainly, or by metric."""
    if not info:
        return ""
    candidates = [info] if "raised_exception" in info else list(info.values())
    for candidate in candidates:
        if isinstance(candidate, Mapping) and candidate.get("raised_exception"):
            message = str(candidate.get("exception_message") or "").strip()
            return message.splitlines()[0] if message else "Great Expectations 内部错误"
    return ""
