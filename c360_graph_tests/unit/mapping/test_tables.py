"""Which tables are read, under which label, with which key and columns."""

from __future__ import annotations

import pytest

from c360_graph_tests.unit.mapping.given import Case, table

PEOPLE = table("people", "id int; email text; Phone text?", key="id")


def labels(case: Case) -> dict[str, str | None]:
    return {t.qualified_name: t.node_label for t in case.resolve().tables}


def test_a_row_for_any_source_maps_the_table_wherever_it_is() -> None:
    case = (
        Case().source("north", PEOPLE).source("south", PEOPLE).source("east").label("people", "P")
    )
    assert labels(case) == {"north/people": "P", "south/people": "P"}
    assert all(t.label_is_shared for t in case.resolve().tables)


def test_a_row_that_names_its_source_goes_before_one_for_any() -> None:
    case = Case().source("north", PEOPLE).source("south", PEOPLE)
    case.label("people", "Person").label("people", "Southerner", source_id=2)
    assert labels(case) == {"north/people": "Person", "south/people": "Southerner"}
    assert case.resolve().refusals == ()
    assert not any(t.label_is_shared for t in case.resolve().tables)


def test_a_row_for_any_source_may_be_overruled_everywhere() -> None:
    case = Case().source("north", PEOPLE).label("people", "Person")
    case.label("people", "Northerner", source_id=1)
    assert labels(case) == {"north/people": "Northerner"}
    assert case.resolve().refusals == ()


@pytest.mark.parametrize("source_id", [1, None])
def test_a_table_has_one_label(source_id: int | None) -> None:
    case = Case().source("north", PEOPLE)
    case.label("people", "Person", source_id=source_id).label(
        "people", "Human", source_id=source_id
    )
    assert case.reason() == (
        "north/people is mapped by row 1 to 'Person' already, and a table has one label; deactivate one"
        " of the two"
    )


def test_two_tables_under_one_label_share_it_whatever_their_keys_are_called() -> None:
    renamed = table("patients", "mrn text; name text", key="mrn")
    case = Case().source("a", PEOPLE).source("b", renamed)
    case.label("people", "Person").label("patients", "Person")
    assert [(t.key, t.label_is_shared) for t in case.resolve().tables] == [
        (("id",), True),
        (("mrn",), True),
    ]


@pytest.mark.parametrize(
    ("table_name", "label", "source_id", "reason"),
    [
        ("people", "", None, "node_label is empty"),
        ("people", " ", None, "node_label is empty"),
        ("people", "A\x00", None, "node_label holds a NUL character"),
        ("people", "_C360Load", None, "begins with _C360"),
        ("people", "L" * 1001, None, "longer than 1000"),
        ("", "Person", None, "table_name is empty"),
        (
            "peple",
            "Person",
            None,
            "no active source has a table 'peple' that its role may see; did you mean 'people'?",
        ),
        (
            "PEOPLE",
            "Person",
            1,
            "source north has no table 'PEOPLE' in schema 'public' that its role may see; did you mean 'people'?",
        ),
        (
            "public.people",
            "Person",
            1,
            "; write 'people' alone, its schema is source_databases.db_schema",
        ),
        ("people", "Person", 9, "source_id 9 is no active row of source_databases"),
        (
            "clash",
            "Person",
            1,
            "north/clash has a column _c360_table, a name that is kept for the loader",
        ),
    ],
)
def test_a_label_row_that_is_not_valid_says_why(
    table_name: str, label: str, source_id: int | None, reason: str
) -> None:
    case = Case().source("north", PEOPLE, table("clash", "id int; _c360_table text", key="id"))
    assert reason in case.label(table_name, label, source_id=source_id).reason()


def test_a_table_that_no_source_has_names_the_sources_that_were_not_asked() -> None:
    case = Case().source("north", PEOPLE).source("south", asked=False).label("orders", "Order")
    assert "(not asked: south)" in case.reason()


def test_a_table_of_a_source_that_was_not_asked_is_mapped_without_columns() -> None:
    case = Case().source("south", asked=False).label("orders", "Order", source_id=1)
    (found,) = case.resolve().tables
    assert (found.qualified_name, found.properties, found.key) == ("south/orders", (), ())


@pytest.mark.parametrize(
    ("key", "unique", "excluded", "found"),
    [
        ("id", ("email",), "", ("id",)),
        ("id email", (), "", ("id", "email")),
        ("", ("email", "id"), "", ("email",)),
        ("id", ("email",), "id", ("email",)),
        ("id email", (), "email", ()),
        ("", (), "", ()),
    ],
)
def test_the_key_is_the_primary_key_else_a_unique_index_of_columns_that_are_all_read(
    key: str, unique: tuple[str, ...], excluded: str, found: tuple[str, ...]
) -> None:
    case = Case().source("a", table("people", "id int; email text", key=key, unique=unique))
    case.label("people", "Person")
    if excluded:
        case.excluding("people", excluded)
    assert case.resolve().tables[0].key == found


def test_a_hashed_key_still_tells_rows_apart_and_a_masked_one_does_not() -> None:
    for treatment, key in (("hash", ("id",)), ("mask", ())):
        case = Case().source("a", table("people", "id text", key="id")).label("people", "Person")
        assert case.excluding("people", "id", treatment=treatment).resolve().tables[0].key == key
