"""The mapping as an import specification, and what a specification cannot say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from c360_graph.errors import ExchangeError
from c360_graph.exchange.import_spec import (
    ImportSpecification,
    KeyMapping,
    NodeReference,
    NodeTarget,
    NodeTargetSchema,
    RelationshipTarget,
    SpecConstraint,
    SpecProperty,
    SpecSource,
    SpecTargets,
)
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.join_forms import is_normalised, source_column
from c360_graph.mapping.model import (
    GraphMapping,
    NodeTable,
    PropertyMapping,
    RelationshipEnd,
    RelationshipMapping,
    TableIndex,
    TableMapping,
    is_kept_name,
    node_tables,
)
from c360_graph.mapping.property_types import property_type
from c360_graph.sql_quoting import quoted, quoted_table
from c360_graph.text import plural

Key = tuple[str, str]


class ExportedModel(Frozen):
    """A document, and what it does not say of the mapping."""

    specification: ImportSpecification
    warnings: tuple[str, ...] = ()


def exported_model(mapping: GraphMapping) -> ExportedModel:
    """Write the mapping as an import specification.

    Columns that are excluded, withheld, hashed or masked are in no part of it.

    Raises:
        ExchangeError: nothing can be exported: no table has a label and a column that is read as it is.
    """
    return _Exporter(mapping).exported()


def specification_type(name: str) -> str:
    """The specification's name of a property's type.

    >>> specification_type("ZONED DATETIME"), specification_type("LIST<STRING>")
    ('ZONED_DATETIME', 'STRING_ARRAY')
    """
    element = name.removeprefix("LIST<").removesuffix(">")
    return element.replace(" ", "_") + ("_ARRAY" if element != name else "")


def source_sql(table: TableMapping, columns: Iterable[str]) -> str:
    """The SELECT of the rows that are read, with these columns."""
    listed = ", ".join(map(quoted, columns))
    kept = " AND ".join(map(str, table.row_filter))
    read = f"SELECT {listed} FROM {quoted_table(table.source.db_schema, table.table_name)}"
    return f"{read} WHERE {kept}" if kept else read


class _Exporter:
    """A document in the making."""

    def __init__(self, mapping: GraphMapping) -> None:
        self._mapping = mapping
        self._tables = mapping.source_tables
        self._index = TableIndex(self._tables)
        self._columns: dict[Key, dict[str, None]] = {}
        self._unique: dict[Key, dict[tuple[str, ...], None]] = {}
        self._names: set[str] = {table.qualified_name for table in self._tables}
        self._warnings: dict[str, None] = {}
        self._nodes: dict[Key, str] = {}
        """The names of the node targets."""

    def exported(self) -> ExportedModel:
        labelled = node_tables(self._tables)
        for table in labelled:
            self._begin_node(table)
        # First, as a lookup by other columns than the key needs a constraint of the node target.
        relationships = tuple(
            target for one in self._mapping.relationships for target in self._relationships(one)
        )
        nodes = tuple(self._node(table) for table in labelled if table.asset_key in self._nodes)
        for identity in self._mapping.identities:
            self._warn(f"identity_rules: {identity.label}, which they make, is left out")
        undecided = len(self._mapping.undecided_relationship_ids)
        if undecided:
            self._warn(
                f"{plural(undecided, 'relationship')} left out: a source that they need cannot be read"
            )
        if not nodes:
            raise ExchangeError(
                "Nothing can be exported: no table with a label has a column that is read as it is."
                " See c360 check."
            )
        return ExportedModel(
            specification=ImportSpecification(
                version="1",
                sources=tuple(self._sources()),
                targets=SpecTargets(nodes=nodes, relationships=relationships),
            ),
            warnings=tuple(self._warnings),
        )

    def _warn(self, warning: str) -> None:
        self._warnings[warning] = None

    def _named(self, name: str) -> str:
        """A name that nothing else in the document has."""
        number, free = 1, name
        while free in self._names:
            number += 1
            free = f"{name} {number}"
        self._names.add(free)
        return free

    def _sources(self) -> Iterator[SpecSource]:
        for table in self._tables:
            columns = self._columns.get(table.asset_key)
            if columns:
                yield SpecSource(
                    type="jdbc",
                    name=table.qualified_name,
                    data_source=table.source.source_name,
                    sql=source_sql(table, columns),
                )

    def _begin_node(self, table: NodeTable) -> None:
        for warning in _node_warnings(table):
            self._warn(warning)
        clear = tuple(_clear(table))
        if clear:
            self._nodes[table.asset_key] = self._named(
                f"{table.node_label} ({table.qualified_name})"
            )
            self._columns[table.asset_key] = {prop.origin: None for prop in clear}
        else:
            self._warn(f"{table.qualified_name} is left out: none of its columns is read as it is")

    def _node(self, table: NodeTable) -> NodeTarget:
        name, label = self._nodes[table.asset_key], table.node_label
        key = _clear_key(table)
        if table.key and not key:
            self._warn(f"{table.qualified_name}: its key is hashed or masked, so that it has none")
        return NodeTarget(
            name=name,
            source=table.qualified_name,
            write_mode="merge",
            labels=(label, *table.extra.always),
            properties=tuple(_property(table, prop) for prop in _clear(table)),
            schema=NodeTargetSchema(
                key_constraints=self._constraints(f"{name} key", label, [key] if key else []),
                unique_constraints=self._constraints(
                    f"{name} unique", label, self._unique.get(table.asset_key, ())
                ),
            ),
        )

    def _constraints(
        self, name: str, label: str, properties: Iterable[tuple[str, ...]]
    ) -> tuple[SpecConstraint, ...]:
        return tuple(
            SpecConstraint(name=self._named(name), label=label, properties=names)
            for names in properties
        )

    def _relationships(self, mapping: RelationshipMapping) -> Iterator[RelationshipTarget]:
        """A target for each combination of tables of its ends, usually one."""
        if mapping.relationship_id < 0:
            return
        drivers = self._index.driving(mapping)
        combinations = [
            (driver, start, end)
            for driver in drivers
            for start in self._ends(mapping, mapping.start, driver)
            for end in self._ends(mapping, mapping.end, driver)
        ]
        if not combinations:
            self._warn(f"{_told(mapping)} is left out: an end has no table of a source")
        for driver, start, end in combinations:
            try:
                yield self._relationship(mapping, driver, start, end)
            except ExchangeError as reason:
                self._warn(f"{_told(mapping)} is left out: {reason}")

    def _ends(
        self, mapping: RelationshipMapping, end: RelationshipEnd, driver: TableMapping
    ) -> tuple[TableMapping, ...]:
        """The tables of an end; the one that drives is its own."""
        return (driver,) if mapping.driving == end else self._index.at(end)

    def _relationship(
        self,
        mapping: RelationshipMapping,
        driver: TableMapping,
        start: TableMapping,
        end: TableMapping,
    ) -> RelationshipTarget:
        references = [
            self._own_reference(table)
            if mapping.driving == side
            else self._reference(mapping, side, table, driver)
            for side, table in ((mapping.start, start), (mapping.end, end))
        ]
        copied = [driver.property_of(name) for name in mapping.copied]
        clear = [prop for prop in copied if prop is not None and _is_clear(prop)]
        if len(clear) < len(copied):
            self._warn(f"{_told(mapping)}: properties that are hashed or masked are left out")
        fields = [pair.source_field for reference in references for pair in reference.key_mappings]
        columns = self._columns.setdefault(driver.asset_key, {})
        columns.update(dict.fromkeys((*fields, *(prop.origin for prop in clear))))
        return RelationshipTarget(
            name=self._named(
                f"{mapping.from_label} {mapping.relationship_type} {mapping.to_label}"
            ),
            source=driver.qualified_name,
            # A junction table may have several rows for a pair, each of which is a relationship.
            write_mode="create" if mapping.junction else "merge",
            node_match_mode="match",
            type=mapping.relationship_type,
            start_node_reference=references[0],
            end_node_reference=references[1],
            properties=tuple(_property(driver, prop) for prop in clear),
        )

    def _own_reference(self, table: TableMapping) -> NodeReference:
        """The node of the row itself."""
        key = _clear_key(table)
        if not key:
            raise ExchangeError(
                f"{table.qualified_name} has no key that is read as it is, by which the node of a row is found"
            )
        found = (table.property_of(name) for name in key)
        pairs = ((prop.origin, prop.column) for prop in found if prop is not None)
        return self._referring(table, pairs)

    def _reference(
        self,
        mapping: RelationshipMapping,
        end: RelationshipEnd,
        table: TableMapping,
        driver: TableMapping,
    ) -> NodeReference:
        """The node that the row refers to."""
        pairs: list[tuple[str, str]] = []
        own: list[PropertyMapping] = []
        for names in end.pairs:
            if any(map(is_normalised, names)):
                raise ExchangeError("its join_condition has functions")
            if names != tuple(map(source_column, names)):
                self._warn(
                    f"{_told(mapping)}: values of two types are compared in a form that is the same for"
                    " both; another tool compares them as they are"
                )
            sought = table.property_of(source_column(names[0]))
            field = driver.property_of(source_column(names[1]))
            if sought is None or field is None or not (_is_clear(sought) and _is_clear(field)):
                raise ExchangeError("it joins by a column that is hashed or masked")
            pairs.append((field.origin, sought.column))
            own.append(sought)
        self._need_lookup(table, own)
        return self._referring(table, pairs)

    def _referring(self, table: TableMapping, pairs: Iterable[tuple[str, str]]) -> NodeReference:
        name = self._nodes.get(table.asset_key)
        if name is None:
            raise ExchangeError(f"{table.qualified_name} is left out")
        return NodeReference(
            name=name,
            key_mappings=tuple(
                KeyMapping(source_field=field, node_property=prop) for field, prop in pairs
            ),
        )

    def _need_lookup(self, table: TableMapping, sought: list[PropertyMapping]) -> None:
        """See that a constraint is there for a lookup, which the specification demands."""
        names = {prop.column for prop in sought}
        if len(names) < len(sought):
            raise ExchangeError("it compares a column twice")
        if names == {*_clear_key(table)}:
            return
        columns = {prop.origin for prop in sought}
        is_unique = any(columns == {*unique} for unique in table.unique)
        if not is_unique or any(prop.cast_from for prop in sought):
            raise ExchangeError(
                f"it looks up {', '.join(sorted(columns))} of {table.qualified_name}, which are no key and"
                " not unique"
            )
        self._unique.setdefault(table.asset_key, {})[tuple(sorted(names))] = None


def _told(mapping: RelationshipMapping) -> str:
    kind = f"({mapping.from_label})-[:{mapping.relationship_type}]->({mapping.to_label})"
    return f"{mapping.row} {kind}"


def _is_clear(prop: PropertyMapping) -> bool:
    """Whether a property has the values of its column, and a name that the specification allows."""
    named = bool(prop.origin.strip() and prop.column.strip()) and not is_kept_name(prop.column)
    return prop.form is None and prop.treatment is None and named


def _clear(table: TableMapping) -> Iterator[PropertyMapping]:
    return filter(_is_clear, table.properties)


def _clear_key(table: TableMapping) -> tuple[str, ...]:
    """The key, () where a property of it is not exported."""
    clear = {prop.column for prop in _clear(table)}
    return table.key if clear.issuperset(table.key) else ()


def _property(table: TableMapping, prop: PropertyMapping) -> SpecProperty:
    kind = property_type(prop.type, time_zone=table.source.time_zone)
    return SpecProperty(
        source_field=prop.origin,
        target_property=prop.column,
        target_property_type=specification_type(kind.name),
    )


def _node_warnings(table: NodeTable) -> Iterator[str]:
    row, name = f"node_label_mappings row {table.mapping_id}", table.qualified_name
    treated = [prop.origin for prop in table.columns_read if prop.treatment is not None]
    if treated:
        yield f"{name}: columns that are hashed or masked are left out ({', '.join(treated)})"
    if table.row_filter:
        yield f"{row}: the row_filter is in the SQL of {name}, from which import-model does not read it"
    if table.extra.values:
        yield f"{row}: labels by the value of {table.extra.by_property} are left out"
    if table.label_is_shared:
        yield (
            f"{row}: several tables have the label {table.node_label}; another tool makes one node of rows"
            " with equal keys"
        )
