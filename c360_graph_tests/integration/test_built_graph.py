"""What a run of the sample databases made: built once, only read here."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph_tests.conftest import SAMPLE_SCHEMA, Project, TestServers, sample_project
from c360_graph_tests.integration.runs import load_graph
from c360_graph_tests.integration.test_pipeline import NODES


@dataclass(frozen=True, kw_only=True)
class Built:
    """The project and its graph."""

    project: Project
    graph: Graph


@pytest.fixture(scope="module")
def built(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("built")
    with sample_project(servers, folder) as project, servers.open_graph() as graph:
        assert load_graph().success
        yield Built(project=project, graph=graph)


def test_every_table_becomes_nodes_and_every_join_the_relationships_that_sql_counts(
    built: Built,
) -> None:
    nodes, relationships = graph_counts(built.graph)
    assert nodes == NODES
    assert relationships == relationships_by_sql(built.project)


def test_a_load_makes_the_constraints_and_indexes_that_tests_of_the_sample_keep(
    built: Built,
) -> None:
    rows = built.graph.rows("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name")
    assert {row["name"] for row in rows} == SAMPLE_SCHEMA


def test_values_of_the_sample_survive_byte_for_byte(built: Built) -> None:
    with built.project.connect("support_db") as connection:
        tickets: dict[str, str | None] = dict(
            connection.execute("SELECT ticket_id, subject FROM tickets").fetchall()
        )
    with built.project.connect("streaming_db") as connection:
        media: dict[str, str | None] = dict(
            connection.execute("SELECT media_id, title FROM media_content").fetchall()
        )
    assert _texts(built.graph, "Ticket", "ticket_id", "subject") == tickets
    assert _texts(built.graph, "Media", "media_id", "title") == media
    assert any(
        "\\" in text and "'" in text for text in [*tickets.values(), *media.values()] if text
    )


def test_extracts_and_scripts_are_private_files(built: Built) -> None:
    files = [path for path in built.project.data_dir.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def relationships_by_sql(project: Project) -> dict[str, int]:
    """Joins inside a database by SQL; across databases by columns that SQL gave."""
    inside = {
        "HAS_PAYMENT_METHOD": (
            "profiles_db",
            "SELECT count(*) FROM accounts a JOIN payment_methods p USING (account_id)",
        ),
        "HAS_SUBSCRIPTION": (
            "profiles_db",
            "SELECT count(*) FROM accounts a JOIN subscriptions s USING (account_id)",
        ),
        "SUBSCRIBED_TO": (
            "profiles_db",
            "SELECT count(*) FROM subscriptions s JOIN plans p USING (plan_id)",
        ),
        "PLAYED": (
            "streaming_db",
            "SELECT count(*) FROM play_events e JOIN media_content m USING (media_id)",
        ),
        "TAGGED_WITH": (
            "support_db",
            "SELECT count(*) FROM tickets t JOIN ticket_tag_link l USING (ticket_id)"
            " JOIN ticket_tags g USING (tag_id)",
        ),
    }
    counts = {}
    for kind, (source, statement) in inside.items():
        counts[kind] = _column(project, source, statement)[0]
    emails = _column(project, "profiles_db", "SELECT email FROM accounts")
    ids = _column(project, "profiles_db", "SELECT account_id FROM accounts")
    asked = _column(project, "support_db", "SELECT customer_email FROM tickets")
    played = _column(project, "streaming_db", "SELECT account_id_from_token FROM play_events")
    counts["SUBMITTED"] = sum(emails.count(email) for email in asked if email is not None)
    counts["WATCHED"] = sum(ids.count(account) for account in played if account is not None)
    return {str(kind): int(str(count)) for kind, count in counts.items()}


def _column(project: Project, source: str, statement: str) -> list[object]:
    with project.connect(source) as connection:
        return [row[0] for row in connection.execute(statement).fetchall()]


def _texts(graph: Graph, label: str, key: str, text: str) -> dict[str, str | None]:
    rows = graph.rows(f"MATCH (n:{label}) RETURN n.{key} AS key, n.{text} AS text")
    return {row["key"]: row["text"] for row in rows}
