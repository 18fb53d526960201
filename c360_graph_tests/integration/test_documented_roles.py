"""The roles of docs/access.md, made as the page says, are enough for a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from dagster_postgres import DagsterPostgresStorage
from psycopg import sql

from c360_graph.dagster_storage import storage_url
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import Project
from c360_graph_tests.docs.documents import read_document
from c360_graph_tests.docs.markdown import blocks
from c360_graph_tests.integration.runs import materialize_by_command, working_folder
from c360_graph_tests.integration.test_pipeline import NODES

CONTROL_DB = "etl_control_db"
SECTIONS = ("## Read-only role", "## Role for the control database", "## TLS")

NOTE_WHO_WRITES = """
CREATE TABLE who (name text, about text);
CREATE FUNCTION note_who() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS
$$ BEGIN INSERT INTO who VALUES (session_user, TG_TABLE_NAME); RETURN NULL; END $$;
CREATE TRIGGER who AFTER INSERT ON etl_run_logs FOR EACH STATEMENT EXECUTE FUNCTION note_who();
CREATE TRIGGER who AFTER INSERT ON dagster.runs FOR EACH STATEMENT EXECUTE FUNCTION note_who();
"""


def role_statements() -> Iterator[tuple[str, str]]:
    """Each block of SQL of the two sections, with the database it is for."""
    text = read_document("docs/access.md")
    first, second, end = (text.index(f"\n{title}") for title in SECTIONS)
    assert first < second < end
    for block in blocks(text[first:end]):
        if block.language == "sql":
            yield block.says["on"], block.text


@pytest.fixture
def roles(project: Project) -> Iterator[dict[str, str]]:
    """The page's roles under names of their own, by the page's names."""
    mark = f"t{uuid4().hex[:8]}_"
    names = {name: mark + name for name in ("c360_reader", "c360_pipeline")}
    yield names
    for database in (None, "profiles_db", "streaming_db", "support_db"):
        with project.connect(database) as connection:
            for name in names.values():
                connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
    with project.connect() as connection:
        for name in names.values():
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_a_whole_run_needs_no_more_than_the_documented_roles_may(
    project: Project, graph: Graph, roles: dict[str, str]
) -> None:
    # Dagster's tables exist already, made by the superuser, as after the page's first run.
    DagsterPostgresStorage(storage_url(project.control.credentials))
    for database, text in role_statements():
        for name, own in roles.items():
            text = text.replace(name, own)
        with project.connect(None if database == CONTROL_DB else database) as connection:
            connection.execute(text.encode())
    project.execute(NOTE_WHO_WRITES)
    superuser = project.servers.environment(project.control_db)
    (working_folder() / ".env").write_text(
        "".join(f"{name}='{value}'\n" for name, value in superuser.items())
    )
    done = materialize_by_command(
        ETL_DB_USER=roles["c360_pipeline"],
        ETL_DB_PASSWORD="change-me-too",
        C360_READER_PASSWORD="change-me",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert graph_counts(graph)[0] == NODES
    with project.connect() as connection:
        who = connection.execute("SELECT DISTINCT name, about FROM who ORDER BY about").fetchall()
    role = roles["c360_pipeline"]
    assert who == [(role, "etl_run_logs"), (role, "runs")]
