"""Joins by functions find what PostgreSQL's own join with these functions finds, however a value is written."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from itertools import product

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from c360_graph.mapping.control_rows import RelationshipRow
from c360_graph.mapping.join_forms import lower, normaliser
from c360_graph.mapping.join_functions import JoinFunctions
from c360_graph.mapping.model import GraphMapping
from c360_graph.source.join_counts import join_counts
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.equality.two_tables import mapped_tables
from c360_graph_tests.integration.types.pieces import SourceDatabase

PREPARATION = r"""
CREATE EXTENSION IF NOT EXISTS citext;
CREATE DOMAIN mail_address AS varchar(60);
CREATE COLLATION loose (provider = libc, locale = 'C');
SET allow_system_table_mods = on;
UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'loose';
"""
KINDS = {
    "text": "text",
    "varchar": "varchar(60)",
    "char": "char(60)",
    "citext": "citext",
    "domain": "mail_address",
    "name": "name",
    "c": 'text COLLATE "C"',
    "posix": 'varchar COLLATE "POSIX"',
    "utf8": 'text COLLATE "pg_c_utf8"',
    "turkish": 'text COLLATE "tr-x-icu"',
    "root": 'text COLLATE "und-x-icu"',
}
"""Types of a column that holds addresses; those of a collation that the server lacks are left out."""
VALUES = (
    "user3@example.com", "  USER3@EXAMPLE.COM", "User3@Example.com  ", "\tuser3@example.com",
    "É@x.y", "é@x.y", "e\u0301@x.y", "İ@x.y", "i@x.y", "I@x.y", "ı@x.y", "ΟΔΟΣ", "οδος", "οδοσ", "ẞ", "ß", "SS", "ǅ",
    "", " ", "   ", "'", "\\", "\\N", "a\tb", "A\tB ", "a\nb", "%", "$1", "+49 30 5550101", "4930 5550101", "n/a", "none",
    "a.b+c@x.y", "AB@x.y", "ab+d@X.Y", "+@x.y", "@x.y", ".@x.y", "a@b@c", "A.+@b@c",
)  # fmt: skip
FUNCTIONS = {
    "lower(#)": "lower(#)",
    "trim(#)": "btrim(#)",
    "lower(trim(#))": "lower(trim(#))",
    "trim(lower(#))": "trim(lower(#))",
    "email(#)": "nullif(lower(trim(#)), '')",
    "digits(#)": "nullif(regexp_replace(# COLLATE \"C\", '[^0-9]', '', 'g'), '')",
    "#": "#",
}
"""What a row has, and the SQL that it stands for."""


def two_tables(source: SourceDatabase, kinds: dict[str, str]) -> None:
    columns = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
    source.execute(PREPARATION)
    with source.servers.postgres.connect(source.database) as connection:
        for table, values in (("l", VALUES), ("r", (*VALUES[::2], None, *VALUES[::3]))):
            connection.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, {columns})".encode())
            for number, value in enumerate(values):
                row = [number, *([value] * len(kinds))]
                marks = ", ".join(["%s"] * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})".encode(), row)


def mapped(source: SourceDatabase, conditions: list[str]) -> GraphMapping:
    return mapped_tables(
        source,
        (
            RelationshipRow(
                relationship_id=number,
                relationship_type=f"T{number}",
                from_label="L",
                to_label="R",
                from_alias="l",
                to_alias="r",
                join_condition=condition,
            )
            for number, condition in enumerate(conditions)
        ),
    )


def kinds_of(source: SourceDatabase) -> dict[str, str]:
    """The kinds that the server has: some are built without ICU, and list its collations all the same."""
    return {name: kind for name, kind in KINDS.items() if _is_known(source, kind)}


def _is_known(source: SourceDatabase, kind: str) -> bool:
    if "COLLATE" not in kind:
        return True
    try:
        source.rows(f"SELECT lower('x' COLLATE {kind.split('COLLATE')[1]}) ")
    except psycopg.Error:
        return False
    return True


def test_each_join_by_functions_counts_as_sql_counts_it_for_every_type_and_collation(
    source: SourceDatabase,
) -> None:
    kinds = kinds_of(source)
    assert {"text", "char", "citext", "name", "c"} <= {*kinds}
    two_tables(source, kinds)
    cases = [
        (
            f'{left.replace("#", f"l.{kind}")} = {right.replace("#", f"r.{other}")}',
            f'{FUNCTIONS[left].replace("#", f"l.{kind}")} = {FUNCTIONS[right].replace("#", f"r.{other}")}',
        )
        for kind, other in (*((k, k) for k in kinds), ("text", "char"), ("citext", "varchar"), ("char", "citext"))
        for left, right in product(FUNCTIONS, FUNCTIONS)
        if (left, right) != ("#", "#")
    ]  # fmt: skip
    mapping = mapped(source, [condition for condition, _ in cases])
    assert mapping.refusals == ()
    counted = 0
    with source.snapshot() as snapshot, source.servers.postgres.connect(source.database) as sql:
        for relationship in mapping.relationships:
            condition, own_condition = cases[relationship.relationship_id]
            counts = join_counts(relationship, mapping.tables)
            assert counts is not None
            (wanted,) = (
                sql.execute(f"SELECT count(*) FROM l JOIN r ON {own_condition}").fetchone() or ()
            )
            found = [snapshot.fetch(text)[0][0] for text in (counts.by_postgres, counts.by_graph)]
            assert found == [wanted, wanted], condition
            counted += wanted
    assert counted


def test_a_collation_that_finds_different_texts_equal_is_refused_but_where_letters_are_compared(
    source: SourceDatabase,
) -> None:
    two_tables(source, {"loose": 'text COLLATE "loose"', "plain": "text"})
    conditions = [
        "lower(l.loose) = lower(r.loose)",
        "trim(l.plain) = r.loose",
        "email(l.loose) = email(r.plain)",
        "digits(l.loose) = digits(r.loose)",
    ]
    mapping = mapped(source, conditions)
    assert [refusal.row_id for refusal in mapping.refusals] == [0, 1]
    assert "the collation loose is not deterministic" in mapping.refusals[0].reason
    assert "email() compares the letters themselves" in mapping.refusals[0].reason
    wanted = [
        """nullif(lower(trim(l.loose COLLATE "C")), '') = nullif(lower(trim(r.plain COLLATE "C")), '')""",
        "regexp_replace(l.plain, '[^0-9]', '', 'g') = nullif(regexp_replace(r.plain, '[^0-9]', '', 'g'), '')",
    ]
    with source.snapshot() as snapshot:
        for relationship, on in zip(mapping.relationships, wanted, strict=True):
            counts = join_counts(relationship, mapping.tables)
            assert counts is not None
            ((count,),) = source.rows(f"SELECT count(*) FROM l JOIN r ON {on}")
            assert (
                snapshot.fetch(counts.by_graph) == snapshot.fetch(counts.by_postgres) == [(count,)]
            )
            assert count


TEXTS = st.text(
    st.sampled_from("aB.+@ \t\n\\'%É0٣İΣ") | st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    max_size=30,
)  # fmt: skip


@pytest.fixture
def utf8(servers: TestServers) -> Iterator[psycopg.Connection]:
    with servers.postgres.connect("postgres") as connection:
        yield connection


@given(
    texts=st.lists(TEXTS, min_size=1, max_size=40),
    call=st.sampled_from(["trim", "digits", "email", "email_local"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=150)  # fmt: skip
def test_postgresql_and_this_process_make_the_same_of_a_text(
    utf8: psycopg.Connection, texts: list[str], call: str
) -> None:
    functions = JoinFunctions(calls=(call,))
    expression = functions.sql('(t COLLATE pg_catalog."pg_c_utf8")')
    rows = utf8.execute(
        f"SELECT {expression} FROM unnest(%s::text[]) WITH ORDINALITY AS x(t, n) ORDER BY n".replace(
            "%", "%%"
        ).replace("%%s", "%s"),
        (texts,),
    ).fetchall()
    assert [row[0] for row in rows] == [normaliser((call,))(text) for text in texts]


def test_letters_are_lowered_as_postgresqls_unicode_collation_lowers_them(
    utf8: psycopg.Connection,
) -> None:
    letters = [
        letter
        for number in range(1, sys.maxunicode + 1)
        if unicodedata.category(letter := chr(number)) not in ("Cn", "Cs", "Co")
    ]
    lowered = utf8.execute(
        'SELECT string_agg(lower(t COLLATE pg_catalog."pg_c_utf8"), chr(10) ORDER BY n)'
        " FROM unnest(%s::text[]) WITH ORDINALITY AS x(t, n) WHERE t <> chr(10)",
        (letters,),
    ).fetchone()
    assert lowered is not None
    ours = "\n".join(lower(letter) for letter in letters if letter != "\n")
    differ = [(a, b) for a, b in zip(lowered[0], ours, strict=True) if a != b]
    assert differ == []
