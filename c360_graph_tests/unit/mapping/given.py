"""Catalogs and control rows in a few words, for tests without a server."""

from __future__ import annotations

from typing import Any

from c360_graph.mapping.catalog import CatalogColumn, CatalogTable, ColumnType, SourceCatalog
from c360_graph.mapping.control_rows import (
    ControlRows,
    ExclusionRow,
    NodeLabelRow,
    RelationshipRow,
    SourceRow,
)
from c360_graph.mapping.model import GraphMapping, RelationshipMapping
from c360_graph.mapping.resolve import resolve

_BASES = {"int": "int4", "bigint": "int8", "double": "float8", "timestamptz": "timestamptz"}


def column_type(text: str) -> ColumnType:
    """`int`, `text`, `numeric(10,2)`, `enum:mood`, `int[]`."""
    if text.endswith("[]"):
        element = column_type(text[:-2])
        return ColumnType(name=text, base=f"_{element.base}", element=element, dimensions=1)
    if text.startswith("enum:"):
        return ColumnType(name=text[5:], base=text[5:], kind="e")
    if text.startswith("numeric("):
        precision, scale = text[8:-1].split(",")
        return ColumnType(name=text, base="numeric", precision=int(precision), scale=int(scale))
    return ColumnType(name=text, base=_BASES.get(text, text))


def table(
    name: str,
    columns: str,
    *,
    key: str = "",
    unique: tuple[str, ...] = (),
    referring: tuple[str, ...] = (),
) -> CatalogTable:
    """A table of `name type` pairs between commas; a type with `?` is nullable."""
    read = []
    for pair in filter(None, (part.strip() for part in columns.split(";"))):
        column, _, kind = pair.rpartition(" ")
        read.append(
            CatalogColumn(
                name=column, type=column_type(kind.rstrip("?")), nullable=kind.endswith("?")
            )
        )
    return CatalogTable(
        schema_name="public",
        table_name=name,
        columns=tuple(read),
        primary_key=tuple(key.split()),
        unique_keys=tuple(tuple(names.split()) for names in unique),
        unique_columns=tuple(tuple(names.split()) for names in (key, *unique) if names),
        referring_columns=tuple(tuple(names.split()) for names in referring),
    )


class Case:
    """Sources, catalogs and control rows under construction."""

    def __init__(self) -> None:
        self.sources: list[SourceRow] = []
        self.catalogs: dict[int, SourceCatalog] = {}
        self.labels: list[NodeLabelRow] = []
        self.exclusions: list[ExclusionRow] = []
        self.relationships: list[RelationshipRow] = []
        self.more: dict[str, Any] = {}

    def source(self, name: str, *tables: CatalogTable, asked: bool = True) -> Case:
        """A source with its tables; one that could not be asked has no catalog."""
        number = len(self.sources) + 1
        self.sources.append(SourceRow(source_id=number, source_name=name, db_name=name))
        if asked:
            self.catalogs[number] = SourceCatalog(
                source_id=number, tables=tables, table_names=tuple(t.table_name for t in tables)
            )
        return self

    def label(self, table_name: str, node_label: str, *, source_id: int | None = None) -> Case:
        """A row of node_label_mappings."""
        self.labels.append(
            NodeLabelRow(
                mapping_id=len(self.labels) + 1,
                source_id=source_id,
                table_name=table_name,
                node_label=node_label,
            )
        )
        return self

    def excluding(
        self,
        table_name: str,
        column: str,
        *,
        source_id: int | None = None,
        treatment: str = "exclude",
    ) -> Case:
        """A row of field_exclusion_rules."""
        self.exclusions.append(
            ExclusionRow(
                rule_id=len(self.exclusions) + 1,
                source_id=source_id,
                table_name=table_name,
                column_name=column,
                treatment=treatment,
            )
        )
        return self

    def joining(self, from_label: str, kind: str, to_label: str, on: str, **more: Any) -> Case:
        """A row of relationship_mappings."""
        self.relationships.append(
            RelationshipRow(
                relationship_id=len(self.relationships) + 1,
                relationship_type=kind,
                from_label=from_label,
                to_label=to_label,
                join_condition=on,
                **more,
            )
        )
        return self

    @property
    def rows(self) -> ControlRows:
        """All rows."""
        return ControlRows(
            sources=tuple(self.sources),
            labels=tuple(self.labels),
            exclusions=tuple(self.exclusions),
            relationships=tuple(self.relationships),
            **self.more,
        )

    def resolve(self) -> GraphMapping:
        """What the rows come to."""
        return resolve(self.rows, self.catalogs)

    def relationship(self) -> RelationshipMapping:
        """The one relationship, where nothing is refused."""
        mapping = self.resolve()
        assert mapping.refusals == ()
        (found,) = mapping.relationships
        return found

    def reason(self) -> str:
        """Why the one refused row is refused."""
        (refusal,) = self.resolve().refusals
        return refusal.reason
