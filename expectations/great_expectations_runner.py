"""The Great Expectations runner: the same bad-rows queries, run in place on the lake.

Each table becomes a suite of `UnexpectedRowsExpectation`, one a rule. Great Expectations
reaches DuckDB through SQLAlchemy with the lake attached read-only at one snapshot, so a
table of any size is evaluated by DuckDB and only counts come back. Importing Great
Expectations takes seconds and 250 MB, so it happens inside the functions, and callers
import this module only when there is something to check.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import duckdb
from duckdb_engine import ConnectionWrapper
from duckdb_engine import Dialect as DuckDBDialect
from sqlalchemy.dialects import registry
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.engine.default import DefaultExecutionContext

from expectations.result import RuleResult
from expectations.rules import Rule, result_of
from expectations.runner import FIRST_RECORDS, bad_rows, copy_small_tables, reason_of
from warehouse.lake import Connection, Lake
from warehouse.without_pandas import let_pandas_in

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


_OPEN: dict[str, Connection] = {}
"""The lake connections that rules are being run on, by the name `LakeDialect` is given."""


class LakeDialect(DuckDBDialect):
    """duckdb-engine with buffered rows, on cursors of a lake connection that is already open."""

    execution_ctx_cls = _BufferedContext  # type: ignore[assignment]
    supports_statement_cache = False

    def connect(self, *_: Any, opened: str, **__: Any) -> Any:
        cursor = _OPEN[opened].cursor()
        cursor.execute("USE lake")
        return ConnectionWrapper(cursor)


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
            read = copy_small_tables(connection, rules, relations)
            with _validating(connection) as (context, batch):
                for table_name in dict.fromkeys(r.table for r in rules):
                    group = [r for r in rules if r.table == table_name]
                    outcomes.update(_validate(context, batch, group, as_of, read))
            return [_result(connection, r, outcomes.get(r.code), as_of, read, first) for r in rules]
    except Exception as error:
        reason = f"Great Expectations 未能运行:{reason_of(error)}"
        return [result_of(rule, None, reason=reason) for rule in rules]


def _result(
    connection: Connection,
    rule: Rule,
    outcome: int | str | None,
    as_of: date,
    relations: Mapping[str, str],
    first: int,
) -> RuleResult:
    """An outcome as a result; the first bad rows of what failed are read with the same query."""
    if outcome is None:
        return result_of(rule, None, reason="Great Expectations 没有给出结果")
    if isinstance(outcome, str):
        return result_of(rule, None, reason=outcome)
    if not outcome:
        return result_of(rule, 0)
    try:
        records = bad_rows(connection, rule, as_of, first, relations=relations)
    except duckdb.Error as error:
        return result_of(rule, None, reason=reason_of(error))
    return result_of(rule, outcome, records)


@contextlib.contextmanager
def _validating(
    connection: Connection,
) -> Iterator[tuple[EphemeralDataContext, BatchDefinition[Any]]]:
    """A context in memory and a batch over the lake; neither writes a file nor calls home."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    let_pandas_in()
    import great_expectations as gx
    from great_expectations.data_context.types import base

    # It tells of every temporary folder it makes, into whatever log is set up, and this module
    # of it turns that on for itself.
    for name in ("great_expectations", base.__name__):
        logging.getLogger(name).setLevel(logging.WARNING)
    registry.register(DRIVER, __name__, LakeDialect.__name__)
    opened = uuid4().hex
    _OPEN[opened] = connection
    try:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = base.ProgressBarsConfig(globally=False)
        source = context.data_sources.add_sql(  # type: ignore[call-arg]
            "lake",
            connection_string=f"{DRIVER}:///:memory:",
            create_temp_table=False,
            kwargs={"connect_args": {"opened": opened}},
        )
        # Rules name their tables themselves; the batch is only what they are attached to.
        asset = source.add_query_asset("rules", query="SELECT 1 AS rules")
        yield context, asset.add_batch_definition_whole_table("all")
        source.get_engine().dispose()
    finally:
        del _OPEN[opened]


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
