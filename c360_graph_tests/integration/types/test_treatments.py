"""What an exclusion rule does to a column: hashed, masked, or never asked for."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from c360_graph.errors import SettingsError
from c360_graph.graph.connection import Graph
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.model import RelationshipMapping
from c360_graph.source.copy_query import copy_rows, count_losses, find_left_out
from c360_graph_tests.integration.types.pieces import HASH_KEY, SourceDatabase, load, rule


def hashed(value: str, key: str = HASH_KEY) -> str:
    return hmac.new(key.encode(), value.encode(), sha256).hexdigest()


def test_a_hash_is_hmac_sha256_on_both_sides_of_a_join(
    source: SourceDatabase, graph: Graph
) -> None:
    source.execute(
        "CREATE TYPE pair AS (a int, b text)",
        "CREATE TABLE people (email varchar(50) PRIMARY KEY, id int, code char(9), at inet, day date, both_ pair, words text[])",
        "INSERT INTO people VALUES ('é@x', 12, 'ab', '10.0.0.1', 'infinity', (1, NULL), '{a,NULL}'), ('', NULL, NULL, NULL, NULL, NULL, NULL)",
        "CREATE TABLE orders (id int PRIMARY KEY, email text)",
        "INSERT INTO orders VALUES (1, 'é@x'), (2, NULL), (3, ''), (4, 'E@x'), (5, 'é@x')",
    )
    columns = ("email", "id", "code", "at", "day", "both_", "words")
    people = source.extract("people", rules=tuple(rule("people", c, "hash") for c in columns))
    orders = source.extract("orders", rules=(rule("orders", "email", "hash"),))
    join = RelationshipMapping(
        relationship_id=1,
        relationship_type="ORDERED",
        from_label="people",
        to_label="orders",
        pairs=(("email", "email"),),
    )
    load(graph, source.script(people, orders, mappings=(join,)))
    shown = ("é@x", "12", "ab", "10.0.0.1", "infinity", "(1,)", "{a,NULL}")
    found = graph.rows("MATCH (n:people) RETURN n ORDER BY size(keys(n))")
    assert [row["n"] for row in found] == [
        {"email": hashed("")},
        {column: hashed(value) for column, value in zip(columns, shown, strict=True)},
    ]
    assert graph.rows("MATCH (:people)-[:ORDERED]->(o) RETURN o.id AS id ORDER BY id") == [
        {"id": 1},
        {"id": 3},
        {"id": 5},
    ]


@pytest.mark.parametrize("key", ["", "k", "x" * 64, "x" * 65, "schlüssel " * 20])
def test_a_key_of_any_length_gives_the_hash_that_python_gives(
    source: SourceDatabase, key: str
) -> None:
    source.execute("CREATE TABLE t (a text)", r"INSERT INTO t VALUES (E'a value\n')")
    mapping = source.mapping("t", rules=(rule("t", "a", "hash"),))
    with source.snapshot() as snapshot, (source.folder / "out").open("w+b") as out:
        snapshot.copy(mapping, out, lambda rows: None, hashing=KeyedHash(key))
        out.seek(0)
        assert out.read().decode() == hashed("a value\n", key) + "\n"


def test_a_mask_keeps_the_last_four_characters(source: SourceDatabase, graph: Graph) -> None:
    given = {
        "4111111111111111": "************1111",
        "abcde": "*bcde",
        "abcd": "****",
        "é": "*",
        "": "",
        "naïve 🧩x": "****e 🧩x",
        None: None,
    }
    source.execute("CREATE TABLE t (id int, card text, number bigint)")
    for index, text in enumerate(given):
        value = "NULL" if text is None else f"'{text}'"
        source.execute(f"INSERT INTO t VALUES ({index}, {value}, 123456{index})")
    rules = (rule("t", "card", "mask"), rule("t", "number", "mask"))
    load(graph, source.script(source.extract("t", rules=rules)))
    found = graph.rows("MATCH (n:t) RETURN n.card AS card, n.number AS number ORDER BY n.id")
    assert [row["card"] for row in found] == list(given.values())
    assert [row["number"] for row in found] == [f"***456{index}" for index in range(len(given))]


def test_an_excluded_column_and_the_key_are_in_no_statement(source: SourceDatabase) -> None:
    source.execute("CREATE TABLE t (id text PRIMARY KEY, ssn text, mail text)")
    rules = (rule("T", "SSN", "exclude"), rule("t", "mail", "hash"))
    mapping = source.mapping("t", rules=rules)
    for statement in (copy_rows(mapping), count_losses(mapping), find_left_out(mapping, most=5)):
        assert "ssn" not in statement
        for secret in (HASH_KEY, HASH_KEY.encode().hex()):
            assert secret not in statement
    assert HASH_KEY not in repr(vars(KeyedHash(HASH_KEY)))


def test_a_source_is_never_sent_the_key(source: SourceDatabase) -> None:
    source.execute(
        "CREATE TABLE secrets (id int PRIMARY KEY, mail text)",
        "INSERT INTO secrets VALUES (1, 'a@x')",
        # A view of the source's own sees every setting of the session that reads it.
        "CREATE VIEW prying AS SELECT id, mail,"
        " (SELECT string_agg(name || '=' || setting, ';') FROM pg_settings WHERE name LIKE 'c360%') AS seen,"
        " current_setting('c360.ipad', true) AS inner_, current_setting('c360.opad', true) AS outer_"
        " FROM secrets",
    )
    rows = source.extract("prying", rules=(rule("prying", "mail", "hash"),))
    assert rows.rows_paths[0].read_text() == f"1\t{hashed('a@x')}\t\\N\t\\N\t\\N\n"


def test_a_table_with_a_hash_rule_is_not_read_without_a_key(source: SourceDatabase) -> None:
    source.execute("CREATE TABLE t (a text)", "INSERT INTO t VALUES ('raw')")
    mapping = source.mapping("t", rules=(rule("t", "a", "hash"),))
    with source.snapshot() as snapshot, (source.folder / "out").open("w+b") as out:
        with pytest.raises(SettingsError, match="C360_HASH_KEY"):
            snapshot.copy(mapping, out, lambda rows: None)
        assert out.tell() == 0


def test_a_hashed_part_of_a_long_key_is_not_shown(source: SourceDatabase) -> None:
    source.execute(
        "CREATE TABLE t (mail text PRIMARY KEY, note text NOT NULL)",
        "INSERT INTO t VALUES (repeat('m', 2000), '')",
    )
    mapping = source.mapping("t", rules=(rule("t", "mail", "hash"),))
    keyed = mapping.model_copy(update={"key": ("mail", "note")})
    assert "mail" not in find_left_out(keyed, most=5).partition("FROM")[0]
    source.execute("INSERT INTO t SELECT 'm', repeat('n', 9000)")
    with source.snapshot() as snapshot:
        assert snapshot.losses(keyed).too_long == 1
        assert snapshot.rows_left_out(keyed, most=5) == (f"mail = '(hashed)', note = {'n' * 60!r}",)


def test_an_excluded_column_needs_no_right_to_be_read(source: SourceDatabase, graph: Graph) -> None:
    source.execute(
        "CREATE TABLE t (id int PRIMARY KEY, ssn text)",
        "INSERT INTO t VALUES (1, 'secret')",
        "REVOKE ALL ON t FROM PUBLIC",
    )
    extract = source.extract("t", rules=(rule("t", "ssn", "exclude"),))
    assert extract.rows_paths[0].read_bytes() == b"1\n"


def test_any_text_hashes_and_masks_as_python_says(source: SourceDatabase) -> None:
    source.execute("CREATE TABLE t (id int, h text, m text)")
    rules = (rule("t", "h", "hash"), rule("t", "m", "mask"))
    text = st.text(st.characters(exclude_characters="\0\\\t\n\r\b\f\v", exclude_categories=["Cs"]))

    @settings(
        max_examples=3,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.lists(text, min_size=50, max_size=100))
    def holds(texts: list[str]) -> None:
        with source.servers.postgres.connect(source.database) as connection:
            connection.execute("TRUNCATE t")
            with connection.cursor().copy("COPY t FROM STDIN") as copy:
                for index, value in enumerate(texts):
                    copy.write_row((index, value, value))
        rows = source.extract("t", rules=rules).rows_paths[0].read_bytes().decode().split("\n")[:-1]
        assert rows == [
            f"{index}\t{hashed(value)}\t{masked(value)}" for index, value in enumerate(texts)
        ]

    holds()


def masked(text: str) -> str:
    return "*" * (len(text) - 4) + text[-4:] if len(text) > 4 else "*" * len(text)
