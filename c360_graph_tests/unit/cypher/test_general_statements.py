"""Which statements of a script the statements of all small tables may stand for."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import pytest

from c360_graph.cypher.general_statements import MANY_LABELS, SMALL_TABLE_ROWS
from c360_graph.cypher.script_reader import (
    Statement,
    generalised,
    lifted,
    read_statements,
)
from c360_graph.cypher.script_writer import (
    NodesFacts,
    RelationshipsFacts,
    header_for,
    write_script,
)
from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.model import NodeTable, RelationshipMapping
from c360_graph.mapping.property_types import conversions, property_type
from c360_graph.mapping.table_mapping import ExtraLabels
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    VISIT,
    Row,
    extract,
    joined,
    table,
)

OTHERS = [table(f"t{number}", f"T{number}", {"id": "int8"}) for number in range(MANY_LABELS)]


def script(
    tables: Sequence[tuple[NodeTable, Sequence[Row]]], *mappings: RelationshipMapping
) -> list[Statement]:
    """The statements of a script over these tables."""
    extracts = tuple(extract(*each) for each in tables)
    out = BytesIO()
    header = header_for(extracts, created="now", log_id=None)
    write_script(out, header=header, extracts=extracts, mappings=mappings)
    out.seek(0)
    return list(read_statements(out))


def many(*tables: tuple[NodeTable, Sequence[Row]]) -> list[tuple[NodeTable, Sequence[Row]]]:
    return [*tables, *((other, [(1,)]) for other in OTHERS)]


def general_labels(statements: Sequence[Statement]) -> set[str]:
    """The labels whose nodes the statement of all small tables may create."""
    return {
        s.facts.label
        for s in statements
        if isinstance(s.facts, NodesFacts) and s.facts.general is not None
    }


def general_types(statements: Sequence[Statement]) -> set[str]:
    return {
        s.facts.type
        for s in statements
        if isinstance(s.facts, RelationshipsFacts) and s.facts.general is not None
    }


def test_small_tables_of_a_script_of_many_labels_share_a_statement() -> None:
    tables = many((PATIENT, [(1, "Ada")]), (VISIT, [(1, "x")]))
    statements = script(tables, joined(1))
    assert general_labels(statements) == {table.node_label for table, _ in tables}
    assert general_types(statements) == {"VISITED"}
    batches = [
        generalised(lifted(s), s.facts) for s in statements if isinstance(s.facts, NodesFacts)
    ]
    assert len({batch.text for batch in batches}) == 1
    assert batches[0].parameters == {
        "label": "Patient",
        "names": ["id", "name"],
        "types": ["INTEGER", "STRING"],
        "rows": "1\tAda",
    }


def test_a_script_of_few_labels_says_nothing_of_it() -> None:
    tables = many((PATIENT, [(1, "Ada")]))[:MANY_LABELS]
    assert general_labels(script(tables)) == set()


def test_a_large_table_and_what_joins_it_have_statements_of_their_own() -> None:
    rows = [(1, "x")] * (SMALL_TABLE_ROWS + 1)
    statements = script(many((PATIENT, [(1, "Ada")]), (VISIT, rows)), joined(1))
    assert "Patient" in general_labels(statements)
    assert "Visit" not in general_labels(statements)
    assert general_types(statements) == set()


def test_tables_with_more_than_a_label_and_columns_have_statements_of_their_own() -> None:
    labelled = PATIENT.model_copy(update={"extra": ExtraLabels(always=("Person",))})
    sharing = [
        t.model_copy(update={"node_label": "Both", "label_is_shared": True}) for t in OTHERS[:2]
    ]
    statements = script(many((labelled, [(1, "x")]), *((each, [(1,)]) for each in sharing)))
    assert general_labels(statements) == {other.node_label for other in OTHERS}


def test_a_relationship_of_some_tables_of_a_label_has_a_statement_of_its_own() -> None:
    some = joined(1).model_copy(update={"from_tables": ("clinic/patient",)})
    statements = script(many((PATIENT, [(1, "Ada")]), (VISIT, [(1, "x")])), some)
    assert general_types(statements) == set()


def test_a_batch_that_was_changed_by_hand_is_sent_as_it_is() -> None:
    (changed,) = (
        Statement(number=s.number, text=s.text.replace(b"`name`: ", b"`nick`: "), facts=s.facts)
        for s in script(many((PATIENT, [(1, "Ada")])))
        if b"`name`" in s.text and isinstance(s.facts, NodesFacts)
    )
    assert generalised(lifted(changed), changed.facts) == lifted(changed)


BASES = (
    "int2", "int8", "float4", "float8", "bool", "timestamptz", "timestamp", "date", "time", "timetz",
    "interval", "inet", "bytea", "bpchar", "text", "numeric", "uuid", "jsonb", "a type of an extension",
)  # fmt: skip


@pytest.mark.parametrize("dimensions", [0, 1, 2])
@pytest.mark.parametrize("time_zone", [None, "Europe/Berlin"])
def test_every_property_type_is_converted_as_in_a_statement_of_its_own(
    dimensions: int, time_zone: str | None
) -> None:
    for base in BASES:
        scalar = ColumnType(name=base, base=base)
        listed = ColumnType(name=f"{base}[]", base="_", element=scalar, dimensions=dimensions)
        kind = property_type(listed if dimensions else scalar, time_zone=time_zone)
        assert conversions()[kind.name]("row[3]") == kind.convert("row[3]")
