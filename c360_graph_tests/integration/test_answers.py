"""The questions as assets behind the graph, the report of them all, and one customer's journey."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import neo4j
import pytest
from typer.testing import CliRunner, Result

from c360_graph.cli import app
from c360_graph.customer.lookup import hashed
from c360_graph.definitions import defs
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project, TestServers, sample_project
from c360_graph_tests.integration.runs import failure_messages, load_graph, materialize_all

RUNNER = CliRunner()
AS_OF = {"ops": {"answers": {"config": {"parameters": {"as_of": "2025-11-03"}}}}}
ROWS = {
    "shared_cards": 3,
    "lifetime_value": 40,
    "churn_risk": 33,
    "top_genres": 93,
    "revenue_by_plan": 5,
    "popular_content": 10,
    "devices": 20,
    "customer_journey": 57,
    "active_streamers": 10,
    "activity_by_hour": 24,
    "fraud_ring": 1,
}
RING = ("harry.hacked", "ray.ring", "rex.ring", "rita.ring", "rob.ring")
REPORT = dg.AssetKey("customer_360_report")


@pytest.fixture(scope="module")
def loaded(
    servers: TestServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, Graph, dg.ExecuteInProcessResult]]:
    with (
        sample_project(servers, tmp_path_factory.mktemp("answers")) as project,
        servers.open_graph() as graph,
    ):
        yield project, graph, materialize_all(run_config=AS_OF)


Loaded = tuple[Project, Graph, dg.ExecuteInProcessResult]


def test_every_question_is_answered_in_the_run_that_loads_the_graph(loaded: Loaded) -> None:
    _, _, result = loaded
    assert result.success
    facts = {key.path[-1]: _facts(result, key) for key in _answer_keys(result)}
    assert {name: fact["dagster/row_count"].value for name, fact in facts.items()} == ROWS
    table = str(facts["revenue_by_plan"]["answer"].value)
    assert "| `1` | `Basic` | `7.99` | `11` | `11` | `87.89` | `41` | `3.73` |" in table
    assert all(c.passed for c in result.get_asset_check_evaluations() if c.check_name == "has_rows")


def test_the_report_leads_with_the_fraud_ring(loaded: Loaded) -> None:
    project, _, result = loaded
    facts = _facts(result, REPORT)
    assert facts["headline"].value == (
        "5 users share a payment method with a hacked account and an IP address with others"
    )
    assert (facts["answered"].value, facts["not_answered"].value) == (11, 0)
    path = Path(str(facts["path"].value))
    assert path.parent == (project.data_dir / "reports").resolve()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (path.parent / "latest.html").resolve() == path
    drawn = _drawn(path)
    ring = [n for n in drawn["pictures"][0]["nodes"] if n["kind"] == "User in the ring"]
    assert sorted(node["caption"] for node in ring) == [f"{name}@email.com" for name in RING]
    charts = {c["name"]: dict(zip(c["labels"], c["values"], strict=True)) for c in drawn["charts"]}
    assert charts["churn_risk"] == {"High": 4, "Medium": 6, "Low": 23}
    assert charts["revenue_by_plan"]["Premium"] == 132.93
    assert sum(charts["activity_by_hour"].values()) == 400


def test_a_new_file_is_a_new_asset_and_a_question_the_graph_cannot_answer_is_skipped(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, graph, _ = loaded
    for name, statement in {
        "ships": "MATCH (s:Spaceship)-[:FLEW {far: 1}]->() RETURN s.name_of_ship",
        "nobody": "MATCH (a:Account {email: 'nobody'}) RETURN a.email",
        "writer": "CREATE (w:Written) RETURN 1",
        "slow": "UNWIND range(1, 1000000) AS a UNWIND range(1, 1000000) AS b RETURN count(*)",
    }.items():
        (tmp_path / f"{name}.cypher").write_text(statement)
    monkeypatch.setenv("C360_QUERIES_DIR", str(tmp_path))
    monkeypatch.setenv("C360_QUERY_TIMEOUT_SECONDS", "5")
    sound = _materialize("ships", "nobody")
    assert sound.success
    assert [key.path[-1] for key in _answer_keys(sound)] == ["nobody"]
    (check,) = sound.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    refused = _materialize("writer", "slow", "popular_content")
    assert [key.path[-1] for key in _answer_keys(refused)] == ["popular_content"]
    said = failure_messages(refused)["answers"]
    assert "writer was refused" in said
    assert "Writing in read access mode not allowed" in said
    assert "slow was refused" in said
    assert graph.rows("MATCH (w:Written) RETURN w") == []


def test_the_report_says_what_it_could_not_answer(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ships.cypher").write_text("MATCH (s:Spaceship) RETURN s.email")
    monkeypatch.setenv("C360_QUERIES_DIR", str(tmp_path))
    result = _materialize_keys(REPORT)
    facts = _facts(result, REPORT)
    assert (facts["answered"].value, facts["not_answered"].value) == (11, 1)
    html = Path(str(facts["path"].value)).read_text(encoding="utf-8")
    assert "Skipped, because data that it needs is not in the graph" in html
    assert "The label `Spaceship` does not exist" in html


def test_a_graph_that_no_load_has_finished_is_not_asked(loaded: Loaded) -> None:
    _, graph, _ = loaded
    graph.run(b"MATCH (m:_C360Load) SET m.state = 'broken'", tag={})
    try:
        assert failure_messages(_materialize_keys(REPORT))["answers"] == (
            f"The last load of {graph.server} is under way or did not end, so a part of the graph may"
            " be missing and no question is answered. Materialize neo4j_graph again, or wait for"
            " the load that is under way."
        )
    finally:
        graph.run(b"MATCH (m:_C360Load) SET m.state = 'whole'", tag={})


def test_a_graph_that_others_made_is_asked(loaded: Loaded) -> None:
    _, graph, _ = loaded
    graph.run(b"MATCH (m:_C360Load) SET m:Kept REMOVE m:_C360Load", tag={})
    try:
        assert _materialize("revenue_by_plan").success
    finally:
        graph.run(b"MATCH (m:Kept) SET m:_C360Load REMOVE m:Kept", tag={})


def test_a_graph_of_other_exclusion_rules_is_not_asked(loaded: Loaded) -> None:
    project, _, _ = loaded
    with project.connect() as connection:
        connection.execute(
            "INSERT INTO field_exclusion_rules (rule_id, source_id, table_name, column_name)"
            " SELECT 99, source_id, 'plans', 'max_devices' FROM source_databases"
            " WHERE source_name = 'profiles_db'"
        )
    try:
        said = failure_messages(_materialize_keys(REPORT))["answers"]
        assert said == (
            "The graph was loaded under other exclusion rules. Materialize neo4j_graph first."
        )
        # Both ways of loading write down the rules.
        reconciling = {"ops": {"neo4j_graph": {"config": {"clear_database": False}}}}
        assert load_graph(run_config=reconciling).success
        assert _materialize_keys(REPORT).success
    finally:
        with project.connect() as connection:
            connection.execute("DELETE FROM field_exclusion_rules WHERE rule_id = 99")
        assert load_graph().success


def test_the_command_answers_what_it_can_and_says_what_is_refused(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {
        "00_writer": "CREATE (w:Written) RETURN 1",
        "01_typed": "// parameter: email = 3\nRETURN $email",
        "02_broken": "// chart: pie of a by b\nRETURN 1",
        "ships": "MATCH (s:Spaceship) RETURN s.email",
    }.items():
        (tmp_path / f"{name}.cypher").write_text(text)
    monkeypatch.setenv("C360_QUERIES_DIR", str(tmp_path))
    asked = ["ask", "--as-of", "2025-11-03", "--email", "john.smith@email.com"]
    told = RUNNER.invoke(app, [*asked, "--json"])
    answers = {answer["name"]: answer for answer in json.loads(told.stdout)}
    assert len(answers) == 14
    assert answers["revenue_by_plan"]["row_count"] == 5
    assert answers["revenue_by_plan"]["refused"] is None
    assert "Writing in read access mode not allowed" in answers["writer"]["refused"]
    assert "'john.smith@email.com' is not a number" in answers["typed"]["refused"]
    assert (answers["writer"]["row_count"], answers["writer"]["rows"]) == (0, [])
    assert answers["ships"]["refused"] is None
    assert "Spaceship" in answers["ships"]["skipped"][0]
    printed = RUNNER.invoke(app, asked, env={"COLUMNS": "240"})
    assert answers["revenue_by_plan"]["title"] in printed.stdout
    for done in (told, printed):
        assert done.exit_code == 1
        assert "writer is refused: " in done.stderr
        assert "typed is refused: 'john.smith@email.com' is not a number" in done.stderr
        assert f"{tmp_path / '02_broken.cypher'}: `// chart: pie of a by b`" in done.stderr


def test_a_customer_is_found_by_email_or_id_and_told_in_order_of_time(
    loaded: Loaded, tmp_path: Path
) -> None:
    page = tmp_path / "john.html"
    done = _customer("john.smith@email.com", "--json", "--html", str(page))
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    account = told["customer"]["properties"]
    assert account["full_name"] == "John Smith"
    assert {group["label"]: group["total"] for group in told["groups"]} == {
        "PaymentMethod": 1,
        "Subscription": 2,
        "Ticket": 4,
        "PlayEvent": 45,
    }
    # As the question of the journey tells it, which has no moment for the one payment method.
    assert len(told["journey"]) == ROWS["customer_journey"] - 1
    moments = [step["moment"] for step in told["journey"]]
    assert moments == sorted(moments)
    devices = {
        r["value"]: r["times"] for r in told["repeats"] if r["property"] == "device_fingerprint"
    }
    assert sum(devices.values()) == 45
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert {"John Smith", "Premium", "Technical"} <= {
        node["caption"] for node in _drawn(page)["pictures"][0]["nodes"]
    }
    # A page is written anew; a file that is no page of ours is left as it is.
    assert _customer("john.smith@email.com", "--html", str(page)).exit_code == 0
    page.write_text("mine")
    refused = _customer("john.smith@email.com", "--html", str(page))
    assert (refused.exit_code, page.read_text()) == (1, "mine")
    assert f"{page} exists and was not written by c360" in refused.stderr
    by_id = _customer(account["account_id"], "--json")
    assert json.loads(by_id.stdout)["customer"] == told["customer"]


def test_a_value_that_identifies_no_one_is_one_sentence(loaded: Loaded) -> None:
    nobody = _customer("nobody@nowhere")
    assert nobody.exit_code == 1
    assert nobody.stderr.startswith("Error: No node has a property with this value.")
    assert "C360_HASH_KEY" in nobody.stderr
    common = _customer("active")
    assert common.exit_code == 1
    assert "several nodes have it in Subscription.status." in common.stderr
    label = _customer("active", "--label", "Ship")
    assert label.exit_code == 1
    assert "no label Ship" in label.stderr


def test_several_nodes_are_listed_and_a_label_says_which(loaded: Loaded) -> None:
    _, graph, _ = loaded
    graph.run(b"MATCH (m:Media {media_id: 'M-001'}) SET m.media_id = 'TCK-1001'", tag={})
    try:
        several = _customer("TCK-1001")
        assert several.exit_code == 1
        assert "Media" in several.stdout
        assert "Ticket" in several.stdout
        one = _customer("TCK-1001", "--label", "Media", "--json")
        assert json.loads(one.stdout)["customer"]["label"] == "Media"
    finally:
        graph.run(b"MATCH (m:Media {media_id: 'TCK-1001'}) SET m.media_id = 'M-001'", tag={})


def test_a_value_that_one_node_has_is_found_though_others_share_another_value(
    loaded: Loaded,
) -> None:
    _, graph, _ = loaded
    graph.run(
        b"UNWIND ['t1', 't2'] AS id CREATE (:Account {account_id: id, email: 'test@test'})", tag={}
    )
    try:
        found = _customer("john.smith@email.com", "--json")
        assert found.exit_code == 0, found.stderr
        assert json.loads(found.stdout)["customer"]["properties"]["full_name"] == "John Smith"
        shared = _customer("test@test")
        assert "several nodes have it in Account.email." in shared.stderr
    finally:
        graph.run(b"MATCH (a:Account {email: 'test@test'}) DELETE a", tag={})


def test_an_integer_is_found_by_its_digits_and_no_other_text_is_taken_for_one(
    loaded: Loaded,
) -> None:
    found = _customer("1", "--label", "Tag", "--json")
    assert found.exit_code == 0, found.stderr
    assert json.loads(found.stdout)["customer"]["properties"]["tag_id"] == 1
    for text in ("01", "\u0661", "1.0", "9223372036854775808"):
        assert "No node has a property with this value" in _customer(text, "--label", "Tag").stderr


@pytest.mark.parametrize("value", ["active", "john.smith@email.com"])
def test_no_statement_is_sent_twice_for_one_customer(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    sent: list[str] = []
    run = neo4j.Session.run
    run_in_transaction = neo4j.ManagedTransaction.run

    def recording(of: Any, query: Any, *given: Any, **parameters: Any) -> Any:
        sent.append(getattr(query, "text", query))
        ran = run if isinstance(of, neo4j.Session) else run_in_transaction
        return ran(of, query, *given, **parameters)

    monkeypatch.setattr(neo4j.Session, "run", recording)
    monkeypatch.setattr(neo4j.ManagedTransaction, "run", recording)
    _customer(value)
    # Before and after: a load in between would mix two states of the graph.
    assert len([text for text in sent if "_C360Load" in text]) == 2
    # On a slow machine the server is asked several times whether it still answers.
    others = [text for text in sent if "_C360Load" not in text and text != "RETURN 1"]
    assert sorted(others) == sorted(set(others))


def test_a_hashed_property_is_found_by_its_plain_value(loaded: Loaded) -> None:
    _, graph, _ = loaded
    graph.run(
        b"MATCH (t:Tag {tag_id: 1}) SET t.tag_name = $hash", tag={}, hash=hashed("Technical", "key")
    )
    try:
        found = RUNNER.invoke(
            app, ["customer", "Technical", "--label", "Tag", "--json"], env={"C360_HASH_KEY": "key"}
        )
        assert json.loads(found.stdout)["customer"]["properties"]["tag_id"] == 1
    finally:
        graph.run(b"MATCH (t:Tag {tag_id: 1}) SET t.tag_name = 'Technical'", tag={})


def _customer(*arguments: str) -> Result:
    return RUNNER.invoke(app, ["customer", *arguments])


def _materialize(*names: str) -> dg.ExecuteInProcessResult:
    return _materialize_keys(*(dg.AssetKey(["answers", name]) for name in names))


def _materialize_keys(*keys: dg.AssetKey) -> dg.ExecuteInProcessResult:
    job = defs().resolve_implicit_global_asset_job_def()
    return job.execute_in_process(raise_on_error=False, asset_selection=list(keys))


def _answer_keys(result: dg.ExecuteInProcessResult) -> list[dg.AssetKey]:
    keys = [event.asset_key for event in result.get_asset_materialization_events()]
    return [key for key in keys if key is not None and key.path[0] == "answers"]


def _facts(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, dg.MetadataValue]:
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == key]
    return dict(event.materialization.metadata)


def _drawn(path: Path) -> dict[str, list[dict[str, Any]]]:
    html = path.read_text(encoding="utf-8")
    begin = html.index('id="drawn">') + len('id="drawn">')
    drawn: dict[str, list[dict[str, Any]]] = json.loads(
        html[begin : html.index("</script>", begin)]
    )
    return drawn
