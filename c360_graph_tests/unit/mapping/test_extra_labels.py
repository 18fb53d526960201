"""Labels of nodes beside the one that they are found by."""

from __future__ import annotations

from typing import Any

import pytest

from c360_graph.cypher.merges import merge_nodes, purge_label
from c360_graph.cypher.rows import create_nodes
from c360_graph.mapping.control_rows import IdentityRuleRow, PropertyRow
from c360_graph.mapping.graph_manifest import GraphManifest, manifest_of
from c360_graph.mapping.model import ExtraLabels, NodeTable
from c360_graph_tests.unit.mapping.given import Case, table

PEOPLE = table("people", "id int; tier text?; mail text?; kind int?", key="id")
CLUBS = table("clubs", "id int", key="id")


def case(**more: Any) -> Case:
    made = Case().source("one", PEOPLE, CLUBS).label("people", "Person").label("clubs", "Club")
    made.labels[0] = made.labels[0].model_copy(update=more)
    return made


def people(made: Case) -> NodeTable:
    mapping = made.resolve()
    assert mapping.refusals == ()
    return mapping.node_tables[0]


def test_a_row_names_labels_for_all_nodes_and_by_the_value_of_a_column() -> None:
    found = people(
        case(extra_labels=("Party",), label_column="tier", label_values=("Gold", "Silver"))
    )
    assert found.extra == ExtraLabels(
        always=("Party",), by_property="tier", values=("Gold", "Silver")
    )
    assert str(found.extra) == "Party and Gold or Silver by tier"
    assert found.fingerprint_source != people(case()).fingerprint_source
    manifest = manifest_of([found], [], {})
    assert manifest.extras == {"Person": {"one/people": ("Party", "Gold", "Silver")}}
    assert GraphManifest.model_validate_json(manifest.to_json()) == manifest


def test_the_column_may_have_another_name_in_the_graph() -> None:
    made = case(label_column="kind", label_values=("1",))
    made.more["properties"] = (
        PropertyRow(
            mapping_id=1,
            table_name="people",
            column_name="kind",
            property_name="sort",
            cast_type="string",
        ),
    )
    assert people(made).extra.by_property == "sort"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"extra_labels": ("Club",)}, "extra_labels or label_values name 'Club', the label of node_label_mappings row 2; choose another one"),
        ({"label_column": "tier", "label_values": ("Club",)}, "extra_labels or label_values name 'Club', the label of"),
        ({"extra_labels": ("Someone",)}, "extra_labels or label_values name 'Someone', the label of identity_rules row 1"),
        ({"extra_labels": ("Person",)}, "the label 'Person' is named twice in node_label, extra_labels and label_values"),
        ({"extra_labels": ("A", "A")}, "the label 'A' is named twice"),
        ({"extra_labels": ("A",), "label_column": "tier", "label_values": ("A",)}, "the label 'A' is named twice"),
        ({"extra_labels": ("_C360Load",)}, "a label of extra_labels '_C360Load' begins with _C360"),
        ({"extra_labels": ("",)}, "a label of extra_labels is empty"),
        ({"label_column": "tier"}, "label_column and label_values belong together"),
        ({"label_values": ("A",)}, "label_column and label_values belong together"),
        ({"label_column": "teir", "label_values": ("A",)}, "label_column names 'teir', a column that is not read"),
        ({"label_column": "kind", "label_values": ("1",)}, "label_column names kind, whose property is of the type INTEGER; only a STRING gives labels"),
        ({"label_column": "mail", "label_values": ("A",)}, "label_column names mail, which has the treatment hash"),
    ],
)  # fmt: skip
def test_what_would_count_nodes_twice_or_leak_values_is_refused(
    more: dict[str, Any], said: str
) -> None:
    made = case(**more).excluding("people", "mail", treatment="hash")
    made.more["identity_rules"] = (
        IdentityRuleRow(
            rule_id=1,
            entity_label="Someone",
            table_name="clubs",
            identifier_kind="id",
            column_name="id",
        ),
    )
    refused = [r for r in made.resolve().refusals if r.control_table == "node_label_mappings"]
    assert len(refused) == 1
    assert said in refused[0].reason


def test_an_excluded_column_gives_no_label() -> None:
    made = case(extra_labels=("Party",), label_column="tier", label_values=("Gold",))
    mapping = made.excluding("people", "tier").resolve()
    (refusal,) = mapping.refusals
    assert refusal.is_partial
    assert refusal.reason == (
        "one/people: label_column names 'tier', a column that is not read: the table lacks it, or a rule"
        " excludes it. The table is read without labels by value"
    )
    assert mapping.tables[0].extra == ExtraLabels(always=("Party",))


def test_hostile_labels_are_quoted_and_a_table_without_them_has_the_statements_of_before() -> None:
    made = case(
        extra_labels=("`) DETACH DELETE n //",), label_column="tier", label_values=("O'Hara\\",)
    )
    created = create_nodes(people(made), b"1\tx\ty\t2").text
    assert created.decode().partition("\n")[2] == (
        "CREATE (n:`Person`:```) DETACH DELETE n //` {`id`: toInteger(row[0]), `tier`: nullIf(row[1], '\\\\N'),"
        " `mail`: nullIf(row[2], '\\\\N'), `kind`: toInteger(row[3])})"
        " SET n:$(CASE WHEN n.`tier` IN ['O\\'Hara\\\\'] THEN [n.`tier`] ELSE [] END)"
    )
    plain = merge_nodes(people(case()), b"1\tx\ty\t2").decode()
    assert "labels(" not in plain
    assert "REMOVE" not in plain


def test_a_label_is_taken_off_the_nodes_of_its_table_alone() -> None:
    made = Case().source("one", PEOPLE).source("two", PEOPLE).label("people", "Person")
    shared = made.resolve().node_tables[0]
    assert purge_label(shared, "Party") == (
        "CYPHER 5 MATCH (n:`Person`) WHERE n:`Party` AND n.`_c360_table` IN ['one/people']"
        " CALL (n) { REMOVE n:`Party` } IN TRANSACTIONS OF $batch_rows ROWS"
    )
