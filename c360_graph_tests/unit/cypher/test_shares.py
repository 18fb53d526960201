"""Which statements sessions may share, and that together they make what one would."""

from __future__ import annotations

import pytest

from c360_graph.cypher.relationships import create_relationships, in_shares, sole_lookup
from c360_graph.mapping.model import Junction, NodeTable, RelationshipMapping
from c360_graph_tests.integration.loader.scripts import PATIENT, joined, referred, table

OTHER_PATIENT = table("person", "Patient", {"id": "int8", "name": "text"}, key=("id",))
PATIENT_BY_NAME = table("person", "Patient", {"id": "int8", "name": "text"}, key=("name",))
PATIENT_OF_CLINIC = table(
    "patient", "Patient", {"clinic": "int8", "id": "int8"}, key=("clinic", "id")
)
REFERRAL = referred(1).model_copy(
    update={
        "junction": Junction(
            table=("clinic", "visit"),
            node_label="Visit",
            from_pairs=(("id", "patient"),),
            to_pairs=(("id", "patient"),),
        )
    }
)


@pytest.mark.parametrize(
    ("mapping", "tables", "lookup"),
    [
        (joined(1), (PATIENT,), "a"),
        (joined(1), (PATIENT, OTHER_PATIENT), "a"),
        # Several patients may have a name, and their relationships meet at a visit.
        (joined(1, on=("name", "note")), (PATIENT,), None),
        (joined(1), (PATIENT_OF_CLINIC,), None),
        (joined(1), (PATIENT, PATIENT_BY_NAME), None),
        (joined(1), (), None),
        (REFERRAL, (PATIENT,), None),
    ],
)
def test_a_statement_is_shared_only_where_each_row_finds_one_node_at_most(
    mapping: RelationshipMapping, tables: tuple[NodeTable, ...], lookup: str | None
) -> None:
    assert sole_lookup(mapping, tables) == lookup


@pytest.mark.parametrize("sought", [10, 1_000_000])
def test_both_forms_of_a_statement_can_be_shared(sought: int) -> None:
    text = create_relationships(joined(1), sought=sought).encode()
    shares = in_shares(text, lookup="a", shares=3)
    assert [b"id(a) %% 3 = %d" % share in text for share, text in enumerate(shares)] == [True] * 3
    assert {
        share.replace(b" WHERE id(a) %% 3 = %d" % n, b"") for n, share in enumerate(shares)
    } == {text}


def test_a_statement_of_another_form_stays_whole() -> None:
    text = b"MATCH (row:Visit) CALL (row) { MATCH (a:Patient {id: row.patient}) CREATE (a)-[:X]->(row) }"
    assert in_shares(text, lookup="a", shares=2) == (text,)
