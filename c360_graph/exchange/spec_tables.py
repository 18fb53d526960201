"""Which tables the sources and node targets of an import specification are about, and the rows for their columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from c360_graph.errors import ExchangeError
from c360_graph.exchange.export_model import specification_type
from c360_graph.exchange.import_spec import (
    ImportSpecification,
    NodeReference,
    NodeTarget,
    RelationshipTarget,
    SpecProperty,
    SpecSource,
)
from c360_graph.mapping.catalog import CatalogColumn, CatalogTable
from c360_graph.mapping.control_rows import ExclusionRow, PropertyRow, SourceRow
from c360_graph.mapping.names import did_you_mean
from c360_graph.mapping.property_rows import Cast, cast_type
from c360_graph.mapping.property_types import property_type
from c360_graph.proposal.control_rows import Standing
from c360_graph.proposal.model import Proposed, QualifiedColumn

MOST_CHARACTERS = 100_000

_COLUMNS_OF_A_TABLE = frozenset({"expressions", "from", "from_", "order"})
_SOME_ROWS = frozenset({"where", "limit", "offset"})

Remark = Callable[[str], None]

_CASTS: dict[str, Cast] = {
    "INTEGER": "integer",
    "FLOAT": "float",
    "STRING": "string",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "ZONED_DATETIME": "datetime",
    "LOCAL_DATETIME": "localdatetime",
}
"""What cast_type says for a type of the specification."""


@dataclass(frozen=True, kw_only=True)
class SelectedTable:
    """A table, and its columns by the names that the SQL gives them; None for all, under their own names.

    It `is_whole` where the SQL leaves out no rows.
    """

    table_name: str
    columns: Mapping[str, str] | None
    is_whole: bool


def selected_table(sql: str) -> SelectedTable | None:
    """The table behind a SELECT; None if it is more than columns of one table, or cannot be read.

    >>> found = selected_table('SELECT id, "fullName" AS name FROM public.people WHERE id > 3')
    >>> found.table_name, found.columns, found.is_whole
    ('people', {'id': 'id', 'name': 'fullName'}, False)
    >>> selected_table("SELECT p.id FROM people p NATURAL JOIN orders o") is None
    True
    """
    if len(sql) > MOST_CHARACTERS:
        return None
    try:
        tree = sqlglot.parse_one(sql, dialect="postgres")
    except (SqlglotError, RecursionError):
        return None
    given = {name for name, value in tree.args.items() if value}
    if not isinstance(tree, exp.Select) or given - _COLUMNS_OF_A_TABLE - _SOME_ROWS:
        return None
    read = tree.args.get("from") or tree.args.get("from_")
    table = read.this if isinstance(read, exp.From) else None
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return None
    if table.args.get("joins"):
        return None
    return SelectedTable(
        table_name=_name(table.this),
        columns=_columns(tree.expressions),
        is_whole=given.isdisjoint(_SOME_ROWS),
    )


def _columns(expressions: list[exp.Expr]) -> dict[str, str] | None:
    """Columns by the names of the result; what is computed is none."""
    found: dict[str, str] = {}
    for expression in expressions:
        column = expression.this if isinstance(expression, exp.Alias) else expression
        if isinstance(column, exp.Star) or (
            isinstance(column, exp.Column) and isinstance(column.this, exp.Star)
        ):
            return None
        if not isinstance(column, exp.Column) or not isinstance(column.this, exp.Identifier):
            continue
        alias = expression.args.get("alias")
        named = alias if isinstance(alias, exp.Identifier) else column.this
        found[_name(named)] = _name(column.this)
    return found


def _name(identifier: exp.Identifier) -> str:
    """A name as PostgreSQL reads it."""
    return identifier.name if identifier.quoted else identifier.name.lower()


@dataclass(frozen=True, kw_only=True)
class SpecTable:
    """The table that a source of a document reads; `fields` are its columns by their names in the document."""

    source: SourceRow
    catalog: CatalogTable
    fields: Mapping[str, str] | None = None

    @property
    def asset_key(self) -> tuple[str, str]:
        """(source_name, table_name)."""
        return (self.source.source_name, self.catalog.table_name)

    @property
    def qualified_name(self) -> str:
        """`source/table`."""
        return "/".join(self.asset_key)

    def column(self, field: str) -> CatalogColumn | None:
        """The column behind a field; tools differ in the case of names without quotes."""
        names = {column.name: column for column in self.catalog.columns}
        wanted = (self.fields or {}).get(field, field)
        return names.get(wanted) or names.get(wanted.lower())

    def column_named(self, field: str) -> CatalogColumn:
        """As `column`.

        Raises:
            ExchangeError: there is none.
        """
        found = self.column(field)
        if found is None:
            known = [column.name for column in self.catalog.columns]
            raise ExchangeError(
                f"field {field!r} is no column of {self.qualified_name}{did_you_mean(field, known)}"
            )
        return found


def spec_tables(
    document: ImportSpecification, *, standing: Standing, source_name: str | None, remark: Remark
) -> dict[str, SpecTable]:
    """The tables behind the sources of a document, by the names of the sources.

    A source is named `source/table`, as in an exported document, or reads a table of `source_name`: the one in its
    SQL, or else the one of its name. A remark says why a source is none.

    Raises:
        ExchangeError: a table's source is not known.
    """
    known = {schema.source.source_name: schema for schema in standing.schemas}
    found: dict[str, SpecTable] = {}
    for source in document.sources:
        try:
            of_source, table_name, fields = _named_table(source, known, source_name, remark)
        except _NotATable as reason:
            remark(f"Source {source.name} is not imported: {reason}")
            continue
        schema = known.get(of_source)
        if schema is None:
            remark(f"Source {source.name} is not imported: {of_source} cannot be read.")
            continue
        table = schema.catalog.table(table_name)
        if table is None:
            near = did_you_mean(table_name, schema.catalog.table_names)
            remark(
                f"Source {source.name} is not imported: {of_source} has no table {table_name}{near}."
            )
            continue
        found[source.name] = SpecTable(source=schema.source, catalog=table, fields=fields)
    return found


def table_with_source(name: str, sources: Collection[str]) -> tuple[str, str] | None:
    """Source and table of a name such as `source/table`; None if it names none of these sources.

    >>> table_with_source("crm/people", ["crm"]), table_with_source("people", ["crm"])
    (('crm', 'people'), None)
    """
    # The longest, as the name of a source may hold a slash.
    named = (source for source in sources if name.startswith(f"{source}/"))
    found = max(named, key=len, default=None)
    return (found, name.removeprefix(f"{found}/")) if found is not None else None


class _NotATable(Exception):
    """A source of a document reads something else than a table."""


def _named_table(
    source: SpecSource, known: Collection[str], source_name: str | None, remark: Remark
) -> tuple[str, str, Mapping[str, str] | None]:
    """Source and table, and the columns by the names that the SQL gives them."""
    qualified = table_with_source(source.name, known)
    sql = source.sql or source.query
    selected = selected_table(sql) if sql else None
    if selected is not None and not selected.is_whole:
        remark(
            f"Source {source.name}: its SQL leaves out rows, which is not imported; write a row_filter in"
            " node_label_mappings."
        )
    fields = selected.columns if selected else None
    if qualified is not None:
        if sql and selected is None:
            remark(f"Source {source.name}: its SQL is not imported, only the table of its name.")
        return *qualified, fields
    if sql and selected is None:
        raise _NotATable(
            "its SQL is more than columns of one table; map a view with this SQL, and name it here."
        )
    if source_name is None:
        raise ExchangeError(
            f"Source {source.name!r} of the model does not say whose table it is; name the row of"
            f" source_databases with --source. Sources that can be read: {', '.join(known) or 'none'}."
        )
    return source_name, selected.table_name if selected else source.name, fields


@dataclass(frozen=True, kw_only=True)
class SpecNode:
    """A node target that is imported, with the label that its table has."""

    target: NodeTarget
    table: SpecTable
    label: str

    def column_of(self, property_name: str) -> CatalogColumn:
        """The column that a property is made of.

        Raises:
            ExchangeError: there is none.
        """
        prop = self.target.property_named(property_name)
        if prop is None:
            raise ExchangeError(f"node target {self.target.name} has no property {property_name!r}")
        return self.table.column_named(prop.source_field)

    @property
    def key(self) -> tuple[str, ...]:
        """The properties of its first key constraint, else of its first unique constraint."""
        kinds = self.target.constraints
        constraints = (*kinds.key_constraints, *kinds.unique_constraints)
        return constraints[0].properties if constraints else ()


def main_label(target: NodeTarget) -> str:
    """The label that identifies the nodes: that of the key, else the first.

    >>> from c360_graph.exchange.import_spec import SpecProperty
    >>> prop = SpecProperty(source_field="id", target_property="id")
    >>> main_label(NodeTarget(name="n", source="s", labels=("A", "B"), properties=(prop,)))
    'A'
    """
    keyed = (one.label for one in target.constraints.key_constraints if one.label in target.labels)
    return next(keyed, target.labels[0])


def referred_columns(
    reference: NodeReference, node: SpecNode, row: SpecTable
) -> tuple[tuple[str, str], ...]:
    """Pairs of a column of the node's table and the column of `row` that equals it.

    Raises:
        ExchangeError: a field or a property is unknown, or the node has no key.
    """
    pairs = tuple(_mapped(reference, node))
    if not pairs:
        raise ExchangeError(f"node target {node.target.name} has no key by which it is found")
    return tuple((node.column_of(prop).name, row.column_named(field).name) for field, prop in pairs)


def _mapped(reference: NodeReference, node: SpecNode) -> Iterator[tuple[str, str]]:
    """Fields of the row and properties of the node."""
    if reference.key_mappings:
        yield from ((pair.source_field, pair.node_property) for pair in reference.key_mappings)
        return
    for name in node.key:
        prop = node.target.property_named(name)
        if prop is not None:
            yield prop.source_field, name


@dataclass(kw_only=True)
class TableColumns:
    """The columns of a table that a document names."""

    table: SpecTable
    properties: dict[str, tuple[CatalogColumn, SpecProperty]] = field(default_factory=dict)
    """By the names of their columns."""
    joined: set[str] = field(default_factory=set)
    """The columns by which rows refer to nodes."""

    @property
    def read(self) -> set[str]:
        """All of them."""
        return {*self.properties} | self.joined

    def add(
        self,
        kind: str,
        target: NodeTarget | RelationshipTarget,
        table: SpecTable,
        remark: Remark,
    ) -> None:
        """Take the properties of a target; another source may name the same columns differently."""
        for prop in target.properties:
            what = f"{kind} target {target.name}: property {prop.target_property}"
            column = table.column(prop.source_field)
            if column is None:
                remark(
                    f"{what} is not imported: field {prop.source_field} is no column of"
                    f" {self.table.qualified_name}."
                )
                continue
            _, first = self.properties.setdefault(column.name, (column, prop))
            if first.target_property != prop.target_property:
                remark(
                    f"{what} is not imported: its column becomes the property"
                    f" {first.target_property}."
                )

    def qualified(self, column: str) -> QualifiedColumn:
        """A column as remarks name it."""
        return QualifiedColumn(*self.table.asset_key, column)


def exclusion_proposals(
    tables: Iterable[TableColumns], standing: Standing, remark: Remark
) -> tuple[Proposed[ExclusionRow], ...]:
    """Rules for the columns that the document does not name, of tables that nothing reads yet."""
    found: list[Proposed[ExclusionRow]] = []
    for columns in tables:
        table = columns.table
        others = [c.name for c in table.catalog.columns if c.name not in columns.read]
        left = [name for name in others if standing.rule(columns.qualified(name)) is None]
        if left and standing.mapping.table(table.asset_key) is not None:
            remark(
                f"{table.qualified_name} is mapped already, so that columns which the model does not name"
                f" ({', '.join(left)}) are still read."
            )
            continue
        for name in left:
            if standing.is_left_clear(columns.qualified(name)):
                remark(f"{columns.qualified(name)} is read: its rule is switched off.")
                continue
            row = ExclusionRow(
                rule_id=-len(found) - 1,
                source_id=table.source.source_id,
                table_name=table.catalog.table_name,
                column_name=name,
                reason="The imported model does not name it.",
            )
            why = "the model does not name it"
            found.append(Proposed(row=row, source_name=table.source.source_name, why=why))
    return tuple(found)


def column_proposals(
    tables: Iterable[TableColumns], standing: Standing, remark: Remark
) -> tuple[Proposed[PropertyRow], ...]:
    """Rows for columns that become properties of another name or another type."""
    found: list[Proposed[PropertyRow]] = []
    known = {(row.source_id, row.table_name, row.column_name) for row in standing.every.properties}
    for columns in tables:
        table = columns.table
        for column, prop in _read_as_they_are(columns, standing, remark):
            row = PropertyRow(
                mapping_id=-len(found) - 1,
                source_id=table.source.source_id,
                table_name=table.catalog.table_name,
                column_name=column.name,
                property_name=_other_name(column, prop),
                cast_type=_cast(columns, column, prop, remark),
            )
            if row.property_name is None and row.cast_type is None:
                continue
            names = (row.table_name, row.column_name)
            if {(row.source_id, *names), (None, *names)} & known:
                remark(
                    f"{columns.qualified(column.name)} has a row in property_mappings, which stays."
                )
                continue
            why = f"property {prop.target_property} of the model"
            found.append(Proposed(row=row, source_name=table.source.source_name, why=why))
    return tuple(found)


def _read_as_they_are(
    columns: TableColumns, standing: Standing, remark: Remark
) -> Iterator[tuple[CatalogColumn, SpecProperty]]:
    """The properties whose columns no rule withholds or changes."""
    for name, (column, prop) in columns.properties.items():
        rule = standing.rule(columns.qualified(name))
        if rule is None:
            yield column, prop
        else:
            remark(
                f"{columns.qualified(name)} has the treatment {rule.treatment} by field_exclusion_rules row"
                f" {rule.rule_id}, which stays."
            )


def _other_name(column: CatalogColumn, prop: SpecProperty) -> str | None:
    return prop.target_property if prop.target_property != column.name else None


def _cast(
    columns: TableColumns, column: CatalogColumn, prop: SpecProperty, remark: Remark
) -> Cast | None:
    """The cast that gives the type of the document; None for the type that the column has anyway."""
    wanted, zone = prop.type_name, columns.table.source.time_zone
    own = specification_type(property_type(column.type, time_zone=zone).name)
    if wanted is None or wanted == own:
        return None
    what = f"{columns.qualified(column.name)} stays {own}, the model has {wanted}"
    if wanted not in _CASTS:
        remark(f"{what}: there is no such cast.")
        return None
    target = cast_type(_CASTS[wanted], column.type, time_zone=zone)
    if isinstance(target, str):
        remark(f"{what}: {target}.")
        return None
    return _CASTS[wanted] if target is not None else None
