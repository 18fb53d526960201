"""`c360 source add`: a source is tried with the password of a variable before it gets its row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from c360_graph.cli import app
from c360_graph.sandbox.sample import fill_database
from c360_graph_tests.conftest import SQL_DIR, TestServers, drop_databases

SHOP = """
CREATE TABLE customers (customer_id int PRIMARY KEY, email text);
CREATE TABLE orders (order_id int PRIMARY KEY, customer_id int REFERENCES customers);
CREATE TABLE secrets (secret_id int PRIMARY KEY);
GRANT SELECT ON customers, orders TO {role};
"""
PASSWORD = "a'secret\\"


@pytest.fixture
def prefix(servers: TestServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A shop, a role that may read most of it, and control tables without a row."""
    name = f"t{uuid4().hex[:8]}_"
    role = f"{name}reader"
    with servers.postgres.connect("postgres") as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'a''secret\\'".encode())
    file = tmp_path / "shop.sql"
    file.write_text(SHOP.format(role=role))
    fill_database(servers.postgres, name=f"{name}shop", files=(file,))
    schema = SQL_DIR / "etl_control_db_schema.sql"
    fill_database(servers.postgres, name=f"{name}control", files=(schema,))
    for variable, value in servers.environment(f"{name}control").items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("C360_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("C360_HASH_KEY", "a key for tests")
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    yield name
    drop_databases(servers.postgres, name)
    with servers.postgres.connect("postgres") as connection:
        connection.execute(f"DROP ROLE {role}".encode())


def test_a_source_gets_its_row_after_it_was_read_and_never_its_password(
    servers: TestServers, prefix: str
) -> None:
    given = ("--db", f"{prefix}shop", "--host", servers.postgres.host, "--port",
             str(servers.postgres.port), "--user", f"{prefix}reader", "--time-zone", "Europe/Berlin")  # fmt: skip
    secret = ("--password-env", "SHOP_PASSWORD")
    printed = add("shop", *given, *secret)
    assert printed.exit_code == 0, printed.stderr
    assert "'env:SHOP_PASSWORD'" in printed.stdout
    assert "a'secret" not in printed.output
    assert "shop/secrets is not proposed: the role may not SELECT all of it." in printed.stderr
    assert "2 labels, 1 relationship and 1 exclusion proposed for shop." in printed.stderr
    data = json.loads(add("shop", *given, *secret, "--json").stdout)
    assert data["source_databases"][0]["db_password"] == "env:SHOP_PASSWORD"
    assert {row["source_id"] for row in data["node_label_mappings"]} == {None}
    assert names(servers, prefix) == []

    # What is printed can be run, and once more.
    with servers.postgres.connect(f"{prefix}control") as connection:
        for _ in range(2):
            connection.execute(printed.stdout.encode())
    checked = CliRunner().invoke(app, ["check"])
    assert "2 tables and 1 relationships are valid" in checked.output
    again = add("shop", *given, *secret)
    assert (again.exit_code, "source_databases has a source 'shop' already" in again.stderr) == (
        1,
        True,
    )
    applied = add("desk", *given, *secret, "--apply", "--yes")
    assert applied.exit_code == 0, applied.stderr
    assert names(servers, prefix) == ["desk", "shop"]


def test_what_keeps_a_source_from_being_read_is_said_and_nothing_is_added(
    servers: TestServers, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("shop", "--db", f"{prefix}shop", "--user", f"{prefix}reader", "--apply", "--yes")
    unset = add(*given, "--password-env", "NO_SUCH_VARIABLE")
    assert "takes its password from NO_SUCH_VARIABLE, which is not set" in unset.stderr
    monkeypatch.setenv("SHOP_PASSWORD", "another-one")
    wrong = add(*given, "--password-env", "SHOP_PASSWORD")
    assert "password authentication failed" in wrong.stderr
    assert "Check host, port, database, role and password of the new source." in wrong.stderr
    assert "another-one" not in wrong.output
    mistaken = add(*given, "--password-env", "a'secret\\")
    assert "give the name of a variable" in mistaken.stderr
    assert "a'secret" not in mistaken.output
    gone = add("shop", "--db", f"{prefix}nowhere", "--apply", "--yes")
    assert f'database "{prefix}nowhere" does not exist' in gone.stderr
    assert [r.exit_code for r in (unset, wrong, mistaken, gone)] == [1, 1, 2, 1]
    assert names(servers, prefix) == []


def add(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["source", "add", *arguments], env={"COLUMNS": "200"})


def names(servers: TestServers, prefix: str) -> list[str]:
    with servers.postgres.connect(f"{prefix}control") as connection:
        rows = connection.execute("SELECT source_name FROM source_databases ORDER BY 1").fetchall()
    return [name for (name,) in rows]
