"""Columns and where they come from, as Dagster's catalog and its column lineage show them.

A table's asset has the table's columns, `cypher_script` and `neo4j_graph` have `Label.property` and
`(:From)-[:TYPE]->(:To)`. Dagster follows a column from asset to asset, so that each names the one
before it: a property of the graph leads to the script's, and that to the source's column.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import dagster as dg

from c360_graph.mapping.join_forms import normalised_properties, source_column
from c360_graph.mapping.model import PropertyMapping, RelationshipMapping, TableMapping, node_tables
from c360_graph.mapping.property_rows import cast_named
from c360_graph.mapping.property_types import property_type
from c360_graph.mapping.table_index import TableIndex

Tables = Sequence[TableMapping]
Relationships = Sequence[RelationshipMapping]


@dataclass(frozen=True, kw_only=True)
class GraphColumn:
    """A property or a relationship, and the (asset key, column) pairs that it comes from."""

    name: str
    type: str
    sources: tuple[tuple[tuple[str, str], str], ...]
    note: str = ""

    @property
    def description(self) -> str:
        """The sources in words: Dagster's own UI shows no column lineage, only keeps it."""
        came = ", ".join(f"{'/'.join(key)}.{column}" for key, column in self.sources)
        return f"from {came}" + (f". {self.note}" if self.note else "")


def table_columns(table: TableMapping) -> dg.TableSchema:
    """The columns that are read, each with the type of the property it becomes."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=prop.origin,
                type=_type_name(table, prop),
                description=f"{(prop.cast_from or prop.type).name} in the source"
                + (f", treated: {prop.treatment}" if prop.treatment else "")
                + (f", cast to {cast_named(prop.type)}" if prop.cast_from else "")
                + (f", becomes the property {prop.column}" if prop.renamed_from else ""),
                constraints=dg.TableColumnConstraints(
                    nullable=prop.nullable,
                    unique=table.key == (prop.column,),
                    other=["key"] if prop.column in table.key else [],
                ),
                tags={"c360/treatment": prop.treatment} if prop.treatment else {},
            )
            for prop in table.columns_read
        ]
    )


def graph_columns(tables: Tables, relationships: Relationships) -> tuple[GraphColumn, ...]:
    """Every property by label, then every relationship, each once."""
    found: dict[str, GraphColumn] = {}

    def add(column: GraphColumn) -> None:
        former = found.get(column.name, column)
        sources = tuple(dict.fromkeys((*former.sources, *column.sources)))
        found[column.name] = replace(former, sources=sources)

    for table in node_tables(tables):
        for prop in table.columns_read:
            add(
                GraphColumn(
                    name=f"{table.node_label}.{prop.column}",
                    type=_type_name(table, prop),
                    sources=((table.asset_key, prop.origin),),
                )
            )
        for prop, shown in normalised_properties(table):
            add(
                GraphColumn(
                    name=f"{table.node_label}.{prop.column}",
                    type=_type_name(table, prop),
                    sources=((table.asset_key, prop.origin),),
                    note=f"{shown}, for joins",
                )
            )
    index = TableIndex(tables)
    for mapping in relationships:
        add(
            GraphColumn(
                name=f"(:{mapping.from_label})-[:{mapping.relationship_type}]->(:{mapping.to_label})",
                type="RELATIONSHIP",
                sources=tuple(_joined(mapping, index)),
                note=mapping.description or "",
            )
        )
    return tuple(found.values())


def graph_column_schema(columns: Sequence[GraphColumn]) -> dg.TableSchema:
    """The columns as Dagster's schema."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name=column.name, type=column.type, description=column.description)
            for column in columns
        ]
    )


def lineage_to_tables(columns: Sequence[GraphColumn]) -> dg.TableColumnLineage:
    """Each column back to the columns of the tables' assets."""
    return dg.TableColumnLineage(
        deps_by_column={
            column.name: [
                dg.TableColumnDep(asset_key=dg.AssetKey(list(key)), column_name=source)
                for key, source in column.sources
            ]
            for column in columns
        }
    )


def lineage_to_asset(columns: Sequence[GraphColumn], key: str) -> dg.TableColumnLineage:
    """Each column back to the one of the same name in another asset."""
    return dg.TableColumnLineage(
        deps_by_column={
            column.name: [dg.TableColumnDep(asset_key=key, column_name=column.name)]
            for column in columns
        }
    )


def _type_name(table: TableMapping, prop: PropertyMapping) -> str:
    zone = table.source.time_zone
    return property_type(prop.type, treatment=prop.treatment, time_zone=zone).name


def _joined(
    mapping: RelationshipMapping, tables: TableIndex
) -> Iterator[tuple[tuple[str, str], str]]:
    """The columns whose equality makes the relationship, and a junction's that it carries."""
    through = mapping.junction
    for end in (mapping.start, mapping.end):
        for table in tables.at(end):
            yield from ((table.asset_key, _origin(table, column)) for column, _ in end.pairs)
    for driving in tables.driving(mapping) if through else ():
        pairs = (*through.from_pairs, *through.to_pairs) if through else ()
        yield from ((driving.asset_key, _origin(driving, column)) for _, column in pairs)
    for driving in tables.driving(mapping):
        yield from ((driving.asset_key, _origin(driving, column)) for column in mapping.copied)


def _origin(table: TableMapping, name: str) -> str:
    """The source's column that a property is made of, which may hold what functions give."""
    prop = table.property_of(source_column(name))
    return prop.origin if prop is not None else source_column(name)
