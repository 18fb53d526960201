"""Names of columns of public schemas, each judged by its name and type alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from c360_graph.proposal.naming import name_words
from c360_graph.proposal.personal_names import kind_by_name
from c360_graph_tests.unit.mapping.given import column_type

LISTED = Path(__file__).with_name("column_names.txt")


def listed() -> Iterator[tuple[str, list[str]]]:
    """Each schema of the file with its lines."""
    for part in LISTED.read_text(encoding="utf-8").split("\n[")[1:]:
        name, _, lines = part.partition("]\n")
        yield name, [line for line in lines.splitlines() if line]


@pytest.mark.parametrize("lines", [pytest.param(lines, id=name) for name, lines in listed()])
def test_secrets_and_personal_data_are_known_by_name_and_nothing_else_is(lines: list[str]) -> None:
    assert [judged(line) for line in lines] == lines


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("nationalidnumber", "national id number"),
        ("PasswordHash", "password hash"),
        ("HTTPRequestIPAddresses", "http request ip address"),
        ("addressline2", "address line 2"),
        ("Prénom", "prenom"),
        # Words that others could be cut out of stay whole.
        ("passage", "passage"),
        ("compass", "compass"),
        ("keyboard", "keyboard"),
        ("latest", "latest"),
        ("relation", "relation"),
        ("", ""),
    ],
)
def test_a_folded_name_is_cut_only_where_nothing_is_left_over(name: str, found: str) -> None:
    assert " ".join(name_words(name)) == found


@pytest.mark.parametrize("kind", ["bool", "timestamptz", "date", "int", "bigint", "double"])
@pytest.mark.parametrize("name", ["password", "secret", "api_key", "reset_token", "passwordhash"])
def test_a_number_a_moment_and_a_yes_or_no_are_no_secret(name: str, kind: str) -> None:
    assert kind_by_name("users", name, column_type(kind)) is None


def judged(line: str) -> str:
    """The line with the kind that is found."""
    place, _, kind = line.partition(" = ")[0].rpartition(" ")
    table, _, column = place.partition(".")
    types = {"smallint": "int2"}
    found = kind_by_name(table, column, column_type(types.get(kind, kind)))
    return f"{place} {kind} = {found or '-'}"
