"""Rows of property_mappings and field_exclusion_rules: what an import specification says of the columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from c360_graph.exchange.export_model import specification_type
from c360_graph.exchange.import_spec import NodeTarget, RelationshipTarget, SpecProperty
from c360_graph.exchange.spec_tables import Remark, SpecTable
from c360_graph.mapping.catalog import CatalogColumn
from c360_graph.mapping.control_rows import ExclusionRow, PropertyRow
from c360_graph.mapping.property_rows import Cast, cast_type
from c360_graph.mapping.property_types import property_type
from c360_graph.proposal.model import Proposed, QualifiedColumn
from c360_graph.proposal.standing import Standing

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
