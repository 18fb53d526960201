"""Control rows are the only source of the assets; sensors and schedule act on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._cli import create_dagster_cli
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext

from c360_graph import definitions
from c360_graph.control.connection import ControlDatabase
from c360_graph.extracts import ExtractStore
from c360_graph.pipeline.read_mapping import MappingState, read_mapping_state
from c360_graph.questions import read_question_set
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import working_folder
from c360_graph_tests.smtp_server import smtp_server


def test_assets_follow_the_control_rows_with_no_code_touched(project: Project) -> None:
    first = _asset_keys()
    assert first == {
        "profiles_db/accounts",
        "profiles_db/payment_methods",
        "profiles_db/plans",
        "profiles_db/subscriptions",
        "streaming_db/media_content",
        "streaming_db/play_events",
        "support_db/ticket_tag_link",
        "support_db/ticket_tags",
        "support_db/tickets",
        "cypher_script",
        "neo4j_graph",
        "customer_360_report",
        *(f"answers/{question.name}" for question in read_question_set(None).questions),
    }
    project.execute("UPDATE node_label_mappings SET is_active = false WHERE table_name = 'plans'")
    about_plans = ("lifetime_value", "revenue_by_plan", "customer_journey")
    gone = {"profiles_db/plans", *(f"answers/{name}" for name in about_plans)}
    assert _asset_keys() == first - gone
    project.execute(
        "UPDATE source_databases SET is_active = false WHERE source_name = 'support_db'"
    )
    assert not any(key.startswith("support_db") for key in _asset_keys())
    project.execute("UPDATE source_databases SET is_active = true")
    project.execute("UPDATE node_label_mappings SET is_active = true")
    with project.connect("profiles_db") as connection:
        connection.execute("CREATE TABLE devices (device_id int PRIMARY KEY, account_id uuid)")
    project.execute(
        "INSERT INTO node_label_mappings (source_id, table_name, node_label)"
        " SELECT source_id, 'devices', 'Device' FROM source_databases"
        " WHERE source_name = 'profiles_db'",
    )
    assert _asset_keys() == first | {"profiles_db/devices"}


def test_script_depends_on_every_table_graph_on_the_script_and_answers_on_the_graph(
    project: Project,
) -> None:
    graph = _definitions().resolve_asset_graph()
    keys = graph.get_all_asset_keys()
    answers = {key for key in keys if key.path[0] == "answers"}
    tables = {key for key in keys if len(key.path) == 2} - answers
    assert graph.get(dg.AssetKey("cypher_script")).parent_keys == tables
    assert graph.get(dg.AssetKey("neo4j_graph")).parent_keys == {dg.AssetKey("cypher_script")}
    assert all(graph.get(key).parent_keys == {dg.AssetKey("neo4j_graph")} for key in answers)
    report = graph.get(dg.AssetKey("customer_360_report"))
    assert report.parent_keys == {dg.AssetKey("neo4j_graph"), *answers}


def test_definitions_hold_no_password(project: Project) -> None:
    project.execute("UPDATE source_databases SET db_password = 'hunter2-literal'")
    metadata = _definitions().metadata
    assert "c360_mapping" in metadata
    assert "profiles_db" in str(metadata)
    assert "hunter2" not in str(metadata)


def test_a_run_reads_the_mapping_once_and_its_steps_keep_to_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[MappingState] = []

    def reading(control: ControlDatabase, settings: Settings) -> MappingState:
        read.append(read_mapping_state(control, settings))
        # What is read after this no longer has the table.
        project.execute(
            "UPDATE node_label_mappings SET is_active = false WHERE table_name = 'plans'"
        )
        return read[-1]

    monkeypatch.setattr(definitions, "read_mapping_state", reading)
    # As in a process of its own, which has loaded nothing yet.
    monkeypatch.setattr(DefinitionsLoadContext, "_instance", None)
    monkeypatch.setenv("C360_EXECUTOR", "multiprocess")
    monkeypatch.setenv("DAGSTER_HOME", str(working_folder()))
    command = ["asset", "materialize", "--select", "profiles_db/plans", "-m", definitions.__name__]
    done = CliRunner().invoke(create_dagster_cli(), command)  # type: ignore[no-untyped-call]
    assert done.exit_code == 0, done.output
    assert len(read) == 1
    assert ExtractStore(project.data_dir).latest(("profiles_db", "plans")) is not None


def test_the_sensor_requests_a_run_when_a_control_row_changes(project: Project) -> None:
    sensor = _definitions().resolve_sensor_def("control_rows")

    def evaluate(cursor: str | None) -> dg.SensorResult | dg.SkipReason:
        with (
            dg.DagsterInstance.ephemeral() as instance,
            dg.build_sensor_context(
                instance=instance,
                cursor=cursor,
                definitions=_definitions(),
                resources={"postgres": PostgresResource()},
            ) as context,
        ):
            return sensor(context)  # type: ignore[return-value]

    first = evaluate(None)
    assert isinstance(first, dg.SensorResult)
    assert not first.run_requests
    assert isinstance(evaluate(first.cursor), dg.SkipReason)
    project.execute(
        "UPDATE relationship_mappings SET is_active = false WHERE relationship_type = 'PLAYED'",
    )
    changed = evaluate(first.cursor)
    assert isinstance(changed, dg.SensorResult)
    assert changed.run_requests is not None
    assert len(changed.run_requests) == 1
    assert changed.cursor != first.cursor
    assert isinstance(evaluate(changed.cursor), dg.SkipReason)


def test_there_is_one_job_for_all_assets_and_a_nightly_schedule(project: Project) -> None:
    definitions = _definitions()
    job = definitions.resolve_job_def("build_graph")
    keys = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
    assert keys == _asset_keys()
    schedule = definitions.resolve_schedule_def("nightly")
    assert schedule.cron_schedule == "0 3 * * *"
    assert schedule.job_name == "build_graph"


def test_what_rebuilds_a_graph_is_off_and_what_keeps_the_audit_tables_true_is_on(
    project: Project,
) -> None:
    repository = _definitions().get_repository_def()
    states = {s.name: s.default_status.value for s in repository.sensor_defs}
    states |= {s.name: s.default_status.value for s in repository.schedule_defs}
    assert states == {
        "nightly": "STOPPED",
        "control_rows": "STOPPED",
        "rebuild_when_tables_change": "STOPPED",
        "close_abandoned_runs": "RUNNING",
        "failed_runs": "RUNNING",
        "following": "RUNNING",
    }


@dg.op
def fails() -> None:
    raise dg.Failure("on purpose")


@dg.job
def failing() -> None:
    fails()


def _told_of_failure(times: int = 1) -> dg.ExecuteInProcessResult:
    """A failed run that the sensor was told of so often."""
    sensor = _definitions().resolve_sensor_def("failed_runs")
    with dg.DagsterInstance.ephemeral() as instance:
        result = failing.execute_in_process(instance=instance, raise_on_error=False)
        with dg.build_run_status_sensor_context(
            sensor_name="failed_runs",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
            resources={"postgres": PostgresResource()},
        ).for_run_failure() as context:
            for _ in range(times):
                sensor(context)
    return result


def test_webhook_and_people_are_told_of_a_failed_run_and_one_that_refuses_loses_no_audit_row(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("C360_WEBSERVER_URL", "http://dagster.example/")
    monkeypatch.setenv("C360_FAILURE_EMAIL_TO", "ann@ops.example")
    monkeypatch.setenv("C360_SMTP_TLS", "none")
    with _webhook(200) as (url, told), smtp_server() as box:
        monkeypatch.setenv("C360_FAILURE_WEBHOOK", url)
        monkeypatch.setenv("C360_SMTP_PORT", str(box.port))
        first = _told_of_failure()
    (notice,), (mail,) = told, box.mails
    assert f"Run {first.run_id} of failing failed." in mail.get_content()
    assert notice["failed_steps"] == ["fails"]
    assert notice["text"] == (
        f"failing failed (http://dagster.example/runs/{first.run_id}): {notice['message']}"
    )
    with _webhook(500) as (url, _):
        monkeypatch.setenv("C360_FAILURE_WEBHOOK", f"{url}/secret")
        second = _told_of_failure()
    third = _told_of_failure()
    logged = capfd.readouterr().err
    assert f"was not told of run {second.run_id}: the webhook answered 500." in logged
    assert f"was not told of run {third.run_id}: the webhook cannot be reached" in logged
    assert f"C360_FAILURE_EMAIL_TO was not told of run {third.run_id}: the mail server" in logged
    assert "secret" not in logged
    with project.connect() as connection:
        (count,) = connection.execute("SELECT count(*) FROM etl_run_logs").fetchall()
    assert count == (3,)


@contextmanager
def _webhook(status: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers with a status, and what it was sent."""
    told: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", told
        finally:
            server.shutdown()
            thread.join()


def test_a_run_that_failed_before_its_first_step_has_a_row_all_the_same(project: Project) -> None:
    result = _told_of_failure(times=2)
    with project.connect() as connection:
        rows = connection.execute(
            "SELECT dagster_run_id, status, error_message, run_end_time IS NOT NULL"
            " FROM etl_run_logs"
        ).fetchall()
    why = "Execution of run for \"failing\" failed. Steps failed: ['fails']."
    assert rows == [(result.run_id, "failed", why, True)]


def _definitions() -> dg.Definitions:
    from c360_graph.definitions import defs

    return defs()


def _asset_keys() -> set[str]:
    return {key.to_user_string() for key in _definitions().resolve_all_asset_keys()}
