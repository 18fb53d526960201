"""Where columns, labels and relationships come from, as Dagster's catalog shows it and as OpenLineage tells other catalogs.

A table's asset has the table's columns, `cypher_script` and `neo4j_graph` have `Label.property` and
`(:From)-[:TYPE]->(:To)`. Dagster follows a column from asset to asset, so that each names the one
before it: a property of the graph leads to the script's, and that to the source's column.

Each label, and each relationship type between two labels, is a job of its own, so that a catalog does not
show every table as the origin of every label. Names are the physical ones: `postgres://host:port` and
`database.schema.table`, `neo4j://host:port` and `database.Label`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

import dagster as dg

from c360_graph.control.connection import ControlDatabase
from c360_graph.mapping.join_forms import normalised_properties, source_column
from c360_graph.mapping.model import (
    GraphMapping,
    PropertyMapping,
    RelationshipMapping,
    TableIndex,
    TableMapping,
    node_tables,
)
from c360_graph.mapping.property_rows import cast_named
from c360_graph.mapping.property_types import property_type

Tables = Sequence[TableMapping]
Relationships = Sequence[RelationshipMapping]

JOB = "neo4j_graph"
PRODUCER = "urn:c360_graph"

Name = tuple[str, str]
"""Namespace and name of a dataset."""


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


@dataclass(frozen=True, kw_only=True)
class GraphPart:
    """A label, or a relationship type between two labels.

    `inputs` are the columns that are read of each table, `fields` the types of properties, and `columns` the
    (table, column) pairs that each of them is made from.
    """

    name: str
    inputs: Mapping[Name, tuple[str, ...]]
    fields: Mapping[str, str]
    columns: Mapping[str, tuple[tuple[Name, str], ...]] = field(default_factory=dict)


def graph_parts(
    mapping: GraphMapping, dataset_of: Callable[[TableMapping], Name]
) -> tuple[GraphPart, ...]:
    """The parts of the graph, in the order of the mapping.

    Args:
        mapping: what is loaded.
        dataset_of: the namespace and name of a table of a source.
    """
    index = TableIndex(mapping.tables)
    records = {
        identity.label: tuple(
            table for r in identity.records if (table := mapping.table(r.table)) is not None
        )
        for identity in mapping.identities
    }
    labels = dict.fromkeys(table.node_label for table in mapping.node_tables)
    return (
        *(
            _label(label, index.labelled(label), records.get(label, ()), dataset_of)
            for label in labels
        ),
        *(_relationship(one, index, records, dataset_of) for one in mapping.relationships),
    )


def _label(
    label: str,
    tables: Iterable[TableMapping],
    records: Iterable[TableMapping],
    dataset_of: Callable[[TableMapping], Name],
) -> GraphPart:
    fields: dict[str, str] = {}
    columns: dict[str, tuple[tuple[Name, str], ...]] = {}
    inputs: dict[Name, tuple[str, ...]] = {dataset_of(table): _read(table) for table in records}
    for table in tables:
        own = None if table.identity else dataset_of(table)
        if own is not None:
            inputs[own] = _read(table)
        for prop in table.columns_read:
            zone = table.source.time_zone
            kind = property_type(prop.type, treatment=prop.treatment, time_zone=zone).name
            fields.setdefault(prop.column, kind)
            if own is not None:
                columns[prop.column] = (*columns.get(prop.column, ()), (own, prop.origin))
    return GraphPart(name=label, inputs=inputs, fields=fields, columns=columns)


def _relationship(
    mapping: RelationshipMapping,
    index: TableIndex,
    records: Mapping[str, tuple[TableMapping, ...]],
    dataset_of: Callable[[TableMapping], Name],
) -> GraphPart:
    ends = [table for end in (mapping.start, mapping.end) for table in index.at(end)]
    driving = index.driving(mapping)
    found = dict.fromkeys(
        one
        for table in (*ends, *driving)
        for one in (records.get(mapping.from_label, ()) if table.identity else (table,))
    )
    columns = {
        name: tuple(
            (dataset_of(table), prop.origin)
            for table in driving
            if not table.identity and (prop := table.property_of(name)) is not None
        )
        for name in mapping.copied
    }
    return GraphPart(
        name=f"{mapping.from_label}.{mapping.relationship_type}.{mapping.to_label}",
        inputs={dataset_of(table): _read(table) for table in found},
        fields=dict.fromkeys(mapping.copied, ""),
        columns=columns,
    )


def _read(table: TableMapping) -> tuple[str, ...]:
    return tuple(prop.origin for prop in table.columns_read)


def physical_name(control: ControlDatabase, table: TableMapping) -> Name:
    """Where a table of a source is, as OpenLineage names tables of PostgreSQL."""
    source = table.source
    known = control.credentials_for(source, None)
    namespace = f"postgres://{known.host or 'localhost'}:{known.port or 5432}"
    return namespace, f"{source.db_name}.{source.db_schema}.{table.table_name}"


def graph_namespace(uri: str) -> str:
    """The namespace of a Neo4j server, whichever scheme it is reached by.

    >>> graph_namespace("bolt+s://graph.example.com")
    'neo4j://graph.example.com:7687'
    """
    found = urlsplit(uri)
    return f"neo4j://{found.hostname}:{found.port or 7687}"


@contextmanager
def told(
    parts: Iterable[GraphPart],
    *,
    job_namespace: str,
    graph: Name,
    run_id: str,
    warn: Callable[[str], None],
) -> Iterator[None]:
    """Tell that a load of these parts begins, and that it ended or failed.

    A catalog that cannot be reached is warned about once and changes nothing. The transport is that of
    OpenLineage's own settings, such as OPENLINEAGE_URL or openlineage.yml.

    Args:
        parts: what is loaded.
        job_namespace: that of the jobs.
        graph: the namespace of the server, and the name of its database.
        run_id: Dagster's id of the run.
        warn: is given a sentence.
    """
    teller = _Teller(tuple(parts), job_namespace, graph, run_id, warn)
    teller.tell("START")
    try:
        yield
    except BaseException:
        teller.tell("FAIL")
        raise
    teller.tell("COMPLETE")


@dataclass
class _Teller:
    parts: tuple[GraphPart, ...]
    job_namespace: str
    graph: Name
    run_id: str
    warn: Callable[[str], None]
    _client: Any = None
    _has_failed: bool = False

    def tell(self, state: str) -> None:
        if self._has_failed:
            return
        try:
            self._client = self._client or _client()
            for part in self.parts:
                self._client.emit(self._event(part, state))
        except Exception as error:  # noqa: BLE001, a load does not fail since a catalog is away
            self._has_failed = True
            self.warn(
                f"The lineage of this load is not told by OpenLineage: {type(error).__name__}:"
                f" {str(error).splitlines()[0] if str(error) else ''}"
            )

    def _event(self, part: GraphPart, state: str) -> Any:
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
        from openlineage.client.facet_v2 import parent_run

        parent = parent_run.ParentRunFacet(
            run=parent_run.Run(runId=str(UUID(self.run_id))),
            job=parent_run.Job(namespace=self.job_namespace, name=JOB),
        )
        return RunEvent(
            eventTime=datetime.now(UTC).isoformat(),
            eventType=RunState[state],
            run=Run(
                runId=str(uuid5(NAMESPACE_URL, f"{self.run_id}/{part.name}")),
                facets={"parent": parent},
            ),
            job=Job(namespace=self.job_namespace, name=f"{JOB}.{part.name}"),
            inputs=_inputs(part),
            outputs=[_output(part, self.graph)],
            producer=PRODUCER,
        )


def _client() -> Any:
    try:
        from openlineage.client import OpenLineageClient
    except ImportError as error:
        raise ImportError(
            f"C360_OPENLINEAGE_NAMESPACE needs the extra openlineage ({error.name} is missing);"
            " install c360-graph[openlineage]"
        ) from None
    return OpenLineageClient()


def _inputs(part: GraphPart) -> list[Any]:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import schema_dataset

    return [
        InputDataset(
            namespace=namespace,
            name=name,
            facets={
                "schema": schema_dataset.SchemaDatasetFacet(
                    fields=[schema_dataset.SchemaDatasetFacetFields(name=c) for c in columns]
                )
            },
        )
        for (namespace, name), columns in part.inputs.items()
    ]


def _output(part: GraphPart, graph: Name) -> Any:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import column_lineage_dataset, schema_dataset

    lineage = {
        name: column_lineage_dataset.Fields(
            inputFields=[
                column_lineage_dataset.InputField(namespace=namespace, name=table, field=column)
                for (namespace, table), column in columns
            ]
        )
        for name, columns in part.columns.items()
        if columns
    }
    fields = [
        schema_dataset.SchemaDatasetFacetFields(name=name, type=kind or None)
        for name, kind in part.fields.items()
    ]
    namespace, database = graph
    return OutputDataset(
        namespace=namespace,
        name=f"{database}.{part.name}",
        facets={
            "schema": schema_dataset.SchemaDatasetFacet(fields=fields),
            **(
                {"columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(fields=lineage)}
                if lineage
                else {}
            ),
        },
    )
