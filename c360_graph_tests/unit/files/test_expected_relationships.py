"""What joins of extracts give, counted in this process where they are small, and by the engine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_graph.errors import ExtractError
from c360_graph.extract_joins import expected_relationships as joins
from c360_graph.extract_joins.expected_relationships import Expectation, expected_relationships
from c360_graph.extract_joins.graph_input import GraphParts
from c360_graph.extracts import ExtractStore, FolderExtract
from c360_graph.mapping.model import Junction, NodeTable, RelationshipMapping
from c360_graph_tests.integration.loader.scripts import PATIENT, VISIT, copied, joined, table
from c360_graph_tests.unit.files.extracted import extract

WARD = table("ward", "Ward", {"site": "text", "floor": "int8"}, key=("site", "floor"))
STAY = table("stay", "Stay", {"id": "int8", "site": "text", "floor": "int8", "guest": "int8"})
IN_WARD = RelationshipMapping(
    relationship_id=2,
    relationship_type="IN",
    from_label="Stay",
    to_label="Ward",
    pairs=(("site", "site"), ("floor", "floor")),
    seek="to",
)
STAYED = RelationshipMapping(
    relationship_id=3,
    relationship_type="STAYED_IN",
    from_label="Patient",
    to_label="Ward",
    junction=Junction(
        table=("clinic", "stay"),
        node_label="Stay",
        from_pairs=(("id", "guest"),),
        to_pairs=(("site", "site"), ("floor", "floor")),
    ),
)
MAPPINGS = (joined(1), IN_WARD, STAYED)

small = st.one_of(st.none(), st.integers(0, 4))
texts = st.one_of(st.none(), st.sampled_from(["", "a", "b", "a\tb", "\\N", "é\n", "NULL"]))
ROWS = st.fixed_dictionaries(
    {
        PATIENT: st.lists(st.tuples(small, texts), max_size=8),
        VISIT: st.lists(st.tuples(small, texts), max_size=8),
        WARD: st.lists(st.tuples(texts, small), max_size=8),
        STAY: st.lists(st.tuples(small, texts, small, small), max_size=8),
    }
)
Rows = dict[NodeTable, Sequence[Sequence[object]]]


def parts(store: ExtractStore, rows: Rows) -> GraphParts:
    extracts = tuple(
        extract(store, of, ["\t".join(map(copied, row)) for row in lines])
        for of, lines in rows.items()
    )
    return parts_of(extracts)


def parts_of(extracts: tuple[FolderExtract, ...]) -> GraphParts:
    return GraphParts(
        extracts=extracts,
        tables=(),
        relationships=MAPPINGS,
        refusals=(),
        rules="",
        refused={},
        excluded={},
    )


def by_engine(given: GraphParts, store: ExtractStore, sample_rows: int) -> tuple[Expectation, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joins, "SMALL_ROWS", -1)
        return expected_relationships(given, store=store, sample_rows=sample_rows)


@settings(max_examples=15, deadline=None)
@given(rows=ROWS, sample_rows=st.integers(0, 3))
def test_small_joins_give_what_the_engine_gives(rows: Rows, sample_rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ExtractStore(Path(folder))
        made = parts(store, rows)
        found = expected_relationships(made, store=store, sample_rows=sample_rows)
        assert found == by_engine(made, store, sample_rows)


def test_matches_orphans_and_ambiguous_references_are_counted_and_named(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    rows: Rows = {
        PATIENT: [(1, "Ada"), (2, None), (2, "twin")],
        VISIT: [(1, "x"), (1, "y"), (2, "z"), (3, "w"), (None, "v")],
        WARD: [("north", 1), ("north", None)],
        STAY: [(7, "north", 1, 2), (8, "south", 1, 1)],
    }
    visited, inside, stayed = expected_relationships(parts(store, rows), store=store, sample_rows=5)
    assert (visited.relationships, visited.orphans, visited.ambiguous) == (4, 1, 1)
    assert visited.orphan_sample == ("clinic/visit 3",)
    assert visited.ambiguous_sample == ("clinic/visit 2",)
    assert (inside.relationships, inside.orphan_sample) == (1, ("clinic/stay 8",))
    assert (stayed.relationships, stayed.orphans, stayed.ambiguous) == (2, 1, 1)


def test_the_engine_is_not_started_for_small_extracts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joins, "join_engine", None)
    store = ExtractStore(tmp_path)
    made = parts(store, {PATIENT: [(1, "Ada")], VISIT: [(1, "x")], WARD: [], STAY: []})
    (visited, *_) = expected_relationships(made, store=store, sample_rows=5)
    assert visited.relationships == 1


def test_a_damaged_extract_is_refused_with_its_table(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    good = [extract(store, of, []) for of in (PATIENT, WARD, STAY)]
    damaged = extract(store, VISIT, ["1"])
    with pytest.raises(
        ExtractError, match=r"a line of clinic/visit has 1 values instead of 2\. Materialize"
    ):
        expected_relationships(parts_of((*good, damaged)), store=store, sample_rows=5)
