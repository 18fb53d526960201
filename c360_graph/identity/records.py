"""Records and their identifiers, read from extracts into tables of the join engine.

::

    records_0, records_1, ...  (record, key, v0, v1, ..., w0, w1, ...)   the records of a table, values by
                                                           identifier and by compared column
    identifiers                (record, kind, token)        what identifies a record; a token is a value's hash
    shared                     (kind, token, first, records) tokens of several records, and how many have it

A record is a number, in the order of the tables and of the text of their keys, so that the same extracts
give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from c360_graph.extract_joins.engine import JoinEngine
from c360_graph.extract_joins.extract_sql import file_rows
from c360_graph.extracts import Extract
from c360_graph.mapping.model import Identifier, Identity, RecordTable
from c360_graph.sql_quoting import sql_literal

TAB = "chr(9)"


@dataclass(frozen=True, kw_only=True)
class RecordExtract:
    """The extract of a table with records, and what the mapping says of them."""

    number: int
    mapped: RecordTable
    extract: Extract

    @property
    def name(self) -> str:
        """Of the engine's table with its records."""
        return f"records_{self.number}"

    @property
    def qualified_name(self) -> str:
        """`source/table`."""
        return self.extract.manifest.table.qualified_name


@dataclass(frozen=True, kw_only=True)
class IgnoredIdentifier:
    """A value that more records share than the limit allows. `value` is None where values are not shown."""

    kind: str
    records: int
    value: str | None = None


def kinds_of(identity: Identity) -> tuple[str, ...]:
    """The kinds of identifiers; an identifier's number is its index among them.

    Those that count by themselves come first, in the order of the rules.
    """
    found = [i for record in identity.records for i in record.identifiers]
    least = {kind: agreement_of(identity, kind) for kind in dict.fromkeys(i.kind for i in found)}
    return tuple(sorted(least, key=lambda kind: least[kind]))


def agreement_of(identity: Identity, kind: str) -> int:
    """How many kinds have to agree for this one to count: the most that a rule of the kind says."""
    every = (i for record in identity.records for i in record.identifiers)
    return max(i.min_agreement for i in every if i.kind == kind)


def read_records(
    engine: JoinEngine, tables: Sequence[RecordExtract], kinds: tuple[str, ...]
) -> int:
    """Fill the tables of records and identifiers; returns how many records there are.

    Raises:
        ExtractError: an extract cannot be read.
    """
    records = 0
    engine.rows("CREATE TABLE identifiers (record BIGINT, kind TINYINT, token UHUGEINT)")
    for table in tables:
        engine.rows(f"CREATE TABLE {table.name} AS {_numbered(table, after=records)}")
        ((count,),) = engine.rows(f"SELECT count(*) FROM {table.name}")
        records += count
        for number, kind in enumerate(kinds):
            positions = [i for i, have in enumerate(table.mapped.identifiers) if have.kind == kind]
            if positions:
                engine.rows(f"INSERT INTO identifiers {_identifiers(table, number, positions)}")
    engine.rows(
        "CREATE TABLE shared AS SELECT kind, token, min(record) AS first, count(*) AS records"
        " FROM identifiers GROUP BY kind, token HAVING count(*) > 1"
    )
    return records


def ignored_identifiers(
    engine: JoinEngine,
    tables: Sequence[RecordExtract],
    kinds: tuple[str, ...],
    *,
    limit: int,
    shown: int,
) -> tuple[int, tuple[IgnoredIdentifier, ...]]:
    """How many values more than `limit` records share, and those that most share.

    `shown` is the most of which the values themselves are told; the others are told without.
    """
    ((count,),) = engine.rows(f"SELECT count(*) FROM shared WHERE records > {limit}")
    most = engine.rows(
        f"SELECT kind, token::VARCHAR, records FROM shared WHERE records > {limit}"
        " ORDER BY records DESC, kind, token LIMIT 10"
    )
    return count, tuple(
        IgnoredIdentifier(
            kind=kinds[kind],
            records=records,
            value=_value_of(engine, tables, kinds[kind], token) if number < shown else None,
        )
        for number, (kind, token, records) in enumerate(most)
    )


def key_sql(table: RecordExtract) -> str:
    """SQL for the text of a record's key, as the extract has its columns."""
    return _columns(table.extract, table.extract.manifest.table.key)


def _numbered(table: RecordExtract, *, after: int) -> str:
    values = "".join(
        f", {_column(table.extract, identifier.column)} AS v{i}"
        for i, identifier in enumerate(table.mapped.identifiers)
    ) + "".join(
        f", {_column(table.extract, compared.column)} AS w{i}"
        for i, compared in enumerate(table.mapped.compared)
    )
    rows = f"SELECT {key_sql(table)} AS key{values} FROM {file_rows(table.extract)}"
    return (
        f"SELECT {after} + row_number() OVER (ORDER BY key) AS record, * FROM ({rows}) ORDER BY key"
    )


def _identifiers(table: RecordExtract, kind: int, positions: Sequence[int]) -> str:
    """SQL for the tokens of a kind, each once for a record, whichever of its columns has it."""
    if len(positions) == 1:
        value, rows = f"v{positions[0]}", table.name
    else:
        values = ", ".join(f"v{position}" for position in positions)
        value = "value"
        rows = f"(SELECT record, unnest(list_distinct([{values}])) AS value FROM {table.name})"
    return (
        f"SELECT record, {kind}, md5_number({value}) FROM {rows}"
        f" WHERE {value} IS NOT NULL AND {value} <> ''"
    )


def _value_of(
    engine: JoinEngine, tables: Sequence[RecordExtract], kind: str, token: str
) -> str | None:
    for table in tables:
        for i, identifier in enumerate(table.mapped.identifiers):
            if identifier.kind == kind and not _is_hashed(table, identifier):
                found = engine.rows(
                    f"SELECT v{i} FROM {table.name}"
                    f" WHERE md5_number(v{i}) = {sql_literal(token)}::UHUGEINT LIMIT 1"
                )
                if found:
                    return str(found[0][0])
    return None


def _is_hashed(table: RecordExtract, identifier: Identifier) -> bool:
    prop = table.extract.manifest.table.property_of(identifier.column)
    return prop is None or prop.treatment == "hash"


def _columns(extract: Extract, columns: Sequence[str]) -> str:
    """SQL for several columns as an extract of just these has them."""
    return f" || {TAB} || ".join(_column(extract, column) for column in columns)


def _column(extract: Extract, column: str) -> str:
    properties = extract.manifest.table.properties
    return f"c{next(i for i, prop in enumerate(properties) if prop.column == column)}"
