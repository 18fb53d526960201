"""Records and their identifiers, read from extracts into tables of the join engine, and what people decided of two records.

::

    records_0, records_1, ...  (record, key, v0, v1, ..., w0, w1, ...)   the records of a table, values by
                                                           identifier and by compared column
    identifiers                (record, kind, token)        what identifies a record; a token is a value's hash
    shared                     (kind, token, first, records) tokens of several records, and how many have it

A record is a number, in the order of the tables and of the text of their keys, so that the same extracts
give the same numbers.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

from c360_graph.errors import ExtractError
from c360_graph.extract_joins.engine import JoinEngine
from c360_graph.extract_joins.extract_sql import file_rows
from c360_graph.extracts import Extract
from c360_graph.mapping.control_rows import IdentityDecisionRow
from c360_graph.mapping.model import Identifier, Identity, RecordTable
from c360_graph.source.copy_query import copied_text
from c360_graph.sql_quoting import sql_literal

TAB = "chr(9)"

_Row = TypeVar("_Row")

_Link = tuple[int, int, int]
"""(kind, record, smaller record)."""

MOST_LINKS = 200_000
"""Links of contested components that are held in memory at a time."""

_SAME_KIND = -1
"""The kind of a link that a person made: it goes before every other."""
_ROWS_IN_STATEMENT = 1_000


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


@dataclass(frozen=True, kw_only=True)
class Applied:
    """Decisions that count; those that do not, each with its reason."""

    same: tuple[tuple[int, int, int], ...] = ()
    """(record, record, decision_id)."""
    apart: tuple[tuple[int, int, int], ...] = ()
    problems: tuple[str, ...] = ()


def find_decided(
    engine: JoinEngine, tables: Sequence[RecordExtract], rows: Iterable[IdentityDecisionRow]
) -> Applied:
    """The records that decisions are about. Of several about the same two records the last one counts."""
    by_name = {table.qualified_name: table for table in tables}
    problems: list[str] = []
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    read: list[tuple[IdentityDecisionRow, tuple[str, str], tuple[str, str]]] = []
    for row in rows:
        try:
            left, right = (_record_named(by_name, *named) for named in row.records)
        except ValueError as error:
            problems.append(f"identity_decisions row {row.decision_id}: {error}")
            continue
        read.append((row, left, right))
        for table, key in (left, right):
            wanted[table][key] = None
    numbers = {
        (table, key): number
        for table, keys in wanted.items()
        for key, number in _numbers(engine, by_name[table], [*keys])
    }
    last: dict[tuple[int, int], IdentityDecisionRow] = {}
    for row, left, right in sorted(read, key=lambda each: each[0].order):
        if left not in numbers or right not in numbers:
            # A record that is gone needs no decision; one that comes back has its decision again.
            continue
        one, other = sorted((numbers[left], numbers[right]))
        if one == other:
            problems.append(
                f"identity_decisions row {row.decision_id}: both sides are the same record"
            )
        else:
            last[one, other] = row
    decided: dict[str, list[tuple[int, int, int]]] = {"same": [], "different": []}
    for (one, other), row in sorted(last.items()):
        decided[row.verdict].append((one, other, row.decision_id))
    return Applied(
        same=tuple(decided["same"]), apart=tuple(decided["different"]), problems=tuple(problems)
    )


def link_same(engine: JoinEngine, applied: Applied) -> None:
    """Link the records that are the same as people say."""
    for some in portions(applied.same):
        values = ", ".join(f"({other}, {one}, {_SAME_KIND})" for one, other, _ in some)
        engine.rows(f"INSERT INTO links VALUES {values}")


def keep_apart(engine: JoinEngine, applied: Applied) -> tuple[str, ...]:
    """Cut the components that join records which are different as people say; tells of what was cut.

    The links of such a component are taken one by one: first those that people made, then those of each
    kind in the order of the rules, each kind's by their records. A link that would join two records that
    are different is left out. Only these components are held in memory.
    """
    found: list[str] = []
    contested: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for some in portions(applied.apart):
        values = ", ".join(f"({one}, {other}, {number})" for one, other, number in some)
        joined = engine.rows(
            "SELECT coalesce(a.parent, d.one), d.one, d.other, d.number"
            f" FROM (VALUES {values}) AS d (one, other, number)"
            " LEFT JOIN parents AS a ON a.record = d.one LEFT JOIN parents AS b ON b.record = d.other"
            " WHERE coalesce(a.parent, d.one) = coalesce(b.parent, d.other)"
        )
        for root, one, other, number in joined:
            contested[root].append((one, other, number))
    for roots in portions(sorted(contested)):
        for root, links in _links_of(engine, roots):
            found += _cut(engine, root, links, contested[root])
    return tuple(found)


def _links_of(engine: JoinEngine, roots: Sequence[int]) -> Iterator[tuple[int, list[_Link]]]:
    """The links of some components, in the order that they are taken in."""
    among = (
        "FROM links AS l JOIN parents AS p ON l.record = p.record"
        f" WHERE p.parent IN ({', '.join(map(str, roots))})"
    )
    ((count,),) = engine.rows(f"SELECT count(*) {among}")
    if count > MOST_LINKS:
        raise ExtractError(
            f"{count:,} links would have to be looked at to keep the records of identity_decisions apart;"
            f" at most {MOST_LINKS:,} are. A rule of identity_rules joins too many records: see the check"
            " no_entity_is_large of the last run"
        )
    links = engine.rows(f"SELECT p.parent, l.kind, l.record, l.other {among} ORDER BY ALL")
    for root, those in groupby(links, key=lambda link: int(link[0])):
        yield root, [(kind, record, other) for _, kind, record, other in those]


def _cut(
    engine: JoinEngine, root: int, links: Sequence[_Link], apart: Sequence[tuple[int, int, int]]
) -> Iterator[str]:
    groups = _Groups()
    for one, other, number in apart:
        groups.separate(one, other, number)
    for kind, record, other in links:
        decision = groups.join(record, other)
        if decision is not None and kind == _SAME_KIND:
            yield (
                f"identity_decisions row {decision} keeps two records apart that other rows, with the"
                " verdict same, join: it wins; correct one of them"
            )
    members = {record for _, one, other in links for record in (one, other)}
    parents = [(record, groups.first(record)) for record in sorted(members)]
    engine.rows(f"DELETE FROM parents WHERE parent = {root}")
    for some in portions([p for p in parents if p[0] != p[1]]):
        engine.rows(f"INSERT INTO parents VALUES {', '.join(map(str, some))}")
    yield from (
        f"identity_decisions row {number}: identifiers that would join its records were left out"
        for _, _, number in apart
    )


@dataclass
class _Groups:
    """Records that are joined; the smallest of a group stands for it."""

    _parent: dict[int, int] = field(default_factory=dict)
    _apart: dict[int, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def first(self, record: int) -> int:
        while record in self._parent:
            self._parent[record] = record = self._parent.get(
                self._parent[record], self._parent[record]
            )
        return record

    def separate(self, one: int, other: int, number: int) -> None:
        self._apart[one][other] = self._apart[other][one] = number

    def join(self, one: int, other: int) -> int | None:
        """Join two groups; the decision that forbids it otherwise."""
        low, high = sorted((self.first(one), self.first(other)))
        if low == high:
            return None
        forbidden = next(
            (number for record, number in self._apart[high].items() if self.first(record) == low),
            None,
        )
        if forbidden is not None:
            return forbidden
        self._parent[high] = low
        self._apart[low] |= self._apart.pop(high)
        return None


def _record_named(
    tables: dict[str, RecordExtract], source: str, table: str, key: str
) -> tuple[str, str]:
    """The qualified name of the table and the key, as extracts write it, of a record that a decision names.

    Raises:
        ValueError: there is no such table, or the key is of another form.
    """
    qualified_name = f"{source}/{table}"
    found = tables.get(qualified_name)
    if found is None:
        raise ValueError(f"{qualified_name} is no table of identity_rules for this label")
    columns = found.extract.manifest.table.key
    values = [key]
    if len(columns) > 1:
        try:
            values = [str(value) for value in json.loads(key)]
        except (ValueError, TypeError):
            values = []
        if len(values) != len(columns):
            raise ValueError(
                f"the key of {qualified_name} has the columns {', '.join(columns)}; write their values as a JSON"
                ' array of texts, such as ["1", "x"]'
            )
    return qualified_name, "\t".join(copied_text(value).decode() for value in values)


def _numbers(
    engine: JoinEngine, table: RecordExtract, keys: Sequence[str]
) -> Iterator[tuple[str, int]]:
    for some in portions(keys):
        listed = ", ".join(map(sql_literal, some))
        found = engine.rows(f"SELECT key, record FROM {table.name} WHERE key IN ({listed})")
        yield from ((key, record) for key, record in found)


def portions(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    """So many rows at a time as a statement may have."""
    for start in range(0, len(rows), _ROWS_IN_STATEMENT):
        yield rows[start : start + _ROWS_IN_STATEMENT]
