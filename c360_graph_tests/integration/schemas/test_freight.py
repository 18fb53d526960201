"""A freight line: composite keys, partitions, no key, junctions with labels of their own and shared ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.cypher.script_reader import read_statements
from c360_graph.cypher.script_writer import LinksFacts, RelationshipsFacts
from c360_graph.definitions import defs
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.schemas.world import World, built, joined


@pytest.fixture(scope="module")
def freight(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with built("freight", servers, tmp_path_factory.mktemp("freight")) as world:
        yield world


def test_partitions_views_and_tables_without_key_become_nodes_once(freight: World) -> None:
    wanted = {
        label: freight.number("ops", f"SELECT count(*) FROM ops.{table}")
        for label, table in (
            ("Leg", "legs"),
            ("Container", "containers"),
            ("Booking", "bookings"),
            ("Event", "events"),
            ("Port", "ports"),
            ("Transfer", "transfers"),
        )
    }
    for label, table in (("Port", "ports"), ("Transfer", "transfers")):
        wanted[label] += freight.number("billing", f"SELECT count(*) FROM {table}")
    wanted["Invoice"] = freight.number("billing", "SELECT count(*) FROM invoices")
    wanted["OwnerTotal"] = freight.number("billing", "SELECT count(*) FROM owner_totals")
    assert freight.counts()[0] == wanted


def test_every_join_makes_as_many_relationships_as_in_sql(freight: World) -> None:
    inside = {
        "DEPARTS_FROM": 'legs l JOIN ports p ON l."from" = p.code',
        "ARRIVES_AT": 'legs l JOIN ports p ON l."to" = p.code',
        "CONNECTS_TO": 'legs a JOIN legs b ON a."to" = b."from" AND a.ship = b.ship',
        "BOOKED_ON": 'containers c JOIN bookings b ON c."Serial No" = b.serial'
        " JOIN legs l ON l.leg_no = b.leg_no AND l.departs = b.departs",
        "ABOUT": "events e JOIN legs l ON e.leg_no = l.leg_no",
        "SAME_NOTE": "events a JOIN events b ON a.note = b.note AND a.kind = b.kind",
        "MOVED_THROUGH": 'containers c JOIN transfers t ON c."Serial No" = t.serial'
        " JOIN ports p ON t.port = p.code",
    }
    wanted = {kind: _in_ops(freight, join) for kind, join in inside.items()}
    wanted["CHARGED_FOR"] = freight.number(
        "billing",
        "SELECT count(*) FROM invoices i JOIN transfers t ON i.id = t.invoice"
        " JOIN ports p ON t.port = p.code",
    )
    wanted["BILLED_LIKE"] = freight.number(
        "billing",
        "SELECT count(*) FROM invoices a JOIN invoices b"
        " ON a.owner_code = b.owner_code AND a.container = b.container",
    )
    serials = freight.sql("ops", 'SELECT "Serial No" FROM ops.containers')
    owners = freight.sql("ops", "SELECT owner_code FROM ops.containers")
    wanted["BILLS"] = joined(freight.sql("billing", "SELECT container FROM invoices"), serials)
    wanted["OWNED_BY"] = joined(
        owners, freight.sql("billing", "SELECT owner_code FROM owner_totals")
    )
    ports = freight.sql("ops", "SELECT code FROM ops.ports")
    ports += freight.sql("billing", "SELECT code FROM ports")
    wanted["SAME_PORT"] = joined(ports, ports)
    assert freight.counts()[1] == wanted
    assert all(wanted.values())


def _in_ops(freight: World, join: str) -> int:
    with freight.servers.postgres.connect(freight.prefix + "ops") as connection:
        connection.execute("SET search_path = ops")
        found = connection.execute(f"SELECT count(*) FROM {join}".encode()).fetchone()
    assert found is not None
    return int(found[0])


def test_a_junction_of_one_source_never_reaches_the_ports_of_the_other(freight: World) -> None:
    assert freight.cypher(
        "MATCH ()-[r:MOVED_THROUGH|CHARGED_FOR|DEPARTS_FROM]->(p:Port)"
        " RETURN DISTINCT type(r), p._c360_table ORDER BY type(r)"
    ) == [
        ("CHARGED_FOR", "billing/ports"),
        ("DEPARTS_FROM", "ops/ports"),
        ("MOVED_THROUGH", "ops/ports"),
    ]


def test_a_labelled_junctions_columns_are_on_its_node_and_on_the_relationship(
    freight: World,
) -> None:
    rows = freight.sql(
        "ops",
        'SELECT b.booking_id, b.slot, b.weight::float8, c."Serial No", l.leg_no, l.departs'
        ' FROM ops.containers c JOIN ops.bookings b ON c."Serial No" = b.serial'
        " JOIN ops.legs l ON l.leg_no = b.leg_no AND l.departs = b.departs ORDER BY b.booking_id",
    )
    assert (
        freight.cypher(
            "MATCH (c:Container)-[b:BOOKED_ON]->(l:Leg) RETURN b.booking_id, b.slot, b.weight,"
            " c.`Serial No`, l.leg_no, l.departs ORDER BY b.booking_id"
        )
        == rows
    )
    assert freight.cypher(
        "MATCH (b:Booking) RETURN b.booking_id, b.serial ORDER BY b.booking_id"
    ) == freight.sql("ops", "SELECT booking_id, serial FROM ops.bookings ORDER BY booking_id")


def test_the_relationships_of_a_shared_junction_carry_its_own_tables_columns(
    freight: World,
) -> None:
    assert sorted(
        freight.cypher("MATCH ()-[r:CHARGED_FOR]->(p:Port) RETURN r.fee, trim(p.code)")
    ) == sorted(
        freight.sql(
            "billing",
            "SELECT t.fee::float8, p.code::text FROM invoices i JOIN transfers t ON i.id = t.invoice"
            " JOIN ports p ON t.port = p.code",
        )
    )


def test_values_are_those_of_the_source(freight: World) -> None:
    assert freight.cypher(
        "MATCH (p:Port {_c360_table: 'ops/ports'}) RETURN p.code, p.`Port Name`, p.position_,"
        " p.depths[0] ORDER BY p.code"
    ) == freight.sql(
        "ops",
        'SELECT code::text, "Port Name", position_::text, depths[1]::float8 FROM ops.ports'
        ' ORDER BY code COLLATE "C"',
    )
    assert freight.cypher("MATCH (i:Invoice) RETURN i.id, i.amount, i.lines ORDER BY i.id") == (
        freight.sql("billing", "SELECT id, amount::float8, lines::text FROM invoices ORDER BY id")
    )
    assert sorted(freight.cypher("MATCH (e:Event) RETURN e.leg_no, e.kind, e.note")) == sorted(
        freight.sql("ops", "SELECT leg_no, kind::text, note FROM ops.events")
    )


def test_keys_are_constraints_and_a_table_without_key_has_none(freight: World) -> None:
    assert freight.cypher(
        "SHOW CONSTRAINTS YIELD labelsOrTypes, properties"
        " RETURN labelsOrTypes[0] AS label, properties ORDER BY label"
    ) == [
        ("Booking", ["booking_id"]),
        ("Container", ["Serial No"]),
        ("Invoice", ["id"]),
        ("Leg", ["leg_no", "departs"]),
        ("Port", ["_c360_table", "code"]),
    ]


def test_relationships_are_made_in_execution_order(freight: World) -> None:
    (script,) = freight.data_dir.glob("scripts/*.cypher")
    with script.open("rb") as file:
        facts = [statement.facts for statement in read_statements(file)]
    kinds = [f.type for f in facts if isinstance(f, (RelationshipsFacts, LinksFacts))]
    assert list(dict.fromkeys(kinds)) == [
        "SAME_PORT",
        "BILLED_LIKE",
        "BILLS",
        "OWNED_BY",
        "MOVED_THROUGH",
        "CHARGED_FOR",
        "SAME_NOTE",
        "ABOUT",
        "BOOKED_ON",
        "CONNECTS_TO",
        "ARRIVES_AT",
        "DEPARTS_FROM",
    ]


def test_nothing_of_the_sample_is_asked_where_the_mapping_is_another(freight: World) -> None:
    keys = defs().resolve_asset_graph().get_all_asset_keys()
    assert {key.path[0] for key in keys}.isdisjoint({"answers"})
    done = CliRunner().invoke(app, ["ask"])
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("11 questions about the sample left out")
