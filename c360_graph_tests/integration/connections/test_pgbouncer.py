"""Behind PgBouncer in transaction mode a source is read without a trace, and locks are not trusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import psycopg
import pytest
from sqlalchemy import text

from c360_graph.control.audit import RunLog
from c360_graph.control.connection import ControlDatabase
from c360_graph.control.locks import load_lock
from c360_graph.errors import ControlDatabaseError
from c360_graph.extracts import ExtractStore
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph.pipeline.propose import propose_rows
from c360_graph_tests.conftest import Project, TestServers
from c360_graph_tests.integration.connections.pgbouncer import pgbouncer
from c360_graph_tests.integration.runs import (
    failure_messages,
    materialize_all,
    materialize_by_command,
)
from c360_graph_tests.integration.test_pipeline import NODES

LABEL_OF = {
    "accounts": "Account",
    "plans": "Plan",
    "payment_methods": "PaymentMethod",
    "subscriptions": "Subscription",
}
SETTINGS = (
    "SELECT name, setting FROM pg_settings WHERE name IN ('search_path', 'statement_timeout',"
    " 'idle_in_transaction_session_timeout', 'transaction_timeout', 'TimeZone', 'DateStyle',"
    " 'IntervalStyle', 'extra_float_digits', 'bytea_output', 'xmloption', 'row_security',"
    " 'client_encoding', 'standard_conforming_strings', 'default_transaction_isolation',"
    " 'default_transaction_read_only') ORDER BY 1"
)


@pytest.fixture
def pooled(servers: TestServers) -> Iterator[int]:
    """The port of a pooler with one session for each database."""
    with pgbouncer(servers.postgres, pool_mode="transaction", pool_size=1) as port:
        yield port


def test_a_run_leaves_no_setting_statement_or_key_in_the_sessions_of_a_pooler(
    project: Project, pooled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_HASH_KEY", "a key for tests")
    project.execute(
        f"UPDATE source_databases SET db_host = '127.0.0.1', db_port = {pooled}, db_user = 'postgres',"
        " db_password = 'env:C360_TEST_PASSWORD';"
        "INSERT INTO field_exclusion_rules (source_id, table_name, column_name, treatment)"
        " SELECT source_id, 'plans', 'plan_name', 'hash' FROM source_databases"
        " WHERE source_name = 'profiles_db'"
    )
    monkeypatch.setenv("C360_TEST_PASSWORD", project.servers.postgres.password or "")
    before = _session(project, pooled)
    tables = ("accounts", "plans", "payment_methods", "subscriptions")
    keys = [dg.AssetKey(["profiles_db", table]) for table in tables]
    result = materialize_all(asset_selection=keys)
    assert result.success, failure_messages(result)
    for table in tables:
        extract = ExtractStore(project.data_dir).latest(("profiles_db", table))
        assert extract is not None
        assert extract.manifest.rows == NODES[LABEL_OF[table]]
    propose_rows(project.control, "profiles_db")
    assert _session(project, pooled) == before


def _session(project: Project, port: int) -> tuple[object, ...]:
    """What another client of the pooler finds in the session that it is given."""
    with psycopg.connect(
        host="127.0.0.1",
        port=port,
        dbname=f"{project.prefix}profiles_db",
        user="postgres",
        autocommit=True,
        prepare_threshold=None,
    ) as other:
        return (
            other.execute(SETTINGS).fetchall(),
            other.execute("SELECT count(*) FROM pg_prepared_statements").fetchone(),
            other.execute("SELECT pg_backend_pid()").fetchone(),
            other.execute("SELECT coalesce(current_setting('c360.ipad', true), '')").fetchone(),
        )


@pytest.mark.parametrize("server_round_robin", ["0", "1"])
@pytest.mark.parametrize("pool_size", [1, 3])
def test_session_locks_are_refused_where_a_pooler_hands_sessions_on(
    servers: TestServers, scratch_db: str, pool_size: int, server_round_robin: str
) -> None:
    with pgbouncer(
        servers.postgres,
        pool_mode="transaction",
        pool_size=pool_size,
        server_round_robin=server_round_robin,
    ) as port:
        control = _control(servers, scratch_db, port)
        _fill_pool(control, pool_size)
        with (
            pytest.raises(ControlDatabaseError, match="pool in session mode"),
            load_lock(control, target="t", identity="1", wait_seconds=0),
        ):
            pass
        with (
            pytest.raises(ControlDatabaseError, match="pool_mode = transaction"),
            RunLog(control).running("live"),
        ):
            pass
    with servers.postgres.connect(scratch_db) as connection:
        held = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
    assert held == (0,)


def test_session_locks_are_held_through_a_pool_in_session_mode(
    servers: TestServers, scratch_db: str
) -> None:
    with pgbouncer(servers.postgres, pool_mode="session", pool_size=5) as port:
        control = _control(servers, scratch_db, port)
        with load_lock(control, target="t", identity="1", wait_seconds=0) as held:
            held.check()


def test_a_run_whose_control_database_is_behind_such_a_pooler_fails_with_what_to_do(
    project: Project, graph: Graph, pooled: int
) -> None:
    done = materialize_by_command(select="*neo4j_graph", ETL_DB_PORT=str(pooled))
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "unsupported startup parameter" in told
    assert "set ETL_DB_HOST and ETL_DB_PORT to it" in told
    assert graph_counts(graph) == ({}, {})


def _control(servers: TestServers, database: str, port: int) -> ControlDatabase:
    return ControlDatabase(replace(servers.credentials(database), port=port, host="127.0.0.1"))


def _fill_pool(control: ControlDatabase, size: int) -> None:
    """Have the pooler open all of its sessions."""
    open_ones = [
        control.connect().execution_options(isolation_level="READ COMMITTED") for _ in range(size)
    ]
    for connection in open_ones:
        connection.execute(text("SELECT 1"))
    for connection in open_ones:
        connection.close()
