"""Writes the audit tables: etl_run_logs, etl_table_logs, cypher_scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, text

from c360_graph.control.connection import ControlDatabase, lock_number
from c360_graph.control.locks import LockSession, lock_session
from c360_graph.errors import ControlDatabaseError
from c360_graph.faults import log_warning, repeating
from c360_graph.mapping.model import TableMapping
from c360_graph.object_storage import KeptFile

Ending = Literal["completed", "failed", "cancelled"]
MAX_MESSAGE = 4_000
CHECK_SECONDS = 5.0
"""How often a run makes sure that it still holds its lock."""

RUN_LOCK = lock_number("c360_graph run")
"""First half of the advisory lock that a run holds; the second is its log_id."""

# Looked for first: an insert that meets a conflict would use up a log_id at every step.
_OPEN_RUN = (
    "INSERT INTO etl_run_logs (run_start_time, status, dagster_run_id)"
    " SELECT now(), 'running', :run"
    " WHERE NOT EXISTS (SELECT FROM etl_run_logs WHERE dagster_run_id = :run)"
    " ON CONFLICT (dagster_run_id) DO NOTHING"
)

_IS_HELD = (
    "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = CAST(CAST(:class AS bigint) & 4294967295 AS oid)"
    " AND objid = CAST(CAST(log_id AS bigint) AS oid) AND granted)"
)
"""Whether a living process holds a row of etl_run_logs; takes the class of the lock."""


@dataclass(frozen=True, kw_only=True)
class TableLog:
    """A closed row of etl_table_logs."""

    log_id: int
    table_log_id: int
    status: str
    rows_processed: int
    start_time: datetime
    end_time: datetime


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A run whose row says `running` although no process holds it any more."""

    log_id: int
    dagster_run_id: str | None


FOLLOWER_PREFIX = "follow-"
"""Before the id of a session of `c360 follow` in etl_run_logs.dagster_run_id."""


@dataclass(frozen=True, kw_only=True)
class FollowSession:
    """One session of `c360 follow`; `ended` is in UTC."""

    log_id: int
    is_at_work: bool
    ended: datetime | None
    error: str | None


@dataclass(frozen=True, kw_only=True)
class FollowedRows:
    """A row of etl_table_logs of a follower: a table's changes of about a minute."""

    log_id: int
    table_log_id: int
    source_id: int | None
    table_name: str
    rows_processed: int
    start_time: datetime
    end_time: datetime


@dataclass(frozen=True, kw_only=True)
class ScriptLog:
    """A row of cypher_scripts."""

    script_id: int
    script_name: str
    file_path: str
    file_size_kb: float
    last_updated_at: datetime
    last_run_time: datetime | None


class RunLog:
    """The audit tables. Every change is a transaction of its own, so that others see it at once."""

    def __init__(self, database: ControlDatabase) -> None:
        self._database = database

    def open_run(self, dagster_run_id: str) -> int:
        """The log_id of a Dagster run; its row is made at the first call."""

        def opened(connection: Connection) -> int:
            connection.execute(text(_OPEN_RUN), {"run": dagster_run_id})
            return _log_id(connection, dagster_run_id)

        return self._database.run(opened)

    def close_run(self, log_id: int, ending: Ending, error: str | None = None) -> None:
        """End a run's row and those of its tables that are still open; a closed row stays as it is."""
        values = {"id": log_id, "status": ending, "error": _shortened(error)}

        def close(connection: Connection) -> None:
            connection.execute(
                text(
                    "UPDATE etl_run_logs SET status = :status, run_end_time = now(),"
                    " error_message = :error WHERE log_id = :id AND run_end_time IS NULL"
                ),
                values,
            )
            connection.execute(
                text(
                    "UPDATE etl_table_logs SET status = :status, is_progressing = false,"
                    " end_time = now(), error_message = coalesce(:error, 'the run ended before it')"
                    " WHERE log_id = :id AND end_time IS NULL"
                ),
                values | {"status": "failed" if ending == "completed" else ending},
            )

        self._database.run(close)

    @contextmanager
    def running(self, dagster_run_id: str) -> Iterator[int]:
        """The log_id of a run that begins, as `open_run`, held by a session lock.

        The lock ends with the run's process, however that ends, and is taken again when its connection was
        lost. It is taken before anyone can see the row, who would take the run for an abandoned one.

        Raises:
            ControlDatabaseError: the database cannot be reached, or only through a pooler that hands
                sessions on.
        """

        def begun(connection: Connection) -> int:
            connection.execute(
                text(f"{_OPEN_RUN} RETURNING pg_advisory_lock(:class, log_id)"),
                {"run": dagster_run_id, "class": RUN_LOCK},
            )
            log_id = _log_id(connection, dagster_run_id)
            # For a row that was there; a second lock of the same session does no harm.
            _hold(connection, log_id)
            return log_id

        with lock_session(self._database) as session:
            log_id = session.run(begun)
            with _keeping(session, log_id):
                yield log_id

    def abandoned_runs(self) -> tuple[OpenRun, ...]:
        """Runs that say `running` and that no living process holds."""

        def found(connection: Connection) -> tuple[OpenRun, ...]:
            rows = connection.execute(
                text(
                    "SELECT log_id, dagster_run_id FROM etl_run_logs"
                    f" WHERE run_end_time IS NULL AND NOT {_IS_HELD} ORDER BY log_id"
                ),
                {"class": RUN_LOCK},
            )
            return tuple(OpenRun(log_id=r.log_id, dagster_run_id=r.dagster_run_id) for r in rows)

        return self._database.run(found)

    def open_table(self, *, log_id: int, source_id: int, table_name: str) -> int:
        """A new row for a table that is being read; returns its table_log_id."""

        def made(connection: Connection) -> int:
            row = connection.execute(
                text(
                    "INSERT INTO etl_table_logs (log_id, source_id, table_name, status,"
                    " is_progressing, is_done, start_time, rows_processed)"
                    " VALUES (:log, :source, :table, 'running', true, false, now(), 0)"
                    " RETURNING table_log_id"
                ),
                {"log": log_id, "source": source_id, "table": table_name},
            )
            return int(row.scalar_one())

        return self._database.run(made)

    def table_progress(self, table_log_id: int, rows: int) -> None:
        """How many rows were read so far."""
        update = text("UPDATE etl_table_logs SET rows_processed = :rows WHERE table_log_id = :id")
        values = {"id": table_log_id, "rows": rows}
        self._database.run(lambda connection: connection.execute(update, values))

    def close_table(
        self, table_log_id: int, ending: Ending, *, rows: int, error: str | None = None
    ) -> TableLog:
        """End a table's row; returns it as it now stands."""

        def closed(connection: Connection) -> TableLog:
            row = connection.execute(
                text(
                    "UPDATE etl_table_logs SET status = :status, is_progressing = false,"
                    " is_done = :done, end_time = now(), rows_processed = :rows,"
                    " error_message = :error WHERE table_log_id = :id RETURNING log_id, table_log_id,"
                    " status, rows_processed, start_time, end_time"
                ),
                {
                    "id": table_log_id,
                    "status": ending,
                    "done": ending == "completed",
                    "rows": rows,
                    "error": _shortened(error),
                },
            ).one()
            return TableLog(**row._mapping)

        return self._database.run(closed)

    def tables_followed(
        self,
        log_id: int,
        rows: Mapping[tuple[int, str], int],
        *,
        begun: datetime,
        ended: datetime,
    ) -> None:
        """A closed row for each table, by source and name, whose changes a follower brought into the graph."""
        insert = text(
            "INSERT INTO etl_table_logs (log_id, source_id, table_name, status, is_progressing,"
            " is_done, start_time, end_time, rows_processed)"
            " VALUES (:log, :source, :table, 'completed', false, true, :begun, :ended, :rows)"
        )
        values = [
            {
                "log": log_id,
                "source": source_id,
                "table": name,
                "begun": begun,
                "ended": ended,
                "rows": count,
            }
            for (source_id, name), count in rows.items()
        ]
        self._database.run(lambda connection: connection.execute(insert, values))

    def follow_session(self) -> FollowSession | None:
        """The newest session of following; None where there was none."""
        statement = text(
            f"SELECT log_id, run_end_time IS NULL AND {_IS_HELD} AS is_at_work,"
            " run_end_time AT TIME ZONE 'UTC' AS ended, error_message AS error FROM etl_run_logs"
            " WHERE starts_with(dagster_run_id, :prefix) ORDER BY log_id DESC LIMIT 1"
        )
        values = {"prefix": FOLLOWER_PREFIX, "class": RUN_LOCK}
        row = self._database.run(lambda c: c.execute(statement, values).one_or_none())
        return FollowSession(**row._mapping) if row is not None else None

    def followed_rows(self, *, after: int) -> tuple[FollowedRows, ...]:
        """Closed rows of followers with a higher table_log_id, in its order, up to the first open one."""
        statement = text(
            "SELECT log_id, table_log_id, source_id, table_name, rows_processed, start_time, end_time"
            " FROM etl_table_logs JOIN etl_run_logs USING (log_id)"
            " WHERE table_log_id > :after AND starts_with(dagster_run_id, :prefix)"
            " AND table_log_id < ALL (SELECT open.table_log_id FROM etl_table_logs AS open"
            "   WHERE open.end_time IS NULL AND open.table_log_id > :after)"
            " ORDER BY table_log_id"
        )
        values = {"after": after, "prefix": FOLLOWER_PREFIX}
        rows = self._database.run(lambda c: c.execute(statement, values).all())
        return tuple(FollowedRows(**row._mapping) for row in rows)

    def last_failure(self, table: TableMapping) -> str | None:
        """Why the last try to extract a table failed; None where it did not, or there was none."""
        statement = text(
            "SELECT t.status, t.error_message FROM etl_table_logs AS t JOIN etl_run_logs AS r"
            " USING (log_id) WHERE t.source_id = :source AND t.table_name = :table"
            " AND NOT coalesce(starts_with(r.dagster_run_id, :prefix), false)"
            " ORDER BY t.table_log_id DESC LIMIT 1"
        )
        values = {
            "source": table.source.source_id,
            "table": table.table_name,
            "prefix": FOLLOWER_PREFIX,
        }
        row = self._database.run(lambda c: c.execute(statement, values).one_or_none())
        if row is None or row.status != "failed":
            return None
        return row.error_message or "its row of etl_table_logs says no more"

    def register_script(self, path: KeptFile, *, size: int) -> ScriptLog:
        """A row for a script of `size` bytes that was written."""
        size_kb = round(size / 1024, 2)
        return self._database.run(
            lambda connection: _script(
                connection,
                "INSERT INTO cypher_scripts (script_name, file_path, file_size_kb, last_updated_at)"
                " VALUES (:name, :path, :size, now())",
                {"name": path.name, "path": str(path), "size": size_kb},
            )
        )

    def script_loaded(self, path: KeptFile) -> ScriptLog:
        """Set last_run_time.

        Raises:
            ControlDatabaseError: no script of that path is registered.
        """
        return self._database.run(
            lambda connection: _script(
                connection,
                "UPDATE cypher_scripts SET last_run_time = now() WHERE file_path = :path",
                {"path": str(path)},
            )
        )

    def scripts(self) -> tuple[ScriptLog, ...]:
        """All registered scripts, the newest first."""
        statement = text(f"SELECT {_SCRIPT_COLUMNS} FROM cypher_scripts ORDER BY script_id DESC")
        rows = self._database.run(lambda connection: connection.execute(statement).all())
        return tuple(ScriptLog(**row._mapping) for row in rows)


_SCRIPT_COLUMNS = (
    "script_id, script_name, file_path, file_size_kb::float8 AS file_size_kb, last_updated_at,"
    " last_run_time"
)


@contextmanager
def _keeping(session: LockSession, log_id: int) -> Iterator[None]:
    """Take the run's lock again while the block runs, when its connection was lost."""

    def look() -> bool:
        if not session.holds((RUN_LOCK, log_id)):
            try:
                session.run(lambda connection: _hold(connection, log_id))
            except ControlDatabaseError as error:
                log_warning(f"The lock of the run's row {log_id} of etl_run_logs was lost: {error}")
        return True

    with repeating(look, every=CHECK_SECONDS, name="c360-run-lock"):
        yield


def _hold(connection: Connection, log_id: int) -> None:
    connection.execute(
        text("SELECT pg_advisory_lock(:class, :id)"), {"class": RUN_LOCK, "id": log_id}
    )


def _log_id(connection: Connection, dagster_run_id: str) -> int:
    found = connection.execute(
        text("SELECT log_id FROM etl_run_logs WHERE dagster_run_id = :run"),
        {"run": dagster_run_id},
    )
    return int(found.scalar_one())


def _script(connection: Connection, statement: str, values: dict[str, object]) -> ScriptLog:
    row = connection.execute(text(f"{statement} RETURNING {_SCRIPT_COLUMNS}"), values).one_or_none()
    if row is None:
        raise ControlDatabaseError(f"cypher_scripts has no row for {values['path']}.")
    return ScriptLog(**row._mapping)


def _shortened(message: str | None) -> str | None:
    if message is None or len(message) <= MAX_MESSAGE:
        return message
    return message[: MAX_MESSAGE - 1] + "…"
