"""The resolved mapping: which table becomes which label, which join becomes which relationship, and an index of the mapped tables."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Literal, TypeVar

from c360_graph.errors import MappingError
from c360_graph.mapping.control_rows import Frozen, Refusal
from c360_graph.mapping.names import JOIN_PREFIX, TABLE_PROPERTY, is_kept_name
from c360_graph.mapping.table_mapping import (
    ExcludedColumn,
    ExtraLabels,
    IdentityTable,
    JunctionTable,
    NodeTable,
    PropertyMapping,
    TableMapping,
    node_tables,
)

RecordComparison = Literal["exact", "name", "code", "date"]
"""How values of two records are compared that need not be equal."""

Kind = Literal["not_null", "unique", "accepted_values", "row_count", "no_rows"]
Severity = Literal["error", "warn"]

_BOUNDS = re.compile(r"\s*(\d+)?\s*\.\.\s*(\d+)?\s*")
_NOT_OF_A_NAME = re.compile("[^A-Za-z0-9_]+")

__all__ = [
    "JOIN_PREFIX",
    "TABLE_PROPERTY",
    "ExcludedColumn",
    "ExtraLabels",
    "GraphMapping",
    "Identifier",
    "Identity",
    "IdentityTable",
    "Junction",
    "JunctionTable",
    "NodeTable",
    "PropertyMapping",
    "RecordTable",
    "Refusal",
    "RelationshipEnd",
    "RelationshipMapping",
    "TableMapping",
    "is_kept_name",
    "node_tables",
    "row_of_relationship",
]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

Tables = tuple[TableMapping, ...]


class Identifier(Frozen):
    """A property that identifies the records of a table: equal values of a kind are of one entity."""

    kind: str
    column: str
    min_agreement: int = 1
    """How many kinds two records have to agree on before this one counts."""


class ComparedColumn(Frozen):
    """A property by which records are compared that share no identifier."""

    kind: str
    column: str
    comparison: RecordComparison


class QualityRule(Frozen):
    """A rule about one table, or with `no_rows` about the graph; `table` is then None."""

    row_id: int
    kind: Kind
    table: tuple[str, str] | None = None
    columns: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    least: int = 0
    most: int | None = None
    query: str = ""
    severity: Severity = "error"
    is_blocking: bool = False
    description: str = ""

    @property
    def name(self) -> str:
        """The name of its asset check.

        >>> QualityRule(row_id=7, kind="not_null", table=("crm", "people"), columns=("e-mail",)).name
        'not_null_e_mail_7'
        """
        parts = (self.kind, *self.columns, str(self.row_id))
        return "_".join(_NOT_OF_A_NAME.sub("_", part) for part in parts)


def parse_bounds(text: str | None) -> tuple[int, int | None]:
    """The least and the most that a row_count allows.

    >>> parse_bounds("1..1000"), parse_bounds("1.."), parse_bounds("..5")
    ((1, 1000), (1, None), (0, 5))

    Raises:
        MappingError: it is not written so, or allows nothing.
    """
    found = _BOUNDS.fullmatch(text or "")
    if found is None or not any(found.groups()):
        raise MappingError(f"argument {text!r} is not the least and the most rows, such as 1..1000")
    least, most = found.groups()
    bounds = int(least or 0), int(most) if most else None
    if bounds[1] is not None and bounds[1] < bounds[0]:
        raise MappingError(f"argument {text!r} allows no number of rows")
    return bounds


def parse_accepted(text: str | None) -> tuple[str, ...]:
    """The values that accepted_values allows, as PostgreSQL writes them.

    >>> parse_accepted('["new", 7, true]')
    ('new', '7', 'true')

    Raises:
        MappingError: it is not a JSON list of texts, numbers, true and false, or is empty.
    """
    try:
        values = json.loads(text or "")
    except ValueError:
        values = None
    if not isinstance(values, list) or not values:
        raise MappingError(f'argument {text!r} is not a JSON list of values, such as ["a", "b"]')
    if not all(isinstance(value, str | int | float) for value in values):
        raise MappingError(f"argument {text!r} has more than texts, numbers, true and false")
    return tuple(value if isinstance(value, str) else json.dumps(value) for value in values)


class Junction(Frozen):
    """The table between two labels. Pairs are (endpoint's column, junction's column)."""

    table: tuple[str, str]
    node_label: str | None
    """None where the junction's rows are no nodes, or the label has nodes of other tables too."""
    from_pairs: tuple[tuple[str, str], ...]
    to_pairs: tuple[tuple[str, str], ...]
    properties: tuple[str, ...] = ()


class RelationshipEnd(Frozen):
    """One end of a relationship. Pairs are (its own column, the column that it equals).

    `tables` are qualified names (`source/table`) where only these of a shared label's tables take part, () where
    all of the label's nodes do.
    """

    side: Literal["from", "to"]
    label: str
    tables: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]

    def has(self, table: TableMapping) -> bool:
        """Whether the rows of a table take part."""
        return table.node_label == self.label and (
            not self.tables or table.qualified_name in self.tables
        )


class RelationshipMapping(Frozen):
    """A join that becomes a relationship.

    Without a junction `pairs` holds (from column, to column) and `seek` says which end is looked up
    for each row of the other. `from_tables` and `to_tables` are qualified names (`source/table`) where only
    these of a shared label's tables take part, () where all of the label's nodes do.
    """

    relationship_id: int
    """Negative where no row of relationship_mappings makes it, but one of identity_rules."""
    relationship_type: str
    from_label: str
    to_label: str
    from_tables: tuple[str, ...] = ()
    to_tables: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    seek: Literal["from", "to"] = "from"
    junction: Junction | None = None
    properties: tuple[str, ...] = ()
    """Properties of the end that drives, which the relationship has too; a junction has its own."""
    execution_order: int = 0
    description: str | None = None

    @property
    def fingerprint_source(self) -> str:
        """All that decides which relationships are made; not in which order, or why."""
        copied = f"{self.properties!r}\n" if self.properties else ""
        return copied + self.model_dump_json(
            exclude={"relationship_id", "execution_order", "description", "properties"}
        )

    @property
    def copied(self) -> tuple[str, ...]:
        """The properties of the rows that drive, which the relationship has too."""
        return self.junction.properties if self.junction else self.properties

    @property
    def row(self) -> str:
        """The control row that makes it, for messages."""
        return row_of_relationship(self.relationship_id)

    @cached_property
    def start(self) -> RelationshipEnd:
        """Where the relationship begins."""
        pairs = self.junction.from_pairs if self.junction else self.pairs
        return RelationshipEnd(
            side="from", label=self.from_label, tables=self.from_tables, pairs=pairs
        )

    @cached_property
    def end(self) -> RelationshipEnd:
        """Where the relationship leads."""
        swapped = tuple((right, left) for left, right in self.pairs)
        pairs = self.junction.to_pairs if self.junction else swapped
        return RelationshipEnd(side="to", label=self.to_label, tables=self.to_tables, pairs=pairs)

    @property
    def driving(self) -> RelationshipEnd | None:
        """The end for each of whose rows the other is looked up; None where a junction's rows drive."""
        if self.junction is not None:
            return None
        return self.end if self.seek == "from" else self.start

    @property
    def sought(self) -> tuple[RelationshipEnd, ...]:
        """The ends that are looked up for each row that drives."""
        if self.junction is not None:
            return (self.start, self.end)
        return (self.start,) if self.seek == "from" else (self.end,)

    def is_driven_by(self, table: TableMapping) -> bool:
        """Whether ends are looked up for the rows of a table."""
        if self.junction is not None:
            return table.asset_key == self.junction.table
        return self.driving is not None and self.driving.has(table)


def row_of_relationship(relationship_id: int) -> str:
    """The control row behind an id.

    >>> row_of_relationship(3)
    'relationship_mappings row 3'
    """
    known = relationship_id >= 0
    return f"relationship_mappings row {relationship_id}" if known else "identity_rules"


class RecordTable(Frozen):
    """A table whose records are of entities, and the table between both."""

    table: tuple[str, str]
    links: JunctionTable
    identifiers: tuple[Identifier, ...]
    compared: tuple[ComparedColumn, ...] = ()
    """At most one of each kind."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the rules name, each once."""
        named = (*(i.column for i in self.identifiers), *(c.column for c in self.compared))
        return tuple(dict.fromkeys(named))


class Identity(Frozen):
    """Entities of a label, such as one customer for each person, and the tables that have their records."""

    label: str
    entities: NodeTable
    records: tuple[RecordTable, ...]
    similar: JunctionTable | None = None
    """The table of entities that may be the same; None where no rule compares records."""

    @property
    def name(self) -> str:
        """Of its asset, and of the source that its tables are shown under."""
        return self.entities.source.source_name

    @property
    def tables(self) -> tuple[TableMapping, ...]:
        """The tables that its asset writes."""
        similar = () if self.similar is None else (self.similar,)
        return (self.entities, *(record.links for record in self.records), *similar)


class GraphMapping(Frozen):
    """All that is sound, in the order it is loaded, and all that was refused."""

    tables: tuple[TableMapping, ...] = ()
    relationships: tuple[RelationshipMapping, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    inactive_relationship_ids: tuple[int, ...] = ()
    """Ids of relationships that are inactive because a label or source they need is deactivated."""
    inactive_label_ids: tuple[int, ...] = ()
    """Ids of label rows for any source whose table none has, while a source is deactivated."""
    quality: tuple[QualityRule, ...] = ()
    undecided_relationship_ids: tuple[int, ...] = ()
    """Ids of relationships that are decided once a source that could not be asked answers."""
    identities: tuple[Identity, ...] = ()
    """What identity resolution makes; its tables are among `tables`."""

    @property
    def extra_labels(self) -> frozenset[str]:
        """The labels that nodes have beside the one that they are counted by."""
        return frozenset(label for table in self.tables for label in table.extra.all)

    @cached_property
    def node_tables(self) -> tuple[NodeTable, ...]:
        """The tables whose rows become nodes."""
        return node_tables(self.tables)

    @property
    def source_tables(self) -> tuple[TableMapping, ...]:
        """The tables that are read from a source."""
        return tuple(table for table in self.tables if table.identity is None)

    def table(self, asset_key: tuple[str, str]) -> TableMapping | None:
        """The mapped table of that (source_name, table_name)."""
        return self._by_key.get(asset_key)

    @cached_property
    def _by_key(self) -> dict[tuple[str, str], TableMapping]:
        return {table.asset_key: table for table in self.tables}


class TableIndex:
    """Mapped tables in their order, found by label, name or asset key."""

    def __init__(self, tables: Iterable[TableMapping]) -> None:
        self.tables = tuple(tables)

    @cached_property
    def labels(self) -> frozenset[str]:
        """The labels of all tables."""
        return frozenset(self._by_label)

    def labelled(self, label: str) -> tuple[NodeTable, ...]:
        """The tables that feed a label."""
        return self._by_label.get(label, ())

    def named(self, table_name: str) -> Tables:
        """The tables of a name, in whichever source."""
        return self._by_name.get(table_name, ())

    def at(self, end: RelationshipEnd) -> tuple[NodeTable, ...]:
        """The tables whose rows take part at an end of a relationship."""
        labelled = self.labelled(end.label)
        return tuple(table for table in labelled if end.has(table)) if end.tables else labelled

    def driving(self, mapping: RelationshipMapping) -> Tables:
        """The tables for whose rows the other ends are looked up."""
        if mapping.junction is not None:
            return self._by_key.get(mapping.junction.table, ())
        return self.at(mapping.driving) if mapping.driving else ()

    def of(self, mapping: RelationshipMapping) -> Tables:
        """The tables of both ends and the junction, each once."""
        through = self.driving(mapping) if mapping.junction else ()
        found = (*self.at(mapping.start), *self.at(mapping.end), *through)
        return tuple({table.asset_key: table for table in found}.values())

    @cached_property
    def _by_label(self) -> Mapping[str, tuple[NodeTable, ...]]:
        return grouped(node_tables(self.tables), lambda table: table.node_label)

    @cached_property
    def _by_name(self) -> Mapping[str, Tables]:
        return grouped(self.tables, lambda table: table.table_name)

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, str], Tables]:
        return grouped(self.tables, lambda table: table.asset_key)


def relationships_by_table(
    relationships: Iterable[RelationshipMapping], tables: Iterable[TableMapping]
) -> Mapping[tuple[str, str], tuple[RelationshipMapping, ...]]:
    """The relationships that each table takes part in, by its asset key."""
    index = TableIndex(tables)
    found: dict[tuple[str, str], list[RelationshipMapping]] = defaultdict(list)
    for mapping in relationships:
        for table in index.of(mapping):
            found[table.asset_key].append(mapping)
    return {key: tuple(those) for key, those in found.items()}


def grouped(
    values: Iterable[_Value], key: Callable[[_Value], _Key]
) -> Mapping[_Key, tuple[_Value, ...]]:
    """The values by a key of theirs, each group in the values' order.

    >>> grouped(["ant", "bee", "cat", "asp"], lambda word: word[0])["a"]
    ('ant', 'asp')
    """
    found: dict[_Key, list[_Value]] = defaultdict(list)
    for value in values:
        found[key(value)].append(value)
    return {name: tuple(those) for name, those in found.items()}


def sought_columns(
    mappings: Iterable[RelationshipMapping],
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Label and columns of each group that mappings seek by, once, in the mappings' order."""
    ends = (end for mapping in mappings for end in mapping.sought)
    groups = ((end.label, tuple(dict.fromkeys(column for column, _ in end.pairs))) for end in ends)
    return tuple(dict.fromkeys(groups))


def indexed_tables(tables: Tables, mappings: Iterable[RelationshipMapping]) -> Tables:
    """The tables, each with the columns of its label that mappings seek by and its key does not hold.

    An index is of a label, so that every table of the label counts, whether or not it takes part.
    """
    by_label = grouped(sought_columns(mappings), lambda group: group[0])
    return tuple(
        table.model_copy(update={"indexed": _indexed(table, by_label.get(table.node_label, ()))})
        if isinstance(table, NodeTable)
        else table
        for table in tables
    )


def _indexed(
    table: NodeTable, groups: Iterable[tuple[str, tuple[str, ...]]]
) -> tuple[tuple[str, ...], ...]:
    """Of these groups those that an index has besides the key; a row that lacks a column is in none."""
    return tuple(
        names
        for _, names in groups
        if {*names} != {*table.key} and all(table.property_of(name) for name in names)
    )
