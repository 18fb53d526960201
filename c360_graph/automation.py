"""The job of the whole graph, its nightly schedule, and sensors, also one that watches `c360 follow`."""

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import BaseModel, ValidationError

from c360_graph.assets.analytics import GROUP as ANSWERS
from c360_graph.assets.cypher_script import KEY as SCRIPT_KEY
from c360_graph.assets.metadata import moment
from c360_graph.assets.neo4j_graph import KEY as GRAPH_KEY
from c360_graph.assets.step_policy import dagster_failures
from c360_graph.control.audit import FollowedRows, FollowSession, RunLog
from c360_graph.dagster_failures import failures_of
from c360_graph.errors import GraphError, SettingsError
from c360_graph.executor import close_abandoned_runs
from c360_graph.failure_notice import FailureNotice, mail_server, post, send
from c360_graph.following.mark import FollowMark, read_graph_mark
from c360_graph.following.survey import why_behind
from c360_graph.mapping.model import GraphMapping, Identity
from c360_graph.pipeline.load import UPDATING
from c360_graph.pipeline.read_mapping import rows_fingerprint
from c360_graph.resources import Neo4jResource, PostgresResource
from c360_graph.settings import Settings

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )


JOB_NAME = "build_graph"

CHECK = "is_followed"
_UP_TO_DATE = "The graph is as new as its sources."
_NOT_FOLLOWED = "The graph is not followed: it is as new as its last load."


def graph_job() -> "UnresolvedAssetJobDefinition":
    """Every table, the script and the graph, in one run."""
    return dg.define_asset_job(
        JOB_NAME,
        selection=dg.AssetSelection.all(),
        description="Reads every mapped table, writes the script and loads the graph.",
    )


def nightly_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The job once a night; off until it is switched on.

    Raises:
        SettingsError: C360_NIGHTLY_CRON is no cron expression.
    """
    try:
        return dg.ScheduleDefinition(
            name="nightly",
            job_name=JOB_NAME,
            cron_schedule=settings.c360_nightly_cron,
            execution_timezone=settings.c360_time_zone,
            tags=UPDATING,
            description="Builds the graph every night. Off by default; switch it on in the UI.",
        )
    except dg.DagsterInvalidDefinitionError:
        raise SettingsError(
            f"C360_NIGHTLY_CRON {settings.c360_nightly_cron!r} is not a cron expression that Dagster accepts."
            " Use five fields that match a time, such as '0 3 * * *' for 3:00 every night."
        ) from None


def control_rows_sensor(*, fingerprint: str, settings: Settings) -> dg.SensorDefinition:
    """Requests a run when the control rows change.

    `fingerprint` is that of the rows these definitions were built from. When the rows differ from
    it, the code location is asked to reload, so that the run sees the new assets.
    """

    @dg.sensor(
        name="control_rows",
        job_name=JOB_NAME,
        minimum_interval_seconds=30,
        description="Builds the graph after a control row was added, changed or removed.",
    )
    def control_rows(
        context: dg.SensorEvaluationContext, postgres: PostgresResource
    ) -> dg.SensorResult | dg.SkipReason:
        now = rows_fingerprint(postgres.control_database().read_rows())
        if context.cursor is None:
            return dg.SensorResult(
                cursor=now, skip_reason="The control rows are watched from now on."
            )
        if now == context.cursor:
            return dg.SkipReason("The control rows have not changed.")
        if now != fingerprint and settings.c360_webserver_url:
            return dg.SkipReason(_reload(context, settings.c360_webserver_url))
        return dg.SensorResult(
            cursor=now,
            run_requests=[
                dg.RunRequest(run_key=f"control_rows_{now}", tags={**UPDATING, "control_rows": now})
            ],
        )

    return control_rows


def audit_sensor() -> dg.SensorDefinition:
    """Closes audit rows of runs whose process died without a word: the backstop of the executor."""

    @dg.sensor(
        name="close_abandoned_runs",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Closes rows of etl_run_logs for runs that ended without closing them.",
    )
    def close_abandoned(
        context: dg.SensorEvaluationContext, postgres: PostgresResource
    ) -> dg.SkipReason:
        count = close_abandoned_runs(RunLog(postgres.control_database()), context.instance)
        return dg.SkipReason(f"{count} abandoned runs were checked.")

    return close_abandoned


def failed_runs_sensor(settings: Settings) -> dg.SensorDefinition:
    """Writes each failed run into the audit table and the log, one that never started as well.

    The webhook and the e-mail addresses of the settings are told, where there are any.
    """

    @dg.run_failure_sensor(
        name="failed_runs",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Closes the row of etl_run_logs of each failed run, and adds one for a run that failed"
            " before its first step."
        ),
    )
    def failed_runs(context: dg.RunFailureSensorContext, postgres: PostgresResource) -> None:
        run_log = RunLog(postgres.control_database())
        run_id, why = context.dagster_run.run_id, context.failure_event.message
        run_log.close_run(run_log.open_run(run_id), "failed", why)
        context.log.error(f"Run {run_id} of {context.dagster_run.job_name} failed: {why}")
        tell_people(context.log, _notice(context, settings), settings)

    return failed_runs


def _notice(context: dg.RunFailureSensorContext, settings: Settings) -> FailureNotice:
    run = context.dagster_run
    failed = (name for event in context.get_step_failure_events() for name in failures_of(event))
    dagster = settings.c360_webserver_url
    return FailureNotice(
        run_id=run.run_id,
        job=run.job_name,
        message=context.failure_event.message or "It failed without a message.",
        failed_steps=tuple(failed),
        run_url=f"{dagster.rstrip('/')}/runs/{run.run_id}" if dagster else None,
    )


def tell_people(log: logging.Logger, notice: FailureNotice, settings: Settings) -> None:
    """Send a notice to the webhook and by e-mail, as far as the settings name them."""
    webhook, server = settings.c360_failure_webhook, mail_server(settings)
    failures = {
        "C360_FAILURE_WEBHOOK": post(notice, url=webhook.get_secret_value()) if webhook else None,
        "C360_FAILURE_EMAIL_TO": send(notice, server) if server else None,
    }
    for name, why in failures.items():
        if why is not None:
            # It is in the log all the same, and this is not tried again.
            log.warning(f"{name} was not told of run {notice.run_id}: {why}.")


def eager_sensor(identities: Iterable[Identity] = ()) -> dg.SensorDefinition:
    """Rebuilds entities, script and graph when tables were read on their own; off until it is switched on."""
    tables = (table.asset_key for identity in identities for table in identity.tables)
    return dg.AutomationConditionSensorDefinition(
        name="rebuild_when_tables_change",
        target=dg.AssetSelection.assets(*map(list, tables), SCRIPT_KEY, GRAPH_KEY),
        default_status=dg.DefaultSensorStatus.STOPPED,
        minimum_interval_seconds=30,
        run_tags=UPDATING,
        description=(
            "Writes the script and updates the graph when a table was materialized on its own. Off by"
            " default."
        ),
    )


def ask_again_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Asks answers again whose tables have changed; none where C360_ASK_AGAIN_MINUTES is not set."""
    if settings.c360_ask_again_minutes is None:
        return []
    return [
        dg.AutomationConditionSensorDefinition(
            name="ask_again",
            target=dg.AssetSelection.groups(ANSWERS),
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=30,
            description=(
                "Asks the questions again whose tables were followed or materialized, every"
                " C360_ASK_AGAIN_MINUTES at most."
            ),
        )
    ]


def _reload(context: dg.SensorEvaluationContext, url: str) -> str:
    # Here, as runs never reload: it and what it imports take a quarter of a second of each start.
    from dagster_graphql import DagsterGraphQLClient, ReloadRepositoryLocationStatus

    location = context.code_location_origin
    name = location.location_name if location else "c360_graph"
    host, _, port = url.removeprefix("http://").removeprefix("https://").rstrip("/").partition(":")
    client = DagsterGraphQLClient(
        host, port_number=int(port) if port else None, use_https=url.startswith("https://")
    )
    answer = client.reload_repository_location(name)
    if answer.status == ReloadRepositoryLocationStatus.SUCCESS:
        return "The control rows changed. The definitions are being reloaded, then the run starts."
    return f"The control rows changed, but {name} could not be reloaded: {answer.message}"


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
