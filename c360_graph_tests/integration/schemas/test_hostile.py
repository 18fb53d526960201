"""Names and conditions that would be code if anything let them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.schemas.world import World, built

TABLE = '"sch""ema; --"."ta`ble "" \\u0060) DETACH DELETE (n"'
LINK = '"sch""ema; --"."li/nk..\nx"'
LABEL = "La`bel\\u0060) DETACH DELETE n //"


@pytest.fixture(scope="module")
def bad(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with built("hostile", servers, tmp_path_factory.mktemp("hostile")) as world:
        yield world


def test_labels_types_and_properties_have_their_names_to_the_letter(bad: World) -> None:
    nodes, relationships = bad.counts()
    assert nodes == {LABEL: 5}
    assert relationships == {"TY``PE\\u0060]->() //": 4, 'li\nnk\\u0060"': 3}
    assert sorted(
        bad.cypher("MATCH (n) WHERE NOT n:_C360Load UNWIND keys(n) AS k RETURN DISTINCT k")
    ) == [
        ("i`d\\u0060",),
        ("ref '; //",),
        ('va"lue $x {y}',),
    ]


def test_values_and_ends_are_those_of_the_source(bad: World) -> None:
    graph = bad.cypher("MATCH (n) WHERE NOT n:_C360Load RETURN properties(n) AS n")
    assert sorted(
        tuple(p.get(c) for c in ("i`d\\u0060", "ref '; //", 'va"lue $x {y}')) for (p,) in graph
    ) == (bad.sql("bad", f"SELECT * FROM {TABLE} ORDER BY 1"))
    linked = bad.cypher(
        "MATCH (a)-[r]->(b) WHERE type(r) STARTS WITH 'li'"
        " RETURN properties(a) AS a, properties(b) AS b, properties(r) AS r"
    )
    assert sorted(
        ((a["i`d\\u0060"], b["i`d\\u0060"], r.get("w%s")) for a, b, r in linked), key=repr
    ) == sorted(bad.sql("bad", f'SELECT * FROM {LINK} WHERE "a``" IS NOT NULL'), key=repr)
