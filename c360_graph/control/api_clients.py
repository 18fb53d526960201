"""The tables of `c360 serve`: who may ask (api_clients), and who did (api_access_log)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from c360_graph.control.connection import ControlDatabase
from c360_graph.errors import ControlDatabaseError

_TABLES = text(
    "SELECT to_regclass('api_clients') IS NOT NULL AND to_regclass('api_access_log') IS NOT NULL"
)
_COLUMNS = (
    "client_id, client_name, key_hash, labels, answers, unmasked, rate_per_minute, created_at,"
    " expires_at, revoked_at"
)
_ALL = text(f"SELECT {_COLUMNS} FROM api_clients ORDER BY client_id")
_ADD = text(
    "INSERT INTO api_clients (client_name, key_hash, labels, answers, unmasked, rate_per_minute, expires_at)"
    " VALUES (:client_name, :key_hash, :labels, :answers, :unmasked, :rate_per_minute, :expires_at)"
)
_REVOKE = text(
    "UPDATE api_clients SET revoked_at = coalesce(revoked_at, now()) WHERE client_name = :name"
)
_LOGGED = {
    "accessed_at": "timestamptz",
    "client_name": "text",
    "route": "text",
    "status": "integer",
    "customer_hash": "text",
    "rows_served": "integer",
    "duration_ms": "real",
}
# One row for each place in the lists: a statement for each row takes three times as much CPU of the server.
_LOG = text(
    f"INSERT INTO api_access_log ({', '.join(_LOGGED)}) SELECT * FROM"
    f" unnest({', '.join(f'CAST(:{name} AS {kind}[])' for name, kind in _LOGGED.items())})"
)
_RULES = text(
    "SELECT s.source_name, r.table_name, r.column_name, r.is_excluded,"
    " coalesce(r.treatment, 'exclude') AS treatment"
    " FROM field_exclusion_rules r JOIN source_databases s ON s.source_id = r.source_id"
    " ORDER BY r.rule_id"
)


@dataclass(frozen=True, kw_only=True)
class ClientRow:
    """A row of api_clients. `labels` and `answers` are None where all are served."""

    client_id: int
    client_name: str
    key_hash: str
    labels: tuple[str, ...] | None
    answers: tuple[str, ...] | None
    unmasked: bool
    rate_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Access:
    """A row of api_access_log."""

    accessed_at: datetime
    client_name: str
    route: str
    status: int
    customer_hash: str | None
    rows_served: int
    duration_ms: float


class ApiClients:
    """Reads and writes both tables, and reads the exclusion rules that decide what is served.

    Each method raises ControlDatabaseError where the database cannot be reached or lacks the tables.
    """

    def __init__(self, database: ControlDatabase) -> None:
        self._database = database

    def read(self) -> tuple[ClientRow, ...]:
        """All clients, those without a valid key too."""
        rows = self._run(lambda connection: connection.execute(_ALL).mappings().all())
        return tuple(
            ClientRow(**{**row, "labels": _names(row["labels"]), "answers": _names(row["answers"])})
            for row in rows
        )

    def add(
        self,
        *,
        name: str,
        key_hash: str,
        labels: Sequence[str] | None,
        answers: Sequence[str] | None,
        unmasked: bool,
        rate_per_minute: int | None,
        expires_at: datetime | None,
    ) -> None:
        """A new client.

        Raises:
            ControlDatabaseError: there is one of the name.
        """
        values: dict[str, Any] = {
            "client_name": name,
            "key_hash": key_hash,
            "labels": None if labels is None else list(labels),
            "answers": None if answers is None else list(answers),
            "unmasked": unmasked,
            "rate_per_minute": rate_per_minute,
            "expires_at": expires_at,
        }
        try:
            self._run(lambda connection: connection.execute(_ADD, values))
        except IntegrityError:
            raise self._taken(name) from None
        except ControlDatabaseError as error:
            if "duplicate key" in str(error):
                raise self._taken(name) from None
            raise

    def _taken(self, name: str) -> ControlDatabaseError:
        return ControlDatabaseError(
            f"api_clients has a client {name!r} already. Choose another name; that of a revoked key stays"
            " taken, as the access log refers to it."
        )

    def revoke(self, name: str) -> bool:
        """End a client's key; False where there is no such client."""
        changed = self._run(lambda connection: connection.execute(_REVOKE, {"name": name}).rowcount)
        return bool(changed)

    def log(self, accesses: Sequence[Access]) -> None:
        """Write what was asked."""
        values = {name: [getattr(access, name) for access in accesses] for name in _LOGGED}
        if accesses:
            self._run(lambda connection: connection.execute(_LOG, values))

    def read_rules(self) -> tuple[dict[str, Any], ...]:
        """All rows of field_exclusion_rules by column, with the name of their source."""
        rows = self._database.run(lambda connection: connection.execute(_RULES).mappings().all())
        return tuple(dict(row) for row in rows)

    def _run(self, work: Any) -> Any:
        def checked(connection: Connection) -> Any:
            if not connection.execute(_TABLES).scalar_one():
                raise ControlDatabaseError(
                    f"The control database {self._database.credentials.server} lacks the tables api_clients"
                    " and api_access_log. Run sql/etl_control_db_schema.sql on it (safe to repeat)."
                )
            return work(connection)

        return self._database.run(checked)


def _names(found: list[str] | None) -> tuple[str, ...] | None:
    return None if found is None else tuple(found)
