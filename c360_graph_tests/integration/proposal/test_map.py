"""`c360 map` on real servers: what it proposes, that it is valid, and that it gives nothing away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from c360_graph.cli import app
from c360_graph.errors import SourceUnavailableError
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph.mapping.model import GraphMapping
from c360_graph.pipeline.propose import propose_rows
from c360_graph.pipeline.read_mapping import read_mapping_state
from c360_graph.proposal.relationships import Fact, fact, proposed_edges
from c360_graph.sandbox.sample import SOURCES, fill_database
from c360_graph.settings import Settings
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph_tests.conftest import SQL_DIR, Project, TestServers, sample_project
from c360_graph_tests.integration.runs import load_graph
from c360_graph_tests.integration.test_pipeline import NODES

AWKWARD = Path(__file__).with_name("awkward.sql")
FORGET = (
    "TRUNCATE field_exclusion_rules, node_label_mappings, relationship_mappings RESTART IDENTITY"
)
RULES = "SELECT table_name, column_name, treatment FROM field_exclusion_rules WHERE is_excluded"

END_OF_SESSION = "SELECT pg_terminate_backend(pg_backend_pid())"
NOT_COMPARED = (
    "support_db/tickets.customer_email = profiles_db/accounts.email: the values could not be compared"
    " (refused, too slow or out of reach): is not proposed."
)


@pytest.fixture(scope="module")
def sample(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The sample databases, and one of the awkward schema that is no source yet."""
    with sample_project(servers, tmp_path_factory.mktemp("map")) as made:
        fill_database(servers.postgres, name=f"{made.prefix}awkward", files=(AWKWARD,))
        yield made


@pytest.fixture
def unmapped(sample: Project) -> Project:
    """The sample databases, as sources that no other control row is about."""
    with sample.connect() as connection:
        connection.execute(FORGET)
        connection.execute("DELETE FROM source_databases WHERE source_name = 'awkward'")
        connection.execute(
            "UPDATE source_databases SET db_name = %s || source_name", (sample.prefix,)
        )
    return sample


@pytest.fixture
def awkward(unmapped: Project) -> Project:
    """One source more, of the awkward schema."""
    with unmapped.connect() as connection:
        connection.execute(
            "INSERT INTO source_databases (source_name, db_name) VALUES ('awkward', %s)",
            (f"{unmapped.prefix}awkward",),
        )
    return unmapped


def test_the_sample_mapped_from_nothing_says_all_that_its_hand_made_rows_say(
    unmapped: Project, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unmapped.connect() as connection:
        connection.execute((SQL_DIR / "etl_control_db_sample_data.sql").read_text().encode())
        by_hand = mapping(unmapped)
        rules = set(connection.execute(RULES.encode()).fetchall())
        connection.execute(FORGET)
    for source in SOURCES:
        done = c360("map", source, "--apply", "--yes")
        assert done.exit_code == 0, done.stderr
    assert c360("check").exit_code == 0
    by_map = mapping(unmapped)
    assert {t.asset_key for t in by_map.tables} == {t.asset_key for t in by_hand.tables}
    assert facts(by_map) == facts(by_hand)
    with unmapped.connect() as connection:
        proposed_rules = set(connection.execute(RULES.encode()).fetchall())
    assert proposed_rules - rules == {
        ("accounts", "email", "hash"),
        ("accounts", "full_name", "exclude"),
        ("play_events", "ip_address", "hash"),
        ("tickets", "customer_email", "hash"),
    }
    assert rules <= proposed_rules
    monkeypatch.setenv("C360_HASH_KEY", "a key for tests")
    assert load_graph().success
    nodes, relationships = graph_counts(graph)
    # The junction's rows are relationships and no nodes; two labels are named by other words.
    renamed = {"MediaContent": "Media", "TicketTag": "Tag"}
    assert {renamed.get(label, label): n for label, n in nodes.items()} == {
        label: count for label, count in NODES.items() if label != "TicketTagLink"
    }
    assert relationships["HAS_PAYMENT_METHOD"] == 42
    assert relationships["HAS_TICKET_TAG"] == NODES["TicketTagLink"]


def test_a_second_time_nothing_is_proposed_and_the_first_sql_adds_nothing(
    unmapped: Project,
) -> None:
    first = [c360("map", source, "--apply", "--yes").stdout for source in SOURCES]
    # What was mapped first could not be joined with what was mapped after it.
    rows = control_rows(unmapped)
    assert len(rows) == 8 + 7 + 5
    for source, text in zip(SOURCES, first, strict=True):
        again = c360("map", source, "--apply", "--yes")
        assert again.stdout == f"-- Nothing is left to propose for source {source}.\n"
        assert "There is nothing to add." in again.stderr
        with unmapped.connect() as connection:
            connection.execute(text.encode())
    assert control_rows(unmapped) == rows


def test_the_printed_sql_adds_what_apply_adds_and_nothing_is_added_unasked(
    unmapped: Project,
) -> None:
    printed = c360("map", "profiles_db")
    refused = c360("map", "profiles_db", "--apply", answer="n\n")
    assert refused.exit_code == 1
    assert "Add 10 rows to " in refused.stderr
    assert "Nothing was added." in refused.stderr
    assert control_rows(unmapped) == []
    with unmapped.connect() as connection:
        connection.execute(printed.stdout.encode())
    by_hand = control_rows(unmapped)
    with unmapped.connect() as connection:
        connection.execute(FORGET)
    assert c360("map", "profiles_db", "--apply", answer="y\n").exit_code == 0
    assert control_rows(unmapped) == by_hand


def test_an_exported_model_that_is_imported_is_exported_again_as_it_was(
    unmapped: Project, tmp_path: Path
) -> None:
    with unmapped.connect() as connection:
        connection.execute((SQL_DIR / "etl_control_db_sample_data.sql").read_text().encode())
        connection.execute(
            "UPDATE node_label_mappings SET extra_labels = '{Human}', key_columns = '{email}'"
            " WHERE table_name = 'accounts'"
        )
        connection.execute(
            "INSERT INTO property_mappings (table_name, column_name, property_name, cast_type)"
            " VALUES ('media_content', 'duration_minutes', 'minutes', 'float')"
        )
    file = tmp_path / "model.json"
    assert c360("export-model", str(file)).exit_code == 0
    assert c360("export-model", str(file)).exit_code == 1
    with unmapped.connect() as connection:
        connection.execute(FORGET)
        connection.execute("DELETE FROM property_mappings")
    done = c360("import-model", str(file), "--apply", "--yes")
    assert done.exit_code == 0, done.stderr
    again = c360("export-model", "-")
    with unmapped.connect() as connection:
        connection.execute("DELETE FROM property_mappings")
    assert again.stdout == file.read_text(encoding="utf-8")
    assert "hashed_password" not in again.stdout + again.stderr
    assert '"target_property": "minutes"' in again.stdout


def test_rows_that_someone_changed_or_switched_off_stay_as_they_are(unmapped: Project) -> None:
    assert c360("map", "profiles_db", "--apply", "--yes").exit_code == 0
    with unmapped.connect() as connection:
        connection.execute(
            "UPDATE node_label_mappings SET is_active = false WHERE table_name = 'plans'"
        )
        connection.execute("UPDATE field_exclusion_rules SET treatment = 'mask'")
        connection.execute(
            "UPDATE relationship_mappings SET is_active = false, relationship_type = 'PAYS_BY'"
            " WHERE to_label = 'PaymentMethod'"
        )
    before = control_rows(unmapped)
    again = c360("map", "profiles_db", "--apply", "--yes")
    assert again.exit_code == 0
    assert control_rows(unmapped) == before
    assert "profiles_db/plans is not proposed" in " ".join(again.stderr.split())


def test_no_sampled_value_is_printed(awkward: Project) -> None:
    with awkward.connect("profiles_db") as connection:
        values = connection.execute(
            "SELECT email, full_name, hashed_password FROM accounts"
        ).fetchall()
    secrets = {text for row in values for text in row if text} | {"private.person", "secret.person"}
    for source in (*SOURCES, "awkward"):
        for options in (("--json",), ("--apply", "--yes")):
            done = c360("map", source, *options)
            assert done.exit_code == 0, done.stderr
            assert not [text for text in secrets if text in done.stdout + done.stderr]


def test_personal_values_are_compared_by_digests_and_leave_no_database(
    unmapped: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    ask = SourceSnapshot.ask

    def recording(
        self: SourceSnapshot, statement: str, *parameters: list[str], seconds: int
    ) -> list[tuple[Any, ...]]:
        sent.extend(value for values in parameters for value in values)
        return ask(self, statement, *parameters, seconds=seconds)

    monkeypatch.setattr(SourceSnapshot, "ask", recording)
    propose_rows(unmapped.control, "support_db")
    # Each different address as it is written, by trim() and by lower(trim()): two differ in case alone.
    assert len(sent) == 19 + 19 + 18
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in sent)


def test_json_holds_the_same_rows(unmapped: Project) -> None:
    data = json.loads(c360("map", "support_db", "--json").stdout)
    assert data["source"] == "support_db"
    assert data["node_label_mappings"][0] == {
        "source_name": "support_db",
        "source_id": 3,
        "table_name": "ticket_tags",
        "node_label": "TicketTag",
        "why": "not yet analysed, key tag_id",
    }
    (relationship,) = data["relationship_mappings"]
    assert (
        relationship["join_condition"] == "t.ticket_id = ttl.ticket_id AND ttl.tag_id = tt.tag_id"
    )
    assert relationship["junction_table"] == "ticket_tag_link"
    assert [r["treatment"] for r in data["field_exclusion_rules"]] == ["hash"]
    assert data["remarks"] == [
        "support_db/tickets.customer_email = profiles_db/accounts.email, 84 % as written,"
        " 89 % by lower(trim()) of 18 sampled values: is proposed once profiles_db/accounts is mapped."
    ]


def test_a_source_that_is_not_there_is_one_sentence(unmapped: Project) -> None:
    done = c360("map", "profile_db")
    assert done.exit_code == 1
    assert "did you mean 'profiles_db'?" in done.stderr


def test_a_schema_that_is_not_there_is_named_in_place_of_a_proposal(unmapped: Project) -> None:
    with unmapped.connect() as connection:
        connection.execute(
            "UPDATE source_databases SET db_schema = 'sales' WHERE source_name = 'support_db'"
        )
    try:
        given = c360("map", "support_db")
        assert given.exit_code == 0
        assert "Schema sales of database" in given.stderr
        assert "Check db_name, db_schema and db_user of source_databases row 3." in given.stderr
    finally:
        with unmapped.connect() as connection:
            connection.execute("UPDATE source_databases SET db_schema = DEFAULT")


def test_a_source_that_cannot_be_asked_is_only_left_out_of_joins(unmapped: Project) -> None:
    with unmapped.connect() as connection:
        connection.execute(
            "UPDATE source_databases SET db_name = 'gone' WHERE source_name = 'profiles_db'"
        )
    done = c360("map", "support_db")
    assert done.exit_code == 0
    assert "No join with it is proposed." in done.stderr
    assert "'Ticket'" in done.stdout
    assert c360("map", "profiles_db").exit_code == 1


def test_a_source_that_leaves_while_values_are_compared_is_only_left_out_of_joins(
    unmapped: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking(monkeypatch, "profiles_db", "FROM unnest", then=END_OF_SESSION)
    proposal = propose_rows(unmapped.control, "support_db")
    assert [row.row.node_label for row in proposal.labels] == ["TicketTag", "Ticket"]
    assert proposal.remarks == (NOT_COMPARED,)
    monkeypatch.undo()
    asking(monkeypatch, "support_db", "SELECT DISTINCT", then=END_OF_SESSION)
    with pytest.raises(SourceUnavailableError, match="support_db left"):
        propose_rows(unmapped.control, "support_db")


def test_a_source_that_is_closed_before_values_are_compared_is_only_left_out_of_joins(
    unmapped: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def let_in(allowed: bool) -> None:
        database = f"{unmapped.prefix}profiles_db"
        with unmapped.connect() as connection:
            connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS {allowed}".encode())

    asking(monkeypatch, "support_db", "left(", first=partial(let_in, False))
    try:
        assert propose_rows(unmapped.control, "support_db").remarks == (NOT_COMPARED,)
    finally:
        let_in(True)


def test_partitions_views_and_other_schemas_are_told_of_and_the_rest_is_mapped(
    awkward: Project,
) -> None:
    found = propose_rows(awkward.control, "awkward")
    assert [(p.row.table_name, p.row.node_label) for p in found.labels] == [
        ("bookings", "Booking"),
        ("calls", "Call"),
        ("contacts", "Contact"),
        ("legs", "Leg"),
        ("sampled", "Sampled"),
        ("t", "T"),
        ("vehicles", "Vehicle"),
        ('Über "Crew"; --', "ÜberCrew"),
    ]
    assert [(r.row.relationship_type, r.row.join_condition) for r in found.relationships] == [
        ("HAS_BOOKING", "l.leg_no = b.leg_no AND l.departs = b.departs"),
        ("HAS_LEG", "c.leg_no = l.leg_no AND c.departs = l.departs"),
        ("HAS_FROM", 'c."from" = c1."select"'),
        ("HAS_IT_S_S_X_1", 'c."it\'s %s :x \\ $1" = c1."select"'),
        ("HAS_SAMPLED", "t.sampled_value = s.value"),
        ("HAS_T_AS_X_S_SAMPLED", 's.value = t."x%s_sampled_value"'),
    ]
    assert [(p.row.column_name, p.row.treatment) for p in found.exclusions] == [
        ("five", "exclude"),
        ("one", "hash"),
        ("three", "hash"),
        ("two", "hash"),
    ]
    assert found.remarks == (
        "awkward/alembic_version is not proposed: it is a tool's own bookkeeping.",
        "awkward/busy_legs is a view and is not proposed; map it by hand where it is to be nodes.",
        "awkward/leg_counts is a materialized view and is not proposed; map it by hand where it is to"
        " be nodes.",
        "awkward/trucks is not proposed: it inherits from a table whose rows include its own.",
        "awkward has 3 partitions: the tables they are partitions of have their rows.",
        "awkward/calls has no key: its nodes get no constraint, and a load that keeps the graph"
        " replaces them all when a row changed.",
        # A parent's key says nothing of the rows that inherit.
        "awkward/vehicles has no key: its nodes get no constraint, and a load that keeps the graph"
        " replaces them all when a row changed.",
        "awkward/bookings: foreign key bookings_region_id_fkey is not proposed: it refers to schema"
        " elsewhere, which this source does not read.",
    )
    assert c360("map", "awkward", "--apply", "--yes").exit_code == 0
    assert c360("check").exit_code == 0
    assert len(mapping(awkward).relationships) == 6


def asking(
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    part: str,
    *,
    first: Callable[[], object] = lambda: None,
    then: str | None = None,
) -> None:
    """Whenever a source is asked what holds that part: do something first, ask it something else."""
    ask = SourceSnapshot.ask

    def meddled(
        self: SourceSnapshot, statement: str, *parameters: list[str], seconds: int = 10
    ) -> list[tuple[Any, ...]]:
        if self.source.source_name == source and part in statement:
            first()
            if then is not None:
                return ask(self, then)
        return ask(self, statement, *parameters, seconds=seconds)

    monkeypatch.setattr(SourceSnapshot, "ask", meddled)


def c360(*arguments: str, answer: str | None = None) -> Result:
    # Rules that hash are proposed, and `check` finds that a run would miss the key.
    environment = {"C360_HASH_KEY": "a key for tests"}
    return CliRunner().invoke(app, list(arguments), input=answer, env=environment)


def mapping(project: Project) -> GraphMapping:
    return read_mapping_state(project.control, Settings(c360_data_dir=project.data_dir)).mapping()


def facts(found: GraphMapping) -> set[Fact]:
    return {fact(edges) for edges in proposed_edges(found)}


def control_rows(project: Project) -> list[str]:
    """Every control row as text, ids and all."""
    tables = ("node_label_mappings", "field_exclusion_rules", "relationship_mappings")
    with project.connect() as connection:
        return [
            row
            for name in tables
            for (row,) in connection.execute(f"SELECT t::text FROM {name} AS t ORDER BY 1".encode())
        ]
