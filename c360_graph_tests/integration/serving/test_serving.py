"""What the API serves of the sample, and to whom."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pyarrow as pa
import pytest
import schemathesis
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given, settings
from playwright.sync_api import Page, expect
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from c360_graph.graph.read_only import AsyncGraph
from c360_graph.questions import ask, read_question_set
from c360_graph.serve.audit import CustomerHash
from c360_graph.serve.watch import GraphWatch
from c360_graph_tests.browser.dagster_ui import browser_page
from c360_graph_tests.docs.documents import read_document
from c360_graph_tests.docs.markdown import blocks
from c360_graph_tests.integration.loader.proxy import faulty_proxy
from c360_graph_tests.integration.runs import until
from c360_graph_tests.integration.serving.conftest import Served, server

JOHN = "john.smith@email.com"
PATHS = ("/v1/Plan", "/v1/customers?q=nobody", "/v1/answers/revenue_by_plan", "/v1/schema")
SCREENSHOTS = os.environ.get("C360_SCREENSHOTS")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
]
PERSONAL = (JOHN, "John Smith", "203.0.113")


def test_without_any_key_only_this_machine_is_served_and_nothing_personal(served: Served) -> None:
    with server() as api:
        (view,) = api.get("/v1/customers", params={"email": JOHN}).json()["customers"]
        assert view["properties"].keys() == {"account_id", "created_at"}
        assert api.get("/v1/Account", headers={"Host": "attacker.example"}).status_code == 403
        # Once there is a key, it is needed.
        key = served.key("first")
        until(lambda: api.get("/v1/schema").status_code == 401)
        assert api.get("/v1/schema", headers={"Authorization": f"Bearer {key}"}).status_code == 200


@pytest.fixture(scope="module")
def api(served: Served) -> Iterator[httpx.Client]:
    with server(key=served.key("all")) as client:
        yield client


def test_a_customer_is_found_by_an_identifier_however_it_is_written(api: httpx.Client) -> None:
    found = api.get("/v1/customers", params={"email": JOHN})
    assert found.status_code == 200, found.text
    (view,) = found.json()["customers"]
    assert view["properties"]["email"] == JOHN
    assert api.get("/v1/customers", params={"email": f" {JOHN.upper()} "}).json() == found.json()
    assert api.get("/v1/customers", params={"q": JOHN}).json() == found.json()
    assert api.get(f"/v1/customers/{view['key']}").json() == view
    counts = {one["label"]: (one["count"], one["last"]) for one in view["activity"]}
    assert counts["Ticket"] == (4, "2025-11-01T10:00:00Z")
    assert view["last_activity"] == "2025-11-03T00:00:00Z"
    assert api.get("/v1/customers", params={"email": "nobody@x.example"}).json()["customers"] == []


def test_journey_and_neighbourhood_tell_of_the_same_nodes(
    api: httpx.Client, served: Served
) -> None:
    key = key_of(api)
    journey = api.get(f"/v1/customers/{key}/journey").json()
    assert len([s for s in journey["steps"] if s["what"] == "PlayEvent event timestamp"]) == 45
    assert journey["steps"] == sorted(journey["steps"], key=lambda step: step["moment"])
    around = api.get(f"/v1/customers/{key}/neighbourhood", params={"hops": 1}).json()
    assert len([n for n in around["nodes"] if n["label"] == "PlayEvent"]) == 45
    ids = {node["id"] for node in around["nodes"]}
    assert {end for edge in around["edges"] for end in (edge["source"], edge["target"])} == ids
    small = api.get(f"/v1/customers/{key}/neighbourhood", params={"limit": 7}).json()
    assert (len(small["nodes"]), small["is_cut"]) == (7, True)
    with server(key=served.key("guarded"), C360_SERVE_MAX_DEGREE="20") as guarded:
        closed = guarded.get(f"/v1/customers/{key}/neighbourhood").json()
        assert {(c["label"], c["count"]) for c in closed["not_expanded"]} >= {("PlayEvent", 45)}
        (played,) = [
            one
            for one in guarded.get(f"/v1/customers/{key}").json()["activity"]
            if one["label"] == "PlayEvent"
        ]
        assert (played["count"], played["last"], played["last_is_known"]) == (45, None, False)


def test_pages_hold_each_node_once_though_the_graph_changes_meanwhile(
    api: httpx.Client, served: Served
) -> None:
    before = [row["id"] for row in served.graph.rows("MATCH (n:PlayEvent) RETURN n.event_id AS id")]
    seen: list[int] = []
    cursor: str | None = None
    try:
        while True:
            given = {"limit": "150"} | ({"cursor": cursor} if cursor else {})
            page = api.get("/v1/PlayEvent", params=given).json()
            seen += [node["properties"]["event_id"] for node in page["nodes"]]
            cursor = page["next"]
            if cursor is None:
                break
            # One comes before the pages that were read, and one that was read goes.
            served.graph.run("CREATE (:PlayEvent {event_id: $id})", tag={}, id=len(seen))
            served.graph.run(
                "MATCH (n:PlayEvent {event_id: $id}) SET n.event_id = -n.event_id",
                tag={},
                id=seen[0],
            )
    finally:
        served.graph.run(
            "MATCH (n:PlayEvent) WHERE n.event_id > 0 AND n.event_id < 1000 DELETE n", tag={}
        )
        served.graph.run(
            "MATCH (n:PlayEvent) WHERE n.event_id < 0 SET n.event_id = -n.event_id", tag={}
        )
    assert sorted(seen) == sorted(before)
    of_plan = api.get("/v1/Subscription", params={"plan_id": "3", "status": "active"}).json()
    assert {n["properties"]["plan_id"] for n in of_plan["nodes"]} == {3}
    cheap = api.get("/v1/Plan", params={"monthly_fee.lt": "10"}).json()["nodes"]
    assert {n["properties"]["plan_name"] for n in cheap} == {"Basic", "Student's Choice"}


def test_an_answer_is_the_same_in_each_format(api: httpx.Client, served: Served) -> None:
    question = {q.name: q for q in read_question_set(None).questions}["revenue_by_plan"]
    rows = ask(served.graph, question, {}, timeout_seconds=60).rows
    path = "/v1/answers/revenue_by_plan"
    answer = api.get(path).json()
    assert [tuple(row.values()) for row in answer["rows"]] == list(rows)
    table = pa.ipc.open_stream(
        api.get(path, headers={"Accept": "application/vnd.apache.arrow.stream"}).content
    ).read_all()
    assert [tuple(row.values()) for row in table.to_pylist()] == list(rows)
    text = api.get(path, headers={"Accept": "text/csv"}).text
    assert len(list(csv.reader(io.StringIO(text)))) == len(rows) + 1
    assert api.get(path, headers={"Accept": "text/html"}).status_code == 406
    wrong = api.get("/v1/answers/churn_risk", params={"few_streams": "many"})
    assert (wrong.status_code, "many" in wrong.json()["detail"]) == (422, False)


def test_a_client_that_has_it_already_costs_no_query(
    api: httpx.Client, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/v1/customers/{key_of(api)}"
    first = api.get(path)
    asked: list[object] = []
    read = AsyncGraph.rows

    async def counted(
        self: AsyncGraph, statement: str | bytes, *args: object, **kw: object
    ) -> object:
        asked.append(statement)
        return await read(self, statement, *args, **kw)  # type: ignore[arg-type]

    monkeypatch.setattr(AsyncGraph, "rows", counted)
    again = api.get(path, headers={"If-None-Match": first.headers["ETag"]})
    since = api.get(path, headers={"If-Modified-Since": first.headers["Last-Modified"]})
    assert (again.status_code, again.content, since.status_code) == (304, b"", 304)
    assert not [text for text in asked if "Account" in str(text)]
    api.get(path)
    assert len([text for text in asked if "Account" in str(text)]) == 1
    # A follower's position is part of what a client has.
    served.graph.run(
        "MATCH (m:_C360Load) SET m.follow = $follow",
        tag={},
        follow='{"mapping": "m", "slots": {"s": {"slot": "s", "database_oid": 1, "lsn": "0/1"}}}',
    )
    changed = {"If-None-Match": first.headers["ETag"]}
    until(lambda: api.get(path, headers=changed).status_code == 200)
    assert api.get("/v1/freshness").json()["sources"] == [{"source": "s", "lsn": "0/1"}]
    served.graph.run("MATCH (m:_C360Load) REMOVE m.follow", tag={})


def test_scopes_bound_what_a_client_is_served(api: httpx.Client, served: Served) -> None:
    key = key_of(api)
    scopes = {"labels": ["Account", "Plan"], "answers": ["revenue_by_plan"], "unmasked": False}
    with server(key=served.key("narrow", **scopes)) as narrow:
        assert narrow.get("/v1/Ticket").status_code == 403
        assert narrow.get("/v1/Ticket/TCK-1001").status_code == 403
        assert narrow.get(f"/v1/customers/{key}").json()["activity"] == []
        around = narrow.get(f"/v1/customers/{key}/neighbourhood").json()
        assert {node["label"] for node in around["nodes"]} == {"Account"}
        assert [one["label"] for one in narrow.get("/v1/schema").json()["labels"]] == [
            "Account",
            "Plan",
        ]
        # It names labels that the client may not see.
        assert narrow.get("/v1/answers/revenue_by_plan").status_code == 403
        assert narrow.get("/v1/answers").json() == {"answers": []}
        assert narrow.get("/v1/Account", params={"email": JOHN}).status_code == 403
    with server(key=served.key("masked", unmasked=False)) as masked:
        assert masked.get("/v1/answers/revenue_by_plan").status_code == 200
        assert masked.get("/v1/answers/lifetime_value").status_code == 403
        for path in (
            f"/v1/customers?email={JOHN}",
            f"/v1/customers/{key}",
            f"/v1/customers/{key}/journey",
            f"/v1/customers/{key}/neighbourhood",
            "/v1/Account?limit=500",
            f"/v1/Account/{key}",
            "/v1/openapi.json",
        ):
            found = masked.get(path)
            assert found.status_code == 200
            assert not [value for value in PERSONAL if value in found.text], path


def test_keys_that_are_wrong_expired_or_revoked_are_refused_at_every_route(
    api: httpx.Client, served: Served
) -> None:
    expired = served.key("expired", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    revoked = served.key("revoked")
    until(lambda: api.get("/v1/schema", headers={"X-API-Key": revoked}).status_code == 200)
    served.clients.revoke("revoked")
    until(lambda: api.get("/v1/schema", headers={"X-API-Key": revoked}).status_code == 401)
    paths = [path.replace("{key}", "x").replace("{name}", "y") for path in openapi(api)["paths"]]
    assert len(paths) > 30
    for path in (*paths, "/v1/openapi.json"):
        for key in (expired, revoked, "c360_wrong", "ключ", "' OR 1=1 --"):
            refused = api.get(path, headers={b"Authorization": f"Bearer {key}".encode()})
            assert refused.status_code == 401, path
            assert refused.headers["Content-Type"] == "application/problem+json"
    slow = served.key("slow", rate_per_minute=2)
    until(lambda: api.get("/v1/schema", headers={"X-API-Key": slow}).status_code != 401)
    codes = [api.get("/v1/schema", headers={"X-API-Key": slow}).status_code for _ in range(3)]
    assert codes[-1] == 429


def test_each_access_is_written_down_without_values_of_customers(
    api: httpx.Client, served: Served
) -> None:
    key = key_of(api)
    with served.project.connect() as connection:
        connection.execute("DELETE FROM api_access_log")
    api.get("/v1/customers", params={"email": JOHN})
    api.get(f"/v1/customers/{key}/journey")
    api.get("/v1/customers/nobody")

    def logged() -> list[tuple[object, ...]]:
        with served.project.connect() as connection:
            return connection.execute(
                "SELECT client_name, route, status, customer_hash, rows_served > 0, duration_ms > 0"
                " FROM api_access_log ORDER BY access_id"
            ).fetchall()[-3:]

    until(lambda: [row[2] for row in logged()] == [200, 200, 404])
    hashes = CustomerHash(None)
    assert logged() == [
        ("all", "/v1/customers", 200, hashes.of("Account", key), True, True),
        ("all", "/v1/customers/{key}/journey", 200, hashes.of("Account", key), True, True),
        ("all", "/v1/customers/{key}", 404, hashes.of("Account", "nobody"), False, True),
    ]


def test_whatever_is_sent_is_answered_as_the_document_says(
    api: httpx.Client, served: Served
) -> None:
    headers = {"X-API-Key": api.headers["X-API-Key"]}
    document = schemathesis.openapi.from_url(
        str(api.base_url.join("/v1/openapi.json")), headers=headers
    )
    operations = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 30
    for operation in operations:

        @settings(max_examples=6, database=None)
        @given(case=operation.as_strategy())
        def answered(case: schemathesis.Case[Any]) -> None:
            response = case.call(headers=headers)
            assert response.status_code < 500
            case.validate_response(response, checks=CHECKS)

        answered()


@pytest.mark.parametrize(
    "value",
    [
        "' OR 1=1 //",
        "\x00",
        "*",
        "../..",
        "%00",
        "x" * 5_000,
        "`) DETACH DELETE n //",
        '{"a":1}',
        "\ud800",
    ],
)
def test_hostile_identifiers_find_nobody_and_end_nothing(api: httpx.Client, value: str) -> None:
    sent = quote(value.encode("utf-8", "surrogatepass"), safe="")
    for path in (
        f"/v1/customers?q={sent}",
        f"/v1/customers/{sent}",
        f"/v1/PlayEvent?event_id={sent}",
    ):
        found = api.get(path)
        assert found.status_code in (200, 404, 422), path
        assert found.status_code != 200 or found.json() == {"customers": [], "more": False}


def test_what_was_tampered_with_or_is_too_large_is_refused(api: httpx.Client) -> None:
    cursor = api.get("/v1/PlayEvent?limit=1").json()["next"]
    for wrong in (
        cursor[:-3],
        cursor[::-1],
        "x",
        "=" * 9,
        "W10",
        "bnVsbA",
        "eyJhIjoxfQ",
        "W" * 5_000,
    ):
        assert api.get("/v1/PlayEvent", params={"cursor": wrong}).status_code == 400
    assert api.get("/v1/Ticket", params={"cursor": cursor}).status_code == 400
    assert api.get("/v1/PlayEvent", params={"cursor": cursor, "action": "play"}).status_code == 400
    for method in ("POST", "GET"):
        assert api.request(method, "/v1/schema", content=b"x" * 10_000_000).status_code == 413
        assert api.request(method, "/v1/schema", content=iter([b"x"] * 9)).status_code == 413
    assert api.delete("/v1/schema").status_code == 405
    assert api.get("/v1/schema").status_code == 200


@pytest.mark.browser
def test_a_support_agent_finds_a_customer_and_goes_from_node_to_node_without_a_mouse(
    api: httpx.Client, served: Served
) -> None:
    with browser_page() as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(str(api.base_url))
        # As the server asks for it; without a key nothing is shown.
        page.get_by_label("Your key").fill("c360_wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("not valid")
        assert faults(page) == []
        page.get_by_label("Your key").fill(api.headers["X-API-Key"])
        page.keyboard.press("Enter")
        page.get_by_label("Find a customer").fill(JOHN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("John Smith")
        assert JOHN not in page.url
        expect(page.locator(".drawing circle")).to_have_count(53)
        expect(page.locator(".timeline li")).to_have_count(56)
        assert faults(page) == []
        picture(page, "serve-customer")
        page.get_by_role("link", name="Hide PlayEvent").press("Enter")
        expect(page.locator(".drawing circle")).to_have_count(8)
        page.get_by_role("link", name="Ticket Can't play").first.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Can't play")
        assert faults(page) == []
        with broken(served):
            until(lambda: api.get("/readyz").status_code == 503)
            page.reload()
            expect(page.get_by_role("alert")).to_contain_text("being rebuilt")
            assert faults(page) == []
        assert not [text for text in said if "Content Security Policy" in text]


@pytest.mark.browser
def test_a_fraud_analyst_goes_from_an_answer_to_the_ring_and_to_one_account(
    api: httpx.Client,
) -> None:
    with logged_in(api) as page:
        page.get_by_role("link", name="Users who share a card with a hacked account").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("share a card")
        assert faults(page) == []
        picture(page, "serve-answer")
        ring = page.get_by_role("cell").get_by_role("button")
        expect(ring).to_have_count(5)
        page.get_by_role("button", name="rita.ring@email.com").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Rita")
        page.get_by_role("link", name="Hide PlayEvent").press("Enter")
        page.get_by_role("link", name="PaymentMethod").last.press("Enter")
        expect(page.locator(".kind")).to_have_text("PaymentMethod")
        # The way back leads along the graph, too.
        page.locator(".drawing a[aria-label^='Account']").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Rita")


@pytest.mark.browser
def test_a_data_engineer_sees_what_the_graph_was_made_from_on_a_narrow_dark_screen_too(
    api: httpx.Client,
) -> None:
    with logged_in(api) as page:
        row = page.get_by_role("row", name="Account")
        expect(row).to_contain_text("profiles_db/accounts")
        expect(page.get_by_role("link", name="OpenAPI")).to_have_attribute(
            "href", "/v1/openapi.json"
        )
        expect(page.locator("footer")).to_contain_text("Graph whole, last change")
        assert faults(page) == []
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 360, "height": 800})
        for path in ("/", "/answers/revenue_by_plan", f"/customers/{key_of(api)}"):
            page.goto(str(api.base_url.join(path)))
            assert page.evaluate("document.documentElement.scrollWidth") == 360, path
            assert faults(page) == [], path
        picture(page, "serve-narrow")


@contextmanager
def logged_in(api: httpx.Client) -> Iterator[Page]:
    """The first page, as somebody with the key sees it."""
    with browser_page() as page:
        page.goto(str(api.base_url))
        page.get_by_label("Your key").fill(api.headers["X-API-Key"])
        page.keyboard.press("Enter")
        expect(page.get_by_label("Find a customer")).to_be_visible()
        yield page


def faults(page: Page) -> list[str]:
    """What axe finds and calls serious or critical."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']} {[node['target'] for node in one['nodes']][:5]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def picture(page: Page, name: str) -> None:
    """A picture for the documents, where somebody asked for them."""
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


@contextmanager
def broken(served: Served) -> Iterator[None]:
    """As while a load by clear runs, at its worst moment: the mark is set, and the plans are gone."""
    served.graph.run("MATCH (m:_C360Load) SET m.state = 'broken'", tag={})
    served.graph.run("MATCH (p:Plan) REMOVE p:Plan SET p:Gone", tag={})
    try:
        yield
    finally:
        served.graph.run("MATCH (p:Gone) REMOVE p:Gone SET p:Plan", tag={})
        served.graph.run("MATCH (m:_C360Load) SET m.state = 'whole'", tag={})


def test_a_graph_that_is_being_rebuilt_is_never_shown(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(key=served.key("during")) as api:
        kept = api.get("/v1/Plan")
        # Before the server has looked, too: each statement looks for itself.
        with monkeypatch.context() as patch, broken(served):
            patch.setattr(GraphWatch, "run", lambda _: None)
            for path in PATHS[:2]:
                refused = api.get(path)
                assert refused.status_code == 503, path
                assert "being rebuilt" in refused.json()["detail"]
                assert int(refused.headers["Retry-After"]) > 0
            until(lambda: api.get("/readyz").status_code == 503)
            for path in PATHS:
                assert api.get(path).status_code == 503, path
            # Not even that nothing changed.
            tag = {"If-None-Match": kept.headers["ETag"]}
            assert api.get("/v1/Plan", headers=tag).status_code == 503
            assert api.get("/healthz").status_code == 200
            assert api.get("/v1/freshness").json()["state"] == "rebuilding"
        until(lambda: api.get("/readyz").status_code == 200)
        assert api.get("/v1/Plan").json() == kept.json()


def test_last_good_answers_are_marked_as_stale_if_the_setting_says_so(served: Served) -> None:
    key, other = served.key("stale"), served.key("stale-too", unmasked=False)
    with server(key=key, C360_SERVE_WHILE_LOADING="stale") as api:
        kept = api.get("/v1/Plan")
        assert "C360-Stale" not in kept.headers
        with broken(served):
            until(lambda: api.get("/readyz").status_code == 503)
            stale = api.get("/v1/Plan")
            assert (stale.status_code, stale.headers["C360-Stale"]) == (200, "true")
            assert stale.json() == kept.json()
            # What was not asked before, or by others.
            assert api.get("/v1/Media").status_code == 503
            assert api.get("/v1/Plan", headers={"X-API-Key": other}).status_code == 503
        until(lambda: "C360-Stale" not in api.get("/v1/Plan").headers)


def test_requests_go_on_once_neo4j_is_back(served: Served) -> None:
    address = urlsplit(served.project.servers.neo4j_uri)
    with (
        faulty_proxy(address.hostname or "", address.port or 7687) as proxy,
        server(key=served.key("cut"), NEO4J_URI=proxy.uri) as api,
    ):
        assert api.get("/v1/Plan").status_code == 200
        # A connection that was lost is replaced at once.
        proxy.cut()
        assert api.get("/v1/Plan").status_code == 200
        with proxy.refusing():
            until(lambda: api.get("/v1/Plan").status_code == 503)
            refused = api.get("/v1/customers?q=x")
            assert int(refused.headers["Retry-After"]) > 0
            assert "cannot be reached" in refused.json()["detail"]
        until(lambda: api.get("/v1/Plan").status_code == 200, seconds=10)
        until(lambda: api.get("/v1/answers/revenue_by_plan").status_code == 200, seconds=10)
        # Connections that nothing ends and nothing answers hold up no request that comes later.
        proxy.fall_silent()
        until(lambda: api.get("/readyz").status_code == 503)
        proxy.speak_again()
        until(lambda: api.get("/v1/Plan").status_code == 200, seconds=10)
        until(lambda: api.get("/v1/answers/shared_cards").status_code == 200, seconds=10)


def test_a_rule_that_excludes_a_column_holds_within_seconds(served: Served) -> None:
    with server(key=served.key("ruled")) as api:
        assert "max_devices" in api.get("/v1/Plan").text
        served.project.execute(
            "INSERT INTO field_exclusion_rules (source_id, table_name, column_name)"
            " SELECT source_id, 'Plans', 'MAX_DEVICES' FROM source_databases"
            " WHERE source_name = 'profiles_db'"
        )
        until(lambda: "max_devices" not in api.get("/v1/Plan").text)
        until(lambda: "max_devices" not in api.get("/v1/openapi.json").text)


def test_the_role_of_the_document_is_enough(served: Served) -> None:
    text = read_document("docs/serving.md")
    (statements,) = [
        block.text for block in blocks(text[text.index("## Roles") :]) if block.language == "sql"
    ]
    name = f"{served.project.prefix}server"
    served.project.execute(statements.replace("c360_server", name))
    key = served.key("by-role")
    try:
        with server(key=key, ETL_DB_USER=name, ETL_DB_PASSWORD="change-me") as api:
            assert api.get("/v1/Plan").status_code == 200
        # The end of a server waits for what it still has to write.
        with served.project.connect() as connection:
            logged = connection.execute(
                "SELECT route FROM api_access_log WHERE client_name = 'by-role'"
            ).fetchall()
        assert logged == [("/v1/Plan",)]
    finally:
        served.project.execute(f"DROP OWNED BY {name}")
        served.project.execute(f"DROP ROLE {name}")


def key_of(api: httpx.Client) -> str:
    """John's key."""
    (view,) = api.get("/v1/customers", params={"email": JOHN}).json()["customers"]
    return str(view["key"])


def openapi(api: httpx.Client) -> dict[str, dict[str, object]]:
    """The server's own document."""
    document: dict[str, dict[str, object]] = api.get("/v1/openapi.json").json()
    return document


def test_a_client_is_told_when_a_follower_has_moved_the_graph(served: Served) -> None:
    key = served.key("live")
    mark = '{"mapping": "m", "slots": {"shop": {"slot": "s", "database_oid": 1, "lsn": "0/%s"}}}'
    follow = "MATCH (m:_C360Load) SET m.follow = $follow, m.follower = 'f'"

    def told(lines: Iterator[str]) -> dict[str, Any]:
        data = next(line for line in lines if line.startswith("data: "))
        event: dict[str, Any] = json.loads(data.removeprefix("data: "))
        return event

    try:
        with server(key=key) as client:
            with client.stream("GET", "/v1/changes") as response:
                lines = response.iter_lines()
                first = told(lines)
                served.graph.run(follow, tag={}, follow=mark % 1)
                second = told(lines)
                served.graph.run(follow, tag={}, follow=mark % 2)
                third = told(lines)
            assert client.get("/v1/changes", headers={"X-API-Key": "wrong"}).status_code == 401
    finally:
        served.graph.run("MATCH (m:_C360Load) REMOVE m.follow, m.follower", tag={})
    assert (first["is_followed"], second["is_followed"]) == (False, True)
    assert len({first["version"], second["version"], third["version"]}) == 3
    assert third["sources"] == [{"source": "shop", "lsn": "0/2"}]
