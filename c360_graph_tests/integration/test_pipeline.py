"""The whole pipeline on the sample databases."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from backports import zstd

from c360_graph.neo4j_loader.graph import Graph
from c360_graph.neo4j_loader.load import graph_counts
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import (
    materialize_all,
    materialize_by_command,
)

NODES = {
    "Account": 40,
    "Media": 30,
    "PaymentMethod": 42,
    "Plan": 5,
    "PlayEvent": 400,
    "Subscription": 43,
    "Tag": 9,
    "Ticket": 25,
    "TicketTagLink": 34,
}
SECRET = "$2b$12$"
"""Part of every hashed_password of the sample."""


def test_every_table_becomes_nodes_and_every_join_the_relationships_that_sql_counts(
    project: Project, graph: Graph
) -> None:
    assert materialize_all().success
    nodes, relationships = graph_counts(graph)
    assert nodes == NODES
    assert relationships == _relationships_by_sql(project)


def test_values_of_the_sample_survive_byte_for_byte(project: Project, graph: Graph) -> None:
    assert materialize_all().success
    with project.connect("support_db") as connection:
        tickets: dict[str, str | None] = dict(
            connection.execute("SELECT ticket_id, subject FROM tickets").fetchall()
        )
    with project.connect("streaming_db") as connection:
        media: dict[str, str | None] = dict(
            connection.execute("SELECT media_id, title FROM media_content").fetchall()
        )
    assert _texts(graph, "Ticket", "ticket_id", "subject") == tickets
    assert _texts(graph, "Media", "media_id", "title") == media
    assert any(
        "\\" in text and "'" in text for text in [*tickets.values(), *media.values()] if text
    )


def test_an_excluded_column_is_nowhere(project: Project, graph: Graph) -> None:
    done = materialize_by_command()
    assert done.returncode == 0, done.stderr[-2000:]
    with project.connect("profiles_db") as connection:
        hashes = [
            row[0] for row in connection.execute("SELECT hashed_password FROM accounts").fetchall()
        ]
    assert all(SECRET in value for value in hashes)
    written = [path for path in project.data_dir.rglob("*") if path.is_file()]
    assert any(path.suffix == ".cypher" for path in written)
    assert any(path.name == "rows.tsv" for path in written)
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in done.stdout + done.stderr
    assert graph.rows("MATCH (a:Account) WHERE a.hashed_password IS NOT NULL RETURN a") == []
    found = graph.rows(
        "MATCH (n) UNWIND keys(n) AS k WITH n[k] AS v WHERE toStringOrNull(v) CONTAINS $s RETURN v",
        s=SECRET,
    )
    assert found == []
    assert SECRET not in _everything_in(project)


def test_extracts_and_scripts_are_private_files(project: Project, graph: Graph) -> None:
    assert materialize_all().success
    files = [path for path in project.data_dir.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_old_extracts_and_scripts_are_pruned_but_never_the_last_good_ones(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_KEEP_SCRIPTS", "2")
    monkeypatch.setenv("C360_KEEP_EXTRACTS", "2")
    for _ in range(3):
        assert materialize_all().success
    scripts = sorted((project.data_dir / "scripts").glob("*.cypher"))
    folders = sorted((project.data_dir / "extracts/profiles_db/plans").glob("2*"))
    assert len(scripts) == 2
    assert len(folders) == 2
    latest = json.loads((folders[0].parent / "latest.json").read_bytes())["extract"]
    assert latest == folders[-1].name
    with project.connect() as connection:
        loaded = connection.execute(
            "SELECT file_path FROM cypher_scripts ORDER BY last_run_time DESC LIMIT 1"
        ).fetchone()
    assert loaded == (str(scripts[-1]),)


def test_the_script_goes_to_the_folder_that_config_names(
    project: Project, graph: Graph, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    config = {"ops": {"cypher_script": {"config": {"output_folder": str(folder)}}}}
    assert materialize_all(run_config=config).success
    (script,) = folder.glob("graph_output_*.cypher")
    with project.connect() as connection:
        row = connection.execute(
            "SELECT script_name, file_path, file_size_kb, last_run_time IS NOT NULL FROM cypher_scripts"
        ).fetchone()
    assert row is not None
    assert row[:2] == (script.name, str(script))
    assert float(row[2]) == round(script.stat().st_size / 1024, 2)
    assert row[3] is True


def test_a_compressed_script_is_loaded_registered_and_pruned_as_any_other(
    project: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_KEEP_SCRIPTS", "1")
    folder = project.data_dir / "scripts"
    assert materialize_all().success
    (plain,) = folder.iterdir()
    text = plain.read_bytes()
    monkeypatch.setenv("C360_COMPRESS_SCRIPTS", "true")
    assert materialize_all().success
    assert graph_counts(graph)[0] == NODES
    # The one before was the last one loaded when this one was written.
    (script,) = (path for path in folder.iterdir() if path != plain)
    assert script.name.endswith(".cypher.zst")
    assert zstd.decompress(script.read_bytes()).split(b"\n", 1)[1] == text.split(b"\n", 1)[1]
    with project.connect() as connection:
        row = connection.execute(
            "SELECT script_name, file_path, file_size_kb::float8, last_run_time IS NOT NULL"
            " FROM cypher_scripts ORDER BY script_id DESC LIMIT 1"
        ).fetchone()
    assert row == (script.name, str(script), round(script.stat().st_size / 1024, 2), True)
    config = {"ops": {"cypher_script": {"config": {"compress": False}}}}
    for _ in range(2):
        assert materialize_all(run_config=config).success
    assert [path.suffix for path in folder.iterdir()] == [".cypher"] * 2


def test_steps_may_have_a_process_each(project: Project) -> None:
    done = materialize_by_command(
        select="profiles_db/plans,support_db/tickets", C360_EXECUTOR="multiprocess"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with project.connect() as connection:
        tables = connection.execute(
            "SELECT table_name, t.status, r.status FROM etl_table_logs t JOIN etl_run_logs r"
            " USING (log_id) ORDER BY table_name"
        ).fetchall()
    assert tables == [("plans", "completed", "completed"), ("tickets", "completed", "completed")]


def _relationships_by_sql(project: Project) -> dict[str, int]:
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


def _everything_in(project: Project) -> str:
    """Every row of the control database, Dagster's own tables too, as text."""
    found = []
    with project.connect() as connection:
        tables = connection.execute(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
            " WHERE schemaname IN ('public', 'dagster')"
        ).fetchall()
        assert any("event_logs" in name for (name,) in tables)
        for (name,) in tables:
            rows = connection.execute(f"SELECT t::text FROM {name} AS t").fetchall()
            found += [str(text) for (text,) in rows]
    return "\n".join(found)
