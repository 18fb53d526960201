"""The SQL that samples references and looks for their partners: whole statements."""

from __future__ import annotations

import pytest

from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.model import TableIndex
from c360_graph.source.join_counts import find_partners, join_of, sample_references
from c360_graph_tests.unit.mapping.given import Case, table


def case(left: str, right: str) -> Case:
    return (
        Case()
        .source("crm_db", table("customers", f"id {left}", key="id"))
        .source("shop_db", table("purchases", f"no int; customer {right}?", key="no"))
        .label("customers", "Customer", source_id=1)
        .label("purchases", "Purchase", source_id=2)
        .joining("Customer", "BOUGHT", "Purchase", "customer.id = purchase.customer")
    )


@pytest.mark.parametrize(
    ("left", "right", "reference", "condition"),
    [
        ("int", "bigint", 't."customer"', 't."id" = k.v0::int8'),
        ("text", "varchar", 't."customer"', 't."id" = k.v0'),
        ("uuid", "uuid", 't."customer"', 't."id" = k.v0::uuid'),
        ("uuid", "text", 't."customer"', '(t."id")::text = k.v0'),
        ("inet", "inet", 'abbrev(t."customer")', '(abbrev(t."id"))::text = k.v0'),
        ("bpchar", "text", 't."customer"', 't."id" = k.v0'),
    ],
)
def test_references_of_one_source_are_sought_in_the_other(
    left: str, right: str, reference: str, condition: str
) -> None:
    mapping = case(left, right).resolve()
    (relationship,) = mapping.relationships
    join = join_of(relationship, TableIndex(mapping.tables))
    (driving,), (side,) = join.driving, join.sides
    assert (driving.qualified_name, join.columns) == ("shop_db/purchases", ("customer",))
    assert sample_references(driving, join.columns, catalog_table=None) == (
        f'SELECT ({reference})::text FROM "public"."purchases" AS t'
        ' WHERE t."customer" IS NOT NULL LIMIT 1000'
    )
    assert find_partners(side.tables[0], side.pairs, driving) == (
        "SELECT k.number FROM unnest(%s::int[], %s::text[]) AS k(number, v0)"
        f' WHERE EXISTS (SELECT FROM "public"."customers" AS t WHERE {condition})'
    )


def test_references_are_sought_by_the_join_forms_that_the_graph_compares() -> None:
    mapping = case("citext", "citext").resolve()
    (relationship,) = mapping.relationships
    join = join_of(relationship, TableIndex(mapping.tables))
    (driving,), (side,) = join.driving, join.sides
    text = """lower(t."customer"::text COLLATE pg_catalog."default")"""
    folded = (
        f"(CASE WHEN octet_length({text}) > 1000 THEN encode(sha256(convert_to({text}, 'UTF8')), 'hex')"
        f" ELSE {text} END)"
    )
    assert sample_references(driving, join.columns, catalog_table=None) == (
        f'SELECT ({folded})::text FROM "public"."purchases" AS t WHERE {folded} IS NOT NULL LIMIT 1000'
    )
    assert find_partners(side.tables[0], side.pairs, driving).endswith(
        f"WHERE {folded.replace('customer', 'id')} = k.v0)"
    )


def test_a_junctions_rows_have_to_find_both_ends() -> None:
    mapping = (
        Case()
        .source(
            "desk_db",
            table("tickets", "id int", key="id"),
            table("tags", "id int", key="id"),
            table("links", "ticket_id int; tag_id int", key="ticket_id tag_id"),
        )
        .label("tickets", "Ticket")
        .label("tags", "Tag")
        .joining(
            "Ticket",
            "TAGGED",
            "Tag",
            "t.id = link.ticket_id AND link.tag_id = tag.id",
            junction_table="links",
        )
        .resolve()
    )
    (relationship,) = mapping.relationships
    join = join_of(relationship, TableIndex(mapping.tables))
    assert [table.qualified_name for table in join.driving] == ["desk_db/links"]
    assert [side.tables[0].qualified_name for side in join.sides] == [
        "desk_db/tickets",
        "desk_db/tags",
    ]
    assert join.columns == ("ticket_id", "tag_id")


@pytest.mark.parametrize(
    ("kind", "rows", "pages", "order"),
    [
        (
            "r",
            1_000_000,
            " TABLESAMPLE SYSTEM (2.000000) REPEATABLE (0)",
            " ORDER BY md5(t.ctid::text)",
        ),
        ("r", 19_999, "", ""),
        ("r", -1, "", ""),
        ("v", 1_000_000, "", ""),
    ],
)
def test_only_a_large_table_is_sampled_all_over(
    kind: str, rows: int, pages: str, order: str
) -> None:
    driving = case("int", "int").resolve().tables[1]
    catalog_table = CatalogTable(
        schema_name="public", table_name="purchases", kind=kind, estimated_rows=rows
    )
    assert sample_references(driving, ("customer",), catalog_table=catalog_table) == (
        f'SELECT (t."customer")::text FROM "public"."purchases" AS t{pages}'
        f' WHERE t."customer" IS NOT NULL{order} LIMIT 1000'
    )
