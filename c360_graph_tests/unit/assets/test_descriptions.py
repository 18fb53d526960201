"""What assets say of themselves, made of the mapping alone."""

from __future__ import annotations

import dagster as dg

from c360_graph.assets.lineage import (
    graph_column_schema,
    graph_columns,
    lineage_to_asset,
    lineage_to_tables,
    table_columns,
)
from c360_graph.assets.metadata import graph_description, table_description
from c360_graph.assets.step_policy import graph_version, table_version
from c360_graph_tests.unit.mapping.given import Case, table


def shop() -> Case:
    """Two sources; one column withheld, one hashed, a join between the sources and a junction."""
    return (
        Case()
        .source(
            "shop",
            table("people", "id int; mail text?; code text; secret text", key="id"),
            table("likes", "person int; item int; stars int?", key="person item"),
        )
        .source("store", table("items", "id int; owner_mail text?; tags text[]?", key="id"))
        .label("people", "Person")
        .label("items", "Item")
        .excluding("people", "secret")
        .excluding("people", "code", treatment="hash")
        .joining("Person", "OWNS", "Item", "p.mail = i.owner_mail", description="By address.")
        .joining(
            "Person",
            "LIKES",
            "Item",
            "p.id = l.person AND l.item = i.id",
            junction_table="likes",
            from_alias="p",
            to_alias="i",
            junction_alias="l",
        )
    )


def test_a_table_says_what_it_becomes_and_what_is_withheld_and_why() -> None:
    mapping = shop().resolve()
    people, items, likes = mapping.tables
    assert table_description(people, mapping.relationships) == (
        "Table `public.people` of source `shop`, read as nodes `:Person`.\n\n"
        "Key: `id`.\n\n"
        "Relationships: `(:Person)-[:OWNS]->(:Item)`, `(:Person)-[:LIKES]->(:Item)`.\n\n"
        "Columns withheld:\n\n"
        "- `secret` is never read: no reason given\n"
        "- `code`: replaced by a keyed hash"
    )
    assert table_description(likes, mapping.relationships) == (
        "Table `public.likes` of source `shop`, read as a junction table without a label.\n\n"
        "Key: `person`, `item`.\n\n"
        "Relationships: `(:Person)-[:LIKES]->(:Item)`."
    )
    assert "Key: none" in table_description(items.model_copy(update={"key": ()}))
    assert graph_description(mapping) == "3 tables of 2 sources, 2 labels, 2 relationship types."


def test_a_tables_columns_have_the_types_of_their_properties() -> None:
    people = shop().resolve().tables[0]
    assert table_columns(people) == dg.TableSchema(
        columns=[
            dg.TableColumn(
                name="id",
                type="INTEGER",
                description="int in the source",
                constraints=dg.TableColumnConstraints(nullable=False, unique=True, other=["key"]),
            ),
            dg.TableColumn(name="mail", type="STRING", description="text in the source"),
            dg.TableColumn(
                name="code",
                type="STRING",
                description="text in the source, treated: hash",
                constraints=dg.TableColumnConstraints(nullable=False),
                tags={"c360/treatment": "hash"},
            ),
        ]
    )


def test_properties_and_relationships_lead_back_to_the_columns_they_come_from() -> None:
    mapping = shop().resolve()
    columns = graph_columns(mapping.tables, mapping.relationships)
    assert [(c.name, c.type, c.description) for c in graph_column_schema(columns).columns] == [
        ("Person.id", "INTEGER", "from shop/people.id"),
        ("Person.mail", "STRING", "from shop/people.mail"),
        ("Person.code", "STRING", "from shop/people.code"),
        ("Item.id", "INTEGER", "from store/items.id"),
        ("Item.owner_mail", "STRING", "from store/items.owner_mail"),
        ("Item.tags", "LIST<STRING>", "from store/items.tags"),
        (
            "(:Person)-[:OWNS]->(:Item)",
            "RELATIONSHIP",
            "from shop/people.mail, store/items.owner_mail. By address.",
        ),
        (
            "(:Person)-[:LIKES]->(:Item)",
            "RELATIONSHIP",
            "from shop/people.id, store/items.id, shop/likes.person, shop/likes.item,"
            " shop/likes.stars",
        ),
    ]
    people, items = dg.AssetKey(["shop", "people"]), dg.AssetKey(["store", "items"])
    lineage = lineage_to_tables(columns).deps_by_column
    assert lineage["Person.mail"] == [dg.TableColumnDep(people, "mail")]
    assert lineage["(:Person)-[:OWNS]->(:Item)"] == [
        dg.TableColumnDep(people, "mail"),
        dg.TableColumnDep(items, "owner_mail"),
    ]
    assert lineage_to_asset(columns, "cypher_script").deps_by_column["Item.id"] == [
        dg.TableColumnDep("cypher_script", "Item.id")
    ]


def test_a_label_of_several_tables_has_each_property_once_with_all_its_sources() -> None:
    mapping = (
        Case()
        .source("a", table("people", "id int", key="id"))
        .source("b", table("people", "id int; name text", key="id"))
        .label("people", "Person")
        .resolve()
    )
    columns = graph_columns(mapping.tables, mapping.relationships)
    assert [(c.name, c.description) for c in columns] == [
        ("Person.id", "from a/people.id, b/people.id"),
        ("Person.name", "from b/people.name"),
    ]


def test_a_version_changes_with_its_own_mapping_and_with_nothing_else() -> None:
    def versions(case: Case) -> tuple[list[str], str]:
        mapping = case.resolve()
        return [table_version(t) for t in mapping.tables], graph_version(mapping)

    before = versions(shop())
    assert versions(shop()) == before
    moved = shop()
    moved.sources[0] = moved.sources[0].model_copy(
        update={"db_host": "elsewhere", "owner": "team:x", "db_user": "reader"}
    )
    moved.exclusions[0] = moved.exclusions[0].model_copy(update={"reason": "now with a reason"})
    assert versions(moved) == before
    (people, items, likes), graph = versions(shop().excluding("people", "mail", treatment="mask"))
    assert people != before[0][0]
    assert [items, likes] == before[0][1:]
    assert graph != before[1]
    fewer = shop()
    fewer.relationships.pop()
    assert versions(fewer)[0] == before[0][:2]
    assert versions(fewer)[1] != before[1]
