"""What the catalog says of a column's type, wherever an extension is and whatever stands between."""

from __future__ import annotations

import pytest

from c360_graph_tests.integration.types.pieces import SourceDatabase


def test_a_type_of_an_extension_goes_by_its_name_in_whichever_schema_it_is(
    source: SourceDatabase,
) -> None:
    source.execute(
        'CREATE SCHEMA "My Ext"',
        'CREATE EXTENSION citext SCHEMA "My Ext"',
        'CREATE DOMAIN handle AS "My Ext".citext',
        "CREATE DOMAIN work_handle AS handle CHECK (VALUE <> '')",
        # One of the source's own is another type.
        "CREATE TYPE citext AS ENUM ('a')",
        'CREATE TABLE t (a "My Ext".citext, b handle, c work_handle, d "My Ext".citext[], e citext)',
    )
    types = {prop.column: prop.type for prop in source.mapping("t").properties}
    assert [types[name].base for name in "abc"] == ["citext"] * 3
    assert types["a"].extension_schema == "My Ext"
    assert types["d"].element is not None
    assert types["d"].element.base == "citext"
    assert (types["e"].base, types["e"].extension_schema) == ("public.citext", None)


def test_a_collation_that_is_not_deterministic_is_seen(source: SourceDatabase) -> None:
    source.execute(
        "CREATE COLLATION loose (provider = libc, locale = 'C')",
        # A build without ICU makes none by itself.
        "SET allow_system_table_mods = on",
        "UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'loose'",
        'CREATE DOMAIN word AS text COLLATE "loose"',
        'CREATE TABLE t (a text COLLATE "loose", b word, c text COLLATE "C", d varchar[] COLLATE "loose", e int)',
    )
    types = {prop.column: prop.type for prop in source.mapping("t").properties}
    assert {name: of.nondeterministic for name, of in types.items()} == {
        "a": "loose",
        "b": "loose",
        "c": None,
        "d": "loose",
        "e": None,
    }


def test_unique_indexes_and_foreign_keys_say_which_side_of_a_join_refers(
    source: SourceDatabase,
) -> None:
    source.execute(
        "CREATE TABLE people (id int PRIMARY KEY, email text UNIQUE, name text)",
        "CREATE TABLE orders (no int PRIMARY KEY, person int REFERENCES people, email text)",
    )
    people, orders = source.mapping("people"), source.mapping("orders")
    assert sorted(people.unique) == [("email",), ("id",)]
    assert (people.key, people.referring) == (("id",), ())
    assert (orders.unique, orders.referring) == ((("no",),), (("person",),))


@pytest.mark.parametrize(
    "name", ["UTC+2", "+02:00", "Berlin2", "CEST", " Europe/Berlin", "<+02>-2"]
)
def test_a_time_zone_that_the_server_does_not_name_is_refused(
    source: SourceDatabase, name: str
) -> None:
    source.execute("CREATE TABLE t (at timestamp)")
    with source.within(time_zone=name).snapshot() as snapshot:
        assert snapshot.catalog(frozenset()).unknown_time_zone == name


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "europe/berlin", "UTC", "EST5EDT", "Etc/GMT-2", "", None]
)
def test_a_time_zone_that_the_server_names_is_taken(
    source: SourceDatabase, name: str | None
) -> None:
    with source.within(time_zone=name).snapshot() as snapshot:
        assert snapshot.catalog(frozenset()).unknown_time_zone is None
