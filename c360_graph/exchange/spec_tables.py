"""Which tables the sources and node targets of an import specification are about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from c360_graph.errors import ExchangeError
from c360_graph.exchange.import_spec import (
    ImportSpecification,
    NodeReference,
    NodeTarget,
    SpecSource,
)
from c360_graph.exchange.selected_table import selected_table
from c360_graph.mapping.catalog import CatalogColumn, CatalogTable
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.names import did_you_mean
from c360_graph.proposal.standing import Standing

Remark = Callable[[str], None]


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
