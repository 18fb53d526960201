"""Names and texts within SQL, of PostgreSQL and of the join engine alike."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def quoted_table(schema: str, table: str) -> str:
    """A table's name with its schema's."""
    return f"{quoted(schema)}.{quoted(table)}"


def sql_literal(text: str) -> str:
    """A text as a literal; standard_conforming_strings is on in every session of ours."""
    return "'" + text.replace("'", "''") + "'"
