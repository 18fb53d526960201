"""The job of the whole graph, its nightly schedule, and sensors."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import dagster as dg

from c360_graph.assets.analytics import GROUP as ANSWERS
from c360_graph.assets.cypher_script import KEY as SCRIPT_KEY
from c360_graph.assets.load_mode import UPDATING
from c360_graph.assets.neo4j_graph import KEY as GRAPH_KEY
from c360_graph.control.audit import RunLog
from c360_graph.errors import SettingsError
from c360_graph.executor import close_abandoned_runs
from c360_graph.failure_notice import FailureNotice, mail_server, post, send
from c360_graph.mapping.model import Identity
from c360_graph.pipeline.read_mapping import rows_fingerprint
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings
from c360_graph.step_failures import failures_of

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

JOB_NAME = "build_graph"


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
