"""A source's role that may read some columns of a table only."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from c360_graph.control.connection import Credentials
from c360_graph.pipeline.read_mapping import read_mapping_state
from c360_graph.settings import Settings
from c360_graph.source.sampling import distinctive_values
from c360_graph.source.snapshot import open_snapshot
from c360_graph_tests.conftest import Project


@pytest.fixture
def reader(project: Project) -> Iterator[Credentials]:
    """A role that may read every column of `accounts` but the excluded one, and nothing else."""
    name = f"t{uuid4().hex[:8]}_reader"
    server = project.servers.postgres
    with project.connect("profiles_db") as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(sql.Identifier(name))
        )
        connection.execute(
            sql.SQL(
                "GRANT SELECT (account_id, email, full_name, created_at) ON accounts TO {}"
            ).format(sql.Identifier(name))
        )
        yield Credentials(
            host=server.host,
            port=server.port,
            database=project.prefix + "profiles_db",
            user=name,
            password="x",
        )
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_all_that_is_mapped_is_read_and_the_excluded_column_cannot_be(
    project: Project, reader: Credentials
) -> None:
    mapping = read_mapping_state(
        project.control, Settings(c360_data_dir=project.data_dir)
    ).mapping()
    (table,) = (table for table in mapping.tables if table.table_name == "accounts")
    rows = BytesIO()
    with open_snapshot(table.source, reader) as snapshot:
        assert snapshot.losses(table).rows == 0
        assert snapshot.copy(table, rows, report=lambda count: None).rows == 40
        # What the role may not read has no values to look for, and asking does not end the snapshot.
        assert distinctive_values(snapshot, table, "hashed_password") == ()
        assert len(distinctive_values(snapshot, table, "email")) == 20
    assert rows.getvalue().count(b"\n") == 40
    with (
        psycopg.connect(
            host=reader.host,
            port=reader.port,
            dbname=reader.database,
            user=reader.user,
            password=reader.password,
        ) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT hashed_password FROM accounts")
