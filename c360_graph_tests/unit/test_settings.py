"""What a setting may be, and where it is looked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import make_url

from c360_graph.control.connection import Credentials
from c360_graph.dagster_storage import storage_url
from c360_graph.errors import GraphError, SettingsError
from c360_graph.graph.connection import open_graph
from c360_graph.pipeline_settings import NEO4J_SCHEMES
from c360_graph.settings import load_settings, use_env_file_variables


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("http://localhost:7474", "the scheme http:// is not Neo4j's"),
        ("https://x.databases.neo4j.io", "the scheme https:// is not Neo4j's"),
        ("bolt+tls://localhost", "the scheme bolt\\+tls:// is not Neo4j's"),
        ("localhost:7687", "it has no scheme"),
        ("neo4j:localhost", "it has no scheme"),
        ("bolt://localhost:http", "its port is not a number"),
        ("bolt://neo4j:secret@localhost", "belong into NEO4J_USERNAME and NEO4J_PASSWORD"),
    ],
)
def test_an_address_that_is_not_neo4js_is_refused_with_the_schemes_that_are(
    monkeypatch: pytest.MonkeyPatch, uri: str, why: str
) -> None:
    monkeypatch.setenv("NEO4J_URI", uri)
    with pytest.raises(SettingsError, match=why) as refused:
        load_settings()
    assert "secret" not in str(refused.value)
    if "scheme" in why:
        assert all(f"{scheme}://" in str(refused.value) for scheme in NEO4J_SCHEMES)
    with (
        pytest.raises(GraphError, match=why),
        open_graph(uri=uri, username="neo4j", password="", database="neo4j"),
    ):
        pass


@pytest.mark.parametrize("scheme", [*NEO4J_SCHEMES, "BOLT"])
def test_every_scheme_of_neo4j_is_taken(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("NEO4J_URI", f"{scheme}://[::1]:7687")
    assert load_settings().neo4j_uri == f"{scheme}://[::1]:7687"


def test_variables_of_libpq_are_taken_from_env_file_where_they_are_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("PGSSLMODE=require\nPGSERVICE=of_env\nOTHER=1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    # Set first, so that it is unset again afterwards.
    monkeypatch.setenv("PGSERVICE", "")
    use_env_file_variables()
    found = {name: os.environ.get(name) for name in ("PGSSLMODE", "PGSERVICE", "OTHER")}
    assert found == {"PGSSLMODE": "verify-full", "PGSERVICE": "of_env", "OTHER": None}


@pytest.mark.parametrize(
    ("host", "shown"), [("[::1]", "u@[::1]:5432/d"), ("/run", "u@/run:5432/d"), (None, "u@:5432/d")]
)
def test_a_server_is_shown_as_its_address_is_written(host: str | None, shown: str) -> None:
    made = Credentials(host=host, port=5432, database="d", user="u", password="p")
    assert made.server == shown


def test_several_hosts_have_a_port_each_in_the_storages_address() -> None:
    made = Credentials(host="a,b", port=5432, database="d", user="u", password=None)
    query = make_url(storage_url(made)).query
    assert (query["host"], query["port"]) == ("a,b", "5432,5432")
