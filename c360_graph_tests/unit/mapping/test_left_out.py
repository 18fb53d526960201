"""What a relationship seeks by is indexed; what needs a table that was never read is left out with it."""

from __future__ import annotations

import pytest

from c360_graph.cypher.script_writer import ScriptHeader
from c360_graph.errors import GraphError
from c360_graph.graph.load_session import refuse_losing_tables
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.mapping.missing import LeftOutTable, refusals_of
from c360_graph.source.copy_query import copy_rows
from c360_graph_tests.unit.golden.test_script import shop
from c360_graph_tests.unit.mapping.given import Case, table


def test_what_relationships_seek_by_beside_the_key_is_indexed_and_may_not_be_too_long() -> None:
    mapping = (
        Case()
        .source(
            "hr",
            table("people", "id int; mail text; note text", key="id"),
            table("letters", "letter_id text; sender text", key="letter_id"),
        )
        .label("people", "Person")
        .label("letters", "Letter")
        .joining("Letter", "SENT_BY", "Person", "l.sender = p.mail")
        .resolve()
    )
    (sent_by,) = mapping.relationships
    people, letters = mapping.tables
    indexed = {"Person": people.indexed, "Letter": letters.indexed}
    (sought,) = sent_by.sought
    assert indexed.pop(sought.label) == (tuple(column for column, _ in sought.pairs),)
    assert set(indexed.values()) == {()}
    assert 'octet_length((t."letter_id")::text) <= 8000' in copy_rows(letters)
    assert "note" not in copy_rows(people).partition("FROM")[2]


def test_a_table_whose_types_are_all_short_is_read_without_a_condition() -> None:
    (people,) = (
        Case()
        .source("hr", table("people", "id int; note text", key="id"))
        .label("people", "Person")
        .resolve()
        .tables
    )
    assert copy_rows(people).endswith('FROM "public"."people" AS t) TO STDOUT')


def test_relationships_that_need_a_table_are_left_out_with_it_and_say_which() -> None:
    case = shop()
    mapping = case.resolve()
    tables = {t.table_name: t for t in mapping.tables}
    for missing, types in (
        ("clubs", {"MEMBER_OF"}),
        ("members", {"MEMBER_OF"}),
        ("people", {"MEMBER_OF", "REPORTS_TO"}),
    ):
        left_out = (LeftOutTable(table=tables[missing], why="permission denied"),)
        read = [t for name, t in tables.items() if name != missing]
        found = list(refusals_of(left_out, case.rows, read=read, made=()))
        assert all(
            f"hr/{missing} could not be read, and no extract of it is kept: permission denied"
            in refusal.reason
            for refusal in found
        )
        named = {r.row_id for r in found if r.control_table == "relationship_mappings"}
        assert types == {
            row.relationship_type for row in case.rows.relationships if row.relationship_id in named
        }


def _header(**values: object) -> ScriptHeader:
    return ScriptHeader.model_validate({"format": 1, "created": "now", **values})


def test_a_load_that_leaves_out_a_table_is_refused_where_the_graph_has_it() -> None:
    header = _header(labels={"Person": 3}, left_out={"hr/clubs": "Club", "hr/members": ""})
    refuse_losing_tables(header, GraphManifest())
    refuse_losing_tables(header, GraphManifest(labels={"Person": ("id",), "Club": ()}))
    for held in (
        GraphManifest(labels={"Club": ("club_id",)}),
        GraphManifest(digests={"hr/clubs": "x"}),
    ):
        with pytest.raises(GraphError, match=r"^hr/clubs could not be read.*its Club nodes"):
            refuse_losing_tables(header, held)
    with pytest.raises(GraphError, match=r"^hr/members could not be read.*its relationships"):
        refuse_losing_tables(header, GraphManifest(digests={"hr/members": "x"}))


def test_a_shared_label_is_loaded_from_the_tables_that_can_be_read() -> None:
    header = _header(labels={"Person": 3}, left_out={"crm/people": "Person"})
    refuse_losing_tables(header, GraphManifest(labels={"Person": ("id",)}))
