"""Which tables have the records of one kind of entity, and by which properties its records are recognised."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from c360_graph.errors import MappingError
from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.control_rows import ControlRows, IdentityRuleRow, Refusal, SourceRow
from c360_graph.mapping.join_columns import join_column, source_column, with_join_columns
from c360_graph.mapping.join_condition import parse
from c360_graph.mapping.join_functions import PLAIN, JoinFunctions
from c360_graph.mapping.model import (
    Identifier,
    Identity,
    IdentityTable,
    Junction,
    PropertyMapping,
    RecordTable,
    RelationshipMapping,
    TableMapping,
)
from c360_graph.mapping.names import (
    IS,
    did_you_mean,
    identity_name,
    reason_against_name,
    snake_case,
)
from c360_graph.mapping.table_index import TableIndex, grouped

Tables = tuple[TableMapping, ...]

ID_COLUMN, RECORDS_COLUMN = "identity_id", "records"
_KEY_PREFIX = "key_"
_SOURCE_ID = 0
_BIGINT = ColumnType(name="bigint", base="int8")
_VALUE = re.compile(r"\bvalue\b", re.IGNORECASE)


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
    names = dict.fromkeys(
        identifier.column
        for identity in identities
        for record in identity.records
        if record.table == table.asset_key
        for identifier in record.identifiers
    )
    found = with_join_columns(table, names)
    return found.model_copy(update={"identified_by": tuple(filter(found.is_short, names))})


def identity_relationships(tables: TableIndex) -> Iterator[RelationshipMapping]:
    """From each entity to its records, through the tables between both."""
    links = [t for t in tables.tables if t.identity is not None and t.identity.record is not None]
    by_key = {table.asset_key: table for table in tables.tables}
    for number, link in enumerate(links, start=1):
        assert link.identity is not None
        assert link.identity.record is not None
        record = by_key.get(link.identity.record)
        entities = next(iter(tables.labelled(link.identity.label)), None)
        if record is None or record.node_label is None or entities is None:
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


def calls_of(normaliser: str | None) -> tuple[str, ...]:
    """The functions that a normaliser names, the outermost first.

    >>> calls_of("email"), calls_of("phone(trim(value), 'DE')"), calls_of(None)
    (('email',), ('phone_DE', 'trim'), ())

    Raises:
        MappingError: it names others than a join condition may have.
    """
    text = (normaliser or "").strip()
    if not text or text.lower() in PLAIN:
        return (text.lower(),) if text else ()
    try:
        (equality,) = parse(f"{_VALUE.sub('v.value', text)} = w.value")
        calls = equality.left.functions
        # A column of another name would be one that no rule has.
        if calls and (equality.left.alias, equality.left.column) == ("v", "value"):
            return calls
    except (MappingError, ValueError):
        pass
    raise MappingError(
        f"normaliser {text!r} cannot be used; write one of {', '.join(PLAIN)}, or functions around value,"
        " such as lower(trim(value)) or phone(value, 'DE') with a country of ISO 3166"
    )


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
        found: dict[tuple[str, str], tuple[TableMapping, int, list[Identifier]]] = {}
        for rule, table in meant:
            try:
                identifier = _identifier(rule, table)
            except MappingError as error:
                self.refuse([rule], str(error))
                continue
            _, _, identifiers = found.setdefault(table.asset_key, (table, rule.rule_id, []))
            identifiers.append(identifier)
        if not found:
            return None
        _refuse_mixed_treatments([(table, those) for table, _, those in found.values()])
        rule_id = min(rule_id for _, rule_id, _ in found.values())
        return Identity(
            label=label,
            entities=_entities(source, label, rule_id),
            records=tuple(
                RecordTable(
                    table=table.asset_key,
                    links=_links(source, label, first, table),
                    identifiers=tuple(dict.fromkeys(identifiers)),
                )
                for table, first, identifiers in found.values()
            ),
        )

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


def _identifier(rule: IdentityRuleRow, table: TableMapping) -> Identifier:
    prop = table.property_from(rule.column_name)
    if not table.key:
        raise MappingError(
            f"{table.qualified_name} has no key that its records are told apart by; name one in"
            " node_label_mappings.key_columns"
        )
    if not rule.identifier_kind.strip():
        raise MappingError("identifier_kind is empty")
    if rule.min_agreement is not None and rule.min_agreement < 1:
        raise MappingError(f"min_agreement is {rule.min_agreement}; write 1 or more, or NULL for 1")
    if prop is None or prop.form is not None:
        columns = [p.origin for p in table.columns_read]
        raise MappingError(
            f"{table.qualified_name} has no column {rule.column_name!r} that is read: the table lacks it, or a rule"
            f" excludes it{did_you_mean(rule.column_name, columns)}"
        )
    if prop.treatment == "mask":
        raise MappingError(
            f"{table.qualified_name}.{prop.column} is masked, and masked values are not unique; use the treatment"
            " hash"
        )
    calls = calls_of(rule.normaliser)
    functions = JoinFunctions(calls=calls).across_sources() if calls else None
    why_not = functions.why_not(prop.type) if functions else None
    if why_not:
        raise MappingError(
            f"normaliser {rule.normaliser!r} of {table.qualified_name}.{prop.column}: {why_not}"
        )
    return Identifier(
        kind=rule.identifier_kind.strip(),
        column=join_column(functions, prop.column) if functions else prop.column,
        min_agreement=rule.min_agreement or 1,
    )


def _refuse_mixed_treatments(
    found: Sequence[tuple[TableMapping, Sequence[Identifier]]],
) -> None:
    """Hashed values equal no others, so that a kind has to be hashed in all tables or in none."""
    treated: dict[str, dict[bool, str]] = {}
    for table, identifiers in found:
        for identifier in identifiers:
            column = source_column(identifier.column)
            prop = table.property_of(column)
            hashed = prop is not None and prop.treatment == "hash"
            treated.setdefault(identifier.kind, {})[hashed] = f"{table.qualified_name}.{column}"
    for kind, columns in treated.items():
        if len(columns) > 1:
            raise MappingError(
                f"identifier_kind {kind!r}: {columns[True]} is hashed and {columns[False]} is not, so that no"
                " value of one equals one of the other; give both the treatment hash"
            )


def _entities(source: SourceRow, label: str, rule_id: int) -> TableMapping:
    id_column = f"{snake_case(label)}_id"
    return TableMapping(
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


def _links(source: SourceRow, label: str, rule_id: int, record: TableMapping) -> TableMapping:
    """The table between entities and the records of a table, whose key it has."""
    by_column = {prop.column: prop for prop in record.columns_read}
    key = tuple(
        by_column[column].model_copy(
            update={"column": f"{_KEY_PREFIX}{column}", "nullable": False, "of": column}
        )
        for column in record.key
    )
    return TableMapping(
        # Its moments are in the record's own zone.
        source=source.model_copy(update={"time_zone": record.source.time_zone}),
        table_name=".".join(record.asset_key),
        mapping_id=None,
        node_label=None,
        properties=(PropertyMapping(column=ID_COLUMN, type=_BIGINT, nullable=False), *key),
        key=tuple(prop.column for prop in key),
        identity=IdentityTable(label=label, rule_id=rule_id, record=record.asset_key),
    )
