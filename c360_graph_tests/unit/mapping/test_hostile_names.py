"""No text of a control row becomes code in a relationship or schema statement."""

from __future__ import annotations

import re
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from c360_graph.cypher.relationships import create_relationships
from c360_graph.cypher.schema import LabelProperties, create_constraint, create_index
from c360_graph.cypher.script_reader import read_statements
from c360_graph.mapping.model import Junction, RelationshipMapping

_PIECES = [
    "`",
    "``",
    "\\",
    "\\u0060",
    "\\\\u0060",
    "\\uuu0060",
    "'",
    '"',
    ";",
    "//",
    "/*",
    "*/",
    "\n",
]
_WORDS = [") DETACH DELETE n //", "]->() RETURN 1;", "{x: 1}", "$rows", "a", "é", "名", "🎲", " "]
NAMES = st.one_of(
    st.lists(st.sampled_from(_PIECES + _WORDS), min_size=1, max_size=6).map("".join),
    st.text(
        st.characters(exclude_characters="\x00", exclude_categories=["Cs"]),
        min_size=1,
        max_size=20,
    ),
)
PAIRS = st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=3, unique=True).map(tuple)

_UNICODE_ESCAPE = re.compile(r"\\\\|\\u+([0-9a-fA-F]{4})")
_TOKEN = re.compile(r"`(?P<name>(?:[^`]|``)*)`|'(?:[^'\\]|\\.)*'", re.DOTALL)


def text_of(statement: str | bytes) -> str:
    return statement.decode() if isinstance(statement, bytes) else statement


def seen_by_neo4j(statement: str | bytes) -> str:
    """A statement with its Unicode escapes resolved, which Neo4j does before anything else."""
    return _UNICODE_ESCAPE.sub(
        lambda m: chr(int(m.group(1), 16)) if m.group(1) else m.group(), text_of(statement)
    )


def skeleton(statement: str | bytes) -> str:
    """What is left of a statement when its strings and names are taken out."""
    return _TOKEN.sub(lambda m: "S" if m["name"] is None else "N", seen_by_neo4j(statement))


def names_in(statement: str | bytes) -> set[str]:
    return {
        token["name"].replace("``", "`")
        for token in _TOKEN.finditer(seen_by_neo4j(statement))
        if token["name"] is not None
    }


def one_statement(statement: str | bytes) -> bool:
    return len(list(read_statements(BytesIO(text_of(statement).encode() + b";\n")))) == 1


@given(label=NAMES, properties=st.lists(NAMES, min_size=1, max_size=3).map(tuple))
def test_names_stay_names_in_constraints_and_indexes(
    label: str, properties: tuple[str, ...]
) -> None:
    key = LabelProperties(label=label, properties=properties)
    listed = ", ".join("n.N" for _ in properties)
    for statement, wanted in (
        (
            create_constraint(key),
            f"CYPHER 5 CREATE CONSTRAINT N IF NOT EXISTS FOR (n:N) REQUIRE ({listed}) IS UNIQUE",
        ),
        (create_index(key), f"CYPHER 5 CREATE INDEX N IF NOT EXISTS FOR (n:N) ON ({listed})"),
    ):
        assert skeleton(statement) == wanted
        assert {label, *properties} <= names_in(statement)
        assert one_statement(statement)


@given(
    kind=NAMES,
    one=NAMES,
    other=NAMES,
    pairs=PAIRS,
    table=NAMES,
    seek=st.sampled_from(["from", "to"]),
)
def test_names_stay_names_in_relationships(
    kind: str, one: str, other: str, pairs: tuple[tuple[str, str], ...], table: str, seek: str
) -> None:
    mapping = RelationshipMapping(
        relationship_id=1,
        relationship_type=kind,
        from_label=one,
        to_label=other,
        pairs=pairs,
        seek="from" if seek == "from" else "to",
        from_tables=(table,),
    )
    statement = create_relationships(mapping, sought=1)
    columns = {name for pair in pairs for name in pair}
    assert names_in(statement) == {kind, one, other, "_c360_table", *columns}
    assert one_statement(statement)
    assert re.fullmatch(
        r"CYPHER 5 MATCH \(row:N\)( WHERE row\.N IN \[S\])?\n"
        r"CALL \(row\) \{ MATCH \([ab]:N \{N: row\.N(, N: row\.N)*\}\)"
        r"( WHERE ([ab]\.N = row\.N|[ab]\.N IN \[S\])( AND ([ab]\.N = row\.N|[ab]\.N IN \[S\]))*)?"
        r"\nWITH row, [ab]\nCREATE \((a|row)\)-\[:N\]->\((b|row)\) \} IN TRANSACTIONS OF 10000 ROWS",
        skeleton(statement),
    )


@given(kind=NAMES, one=NAMES, other=NAMES, pairs=PAIRS)
def test_names_stay_names_where_a_small_label_is_joined_as_a_whole(
    kind: str, one: str, other: str, pairs: tuple[tuple[str, str], ...]
) -> None:
    mapping = RelationshipMapping(
        relationship_id=1, relationship_type=kind, from_label=one, to_label=other, pairs=pairs
    )
    statement = create_relationships(mapping, sought=1)
    assert names_in(statement) == {kind, one, other, *(name for pair in pairs for name in pair)}
    assert one_statement(statement)
    assert re.fullmatch(
        r"CYPHER 5 MATCH \(row:N\)\nMATCH \(a:N \{N: row\.N(, N: row\.N)*\}\) USING SCAN a:N"
        r"( WHERE a\.N = row\.N( AND a\.N = row\.N)*)?\nWITH row, a\n"
        r"CALL \(row, a\) \{ CREATE \(a\)-\[:N\]->\(row\) \} IN TRANSACTIONS OF 10000 ROWS",
        skeleton(statement),
    )


@given(kind=NAMES, label=NAMES, link=NAMES, pairs=PAIRS, properties=st.lists(NAMES, max_size=3))
def test_names_stay_names_in_relationships_through_a_junction(
    kind: str, label: str, link: str, pairs: tuple[tuple[str, str], ...], properties: list[str]
) -> None:
    mapping = RelationshipMapping(
        relationship_id=1,
        relationship_type=kind,
        from_label=label,
        to_label=label,
        junction=Junction(
            table=("s", "t"),
            node_label=link,
            from_pairs=pairs,
            to_pairs=pairs[:1],
            properties=tuple(properties),
        ),
    )
    statement = create_relationships(mapping, sought=1)
    columns = {name for pair in pairs for name in pair}
    assert names_in(statement) == {kind, label, link, *columns, *properties}
    assert one_statement(statement)
