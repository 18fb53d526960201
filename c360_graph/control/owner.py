"""Which control database this is: what a graph says of who loads it."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection, Row, text

from c360_graph.control.connection import ControlDatabase
from c360_graph.mapping.graph_manifest import Owner

# Asked apart: a function that the role may not execute fails even where its result is not needed.
_MAY_ASK = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')"
_SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"
_DATABASE = (
    "SELECT oid::text AS oid, datname,"
    " coalesce((SELECT relnamespace::regnamespace::text FROM pg_class"
    " WHERE oid = to_regclass('source_databases')), 'public') AS schema"
    " FROM pg_database WHERE datname = current_database()"
)


def control_owner(database: ControlDatabase) -> Owner:
    """The control database as the owner of a graph.

    Its id is made of the PostgreSQL cluster's own identifier, the database's oid and the schema of the
    control tables. Renaming the database, another address and a physical standby leave it as it is.
    A copy (`CREATE DATABASE … TEMPLATE`, dump and restore) has another id, so that a copy never
    passes for its original.

    Raises:
        ControlDatabaseError: the database cannot be reached.
    """

    def ask(connection: Connection) -> tuple[str, Row[tuple[str, str, str]]]:
        may_ask = connection.execute(text(_MAY_ASK)).scalar_one()
        system = connection.execute(text(_SYSTEM)).scalar_one() if may_ask else ""
        return system, connection.execute(text(_DATABASE)).one()

    system, found = database.run(ask)
    key = "\x00".join((system, found.oid, found.schema))
    credentials = database.credentials
    where = f" at {credentials.host}:{credentials.port}" if credentials.host else ""
    schema = "" if found.schema == "public" else f", schema {found.schema}"
    return Owner(id=sha256(key.encode()).hexdigest()[:32], name=f"{found.datname}{where}{schema}")
