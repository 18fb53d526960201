"""Names and texts within SQL, of PostgreSQL and of the join engine alike."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A name in double quotes.

    >>> print(quoted('odd"name'))
    "odd""name"
    """
    return '"' + name.replace('"', '""') + '"'


def quoted_table(schema: str, table: str) -> str:
    """A table's name with its schema's.

    >>> print(quoted_table('public', 'odd"name'))
    "public"."odd""name"
    """
    return f"{quoted(schema)}.{quoted(table)}"


def sql_literal(text: str) -> str:
    """A text as a literal; standard_conforming_strings is on in every session of ours.

    >>> print(sql_literal("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"
