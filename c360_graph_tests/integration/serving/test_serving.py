"""What the API serves of the sample, and to whom."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from c360_graph_tests.integration.serving.conftest import Served, server

JOHN = "john.smith@email.com"


@pytest.fixture(scope="module")
def api(served: Served) -> Iterator[httpx.Client]:
    with server(served, unmasked=True) as client:
        yield client


def test_a_customer_is_found_by_an_identifier_however_it_is_written(api: httpx.Client) -> None:
    found = api.get("/v1/customers", params={"email": JOHN})
    assert found.status_code == 200, found.text
    (view,) = found.json()["customers"]
    assert view["properties"]["email"] == JOHN
    assert api.get("/v1/customers", params={"email": f" {JOHN.upper()} "}).json() == found.json()
    assert api.get("/v1/customers", params={"q": JOHN}).json() == found.json()
    assert api.get(f"/v1/customers/{view['key']}").json() == view
