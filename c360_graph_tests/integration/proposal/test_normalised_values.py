"""`c360 map` where two databases have the same people and write them otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph.sandbox.sample import fill_database
from c360_graph_tests.conftest import SQL_DIR, TestServers, drop_databases
from c360_graph_tests.integration.runs import load_graph

# Every 33rd address is written alike in both, the others in capitals or with blanks around them.
CRM = """
CREATE TABLE people (id int PRIMARY KEY, email text, phone text, shirt text, mobile text);
INSERT INTO people SELECT n, CASE WHEN n % 33 = 0 THEN 'user' || n || '@example.com'
        WHEN n % 2 = 0 THEN '  USER' || n || '@EXAMPLE.COM' ELSE 'User' || n || '@example.com ' END,
    '+49 30 ' || 5550000 + n, 'S', CASE WHEN n % 3 = 0 THEN '+49 151 ' ELSE '0151/' END || 23000000 + n FROM generate_series(1, 330) AS n;
"""
SHOP = """
CREATE TABLE customers (no int PRIMARY KEY, email varchar(80) NOT NULL UNIQUE, phone text NOT NULL UNIQUE,
    cell text);
INSERT INTO customers SELECT 1000 + n, 'user' || n || '@example.com', '+4930-' || 5550000 + n, '0049151' || 23000000 + n
FROM generate_series(1, 330) AS n WHERE n % 10 > 0;
"""


@pytest.fixture
def databases(
    servers: TestServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Both databases as sources, and the shop is mapped; the prefix of their names."""
    prefix = f"t{uuid4().hex[:8]}_"
    for name, text in {"crm": CRM, "shop": SHOP}.items():
        file = tmp_path / f"{name}.sql"
        file.write_text(text, encoding="utf-8")
        fill_database(servers.postgres, name=prefix + name, files=(file,))
    schema = SQL_DIR / "etl_control_db_schema.sql"
    fill_database(servers.postgres, name=f"{prefix}control", files=(schema,))
    with servers.postgres.connect(f"{prefix}control") as connection:
        for name in ("crm", "shop"):
            connection.execute(
                "INSERT INTO source_databases (source_name, db_name) VALUES (%s, %s)",
                (name, prefix + name),
            )
    for variable, value in servers.environment(f"{prefix}control").items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("C360_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("C360_HASH_KEY", "a key for tests")
    assert CliRunner().invoke(app, ["map", "shop", "--apply", "--yes"]).exit_code == 0
    yield prefix
    drop_databases(servers.postgres, prefix)


def test_columns_that_agree_only_when_normalised_are_proposed_so_with_both_shares(
    databases: str, servers: TestServers, graph: Graph
) -> None:
    done = CliRunner().invoke(app, ["map", "crm", "--apply", "--yes"])
    assert done.exit_code == 0, done.stderr
    with servers.postgres.connect(f"{databases}control") as connection:
        rows = connection.execute(
            "SELECT relationship_type, join_condition, description FROM relationship_mappings ORDER BY 2"
        ).fetchall()
    assert [row[1] for row in rows] == [
        "digits(p.phone) = digits(c.phone)",
        "lower(trim(p.email)) = lower(trim(c.email))",
        "phone(p.mobile, 'DE') = phone(c.cell, 'DE')",
    ]
    by_phone, by_address, by_mobile = (row[2] for row in rows)
    assert " 0 % as written, " in by_mobile
    assert " % by phone(…, 'DE') of 200 sampled values" in by_mobile
    assert " 0 % as written, " in by_phone
    assert " % by digits() of 200 sampled values" in by_phone
    assert " % as written, " in by_address
    assert " % by lower(trim()) of 200 sampled values" in by_address
    assert CliRunner().invoke(app, ["check"]).exit_code == 0
    # The rules that map proposes hash both columns on both sides.
    assert load_graph().success
    assert sorted(graph_counts(graph)[1].values()) == [297, 297, 297]
    again = CliRunner().invoke(app, ["map", "crm"])
    assert again.stdout == "-- Nothing is left to propose for source crm.\n"


def test_addresses_are_compared_though_no_key_says_that_they_are_unique(
    databases: str, servers: TestServers
) -> None:
    with servers.postgres.connect(f"{databases}shop") as connection:
        connection.execute(
            "ALTER TABLE customers DROP CONSTRAINT customers_email_key,"
            " DROP CONSTRAINT customers_phone_key, ALTER email DROP NOT NULL, ALTER phone DROP NOT NULL"
        )
    proposed = CliRunner().invoke(app, ["map", "crm"]).stdout
    assert "'lower(trim(p.email)) = lower(trim(c.email))'" in proposed
    assert "'digits(p.phone) = digits(c.phone)'" in proposed
