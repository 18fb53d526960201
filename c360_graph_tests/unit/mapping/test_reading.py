"""Control rows as a database returns them."""

from __future__ import annotations

from typing import Any

from c360_graph.mapping.control_rows import ControlRows, Refusal, control_rows
from c360_graph.mapping.resolve import resolve

SOURCE = {
    "source_id": 1,
    "source_name": "a",
    "db_name": "a",
    "db_password": "s3cret",
    "is_active": True,
}
LABEL = {"mapping_id": 1, "table_name": "people", "node_label": "Person", "is_active": True}
RULE = {
    "rule_id": 1,
    "source_id": 1,
    "table_name": "people",
    "column_name": "x",
    "is_excluded": True,
}
JOIN = {
    "relationship_id": 1,
    "relationship_type": "KNOWS",
    "from_label": "Person",
    "to_label": "Person",
    "join_condition": "a.x = b.x",
    "is_active": True,
    "execution_order": 1,
}


def read(**tables: list[dict[str, Any]]) -> ControlRows:
    given: dict[str, list[dict[str, Any]]] = {
        "sources": [SOURCE],
        "labels": [LABEL],
        "exclusions": [RULE],
        "relationships": [JOIN],
    }
    return control_rows(**(given | tables))


def test_rows_of_an_older_control_database_are_read_with_the_defaults_of_its_newer_columns() -> (
    None
):
    rows = read()
    assert rows.unreadable == ()
    assert rows.sources[0].db_schema == "public"
    assert rows.labels[0].source_id is None
    assert rows.exclusions[0].treatment == "exclude"
    assert rows.relationships[0].from_alias is None
    assert (rows.sources[0].owner, rows.sources[0].tags) == (None, None)
    assert (rows.labels[0].owner, rows.labels[0].tags) == (None, None)


def test_owner_and_tags_of_any_kind_never_keep_a_row_from_being_read() -> None:
    rows = read(
        sources=[SOURCE | {"owner": "team:x", "tags": ["a"]}], labels=[LABEL | {"owner": 7}]
    )
    assert rows.unreadable == ()
    assert (rows.sources[0].owner, rows.sources[0].tags) == ("team:x", "['a']")
    assert rows.labels[0].owner == "7"


def test_passwords_are_left_behind() -> None:
    assert "s3cret" not in read().model_dump_json()
    assert "s3cret" not in read(sources=[SOURCE | {"db_port": "x"}]).model_dump_json()


def test_a_value_of_the_wrong_kind_refuses_its_row_and_no_other() -> None:
    rows = read(
        sources=[SOURCE, SOURCE | {"source_id": 2, "db_port": "fifty"}],
        labels=[LABEL, LABEL | {"mapping_id": 2, "node_label": None}],
        exclusions=[RULE, RULE | {"rule_id": 2, "column_name": None}],
        relationships=[JOIN, JOIN | {"relationship_id": 2, "execution_order": "first"}],
    )
    assert [len(t) for t in (rows.sources, rows.labels, rows.exclusions, rows.relationships)] == [
        1
    ] * 4
    assert [(r.control_table, r.row_id) for r in rows.unreadable] == [
        ("source_databases", 2),
        ("field_exclusion_rules", 2),
        ("node_label_mappings", 2),
        ("relationship_mappings", 2),
    ]
    assert str(rows.unreadable[0]) == (
        "source_databases row 2: its values cannot be used: db_port: Input should be a valid integer,"
        " unable to parse string as an integer"
    )


def test_unreadable_rows_are_among_the_refusals_of_the_mapping() -> None:
    rows = read(relationships=[JOIN | {"relationship_id": "x"}])
    assert (
        Refusal(
            control_table="relationship_mappings",
            row_id=0,
            reason="its values cannot be used: relationship_id: Input should be a valid integer, unable to"
            " parse string as an integer",
        )
        in resolve(rows, {}).refusals
    )


def test_deactivated_rows_are_not_read_and_their_labels_are_known_to_rest() -> None:
    rows = read(
        sources=[SOURCE, SOURCE | {"source_id": 2, "source_name": "b", "is_active": False}],
        labels=[
            LABEL,
            LABEL | {"mapping_id": 2, "node_label": "Order", "is_active": False},
            LABEL | {"mapping_id": 3, "node_label": "Visit", "source_id": 2},
        ],
        relationships=[JOIN | {"is_active": False}],
        exclusions=[RULE | {"is_excluded": False}],
    )
    assert [row.node_label for row in rows.labels] == ["Person"]
    assert rows.inactive_labels == ("Order", "Visit")
    assert rows.inactive_sources == ("b",)
    assert (rows.relationships, rows.exclusions, rows.unreadable) == ((), (), ())


def test_a_switch_that_is_neither_on_nor_off_refuses_the_row_but_keeps_a_rule_in_force() -> None:
    rows = read(
        labels=[LABEL | {"is_active": "maybe"}],
        exclusions=[RULE | {"is_excluded": "maybe"}, RULE | {"rule_id": 2, "is_excluded": None}],
    )
    assert [r.reason for r in rows.unreadable] == [
        "is_active is neither true nor false; set it to one of them"
    ]
    assert len(rows.exclusions) == 2
    assert read(labels=[LABEL | {"is_active": "false"}]).labels == ()


def test_a_rule_stays_in_force_whatever_its_treatment_and_reason_look_like() -> None:
    rows = read(
        exclusions=[
            RULE | {"treatment": " Hash "},
            RULE | {"rule_id": 2, "treatment": 7, "reason": 8},
            RULE | {"rule_id": 3, "treatment": ""},
        ]
    )
    assert [r.treatment for r in rows.exclusions] == ["hash", "7", "exclude"]
    assert rows.unreadable == ()
