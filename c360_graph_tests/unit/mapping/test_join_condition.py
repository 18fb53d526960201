"""The grammar of join_condition."""

from __future__ import annotations

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from c360_graph.errors import MappingError
from c360_graph.mapping.conditions import ColumnReference, Equality, aliases, parse
from c360_graph.mapping.join_functions import around

_WORDS = ["a", "b", "Acc", '"Mixed Case"', '"a""b"', '"x.y"', '"; DROP"', '"--"', '"é`"', "größe"]
_NAMES = st.sampled_from(_WORDS)
_HOSTILE = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            [
                *_WORDS,
                *[
                    ".",
                    "=",
                    "AND",
                    "and",
                    "OR",
                    "NOT",
                    "(",
                    ")",
                    ",",
                    ";",
                    "--",
                    "/*",
                    "*/",
                    "'",
                    "$$",
                    "==",
                    "!=",
                    "<>",
                    "<",
                    "::",
                    ":x",
                    "?",
                    "%",
                    "@",
                    "#",
                    "{",
                    "}",
                    "[",
                    "]",
                    "\\",
                ],
                *[
                    "\n",
                    "\t",
                    "\x00",
                    "`",
                    "``",
                    "\\u0060",
                    " a.b = c.d ",
                    "SELECT 1",
                    "NULL",
                    "TRUE",
                ],
                *[
                    "LIKE",
                    "IN",
                    "IS",
                    "LIMIT 1",
                    "UNION",
                    "a.b=c.d",
                    "CASE",
                    *["lower(", "trim(", "phone(", ", 'DE')", "email_local(a.b)", "lower"],
                    "E'x'",
                    "$1",
                ],
            ]
        ),
        max_size=14,
    ).map("".join),
    st.lists(
        st.sampled_from(
            ["a.b = c.d", "x.y=z.w", "AND", "OR", "(", ")", "trim(a.b) = c.d", "lower"]
        ),
        max_size=9,
    ).map(" ".join),
)


@st.composite
def accepted(draw: st.DrawFn) -> tuple[str, list[tuple[object, ...]]]:
    """A condition in any spelling of the grammar, its names as PostgreSQL reads them, its functions."""
    equalities = draw(st.lists(st.tuples(_NAMES, _NAMES, _NAMES, _NAMES), min_size=1, max_size=4))
    spaces = st.sampled_from(["", " ", "\n", "\t "])
    parts: list[str] = []
    wanted: list[tuple[object, ...]] = []
    for one, two, three, four in equalities:
        gaps = [draw(spaces) for _ in range(6)]
        left, right = draw(_FUNCTIONS), draw(_FUNCTIONS)
        sides = (
            _around(left, f"{gaps[0]}{one}{gaps[1]}.{gaps[2]}{two}{gaps[3]}"),
            _around(right, f"{gaps[4]}{three}.{four}{gaps[5]}"),
        )
        parts.append("=".join(sides))
        names = tuple(map(_as_postgres_reads, (one, two, three, four)))
        wanted.append((*names, tuple(call for call, _ in left), tuple(call for call, _ in right)))
    text = draw(st.sampled_from([" AND ", "\nand\t", " And "])).join(parts)
    return text, wanted


_FUNCTIONS = st.lists(
    st.sampled_from(
        [
            ("lower", "LOWER(#)"),
            ("trim", " Trim\n( # )"),
            ("unaccent_ascii", "unaccent_ascii(#)"),
            ("digits", "Digits(#)"),
            ("email", "email (#)"),
            ("email_local", "email_local(#)"),
            ("phone_DE", "phone(#, 'DE')"),
            ("phone_GB", "PHONE(#,\n'gb' )"),
        ]
    ),
    max_size=4,
)


def _around(functions: list[tuple[str, str]], value: str) -> str:
    for _, written in reversed(functions):
        value = written.replace("#", value)
    return value


def _as_postgres_reads(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _quoted(reference: ColumnReference) -> str:
    return exp.column(
        exp.to_identifier(reference.candidates[0], quoted=True),
        table=exp.to_identifier(reference.alias, quoted=True),
    ).sql("postgres")


@given(_HOSTILE)
def test_a_hostile_text_gives_equalities_or_a_mapping_error(text: str) -> None:
    try:
        equalities = parse(text)
    except MappingError:
        return
    assert equalities
    assert all(isinstance(equality, Equality) for equality in equalities)
    assert parse(" AND ".join(f"{_written(e.left)} = {_written(e.right)}" for e in equalities)) == (
        tuple(_quotes(equality) for equality in equalities)
    )
    rebuilt = " AND ".join(f"{_quoted(e.left)} = {_quoted(e.right)}" for e in equalities)
    said = [(s.alias, s.candidates[0]) for e in equalities for s in (e.left, e.right)]
    assert _columns_joined_by(text) == said
    assert _columns_joined_by(rebuilt) == said


def _written(reference: ColumnReference) -> str:
    return around(reference.functions, _quoted(reference))


def _quotes(equality: Equality) -> Equality:
    """The same with each name in quotes."""
    sides = {
        name: side.model_copy(update={"column": side.candidates[0], "column_is_quoted": True})
        for name, side in (("left", equality.left), ("right", equality.right))
    }
    return Equality(**sides)


def _columns_joined_by(condition: str) -> list[tuple[str, str]]:
    """The columns of a query that joins by a text, folded as PostgreSQL does."""
    query = sqlglot.parse_one(f"SELECT * FROM x JOIN y ON {condition}", dialect="postgres")
    assert not list(query.find_all(exp.Or, exp.Not, exp.Subquery))
    assert all(literal.name.isalpha() for literal in query.find_all(exp.Literal))
    return [
        (_folded(column.args["table"]), _folded(column.this))
        for column in query.find_all(exp.Column, bfs=False)
    ]


def _folded(name: exp.Expression) -> str:
    return name.name if name.args["quoted"] else name.name.lower()


@given(accepted())
def test_every_spelling_of_the_grammar_is_read_as_postgresql_reads_it(
    case: tuple[str, list[tuple[object, ...]]],
) -> None:
    text, wanted = case
    assert [
        (
            *(e.left.alias, e.left.candidates[0], e.right.alias, e.right.candidates[0]),
            *(e.left.functions, e.right.functions),
        )
        for e in parse(text)
    ] == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("a.b = c.d; DROP TABLE x", "a semicolon"),
        ("a.b = c.d -- x", "a comment"),
        ("a.b = /* x */ c.d", "a comment"),
        ("a.b = 'x'", "a string"),
        ("a.b = $$x$$", "a dollar sign"),
        ("a.b == c.d", "'=='"),
        ("a.b = c.d OR a.e = c.f", "'a.b = c.d OR a.e = c.f' is no equality"),
        ("NOT a.b = c.d", "is no equality"),
        ("a.b <> c.d", "is no equality"),
        ("a.b IS NOT DISTINCT FROM c.d", "is no equality"),
        ("(a.b = c.d)", "is no equality"),
        ("TRUE", "is no equality"),
        ("a.b = c.d AND 1 = 1", "'1' is not alias.column"),
        ("upper(a.b) = c.d", "'UPPER(a.b)' is not alias.column; write the alias, a dot"),
        ("lower(a.b, 'x') = c.d", "a string"),
        ("lower(a.b, a.c) = c.d", "cannot be read"),
        ("lower(b) = c.d", "'b' is not alias.column"),
        ("lower() = c.d", "cannot be read"),
        ("lower(*) = c.d", "is not alias.column"),
        ("lower(DISTINCT a.b) = c.d", "is not alias.column"),
        ("lower((a.b)) = c.d", "is not alias.column"),
        ("lower(a.b)::text = c.d", "is not alias.column"),
        ('lower(a.b) COLLATE "C" = c.d', "is not alias.column"),
        ("lower(a.b || a.c) = c.d", "is not alias.column"),
        ("pg_catalog.lower(a.b) = c.d", "is not alias.column"),
        ("a.lower(b) = c.d", "is not alias.column"),
        ("ltrim(a.b) = c.d", "is not alias.column"),
        ("trim(both from a.b) = c.d", "is not alias.column"),
        ("trim(a.b, c.d) = c.d", "is not alias.column"),
        ("lcase(a.b) = c.d", "by other names than lower, trim"),
        ("btrim(a.b) = c.d", "by other names than lower, trim"),
        ('"lower"(a.b) = c.d', "by other names than lower, trim"),
        ("digits(a.b, 'DE') = c.d", "is not alias.column"),
        ("phone(a.b) = c.d", "is not alias.column"),
        ("phone(a.b, 'UK') = c.d", "UK is no country that phone() knows"),
        ("phone(a.b, 'DEU') = c.d", "a string"),
        ("phone(a.b, E'DE') = c.d", "a string"),
        ("phone(a.b, DE) = c.d", "is not alias.column"),
        ("phone('DE', a.b) = c.d", "a string"),
        ("lower(" * 7 + "a.b" + ")" * 7 + " = c.d", "nests more than 6 functions"),
        ("lower(" * 600 + "a.b" + ")" * 600 + " = c.d", "join_condition"),
        ("a.b = (SELECT 1)", "is not alias.column"),
        ("a.b = c.d::text", "is not alias.column"),
        ("a.b = d", "'d' is not alias.column"),
        ("a.b = c.d.e", "'c.d.e' is not alias.column"),
        ("a.* = c.d", "is not alias.column"),
        ("a.b = c.d = e.f", "is not alias.column"),
        ('"".b = c.d', "an empty name"),
        ("a.b", "is no equality"),
        ("a.b = ", "cannot be read"),
        ("a.b = c.d AND", "cannot be read"),
        ("a.b = c.d LIMIT 1", "cannot be read"),
        ("end.b = c.d", "reserved words in double quotes"),
        ("a.b = c.d\x00", "NUL"),
        ("a.b = c.d AND " * 300 + "a.b = c.d", "longer than 4000"),
        ("(" * 1900 + "a.b = c.d" + ")" * 1900, "join_condition"),
        ("a.b = c.d OR " * 300 + "a.b = c.d", "is no equality"),
        ("NOT " * 900 + "a.b = c.d", "join_condition"),
        ("a.b = " + "- " * 1900 + "c.d", "join_condition"),
    ],
)
def test_what_is_no_equality_of_columns_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(MappingError) as refused:
        parse(text)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 800


def test_hundreds_of_conditions_are_read_in_their_order() -> None:
    text = " AND ".join(f"a.c{i} = b.c{i}" for i in range(180))
    assert [e.left.column for e in parse(text)] == [f"c{i}" for i in range(180)]


def test_an_unquoted_column_means_its_lower_case_first_and_then_its_own_letters() -> None:
    (equality,) = parse('E.ManagerId = "M"."Id"')
    assert equality.left.alias == "e"
    assert equality.left.candidates == ("managerid", "ManagerId")
    assert equality.right.alias == "M"
    assert equality.right.candidates == ("Id",)


def test_aliases_come_in_the_order_of_their_first_appearance() -> None:
    assert aliases(parse("t.a = link.a AND link.b = tag.b")) == ("t", "link", "tag")
