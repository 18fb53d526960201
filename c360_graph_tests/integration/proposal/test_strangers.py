"""`c360 map` across databases that have nothing to do with each other, and across schemas of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from c360_graph.cli import app
from c360_graph.control.connection import ControlDatabase
from c360_graph.pipeline.propose import propose_rows
from c360_graph.sandbox.sample import fill_database
from c360_graph_tests.conftest import SQL_DIR, TestServers, drop_databases

FILES = Path(__file__).with_name("strangers")
DATABASES = ("shop", "desk", "company")
FORGET = "TRUNCATE field_exclusion_rules, node_label_mappings, relationship_mappings, source_databases CASCADE"
SCHEMAS = {"sales": "sales", "staff": "Human Resources", "people": "person"}


@pytest.fixture(scope="module")
def prefix(servers: TestServers) -> Iterator[str]:
    """The databases, each name after this prefix."""
    made = f"t{uuid4().hex[:8]}_"
    for name in DATABASES:
        fill_database(servers.postgres, name=made + name, files=(FILES / f"{name}.sql",))
    schema = SQL_DIR / "etl_control_db_schema.sql"
    fill_database(servers.postgres, name=f"{made}control", files=(schema,))
    yield made
    drop_databases(servers.postgres, made)


@pytest.fixture
def control(
    servers: TestServers, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ControlDatabase:
    """An empty control database, which the command uses."""
    name = f"{prefix}control"
    with servers.postgres.connect(name) as connection:
        connection.execute(FORGET.encode())
    for variable, value in servers.environment(name).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("C360_DATA_DIR", str(tmp_path))
    return ControlDatabase(servers.credentials(name))


@pytest.fixture
def strangers(servers: TestServers, prefix: str, control: ControlDatabase) -> ControlDatabase:
    """The shop is mapped, the help desk is a source."""
    for name in ("shop", "desk"):
        add_source(servers, prefix, name, database=name)
    assert c360("map", "shop", "--apply", "--yes").exit_code == 0
    return control


@pytest.fixture
def departments(servers: TestServers, prefix: str, control: ControlDatabase) -> ControlDatabase:
    """Three schemas of one database are sources, reached by several names of the server."""
    host = servers.postgres.host
    hosts = {"sales": None, "staff": host, "people": "localhost" if host == "127.0.0.1" else host}
    for name, schema in SCHEMAS.items():
        add_source(servers, prefix, name, database="company", schema=schema, host=hosts[name])
    return control


def test_only_values_that_tell_something_join_two_databases(strangers: ControlDatabase) -> None:
    found = propose_rows(strangers, "desk")
    across = [p.row for p in found.relationships if "across databases" in p.why]
    assert [(r.relationship_type, r.join_condition) for r in across] == [
        ("HAS_USER", "t.user_email = u.email"),
        ("HAS_PRODUCT", "t.product_isbn = p.isbn"),
        ("HAS_USER_PUBLIC_UUID_FROM_TOKEN", "t.user_public_uuid_from_token = u.public_uuid"),
        ("HAS_USER_LOYALTY", "t.user_loyalty_number = u.loyalty_number"),
    ]
    assert [remark for remark in found.remarks if "by chance" in remark] == [
        "4 pairs of columns not proposed, whose values agree by chance (a list of country values is in many"
        " databases): desk/countries.code = shop/countries.code, desk/countries.name ="
        " shop/countries.name, desk/tickets.country_code = shop/countries.code,"
        " desk/tickets.country_name = shop/countries.name.",
        "4 pairs of columns not proposed, whose values agree by chance (numbers without gaps are in many"
        " databases): desk/tickets.product_ref = shop/products.product_ref, desk/tickets.voucher_uuid ="
        " shop/vouchers.voucher_uuid, desk/tickets.user_id = shop/users.id, desk/tickets.product_id ="
        " shop/products.product_id.",
        "1 pair of columns not proposed, whose values agree by chance (a list of year values is in many"
        " databases): desk/tickets.calendar_year = shop/calendar.year.",
    ]


def test_two_databases_that_number_their_rows_are_never_called_the_same(
    strangers: ControlDatabase,
) -> None:
    assert c360("map", "desk", "--apply", "--yes").exit_code == 0
    rows = strangers.read_rows().relationships
    assert [row for row in rows if row.relationship_type == "SAME_AS"] == []
    joined = {row.join_condition for row in rows if "across databases" in (row.description or "")}
    assert not any(".id" in condition or "product_id" in condition for condition in joined)


@pytest.mark.parametrize(
    "order",
    [("sales", "staff", "people"), ("people", "staff", "sales"), ("staff", "people", "sales")],
    ids="-".join,
)
def test_foreign_keys_between_schemas_are_relationships_in_whichever_order_they_are_mapped(
    departments: ControlDatabase, order: tuple[str, ...]
) -> None:
    for source in order:
        assert c360("map", source, "--apply", "--yes").exit_code == 0
    checked = c360("check")
    assert checked.exit_code == 0, checked.stdout
    relationships = departments.read_rows().relationships
    keys = {
        part.split("foreign key ")[1].rstrip(")")
        for row in relationships
        for part in (row.description or "").split(", ")
        if "foreign key " in part
    }
    assert keys == {
        "employees_id_fkey",
        "customers_person_id_fkey",
        "customers_seller_id_fkey",
        "orders_customer_id_fkey",
        "customer_addresses_customer_id_fkey",
        "customer_addresses_address_id_fkey",
        "complaints_region_no_fkey",
    }
    assert "SAME_AS" not in {row.relationship_type for row in relationships}
    for source in order:
        assert c360("map", source).stdout == f"-- Nothing is left to propose for source {source}.\n"


def test_a_foreign_key_into_a_schema_tells_what_it_waits_for(departments: ControlDatabase) -> None:
    found = propose_rows(departments, "sales")
    assert found.remarks == (
        "sales/orders: foreign key orders_note_id_fkey is not proposed: it refers to schema unread, which"
        " this source does not read.",
        "sales/customer_addresses: foreign key customer_addresses_address_id_fkey is proposed once"
        " people/addresses is mapped.",
        "sales/customers: foreign key customers_person_id_fkey is proposed once people/people is mapped.",
        "sales/customers: foreign key customers_seller_id_fkey is proposed once staff/employees is mapped.",
    )


def add_source(
    servers: TestServers,
    prefix: str,
    name: str,
    *,
    database: str,
    schema: str = "public",
    host: str | None = None,
) -> None:
    """A row of source_databases."""
    server = servers.postgres
    login = (server.port, server.user, server.password) if host else (None, None, None)
    with server.connect(f"{prefix}control") as connection:
        connection.execute(
            "INSERT INTO source_databases"
            " (source_name, db_name, db_schema, db_host, db_port, db_user, db_password)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (name, prefix + database, schema, host, *login),
        )


def c360(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))
