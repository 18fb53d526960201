"""The printed SQL on a real server, whatever the names are that stand in it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.control_rows import control_rows as control_rows_from
from c360_graph.proposal.control_rows import script
from c360_graph_tests.conftest import SQL_DIR, TestServers
from c360_graph_tests.unit.mapping.given import table
from c360_graph_tests.unit.proposal.given import key, proposed, schema

NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=15
) | st.sampled_from(["'", "\\", "\\'", "%s", ":x", "-- \n;", "\r", "$$", "E'", "\u2028", "{}"])


@given(
    source=NAMES,
    name=NAMES.filter(str.strip),
    column=NAMES.filter(lambda name: name not in ("id", "email")),
)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_name_comes_to_the_control_database_to_the_letter(
    scratch_control: psycopg.Connection, source: str, name: str, column: str
) -> None:
    found = proposed(
        schema(
            source,
            table(name, "id int; email text", key="id").model_copy(
                update={"columns": (*COLUMNS, COLUMNS[0].model_copy(update={"name": column}))}
            ),
            keys=[
                key("k", "t(c) -> t(id)").model_copy(
                    update={"table_name": name, "to_table": name, "columns": (column,)}
                )
            ],
        )
    )
    scratch_control.execute("DELETE FROM field_exclusion_rules")
    scratch_control.execute("DELETE FROM relationship_mappings")
    scratch_control.execute("DELETE FROM node_label_mappings")
    scratch_control.execute("DELETE FROM source_databases")
    scratch_control.execute(
        "INSERT INTO source_databases VALUES (1, %s, NULL, NULL, 'x')", (source,)
    )
    scratch_control.execute(script(found).encode())
    rows = control_rows_of(scratch_control)
    assert [row.node_label for row in rows.labels] == [p.row.node_label for p in found.labels]
    assert [row.table_name for row in rows.labels] == [name]
    assert {(r.table_name, r.column_name, r.reason) for r in rows.exclusions} == {
        (p.row.table_name, p.row.column_name, p.row.reason) for p in found.exclusions
    }
    (relationship,) = rows.relationships
    assert relationship.model_copy(update={"relationship_id": -1}) == found.relationships[0].row


COLUMNS = table("t", "id int; email text").columns


@pytest.fixture
def scratch_control(servers: TestServers, scratch_db: str) -> Iterator[psycopg.Connection]:
    """An empty control database."""
    with servers.postgres.connect(scratch_db) as connection:
        connection.execute((SQL_DIR / "etl_control_db_schema.sql").read_text().encode())
        yield connection


def control_rows_of(connection: psycopg.Connection) -> ControlRows:
    with connection.cursor(row_factory=dict_row) as cursor:
        found = {
            name: cursor.execute(f"SELECT * FROM {name}".encode()).fetchall()
            for name in (
                "source_databases",
                "field_exclusion_rules",
                "node_label_mappings",
                "relationship_mappings",
            )
        }
    sources, exclusions, labels, relationships = found.values()
    return control_rows_from(
        sources=sources, exclusions=exclusions, labels=labels, relationships=relationships
    )
