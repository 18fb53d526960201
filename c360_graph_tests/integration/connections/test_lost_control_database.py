"""A run whose connections to the control database and to Dagster's storage are cut ends as any other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import URL, Connection, text

from c360_graph.control.audit import RunLog
from c360_graph.control.connection import ControlDatabase, Credentials
from c360_graph.dagster_storage import PatientPostgresStorage
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.loader.proxy import FaultyProxy, Moment
from c360_graph_tests.integration.runs import materialize_by_command

MOMENTS: tuple[Moment, ...] = ("before it is forwarded", "when it is answered")


@contextmanager
def cutting_every(seconds: float, proxy: FaultyProxy) -> Iterator[None]:
    over = threading.Event()

    def cut() -> None:
        while not over.wait(seconds):
            proxy.cut()

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_run_whose_connections_to_control_database_and_storage_are_cut_again_and_again_succeeds(
    project: Project, far_control: FaultyProxy
) -> None:
    # Making the tables takes longer than a connection lives here.
    PatientPostgresStorage(storage_url(project))
    with cutting_every(0.7, far_control):
        done = materialize_by_command(select="profiles_db/plans")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert far_control.failed > 5
    with project.connect() as connection:
        runs = connection.execute("SELECT status FROM etl_run_logs").fetchall()
        tables = connection.execute(
            "SELECT status, count(*), count(DISTINCT table_name) FROM etl_table_logs GROUP BY status"
        ).fetchall()
        events = connection.execute(
            "SELECT dagster_event_type, count(*) FROM dagster.event_logs WHERE dagster_event_type IN"
            " ('RUN_START', 'PIPELINE_SUCCESS', 'ASSET_MATERIALIZATION', 'STEP_FAILURE') GROUP BY 1"
        ).fetchall()
    assert runs == [("completed",)]
    assert tables == [("completed", 1, 1)]
    assert dict(events) == {"ASSET_MATERIALIZATION": 1, "PIPELINE_SUCCESS": 1}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("request_bytes", [b"INSERT", b"COMMIT"])
def test_a_row_whose_insert_or_commit_is_cut_is_there_once(
    project: Project, far_control: FaultyProxy, moment: Moment, request_bytes: bytes
) -> None:
    run_log = RunLog(ControlDatabase(_far(project, far_control)))
    far_control.fail_once(request_bytes, moment=moment)
    log_id = run_log.open_run(uuid4().hex)
    far_control.fail_once(request_bytes, moment=moment, server_side="left open")
    table = run_log.open_table(log_id=log_id, source_id=1, table_name="t")
    assert far_control.failed == 2
    assert run_log.close_table(table, "completed", rows=1).status == "completed"
    with project.connect() as connection:
        assert connection.execute("SELECT count(*) FROM etl_run_logs").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM etl_table_logs").fetchone() == (1,)


def test_uses_share_a_connection_that_is_kept_and_get_another_when_it_is_cut(
    project: Project, far_control: FaultyProxy
) -> None:
    def process(connection: Connection) -> int:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    with ControlDatabase(_far(project, far_control)).kept_connected() as kept:
        first = kept.run(process)
        assert kept.run(process) == first
        far_control.cut()
        assert kept.run(process) != first


def test_what_a_statement_refuses_is_not_tried_again(
    project: Project, far_control: FaultyProxy
) -> None:
    tried = 0

    def wrong(connection: Connection) -> None:
        nonlocal tried
        tried += 1
        connection.execute(text("SELECT no_such_column FROM source_databases"))

    with pytest.raises(Exception, match="no_such_column"):
        ControlDatabase(_far(project, far_control)).run(wrong)
    assert tried == 1


def storage_url(project: Project) -> str:
    """Dagster's storage, not through the proxy."""
    known = project.control.credentials
    url = URL.create(
        "postgresql+psycopg2",
        username=known.user,
        password=known.password,
        host=known.host,
        port=known.port,
        database=known.database,
        query={"options": "-c search_path=dagster"},
    )
    return url.render_as_string(hide_password=False)


def _far(project: Project, proxy: FaultyProxy) -> Credentials:
    return replace(project.control.credentials, port=proxy.port)
