"""While the sources are followed, customers are those of the last load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.following.followed import drop_slots, following
from c360_graph_tests.integration.identity.test_customers import (
    CONTROL,
    CRM,
    CUSTOMERS,
    PAIRS,
    SHOP,
)
from c360_graph_tests.integration.reconcile.reconciled import reconcile
from c360_graph_tests.integration.schemas.world import World, built_from


@pytest.fixture
def world(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("followed")
    with built_from({"crm": CRM, "shop": SHOP, "control": CONTROL}, servers, folder) as made:
        try:
            yield made
        finally:
            drop_slots(servers.postgres, made.prefix)


def test_a_followed_record_gets_its_customer_with_the_next_load(world: World) -> None:
    with following() as running:
        running.await_following()
        assert world.cypher(PAIRS) == CUSTOMERS
        world.execute_in("shop", "INSERT INTO accounts VALUES ('eu', 9, 'CY@example.com')")
        world.execute_in("crm", "UPDATE people SET email = 'cy@example.com' WHERE person_id = 3")
        running.wait(lambda: world.cypher("MATCH (a:Account {no: 9}) RETURN a.no"))
        assert any("relationships IS" in said for said in running.said)
        assert world.cypher(PAIRS) == CUSTOMERS
    assert reconcile().success
    assert world.cypher(PAIRS) == [
        *CUSTOMERS[:2],
        (3, 2, ["Cy", "CY@example.com"]),
        *CUSTOMERS[3:],
    ]
