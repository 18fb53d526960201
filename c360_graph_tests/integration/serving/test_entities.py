"""Customers of identity resolution: found by what their records have, with what is around those."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from c360_graph.cypher.serving import by_values
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.serve.customers import search
from c360_graph.serve.schema import served_graph
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.identity.test_customers import CONTROL, CRM, SHOP
from c360_graph_tests.integration.schemas.world import World, built
from c360_graph_tests.integration.serving.conftest import server

ORDERS = """
CREATE TABLE orders (order_id int PRIMARY KEY, region text, account_no int, placed_at timestamptz);
INSERT INTO orders VALUES
    (1, 'eu', 1, '2025-01-01 10:00+00'), (2, 'eu', 1, '2025-02-01 10:00+00'), (3, 'us', 1, NULL);
"""
LIKED = """
CREATE TABLE likes (region text, account_no int, order_id int, liked_on date, phone text);
INSERT INTO likes VALUES ('eu', 1, 1, '2025-03-01', '030'), ('eu', 1, 1, '2025-03-02', '031');
"""
ORDERED = """
INSERT INTO node_label_mappings (source_id, table_name, node_label, extra_labels, label_column, label_values)
VALUES (2, 'orders', 'Order', '{Purchase}', 'region', '{eu}');
INSERT INTO relationship_mappings (relationship_type, from_label, to_label, join_condition, relationship_properties)
VALUES ('PLACED', 'Account', 'Order', 'a.region = o.region AND a.no = o.account_no', '{placed_at}');
INSERT INTO relationship_mappings (relationship_type, from_label, to_label, join_condition, junction_table)
VALUES ('LIKES', 'Account', 'Order',
        'a.region = l.region AND a.no = l.account_no AND l.order_id = o.order_id', 'likes');
"""


def test_a_customer_is_found_by_any_record_and_shows_what_all_of_them_have(
    servers: TestServers, tmp_path: Path
) -> None:
    texts = {"crm": CRM, "shop": SHOP + ORDERS + LIKED, "control": CONTROL + ORDERED}
    for name, text in texts.items():
        (tmp_path / f"{name}.sql").write_text(text, encoding="utf-8")
    with (
        built(str(tmp_path), servers, tmp_path) as world,
        server(unmasked=True) as api,
    ):
        assert api.get("/v1/schema").json()["customer"] == "Customer"
        # The CRM has '  ANN@EXAMPLE.COM'.
        for sent in ("Ann@example.com ", "ann@example.com"):
            (view,) = api.get("/v1/customers", params={"q": sent}).json()["customers"]
        told = {
            one["label"]: (one["count"], one["last"])
            for one in view["activity"]
            if one["relationship"] != "LIKES"
        }
        assert told == {
            "Person": (1, None),
            "Account": (1, None),
            "Order": (2, "2025-02-01T10:00:00Z"),
        }
        key = view["key"]
        assert api.get(f"/v1/customers/{key}").json() == view
        journey = api.get(f"/v1/customers/{key}/journey").json()["steps"]
        # One of the two is liked, too.
        assert [step["moment"][:7] for step in journey] == ["2025-01", "2025-01", "2025-02"]
        around = api.get(f"/v1/customers/{key}/neighbourhood").json()
        assert sorted(node["label"] for node in around["nodes"]) == sorted(
            ["Customer", "Person", "Account", "Order", "Order"]
        )
        for account in (["us", "1"], ["e\tu", "3"]):
            path = f"/v1/Account/{quote(json.dumps(account), safe='')}"
            assert api.get(path).json()["properties"]["region"] == account[0]
        seen: list[list[str]] = []
        cursor = None
        while cursor is not None or not seen:
            given = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = api.get("/v1/Account", params=given).json()
            seen += [json.loads(node["key"]) for node in page["nodes"]]
            cursor = page["next"]
        assert seen == sorted(seen)
        assert len(seen) == 5
        _told_of_relationships_and_further_labels(api, key)
        _found_by_an_index(api, world)
        shown = api.get(f"/customers/{key}").text
        assert "The graph around" in shown
        assert "PLACED" in shown


def _told_of_relationships_and_further_labels(api: httpx.Client, key: str) -> None:
    around = api.get(f"/v1/customers/{key}/neighbourhood").json()
    labels = {(node["key"], *node["extra_labels"]) for node in around["nodes"]}
    assert {("1", "Purchase", "eu"), ("2", "Purchase", "eu")} <= labels
    edges = [(edge["relationship"], edge["properties"]) for edge in around["edges"]]
    assert sorted(given["placed_at"] for kind, given in edges if kind == "PLACED") == [
        "2025-01-01T10:00:00Z",
        "2025-02-01T10:00:00Z",
    ]
    # Each row of the table between both has something else to tell.
    assert sorted(
        (given["liked_on"], given["phone"]) for kind, given in edges if kind == "LIKES"
    ) == [
        ("2025-03-01", "030"),
        ("2025-03-02", "031"),
    ]
    assert api.get("/v1/Order/3").json()["extra_labels"] == ["Purchase"]
    schema = api.get("/v1/schema").json()
    (order,) = [one for one in schema["labels"] if one["label"] == "Order"]
    assert order["extra_labels"] == ["Purchase", "eu"]
    (liked,) = [one for one in schema["relationships"] if one["relationship"] == "LIKES"]
    assert {(p["name"], p["type"], p["is_personal"]) for p in liked["properties"]} >= {
        ("liked_on", "DATE", False),
        ("phone", "STRING", True),
    }
    document = api.get("/v1/openapi.json").json()["components"]["schemas"]
    assert document["LIKESEdgeProperties"]["properties"]["liked_on"]["x-neo4j-type"] == "DATE"
    assert document["OrderNode"]["properties"]["extra_labels"]["items"]["enum"] == [
        "Purchase",
        "eu",
    ]


def _found_by_an_index(api: httpx.Client, world: World) -> None:
    """The planner may scan labels as small as these, so it is told to seek, and does where there is an index."""
    schema = served_graph(
        GraphManifest.model_validate_json(
            world.cypher("MATCH (m:_C360Load) RETURN m.content")[0][0]
        ),
        (),
        indexed=world.cypher(
            "SHOW RANGE INDEXES YIELD labelsOrTypes, properties WHERE size(properties) = 1"
            " RETURN labelsOrTypes[0], properties[0]"
        ),
    )
    for name in ("email", "mail"):
        asked = search(schema, name, " Ann@example.com", hash_key=None)
        assert asked.seeks
        for seek in asked.seeks:
            text = by_values([replace(seek, through=None)]).replace(
                " WHERE ", f" USING INDEX n:`{seek.label}`(`{seek.property}`) WHERE ", 1
            )
            summary = world.graph.driver.execute_query(
                f"EXPLAIN CYPHER 5 {text} RETURN n", asked.parameters
            ).summary
            found = {*operators(summary.plan or {})}
            assert found & {"NodeIndexSeek", "NodeUniqueIndexSeek"}, text
            assert not [one for one in found if one.endswith("Scan")], text


def operators(plan: dict[str, Any]) -> Iterator[str]:
    """What a plan does."""
    yield str(plan["operatorType"]).partition("@")[0]
    for child in plan.get("children", ()):
        yield from operators(child)
