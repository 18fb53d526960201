"""Which tables have the records of one kind of entity, and by which properties its records are recognised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from c360_graph.errors import MappingError
from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.control_rows import ControlRows, IdentityRuleRow, Refusal, SourceRow
from c360_graph.mapping.identity_columns import (
    LEAST_COMPARED_KINDS,
    compared_column_of,
    identifier_of,
    reason_against_comparison,
    refuse_mixed_treatments,
)
from c360_graph.mapping.join_forms import with_join_columns
from c360_graph.mapping.model import (
    ComparedColumn,
    Identifier,
    Identity,
    IdentityTable,
    Junction,
    JunctionTable,
    NodeTable,
    PropertyMapping,
    RecordTable,
    RelationshipMapping,
    TableIndex,
    TableMapping,
    grouped,
)
from c360_graph.mapping.names import (
    IS,
    POSSIBLY_SAME_AS,
    SCORE_COLUMN,
    did_you_mean,
    identity_name,
    reason_against_name,
    snake_case,
)

Tables = tuple[TableMapping, ...]

ID_COLUMN, RECORDS_COLUMN = "identity_id", "records"
OTHER_COLUMN = "other_id"
_KEY_PREFIX = "key_"
_SOURCE_ID = 0
_BIGINT = ColumnType(name="bigint", base="int8")
_DOUBLE = ColumnType(name="double precision", base="float8")


def resolve_identities(
    rows: ControlRows, tables: Tables, known: Sequence[int]
) -> tuple[tuple[Identity, ...], tuple[Refusal, ...]]:
    """The identities that the rules make, and the rules that are refused.

    Args:
        rows: the control rows.
        tables: every labelled table.
        known: ids of the sources whose catalogs are known. A rule about another one makes all rules of
            its label wait, as without it entities would fall apart.
    """
    reading = _Rules(rows, TableIndex(tables), frozenset(known))
    found: list[Identity] = []
    by_label = grouped(rows.identity_rules, lambda row: row.entity_label)
    for label, rules in by_label.items():
        try:
            identity = reading.identity(label, rules, {other.name: other.label for other in found})
        except MappingError as error:
            reading.refuse(rules, str(error))
        else:
            found += [identity] if identity else []
    return tuple(found), tuple(reading.refusals)


def identity_columns(identities: Sequence[Identity], table: TableMapping) -> TableMapping:
    """The table with the properties that its records are recognised by."""
    records = [
        record
        for identity in identities
        for record in identity.records
        if record.table == table.asset_key
    ]
    columns = dict.fromkeys(column for record in records for column in record.columns)
    identifiers = dict.fromkeys(i.column for record in records for i in record.identifiers)
    found = with_join_columns(table, columns)
    return found.model_copy(update={"identified_by": tuple(filter(found.is_short, identifiers))})


def identity_relationships(tables: TableIndex) -> Iterator[RelationshipMapping]:
    """From each entity to its records, through the tables between both."""
    links = [t for t in tables.tables if t.identity is not None and t.identity.record is not None]
    by_key = {table.asset_key: table for table in tables.tables}
    for number, link in enumerate(links, start=1):
        assert link.identity is not None
        assert link.identity.record is not None
        record = by_key.get(link.identity.record)
        entities = next(iter(tables.labelled(link.identity.label)), None)
        if not isinstance(record, NodeTable) or entities is None:
            # A table that was never read: nothing leads to its records.
            continue
        shared = len(tables.labelled(record.node_label)) > 1
        yield RelationshipMapping(
            relationship_id=-number,
            relationship_type=IS,
            from_label=link.identity.label,
            to_label=record.node_label,
            to_tables=(record.qualified_name,) if shared else (),
            junction=Junction(
                table=link.asset_key,
                node_label=None,
                from_pairs=tuple((column, ID_COLUMN) for column in entities.key),
                to_pairs=tuple((p.of or p.column, p.column) for p in link.properties[1:]),
            ),
            description=f"Each record of {record.qualified_name} that is of the {link.identity.label}.",
        )
    yield from _similar_entities(tables, after=len(links))


def _similar_entities(tables: TableIndex, *, after: int) -> Iterator[RelationshipMapping]:
    """Between two entities that may be the same, through the table that lists them."""
    similar = (
        t
        for t in tables.tables
        if isinstance(t, JunctionTable) and t.identity and not t.identity.record
    )
    for number, table in enumerate(similar, start=after + 1):
        assert table.identity is not None
        label = table.identity.label
        (entities,) = tables.labelled(label)
        yield RelationshipMapping(
            relationship_id=-number,
            relationship_type=POSSIBLY_SAME_AS,
            from_label=label,
            to_label=label,
            junction=Junction(
                table=table.asset_key,
                node_label=None,
                from_pairs=tuple((column, ID_COLUMN) for column in entities.key),
                to_pairs=tuple((column, OTHER_COLUMN) for column in entities.key),
                properties=(SCORE_COLUMN,),
            ),
            description=f"Another {label} whose records are alike; a person decides.",
        )


@dataclass(kw_only=True)
class _Records:
    """A table with records, and what the rules say of its columns."""

    table: TableMapping
    rule_id: int
    """The first rule about it."""
    identifiers: list[Identifier] = field(default_factory=list)
    compared: list[ComparedColumn] = field(default_factory=list)


@dataclass
class _Rules:
    """Reads the rules of each label; notes those that cannot be used."""

    rows: ControlRows
    index: TableIndex
    known: frozenset[int]
    refusals: list[Refusal] = field(default_factory=list)

    def refuse(self, rules: Sequence[IdentityRuleRow], reason: str) -> None:
        """Note rules that are not used."""
        self.refusals += [
            Refusal(control_table="identity_rules", row_id=rule.rule_id, reason=reason)
            for rule in rules
        ]

    def identity(
        self, label: str, rules: Sequence[IdentityRuleRow], taken: dict[str, str]
    ) -> Identity | None:
        """The identity of a label; None where no rule of it can be used.

        Raises:
            MappingError: the label cannot be that of entities.
        """
        source = self._source(label, taken)
        meant = [(rule, table) for rule in rules for table in self._tables(rule)]
        found = self._records(meant)
        if not found:
            return None
        refuse_mixed_treatments([(each.table, each.identifiers) for each in found])
        refuse_mixed_treatments([(each.table, each.compared) for each in found])
        rule_id = min(each.rule_id for each in found)
        compares = any(each.compared for each in found)
        return Identity(
            label=label,
            entities=_entities(source, label, rule_id),
            records=tuple(
                RecordTable(
                    table=each.table.asset_key,
                    links=_links(source, label, each.rule_id, each.table),
                    identifiers=tuple(dict.fromkeys(each.identifiers)),
                    compared=tuple(each.compared),
                )
                for each in found
            ),
            similar=_similar(source, label, rule_id) if compares else None,
        )

    def _records(
        self, meant: Sequence[tuple[IdentityRuleRow, TableMapping]]
    ) -> tuple[_Records, ...]:
        """The tables that rules are about which can be used; the others are refused."""
        found: dict[tuple[str, str], _Records] = {}
        comparing = [(rule, table) for rule, table in meant if rule.comparison is not None]
        for rule, table in meant:
            records = found.get(table.asset_key) or _Records(table=table, rule_id=rule.rule_id)
            try:
                if rule.comparison is None:
                    records.identifiers.append(identifier_of(rule, table))
                else:
                    of_all = [column for other in found.values() for column in other.compared]
                    self._compare(compared_column_of(rule, table), records, of_all)
            except MappingError as error:
                self.refuse([rule], str(error))
            else:
                found[table.asset_key] = records
        kinds = {column.kind for each in found.values() for column in each.compared}
        if kinds and len(kinds) < LEAST_COMPARED_KINDS:
            refused = {row.row_id for row in self.refusals}
            self.refuse(
                [*dict.fromkeys(rule for rule, _ in comparing if rule.rule_id not in refused)],
                f"only the identifier_kind {min(kinds)!r} has a comparison, and at least"
                f" {LEAST_COMPARED_KINDS} kinds are needed",
            )
            for each in found.values():
                each.compared.clear()
        return tuple(each for each in found.values() if each.identifiers or each.compared)

    def _compare(
        self, column: ComparedColumn, records: _Records, of_all: Sequence[ComparedColumn]
    ) -> None:
        reason = reason_against_comparison(column, records.compared, of_all)
        if reason:
            raise MappingError(reason)
        records.compared.append(column)

    def _source(self, label: str, taken: dict[str, str]) -> SourceRow:
        """What the tables of an identity are shown under; no database."""
        reason = reason_against_name(label, what="entity_label")
        if reason:
            raise MappingError(reason)
        if label in self.index.labels or label in {row.node_label for row in self.rows.labels}:
            raise MappingError(
                f"entity_label {label!r} is a label of node_label_mappings; entities need one of their own"
            )
        name = identity_name(label)
        sources = {s.source_name for s in self.rows.sources} | {*self.rows.inactive_sources}
        if name in sources or name in taken:
            other = f"entity_label {taken[name]!r}" if name in taken else "a source of that name"
            raise MappingError(
                f"the tables of entity_label {label!r} are shown under {name}, as is {other};"
                " choose another label"
            )
        return SourceRow(source_id=_SOURCE_ID, source_name=name, db_name=name)

    def _tables(self, rule: IdentityRuleRow) -> Iterator[TableMapping]:
        """The tables that a rule is about.

        Raises:
            MappingError: it is not known which they are.
        """
        named = self.index.named(rule.table_name)
        mine = [t for t in named if rule.source_id in (None, t.source.source_id)]
        unknown = [t for t in mine if t.source.source_id not in self.known]
        if unknown:
            raise MappingError(
                f"rule {rule.rule_id} is about {unknown[0].qualified_name}, whose source cannot be reached; the"
                f" {rule.entity_label} of the last load stay until it can"
            )
        if rule.source_id is not None and self.rows.source(rule.source_id) is None:
            self.refuse([rule], f"source_id {rule.source_id} is no active row of source_databases")
        elif not mine and not self.rows.inactive_sources:
            names = {t.table_name for t in self.index.tables}
            near = did_you_mean(rule.table_name, names)
            self.refuse(
                [rule],
                f"no table {rule.table_name!r} has a label; add it to node_label_mappings{near}",
            )
        yield from mine


def _entities(source: SourceRow, label: str, rule_id: int) -> NodeTable:
    id_column = f"{snake_case(label)}_id"
    return NodeTable(
        source=source,
        table_name=snake_case(label),
        mapping_id=None,
        node_label=label,
        properties=(
            PropertyMapping(column=id_column, type=_BIGINT, nullable=False),
            PropertyMapping(column=RECORDS_COLUMN, type=_BIGINT, nullable=False),
        ),
        key=(id_column,),
        unique=((id_column,),),
        identity=IdentityTable(label=label, rule_id=rule_id),
    )


def _links(source: SourceRow, label: str, rule_id: int, record: TableMapping) -> JunctionTable:
    """The table between entities and the records of a table, whose key it has."""
    by_column = {prop.column: prop for prop in record.columns_read}
    key = tuple(
        by_column[column].model_copy(
            update={"column": f"{_KEY_PREFIX}{column}", "nullable": False, "of": column}
        )
        for column in record.key
    )
    return JunctionTable(
        # Its moments are in the record's own zone.
        source=source.model_copy(update={"time_zone": record.source.time_zone}),
        table_name=".".join(record.asset_key),
        mapping_id=None,
        properties=(PropertyMapping(column=ID_COLUMN, type=_BIGINT, nullable=False), *key),
        key=tuple(prop.column for prop in key),
        identity=IdentityTable(label=label, rule_id=rule_id, record=record.asset_key),
    )


def _similar(source: SourceRow, label: str, rule_id: int) -> JunctionTable:
    """The table of entities that may be the same, each two of them once."""
    return JunctionTable(
        source=source,
        table_name=POSSIBLY_SAME_AS.lower(),
        mapping_id=None,
        properties=(
            PropertyMapping(column=ID_COLUMN, type=_BIGINT, nullable=False),
            PropertyMapping(column=OTHER_COLUMN, type=_BIGINT, nullable=False),
            PropertyMapping(column=SCORE_COLUMN, type=_DOUBLE, nullable=False),
        ),
        key=(ID_COLUMN, OTHER_COLUMN),
        identity=IdentityTable(label=label, rule_id=rule_id),
    )
