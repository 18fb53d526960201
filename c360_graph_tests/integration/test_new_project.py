"""What `c360 init` writes works as it stands: control tables, rows, settings and Dagster's configuration."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.sandbox.sample import fill_database
from c360_graph_tests.conftest import TestServers, drop_databases

SHOP = """
CREATE TABLE customers (customer_id int PRIMARY KEY, email text, deleted_at timestamptz);
CREATE TABLE orders (order_id int PRIMARY KEY, customer_id int);
INSERT INTO customers VALUES (1, 'ann@example.com', NULL);
INSERT INTO orders VALUES (10, 1);
"""
GIVEN_BY_THE_DATABASE = {
    "source_id", "rule_id", "mapping_id", "relationship_id", "last_accessed",
}  # fmt: skip


@pytest.fixture
def prefix(servers: TestServers) -> Iterator[str]:
    name = f"t{uuid4().hex[:8]}_"
    yield name
    drop_databases(servers.postgres, name)


def test_the_files_that_init_writes_make_a_project_that_works(
    servers: TestServers, prefix: str, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    assert CliRunner().invoke(app, ["init", str(folder)]).exit_code == 0
    (tmp_path / "shop.sql").write_text(SHOP)
    fill_database(servers.postgres, name=f"{prefix}shop", files=(tmp_path / "shop.sql",))
    schema, rows = (
        folder / "sql" / name for name in ("etl_control_db_schema.sql", "control_rows.sql")
    )
    # The examples, too, which are comments until somebody needs them.
    examples = re.sub(r"^(/\*|\*/)$", "", rows.read_text(), flags=re.M)
    (tmp_path / "examples.sql").write_text(examples)
    fill_database(
        servers.postgres,
        name=f"{prefix}control",
        files=(schema, rows, rows, tmp_path / "examples.sql"),
    )
    with servers.postgres.connect(f"{prefix}control") as connection:
        _assert_each_column_is_named(connection, rows.read_text())
        connection.execute(
            "UPDATE source_databases SET db_host = NULL, db_port = NULL, db_user = NULL, db_name = %s",
            (f"{prefix}shop",),
        )
        connection.execute(
            "INSERT INTO node_label_mappings (table_name, node_label) VALUES ('orders', 'Order')"
        )
    (folder / ".env").write_text(_filled(folder, servers, f"{prefix}control"))
    checked = run(folder, "c360", "check")
    assert "4 tables and 2 relationships are valid, 0 problems." in checked
    assert "Validation successful" in run(folder, "dagster", "definitions", "validate")


def _assert_each_column_is_named(connection: psycopg.Connection, text: str) -> None:
    named = dict(re.findall(r"INSERT INTO (\w+)\s+\(([^)]*)\)", text))
    assert len(named) == 5
    for table, columns in named.items():
        known = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (table,)
        ).fetchall()
        lacking = {name for (name,) in known} - {*re.findall(r"\w+", columns)}
        assert lacking <= GIVEN_BY_THE_DATABASE, (table, lacking)


def _filled(folder: Path, servers: TestServers, control_db: str) -> str:
    text = (folder / ".env.example").read_text()
    environment = servers.environment(control_db)
    further = {"SHOP_PASSWORD": environment["ETL_DB_PASSWORD"], "C360_HASH_KEY": "any"}
    for name, value in (environment | further).items():
        text, count = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.M)
        assert count, name
    return text


def run(folder: Path, *command: str) -> str:
    """What a command says that knows nothing but the folder."""
    own = ("ETL_DB", "NEO4J", "C360", "DAGSTER")
    done = subprocess.run(
        [str(Path(sys.executable).with_name(command[0])), *command[1:]],
        cwd=folder,
        env={name: v for name, v in os.environ.items() if not name.startswith(own)}
        | {"DAGSTER_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
