"""One project of the sample and of the three test schemas: nine sources, one control database, one graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from c360_graph.sandbox.sample import fill_database
from c360_graph_tests.conftest import SQL_DIR, Project, TestServers, drop_databases, sample_project
from c360_graph_tests.integration.following.followed import drop_slots
from c360_graph_tests.integration.schemas.world import FOLDER, HASH_KEY

SCHEMAS = ("hospital", "freight", "university")
ALONE = "nobody"
"""The control rows of a schema are read in a database of their own, since each begins with source 1."""
_COPIED = {
    "source_databases": "",
    "field_exclusion_rules": "rule_id",
    "node_label_mappings": "mapping_id",
    "relationship_mappings": "relationship_id",
}
"""Control tables, each with the column that is numbered anew."""

# A reference's row goes with the row that it refers to, or follows its key.
_FOREIGN_KEYS = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
"""
MORE = {
    # A junction table that is no label, with a property of its own.
    "support_db": """
        CREATE TABLE ticket_mentions (ticket_id varchar(40), tag_id integer, weight real, PRIMARY KEY (ticket_id, tag_id));
        CREATE INDEX ON ticket_mentions (tag_id);
        INSERT INTO ticket_mentions SELECT ticket_id, tag_id, 0.5 FROM ticket_tag_link;
    """,
}
MORE_CONTROL = """
INSERT INTO relationship_mappings (source_db, relationship_type, from_label, to_label, join_condition, junction_table)
VALUES ('support_db', 'MENTIONS', 'Ticket', 'Tag', 't.ticket_id = m.ticket_id AND m.tag_id = g.tag_id', 'ticket_mentions');
-- Two rows that make relationships of one type, so that a pair of nodes may have two.
INSERT INTO relationship_mappings (source_db, relationship_type, from_label, to_label, join_condition)
VALUES ('cross_database', 'KNOWN_BY', 'Account', 'Ticket', 'a.email = t.customer_email'),
    ('cross_database', 'KNOWN_BY', 'Account', 'Ticket', 'a.full_name = t.subject');
UPDATE relationship_mappings SET relationship_properties = '{action,event_timestamp}' WHERE relationship_type IN ('WATCHED', 'PLAYED');
UPDATE relationship_mappings SET relationship_properties = '{name}' WHERE relationship_type = 'REPORTS_TO';
UPDATE node_label_mappings SET row_filter = 'status <> ''cancelled''' WHERE table_name = 'subscriptions';
UPDATE node_label_mappings SET row_filter = 'grade <> ''fail''' WHERE table_name = 'enrolments';
UPDATE node_label_mappings SET label_column = 'status', label_values = '{open,closed}' WHERE table_name = 'tickets';
INSERT INTO property_mappings (table_name, column_name, property_name) VALUES ('accounts', 'full_name', 'name');
"""


@contextmanager
def all_schemas(servers: TestServers, folder: Path) -> Iterator[Project]:
    """The project, with the environment set to use it; its slots and databases are dropped at the end."""
    with sample_project(servers, folder) as project:
        try:
            with _environment_of_schemas():
                _build(project)
                yield project
        finally:
            drop_slots(servers.postgres, project.prefix)
            drop_databases(servers.postgres, project.prefix)


@contextmanager
def _environment_of_schemas() -> Iterator[None]:
    import pytest

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C360_HASH_KEY", HASH_KEY)
        yield


def _build(project: Project) -> None:
    postgres = project.servers.postgres
    names = {"profiles_db", "streaming_db", "support_db"}
    for number, schema in enumerate(SCHEMAS, start=1):
        for file in (FOLDER / schema).glob("*.sql"):
            if file.stem != "control":
                names.add(file.stem)
                fill_database(postgres, name=project.prefix + file.stem, files=(file,))
        alone = f"{project.prefix}{ALONE}_{schema}"
        files = (SQL_DIR / "etl_control_db_schema.sql", FOLDER / schema / "control.sql")
        fill_database(postgres, name=alone, files=files)
        with postgres.connect(alone) as read, project.connect() as written:
            for table, numbered in _COPIED.items():
                _copy_rows(read, written, table, numbered=numbered, shift=100 * number)
    for name in sorted(names):
        with project.connect(name) as connection:
            connection.execute(MORE.get(name, "").encode())
            _cascade(connection)
    with project.connect() as control:
        control.execute(
            "UPDATE source_databases SET db_name = %s || db_name WHERE NOT starts_with(db_name, %s)",
            (project.prefix, project.prefix),
        )
        control.execute(MORE_CONTROL.encode())


def _copy_rows(
    read: psycopg.Connection, written: psycopg.Connection, table: str, *, numbered: str, shift: int
) -> None:
    with read.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        rows = cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()
    for row in rows:
        row.pop(numbered, None)
        if row.get("source_id") is not None:
            row["source_id"] += shift
        statement = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join([sql.Placeholder()] * len(row)),
        )
        written.execute(statement, list(row.values()))


def _cascade(connection: psycopg.Connection) -> None:
    for table, name, text in connection.execute(_FOREIGN_KEYS).fetchall():
        connection.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT {name},"
            f" ADD CONSTRAINT {name} {text} ON DELETE CASCADE ON UPDATE CASCADE".encode()
        )
