"""The grammar of row_filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.errors import MappingError
from c360_graph.mapping.conditions import parse_filter
from c360_graph_tests.unit.mapping.given import Case, table

_NAMES = st.sampled_from(["a", '"a""b"', '"; DROP"', '"--"', "größe", '"x.y"', "Mixed", '"it\'s"'])
_LITERALS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["1.5", "-0.25", "true", "false"]),
    st.text(st.characters(exclude_characters="\0\\", exclude_categories=["Cs"]), max_size=12).map(
        lambda text: "'" + text.replace("'", "''") + "'"
    ),
)


@st.composite
def conditions(draw: st.DrawFn) -> str:
    name = draw(_NAMES)
    form = draw(
        st.sampled_from(
            ["= #", "<> #", "< #", ">= #", "IS NULL", "is not null", "IN (#, #)", "NOT IN (#)"]
        )
    )
    before, *rest = form.split("#")
    form = before + "".join(draw(_LITERALS) + part for part in rest)
    return f"{name} {form}"


@given(st.lists(conditions(), min_size=1, max_size=4).map(" AND ".join))
def test_what_is_read_is_read_again_from_what_is_written(text: str) -> None:
    try:
        found = parse_filter(text)
    except MappingError:
        # A literal may hold a mark that the rest of the text must not have; it is refused, not misread.
        return
    written = " AND ".join(map(str, found))
    assert " AND ".join(map(str, parse_filter(written))) == written


@given(st.text(max_size=60) | st.lists(st.sampled_from([
    "a", "=", "'x'", "1", "IS", "NOT", "NULL", "IN", "(", ")", ",", "AND", "OR", ";", "--", "$$", "'", '"', "SELECT", "::int", "lower(a)", ".",
]), max_size=12).map(" ".join))  # fmt: skip
def test_a_hostile_text_gives_conditions_or_a_mapping_error(text: str) -> None:
    try:
        found = parse_filter(text)
    except MappingError:
        return
    assert found
    written = " AND ".join(map(str, found))
    assert " AND ".join(map(str, parse_filter(written))) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("deleted_at IS NULL", '"deleted_at" IS NULL'),
        ("deleted_at is not null", '"deleted_at" IS NOT NULL'),
        ("NOT a IS NULL", '"a" IS NOT NULL'),
        ("a = 'x''y' AND b != -3.5", "\"a\" = 'x''y' AND \"b\" <> -3.5"),
        ("a = '--;$$' AND \"B\" IN (1, 2)", '"a" = \'--;$$\' AND "B" IN (1, 2)'),
        ("f = true AND g NOT IN ('a')", '"f" = true AND "g" NOT IN (\'a\')'),
    ],
)
def test_conditions_are_written_as_they_are_meant(text: str, written: str) -> None:
    assert " AND ".join(map(str, parse_filter(text))) == written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a = b", "'b' is not a literal"),
        ("a = 1 OR b = 2", "is not allowed"),
        ("a.b = 1", "'a.b' is not a column"),
        ("lower(a) = 'x'", "is not a column"),
        ("a = NULL", "'NULL' is not a literal"),
        ("a IN (SELECT 1)", "is not allowed"),
        ("a = 1; DELETE FROM x", "';'"),
        ("a = 1 -- b", "'--'"),
        ("a = E'x'", "is not a literal"),
        ("a = 'x'::date", "is not a literal"),
        ("a LIKE 'x'", "is not allowed"),
        ("NOT a = 1", "is not allowed"),
        ("a = current_user", "is not a literal"),
        ("(a = 1)", "is not allowed"),
        ("a = ", "cannot be read"),
        ("1 = 1", "'1' is not a column"),
        ("a = 1 AND " * 500 + "a = 1", "longer than 4000"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(MappingError) as refused:
        parse_filter(text)
    assert said in str(refused.value)


def shop(**more: object) -> Case:
    case = (
        Case()
        .source("one", table("orders", "no int; State text; mail text", key="no"))
        .label("orders", "Order")
    )
    case.labels[0] = case.labels[0].model_copy(update=more)
    return case


def test_a_column_is_spelled_as_in_a_join_condition() -> None:
    (mapped,) = shop(row_filter="State = 'x'").resolve().tables
    assert [str(condition) for condition in mapped.row_filter] == ["\"State\" = 'x'"]


def test_what_is_not_read_can_neither_filter_nor_be_the_key() -> None:
    assert (
        "row_filter names 'stat', a column that is not read"
        in shop(row_filter="stat = 'x'").reason()
    )
    assert (
        shop(row_filter="mail = 'x'")
        .excluding("orders", "mail")
        .reason()
        .startswith("one/orders: row_filter names 'mail'")
    )
    assert (
        "key_columns names 'mail'"
        in shop(key_columns=("mail",)).excluding("orders", "mail").reason()
    )
    masked = shop(key_columns=("mail",)).excluding("orders", "mail", treatment="mask")
    assert "key_columns names mail, which is masked" in masked.reason()
    assert "names a column twice" in shop(key_columns=("no", "no")).reason()


def test_the_key_is_what_the_row_says_and_a_table_without_a_filter_is_described_as_before() -> None:
    (plain,) = shop().resolve().tables
    assert plain.key == ("no",)
    assert plain.fingerprint_source.startswith('{"source"')
    (mapped,) = shop(key_columns=("mail", "no"), row_filter="mail <> 'x'").resolve().tables
    assert mapped.key == ("mail", "no")
    assert mapped.fingerprint_source != plain.fingerprint_source
