"""A server that goes silent is noticed, and what waits for it goes on or is given up with words."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from c360_graph import faults
from c360_graph.control.connection import ControlDatabase
from c360_graph.errors import ControlDatabaseUnavailableError, SourceError, SourceUnavailableError
from c360_graph.mapping.control_rows import ControlRows, NodeLabelRow, SourceRow
from c360_graph.mapping.resolve import resolve
from c360_graph.source.snapshot import SourceSnapshot, open_snapshot
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.loader.proxy import FaultyProxy

SOURCE = SourceRow(source_id=1, source_name="shop_db", db_name="shop")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed within seconds instead of half a minute."""
    monkeypatch.setattr(faults, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(faults, "PROBE_SECONDS", 1)


def test_the_control_database_in_a_black_hole_is_given_up_with_words(
    servers: TestServers, scratch_db: str, proxy: FaultyProxy
) -> None:
    control = _control(servers, scratch_db, proxy, patience_seconds=0.1)

    def work(connection: Connection) -> None:
        proxy.fall_silent()
        connection.execute(text("SELECT 1"))

    with pytest.raises(ControlDatabaseUnavailableError, match="could not be reached"):
        control.run(work)


def test_a_control_statement_whose_connection_was_forgotten_on_the_way_is_sent_again(
    servers: TestServers, scratch_db: str, proxy: FaultyProxy
) -> None:
    control = _control(servers, scratch_db, proxy)
    tried = 0

    def work(connection: Connection) -> int:
        nonlocal tried
        tried += 1
        if tried == 1:
            proxy.silence()
        return int(connection.execute(text("SELECT 7")).scalar_one())

    assert control.run(work) == 7
    assert tried == 2


def test_a_control_statement_that_takes_its_time_is_waited_for(
    servers: TestServers, scratch_db: str, proxy: FaultyProxy
) -> None:
    control = _control(servers, scratch_db, proxy)
    slept = control.run(lambda connection: connection.execute(text("SELECT pg_sleep(3)")).all())
    assert len(slept) == 1


@pytest.mark.parametrize("hole", ["all of it", "this connection"])
def test_a_source_that_goes_silent_while_it_is_read_is_named_and_may_be_tried_again(
    servers: TestServers, scratch_db: str, proxy: FaultyProxy, hole: str
) -> None:
    with servers.postgres.connect(scratch_db) as connection:
        connection.execute(
            "CREATE VIEW slow AS SELECT n, repeat('x', 50000), pg_sleep(0.01)::text"
            " FROM generate_series(1, 10000) AS n"
        )
    told: list[str] = []
    with (
        _cutting_after(0.5, proxy.silence if hole == "this connection" else proxy.fall_silent),
        pytest.raises(SourceUnavailableError, match="went silent in the middle"),
        _snapshot(servers, scratch_db, proxy, told) as snapshot,
    ):
        copy_table(snapshot, "slow")
    assert any("the connection is closed" in line for line in told)


def test_a_query_that_hangs_says_what_it_waits_for_and_ends_by_the_setting(
    servers: TestServers, scratch_db: str, proxy: FaultyProxy
) -> None:
    with servers.postgres.connect(scratch_db) as connection:
        connection.execute("CREATE TABLE held (i int)")
    told: list[str] = []
    with servers.postgres.connect(scratch_db) as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE held")
        with (
            pytest.raises(SourceError, match="C360_SOURCE_TIMEOUT_SECONDS") as raised,
            _snapshot(servers, scratch_db, proxy, told, silent_seconds=2.5) as snapshot,
        ):
            copy_table(snapshot, "held")
        holder.execute("ROLLBACK")
    assert not isinstance(raised.value, SourceUnavailableError), "it would hang again"
    assert "sent nothing for" in told[0]
    assert "waiting for Lock/relation held by process" in told[0]


def test_a_snapshot_that_nobody_asks_for_a_while_is_left_alone(
    servers: TestServers, scratch_db: str, proxy: FaultyProxy
) -> None:
    told: list[str] = []
    with _snapshot(servers, scratch_db, proxy, told) as snapshot:
        time.sleep(2.5)
        assert snapshot.fetch("SELECT 1") == [(1,)]
    assert told == []


def copy_table(snapshot: SourceSnapshot, name: str) -> int:
    """Read a table as extraction does."""
    rows = ControlRows(
        sources=(SOURCE,),
        labels=(NodeLabelRow(mapping_id=1, source_id=1, table_name=name, node_label="N"),),
    )
    (table,) = resolve(rows, {1: snapshot.catalog(frozenset({name}))}).tables
    return snapshot.copy(table, io.BytesIO(), lambda rows: None).rows


def _control(
    servers: TestServers, database: str, proxy: FaultyProxy, patience_seconds: float = 10
) -> ControlDatabase:
    return ControlDatabase(
        replace(servers.credentials(database), port=proxy.port), patience_seconds=patience_seconds
    )


def _snapshot(
    servers: TestServers,
    database: str,
    proxy: FaultyProxy,
    told: list[str],
    silent_seconds: float | None = None,
) -> AbstractContextManager[SourceSnapshot]:
    credentials = replace(servers.credentials(database), port=proxy.port)
    return open_snapshot(SOURCE, credentials, silent_seconds=silent_seconds, warn=told.append)


class _cutting_after:  # noqa: N801 - reads as a word in a with statement
    def __init__(self, seconds: float, cut: Callable[[], None]) -> None:
        self._timer = threading.Timer(seconds, cut)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.join()
