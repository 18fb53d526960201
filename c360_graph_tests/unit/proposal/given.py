"""Proposals for schemas in a few words, without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from c360_graph.mapping.catalog import CatalogTable, SourceCatalog
from c360_graph.mapping.control_rows import ControlRows, SourceRow
from c360_graph.mapping.resolve import resolve
from c360_graph.proposal.control_rows import Standing
from c360_graph.proposal.model import ForeignKey, Proposal, QualifiedColumn, SourceSchema
from c360_graph.proposal.overlaps import Overlap
from c360_graph.proposal.personal_columns import ColumnFinding, findings_of
from c360_graph.proposal.propose import Known, propose

Samples = Mapping[tuple[str, str], Sequence[str]]
"""Values by table and column."""


def key(name: str, text: str) -> ForeignKey:
    """`orders(customer_id) -> customers(id)`, columns between commas."""
    (table, columns), (to_table, to_columns) = (
        side.strip().rstrip(")").split("(") for side in text.split("->")
    )
    return ForeignKey(
        name=name,
        table_name=table,
        columns=tuple(column.strip() for column in columns.split(",")),
        to_schema="public",
        to_table=to_table,
        to_columns=tuple(column.strip() for column in to_columns.split(",")),
    )


def schema(
    name: str, *tables: CatalogTable, keys: Sequence[ForeignKey] = (), number: int = 1
) -> SourceSchema:
    """A source with its tables."""
    names = tuple(table.table_name for table in tables)
    return SourceSchema(
        source=SourceRow(source_id=number, source_name=name, db_name=name),
        catalog=SourceCatalog(
            source_id=number, tables=tables, table_names=names, mappable_names=names
        ),
        foreign_keys=tuple(keys),
    )


def proposed(
    own: SourceSchema,
    *others: SourceSchema,
    samples: Samples | None = None,
    overlaps: Sequence[Overlap] = (),
    standing: ControlRows | None = None,
    every: ControlRows | None = None,
) -> Proposal:
    """What is proposed for the first source; every row of it has been accepted."""
    sources = tuple(one.source for one in (own, *others))
    active = (standing or ControlRows()).model_copy(update={"sources": sources})
    everything = (every or standing or ControlRows()).model_copy(update={"sources": sources})
    rows = Standing(active=active, every=everything, schemas=(own, *others))
    proposal = propose(
        Known(
            schema=own,
            standing=rows,
            findings=findings(samples or {}, own, *others),
            overlaps=tuple(overlaps),
        )
    )
    mapping = resolve(proposal.laid_over(active), rows.catalogs)
    assert mapping.refusals == rows.mapping.refusals
    return proposal


def findings(samples: Samples, *schemas: SourceSchema) -> dict[QualifiedColumn, ColumnFinding]:
    """The personal columns of all sources."""
    return {
        QualifiedColumn(one.source.source_name, table.table_name, column): finding
        for one in schemas
        for table in one.catalog.tables
        for column, finding in findings_of(
            table, {c: v for (t, c), v in samples.items() if t == table.table_name}
        )[0].items()
    }


def joins(proposal: Proposal) -> list[str]:
    """`(Order)-[:HAS_LINE]->(Line) on o.id = l.order_id` for each relationship."""
    return [
        f"({r.from_label})-[:{r.relationship_type}]->({r.to_label}) on {r.join_condition}"
        + (f" through {r.junction_table}" if r.junction_table else "")
        for r in (p.row for p in proposal.relationships)
    ]


def treated(proposal: Proposal) -> dict[str, str]:
    """The treatment of each column."""
    return {
        f"{p.source_name}/{p.row.table_name}.{p.row.column_name}": p.row.treatment
        for p in proposal.exclusions
    }
