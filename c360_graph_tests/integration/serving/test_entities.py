"""Customers of identity resolution: found by what their records have, with what is around those."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.identity.test_customers import CONTROL, CRM, SHOP
from c360_graph_tests.integration.schemas.world import built
from c360_graph_tests.integration.serving.conftest import server

ORDERS = """
CREATE TABLE orders (order_id int PRIMARY KEY, region text, account_no int, placed_at timestamptz);
INSERT INTO orders VALUES
    (1, 'eu', 1, '2025-01-01 10:00+00'), (2, 'eu', 1, '2025-02-01 10:00+00'), (3, 'us', 1, NULL);
"""
ORDERED = """
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES (2, 'orders', 'Order');
INSERT INTO relationship_mappings (relationship_type, from_label, to_label, join_condition)
VALUES ('PLACED', 'Account', 'Order', 'a.region = o.region AND a.no = o.account_no');
"""


def test_a_customer_is_found_by_any_record_and_shows_what_all_of_them_have(
    servers: TestServers, tmp_path: Path
) -> None:
    texts = {"crm": CRM, "shop": SHOP + ORDERS, "control": CONTROL + ORDERED}
    for name, text in texts.items():
        (tmp_path / f"{name}.sql").write_text(text, encoding="utf-8")
    with built(str(tmp_path), servers, tmp_path), server(unmasked=True) as api:
        assert api.get("/v1/schema").json()["customer"] == "Customer"
        # The CRM has '  ANN@EXAMPLE.COM'.
        for sent in ("Ann@example.com ", "ann@example.com"):
            (view,) = api.get("/v1/customers", params={"q": sent}).json()["customers"]
        told = {one["label"]: (one["count"], one["last"]) for one in view["activity"]}
        assert told == {
            "Person": (1, None),
            "Account": (1, None),
            "Order": (2, "2025-02-01T10:00:00Z"),
        }
        key = view["key"]
        assert api.get(f"/v1/customers/{key}").json() == view
        journey = api.get(f"/v1/customers/{key}/journey").json()["steps"]
        assert [step["moment"][:7] for step in journey] == ["2025-01", "2025-02"]
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
        shown = api.get(f"/customers/{key}").text
        assert "The graph around" in shown
        assert "PLACED" in shown
