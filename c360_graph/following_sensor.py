"""Tells Dagster what `c360 follow` did, and that it stopped or lags: a sensor and a check."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import BaseModel, ValidationError

from c360_graph.assets.metadata import moment
from c360_graph.assets.neo4j_graph import KEY as GRAPH_KEY
from c360_graph.assets.step_policy import dagster_failures
from c360_graph.automation import tell_people
from c360_graph.control.audit import FollowedRows, FollowSession, RunLog
from c360_graph.errors import GraphError
from c360_graph.failure_notice import FailureNotice
from c360_graph.following.health import why_behind
from c360_graph.following.mark import FollowMark, read_graph_mark
from c360_graph.mapping.model import GraphMapping
from c360_graph.resources import Neo4jResource, PostgresResource
from c360_graph.settings import Settings

CHECK = "is_followed"
_UP_TO_DATE = "The graph is as new as its sources."
_NOT_FOLLOWED = "The graph is not followed: it is as new as its last load."


class _Cursor(BaseModel):
    """What was told already."""

    table_log_id: int
    problem: str | None = None


def following_check(settings: Settings) -> dg.AssetChecksDefinition:
    """Whether a graph that is followed is as new as its sources."""

    @dg.asset_check(
        asset=GRAPH_KEY,
        name=CHECK,
        description=(
            "If `c360 follow` follows the sources, it is at work, and the graph is at most"
            " C360_MOST_LAG_SECONDS behind them."
        ),
    )
    def is_followed(
        context: dg.AssetCheckExecutionContext, postgres: PostgresResource, neo4j: Neo4jResource
    ) -> dg.AssetCheckResult:
        with dagster_failures():
            session = RunLog(postgres.control_database()).follow_session()
            mark = _mark(neo4j)
            problem = _problem(session, mark, settings)
        return dg.AssetCheckResult(**_evaluation(mark, problem))

    return is_followed


def following_sensor(*, mapping: GraphMapping, settings: Settings) -> dg.SensorDefinition:
    """Materializations of what was followed, each minute at most, and the state of the check.

    Whoever follows needs no Dagster: its rows of etl_table_logs are what is told here.
    """

    @dg.sensor(
        name="following",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Shows what `c360 follow` brought into the graph, and says when it has stopped or the graph is"
            " too far behind its sources."
        ),
    )
    def following(
        context: dg.SensorEvaluationContext, postgres: PostgresResource, neo4j: Neo4jResource
    ) -> dg.SensorResult | dg.SkipReason:
        run_log = RunLog(postgres.control_database())
        session = run_log.follow_session()
        if session is None:
            return dg.SkipReason("Nobody has followed the sources yet.")
        told = _read_cursor(context.cursor)
        rows = run_log.followed_rows(after=told.table_log_id)
        try:
            mark = _mark(neo4j)
            problem = _problem(session, mark, settings)
        except GraphError as error:
            mark, problem = None, str(error)
        if problem is not None and problem != told.problem:
            context.log.error(problem)
            run_id = f"etl_run_logs row {session.log_id}"
            notice = FailureNotice(run_id=run_id, job="c360 follow", message=problem)
            tell_people(context.log, notice, settings)
        cursor = _Cursor(
            table_log_id=rows[-1].table_log_id if rows else told.table_log_id, problem=problem
        )
        check = dg.AssetCheckEvaluation(**_evaluation(mark, problem), blocking=False)
        return dg.SensorResult(
            asset_events=[*_materializations(rows, mark, mapping), check],
            cursor=cursor.model_dump_json(),
            skip_reason=problem or (_UP_TO_DATE if mark else _NOT_FOLLOWED),
        )

    return following


def _read_cursor(text: str | None) -> _Cursor:
    try:
        return _Cursor.model_validate_json(text or "")
    except ValidationError:
        return _Cursor(table_log_id=0)


def _mark(neo4j: Neo4jResource) -> FollowMark | None:
    with neo4j.graph() as graph:
        found = read_graph_mark(graph)
    return found.follow if found else None


def _problem(
    session: FollowSession | None, mark: FollowMark | None, settings: Settings
) -> str | None:
    return why_behind(
        session, mark, now=datetime.now(UTC), most_lag_seconds=settings.c360_most_lag_seconds
    )


def _evaluation(mark: FollowMark | None, problem: str | None) -> dict[str, Any]:
    return {
        "asset_key": dg.AssetKey(GRAPH_KEY),
        "check_name": CHECK,
        "passed": problem is None,
        "severity": dg.AssetCheckSeverity.WARN,
        "description": problem or (_UP_TO_DATE if mark else _NOT_FOLLOWED),
        "metadata": _mark_facts(mark),
    }


def _materializations(
    rows: Sequence[FollowedRows], mark: FollowMark | None, mapping: GraphMapping
) -> Iterable[dg.AssetMaterialization]:
    """One for each table that changed, and one for the graph, whatever time the rows are of."""
    tables = {(table.source.source_id, table.table_name): table for table in mapping.tables}
    by_table: dict[tuple[int, str], list[FollowedRows]] = {}
    for row in rows:
        if row.source_id is not None:
            by_table.setdefault((row.source_id, row.table_name), []).append(row)
    for named, minutes in by_table.items():
        table = tables.get(named)
        if table is not None:
            yield dg.AssetMaterialization(
                asset_key=dg.AssetKey(table.asset_key),
                description="Followed by c360 follow.",
                metadata=_rows_facts(minutes),
            )
    if rows:
        yield dg.AssetMaterialization(
            asset_key=dg.AssetKey(GRAPH_KEY),
            description="Followed by c360 follow.",
            metadata=_rows_facts(rows) | _mark_facts(mark),
        )


def _rows_facts(rows: Sequence[FollowedRows]) -> dict[str, Any]:
    return {
        "log_id": rows[-1].log_id,
        "table_log_id": rows[-1].table_log_id,
        "followed_rows": sum(row.rows_processed for row in rows),
        "start_time": moment(min(row.start_time for row in rows)),
        "end_time": moment(max(row.end_time for row in rows)),
    }


def _mark_facts(mark: FollowMark | None) -> dict[str, Any]:
    if mark is None:
        return {}
    facts: dict[str, Any] = {f"lsn/{name}": slot.lsn for name, slot in mark.slots.items()}
    facts |= {"held_tables": len(mark.held), "tables_not_followed": len(mark.unfollowed)}
    if mark.rates is not None:
        facts["changes_per_second"] = mark.rates.changes_per_second
        facts |= {
            name: lag
            for name, lag in (
                ("lag_p50_ms", mark.rates.lag_p50_ms),
                ("lag_p99_ms", mark.rates.lag_p99_ms),
            )
            if lag is not None
        }
    return facts
