"""Joins that sources count: how many of some rows that refer to others find them, in one source and across several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from c360_graph.errors import SourceError
from c360_graph.mapping.catalog import INTEGERS, CatalogTable, SourceCatalog
from c360_graph.mapping.join_comparison import compare
from c360_graph.mapping.join_forms import (
    Normaliser,
    functions_of,
    normaliser,
    own_value,
    source_column,
    sql_of,
)
from c360_graph.mapping.join_functions import JoinColumn, JoinFunctions
from c360_graph.mapping.model import PropertyMapping, RelationshipMapping, TableIndex, TableMapping
from c360_graph.mapping.property_types import property_type
from c360_graph.plan.model import PartnerSample
from c360_graph.source.copy_query import whole_rows
from c360_graph.source.sampling import scatter
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph.sql_quoting import quoted, quoted_table, sql_literal

_EQUALS = "OPERATOR(pg_catalog.=)"

Pairs = tuple[tuple[str, str], ...]
"""(column that is sought, column of the row that refers)."""

SAMPLE_ROWS = 1_000
MOST_PARTNERS = 100_000
"""Values of a table that are read where the source itself cannot compute what is compared."""

_TEXTS = ("text", "varchar", "bpchar")


@dataclass(frozen=True, kw_only=True)
class JoinCounts:
    """Two statements of one number: the join by PostgreSQL's own equality, and by what the graph compares."""

    by_postgres: str
    by_graph: str


@dataclass(frozen=True)
class _Pair:
    """Two columns that are joined, each of the table behind an alias."""

    left_alias: str
    left: tuple[TableMapping, PropertyMapping]
    right_alias: str
    right: tuple[TableMapping, PropertyMapping]


class _NotCountable(Exception):
    """PostgreSQL has no such join: no equality for two columns, or no function of that kind."""


def join_counts(
    mapping: RelationshipMapping, tables: tuple[TableMapping, ...]
) -> JoinCounts | None:
    """What to ask, None where the tables are not all of one source or PostgreSQL has no such join."""
    starts = [table for table in tables if mapping.start.has(table)]
    ends = [table for table in tables if mapping.end.has(table)]
    through = mapping.junction
    junctions = [table for table in tables if through and table.asset_key == through.table]
    if len({table.source.source_id for table in (*starts, *ends, *junctions)}) != 1:
        return None
    choices: list[tuple[TableMapping, TableMapping, TableMapping | None]] = [
        (start, end, None) for start, end in product(starts, ends)
    ]
    if through is not None:
        choices = [(s, e, j) for s, e, j in product(starts, ends, junctions)]
    try:
        return JoinCounts(
            by_postgres=_sum(_count(mapping, *choice, own=True) for choice in choices),
            by_graph=_sum(_count(mapping, *choice, own=False) for choice in choices),
        )
    except _NotCountable:
        return None


def _sum(counts: Iterator[str]) -> str:
    return f"SELECT {' + '.join(f'({count})' for count in counts)}"


def _count(
    mapping: RelationshipMapping,
    start: TableMapping,
    end: TableMapping,
    junction: TableMapping | None,
    *,
    own: bool,
) -> str:
    pairs = list(_pairs(mapping, start, end, junction))
    if len(pairs) < _wanted(mapping):
        return "0"
    equal = [_own_equality(pair) if own else _graph_equality(pair) for pair in pairs]
    if None in equal:
        return "0"
    tables = {"a": start, "b": end} | ({"j": junction} if junction else {})
    read = ", ".join(
        f"(SELECT t.* {whole_rows(table)}) AS {name}" for name, table in tables.items()
    )
    return f"SELECT count(*) FROM {read} WHERE {' AND '.join(filter(None, equal))}"


def _wanted(mapping: RelationshipMapping) -> int:
    if mapping.junction is None:
        return len(mapping.pairs)
    return len(mapping.junction.from_pairs) + len(mapping.junction.to_pairs)


def _pairs(
    mapping: RelationshipMapping,
    start: TableMapping,
    end: TableMapping,
    junction: TableMapping | None,
) -> Iterator[_Pair]:
    """The pairs of columns that these tables have; one of a shared label may lack some."""
    sides = [("a", start, "b", end, mapping.pairs)]
    if mapping.junction is not None and junction is not None:
        sides = [
            ("a", start, "j", junction, mapping.junction.from_pairs),
            ("b", end, "j", junction, mapping.junction.to_pairs),
        ]
    for left_alias, left_table, right_alias, right_table, pairs in sides:
        for left_name, right_name in pairs:
            left, right = left_table.property_of(left_name), right_table.property_of(right_name)
            if left is not None and right is not None:
                yield _Pair(left_alias, (left_table, left), right_alias, (right_table, right))


def _own_equality(pair: _Pair) -> str | None:
    """A condition with PostgreSQL's own `=`; None where that finds nothing."""
    left, right = _original(*pair.left), _original(*pair.right)
    if left.functions or right.functions:
        texts = [
            _own_value(_value(alias, table, prop), column.functions)
            for alias, (table, prop), column in (
                (pair.left_alias, pair.left, left),
                (pair.right_alias, pair.right, right),
            )
        ]
        return f"{texts[0]} {_EQUALS} {texts[1]}"
    comparison = compare(left, right)
    if comparison.by_text:
        raise _NotCountable
    if not comparison.ways:
        return None
    instants = comparison.ways[0] == "instant"
    texts = [
        _moment(_value(alias, table, prop), column if instants else None)
        for alias, (table, prop), column in (
            (pair.left_alias, pair.left, left),
            (pair.right_alias, pair.right, right),
        )
    ]
    schema = left.type.extension_schema
    operator = f"OPERATOR({quoted(schema)}.=)" if schema and left.base == right.base else _EQUALS
    return f"{texts[0]} {operator} {texts[1]}"


def _column(table: TableMapping, prop: PropertyMapping) -> PropertyMapping:
    """The property of the column itself, where it may be one that holds a join form."""
    found = table.property_of(source_column(prop.column))
    assert found is not None
    return found


def _value(alias: str, table: TableMapping, prop: PropertyMapping) -> str:
    return own_value(_column(table, prop), alias=alias)


def _original(table: TableMapping, prop: PropertyMapping) -> JoinColumn:
    return JoinColumn(
        type=_column(table, prop).type,
        time_zone=table.source.time_zone,
        functions=functions_of(prop),
    )


def _own_value(value: str, functions: JoinFunctions | None) -> str:
    """A column as it is, or as PostgreSQL itself has the functions around it."""
    if functions is None:
        return value
    if functions.calls_left:
        raise _NotCountable
    return functions.own_sql(value)


def _moment(value: str, column: JoinColumn | None) -> str:
    """A timestamp of a zone as the moment that it means."""
    if column is None or column.base != "timestamp":
        return value
    return f"({value} AT TIME ZONE {sql_literal(column.time_zone or 'UTC')})"


def _graph_equality(pair: _Pair) -> str:
    """A condition by the texts that are compared in the graph."""
    texts = []
    for alias, (table, prop) in ((pair.left_alias, pair.left), (pair.right_alias, pair.right)):
        kind = property_type(prop.type, time_zone=table.source.time_zone)
        texts.append(f"({kind.render(sql_of(table, prop, alias=alias))})::text")
    return f"{texts[0]} {_EQUALS} {texts[1]}"


@dataclass(frozen=True, kw_only=True)
class SoughtColumns:
    """The tables in which a reference looks for its partner, and by which columns."""

    tables: tuple[TableMapping, ...]
    pairs: Pairs


@dataclass(frozen=True, kw_only=True)
class ReferenceJoin:
    """The tables whose rows refer, and the sides that each of these rows has to find."""

    driving: tuple[TableMapping, ...]
    sides: tuple[SoughtColumns, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns by which a row refers."""
        return tuple(dict.fromkeys(column for side in self.sides for _, column in side.pairs))


def join_of(mapping: RelationshipMapping, tables: TableIndex) -> ReferenceJoin:
    """Who looks for whom in a mapping."""
    return ReferenceJoin(
        driving=tables.driving(mapping),
        sides=tuple(
            SoughtColumns(tables=tables.at(end), pairs=end.pairs) for end in mapping.sought
        ),
    )


def has_columns(table: TableMapping, columns: tuple[str, ...]) -> bool:
    """Whether a table can take part: one of a shared label may lack a column."""
    return all(table.property_of(column) for column in columns)


def sample_references(
    table: TableMapping, columns: tuple[str, ...], *, catalog_table: CatalogTable | None
) -> str:
    """Texts of the columns of some rows in which none is NULL, from all over a large table."""
    relation = f"{quoted_table(table.source.db_schema, table.table_name)} AS t"
    sample = scatter(catalog_table, rows=SAMPLE_ROWS)
    read = ", ".join(_text(table, _property(table, column)) for column in columns)
    present = _present(table, [_property(table, column) for column in columns])
    return f"SELECT {read} FROM {relation}{sample.pages} WHERE {present}{sample.order} LIMIT {SAMPLE_ROWS}"


def find_partners(table: TableMapping, pairs: Pairs, driving: TableMapping) -> str:
    """Numbers of the references that find a row.

    Takes an array of numbers, then one array of texts for each pair.
    """
    names = ", ".join(f"v{n}" for n, _ in enumerate(pairs))
    arrays = ", ".join(("%s::int[]", *("%s::text[]" for _ in pairs)))
    equal = (
        _equals(table, _property(table, sought), _property(driving, column), f"k.v{n}")
        for n, (sought, column) in enumerate(pairs)
    )
    conditions = " AND ".join((*equal, *table.kept_rows()))
    relation = f"{quoted_table(table.source.db_schema, table.table_name)} AS t"
    # In a statement with parameters a percent sign of a name is none only when it is doubled.
    partner = f"SELECT FROM {relation} WHERE {conditions}".replace("%", "%%")
    return f"SELECT k.number FROM unnest({arrays}) AS k(number, {names}) WHERE EXISTS ({partner})"


def _present(table: TableMapping, properties: list[PropertyMapping]) -> str:
    """The condition that a row is read and has a value in each of these."""
    present = (f"{sql_of(table, prop)} IS NOT NULL" for prop in properties)
    return " AND ".join((*present, *table.kept_rows()))


def read_partners(table: TableMapping, pairs: Pairs) -> str:
    """Texts of the sought columns, one row more than may be read."""
    relation = f"{quoted_table(table.source.db_schema, table.table_name)} AS t"
    properties = [_property(table, sought) for sought, _ in pairs]
    read = ", ".join(_text(table, prop) for prop in properties)
    present = _present(table, properties)
    return f"SELECT DISTINCT {read} FROM {relation} WHERE {present} LIMIT {MOST_PARTNERS + 1}"


def _left_to_do(table: TableMapping, columns: Iterable[str]) -> list[Normaliser | None]:
    """What is still to be made of each column's text; None where the source has computed all."""
    functions = [functions_of(_property(table, column)) for column in columns]
    return [
        normaliser(called.calls_left) if called and called.calls_left else None
        for called in functions
    ]


def _normalised(row: Reference, steps: list[Normaliser | None]) -> Reference | None:
    """The row as it is compared, None where a text comes to nothing."""
    texts = [step(text) if step else text for text, step in zip(row, steps, strict=True)]
    return None if None in texts else tuple(text for text in texts if text is not None)


def _property(table: TableMapping, column: str) -> PropertyMapping:
    found = table.property_of(column)
    assert found is not None
    return found


def _text(table: TableMapping, prop: PropertyMapping) -> str:
    """As the graph would have it. Both sides of a join are hashed alike, so neither is here."""
    kind = property_type(prop.type, time_zone=table.source.time_zone)
    return f"({kind.render(sql_of(table, prop))})::text"


def _equals(
    table: TableMapping, sought: PropertyMapping, given: PropertyMapping, value: str
) -> str:
    """A condition that an index of the sought column serves, where equal types allow one."""
    column, bases = sql_of(table, sought), (sought.type.base, given.type.base)
    if all(base in INTEGERS for base in bases):
        return f"{column} = {value}::int8"
    if all(base in _TEXTS for base in bases):
        return f"{column} = {value}"
    if bases == ("uuid", "uuid"):
        return f"{column} = {value}::uuid"
    return f"{_text(table, sought)} = {value}"


Reference = tuple[str, ...]
"""Texts of a row's referring columns. They stay in memory: they go into no file, log or message."""


class PartnerSampling:
    """Snapshots of the sources that could be asked, and their catalogs, by source_id."""

    def __init__(
        self,
        snapshots: Mapping[int, SourceSnapshot],
        catalogs: Mapping[int, SourceCatalog],
        tables: tuple[TableMapping, ...],
    ) -> None:
        self._snapshots = snapshots
        self._catalogs = catalogs
        self._tables = TableIndex(tables)

    def sample(self, mapping: RelationshipMapping) -> PartnerSample:
        """Bounded queries against the sources of both ends; a fault is said in the sample."""
        join = join_of(mapping, self._tables)
        try:
            results = [
                self._of_table(table, join)
                for table in join.driving
                if has_columns(table, join.columns)
            ]
        except SourceError as error:
            return PartnerSample(problem=str(error))
        return PartnerSample(
            sampled=sum(sampled for sampled, _ in results),
            matched=sum(matched for _, matched in results),
        )

    def _of_table(self, driving: TableMapping, join: ReferenceJoin) -> tuple[int, int]:
        catalog = self._catalogs.get(driving.source.source_id)
        catalog_table = catalog.table(driving.table_name) if catalog else None
        steps = _left_to_do(driving, join.columns)
        read: list[Reference] = self._snapshot(driving).ask(
            sample_references(driving, join.columns, catalog_table=catalog_table)
        )
        rows = [row for row in (_normalised(row, steps) for row in read) if row is not None]
        distinct = list(dict.fromkeys(rows))
        found = set(range(len(distinct)))
        for side in join.sides:
            found &= self._finding(side, driving, join.columns, distinct)
        matching = {distinct[number] for number in found}
        return len(rows), sum(row in matching for row in rows)

    def _finding(
        self,
        side: SoughtColumns,
        driving: TableMapping,
        columns: tuple[str, ...],
        distinct: list[Reference],
    ) -> set[int]:
        """Numbers of the references that one of a side's tables has a row for."""
        indexes = [columns.index(column) for _, column in side.pairs]
        arrays = [[row[index] for row in distinct] for index in indexes]
        found: set[int] = set()
        for table in side.tables:
            sought_columns = tuple(sought for sought, _ in side.pairs)
            if not has_columns(table, sought_columns):
                continue
            steps = _left_to_do(table, sought_columns)
            if any(steps):
                partners = self._partners(table, side.pairs, steps)
                found |= {n for n, row in enumerate(zip(*arrays, strict=True)) if row in partners}
            else:
                statement = find_partners(table, side.pairs, driving)
                numbers = list(range(len(distinct)))
                found |= {row[0] for row in self._snapshot(table).ask(statement, numbers, *arrays)}
        return found

    def _partners(
        self, table: TableMapping, pairs: Pairs, steps: list[Normaliser | None]
    ) -> set[Reference | None]:
        """The values that a table has, as they are compared."""
        rows: list[Reference] = self._snapshot(table).ask(read_partners(table, pairs))
        if len(rows) > MOST_PARTNERS:
            raise SourceError(
                f"{table.qualified_name} has more than {MOST_PARTNERS:,} different values to compare, which"
                " only a run normalises"
            )
        return {_normalised(row, steps) for row in rows} - {None}

    def _snapshot(self, table: TableMapping) -> SourceSnapshot:
        snapshot = self._snapshots.get(table.source.source_id)
        if snapshot is None:
            raise SourceError(f"source {table.source.source_name} cannot be asked")
        return snapshot
