"""Reads what a proposal of control rows is made from, and makes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from c360_graph.control_db import ControlDatabase
from c360_graph.errors import C360Error, MappingError
from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.control_rows import ControlRows, SourceRow
from c360_graph.mapping.names import did_you_mean
from c360_graph.proposal.findings import Finding, findings_of, is_worth_sampling
from c360_graph.proposal.overlaps import Overlap, candidates
from c360_graph.proposal.personal_names import kind_by_name
from c360_graph.proposal.propose import Known, propose
from c360_graph.proposal.rows import Proposal
from c360_graph.proposal.schema import ColumnPlace, SourceSchema
from c360_graph.proposal.sql_text import LOCK, statements
from c360_graph.proposal.standing import Standing
from c360_graph.proposal.tables import tables_to_read
from c360_graph.source_db.column_samples import measure_overlap, sample_columns
from c360_graph.source_db.schema import read_schema
from c360_graph.source_db.snapshot import SourceSnapshot, open_snapshot

Tables = tuple[CatalogTable, ...]


def propose_rows(control: ControlDatabase, source_name: str) -> Proposal:
    """Propose control rows for a source; nothing is written anywhere.

    Raises:
        MappingError: there is no active source of that name.
        SourceError: the source cannot be read. Other sources that cannot be are left out, with a remark.
        ControlDatabaseError: the control database cannot be reached or lacks its tables.
    """
    active, every = control.read_rows(), control.read_rows_as_if_all_were_on()
    source = _source(active, source_name)
    with _snapshots(control, active, source) as (snapshots, unasked):
        mapped = frozenset(row.table_name for row in every.labels)
        junctions = frozenset(r.junction_table for r in every.relationships if r.junction_table)
        schemas = {n: read_schema(s, mapped | junctions) for n, s in snapshots.items()}
        standing = Standing(active=active, every=every, schemas=tuple(schemas.values()))
        tables = {name: tables_to_read(schema, standing)[0] for name, schema in schemas.items()}
        findings, remarks = _findings(snapshots[source_name], tables[source_name])
        findings = _by_name(schemas, tables, source_name) | findings
        known = Known(
            schema=schemas[source_name],
            standing=standing,
            findings=findings,
            overlaps=tuple(_overlaps(snapshots, schemas, tables, source_name, findings)),
        )
    proposal = propose(known)
    return proposal.model_copy(update={"remarks": (*unasked, *proposal.remarks, *remarks)})


def apply(control: ControlDatabase, proposal: Proposal) -> int:
    """Add the proposed rows in one transaction; returns how many were not there.

    Raises:
        ControlDatabaseError: the control database refused a row, and none was added.
    """
    return sum(control.insert(statements(proposal), lock=LOCK))


def _source(rows: ControlRows, name: str) -> SourceRow:
    found = next((source for source in rows.sources if source.source_name == name), None)
    if found is not None:
        return found
    if name in rows.inactive_sources:
        raise MappingError(
            f"Source {name!r} is switched off; set is_active in source_databases to map it."
        )
    known = [source.source_name for source in rows.sources]
    listed = ", ".join(known) or "none"
    raise MappingError(
        f"source_databases has no source {name!r}{did_you_mean(name, known)}. Active sources: {listed}."
    )


@contextmanager
def _snapshots(
    control: ControlDatabase, rows: ControlRows, wanted: SourceRow
) -> Iterator[tuple[dict[str, SourceSnapshot], tuple[str, ...]]]:
    """A snapshot of each active source, and why some could not be had."""
    snapshots: dict[str, SourceSnapshot] = {}
    unasked: list[str] = []
    with ExitStack() as stack:
        for source in rows.sources:
            try:
                snapshots[source.source_name] = stack.enter_context(
                    open_snapshot(source, control.source_credentials(source))
                )
            except C360Error as error:
                if source == wanted:
                    raise
                unasked.append(f"{error} No join with it is proposed.")
        yield snapshots, tuple(unasked)


def _findings(
    snapshot: SourceSnapshot, tables: Tables
) -> tuple[dict[ColumnPlace, Finding], tuple[str, ...]]:
    """The columns of the mapped source that look personal by name or by sampled values."""
    found: dict[ColumnPlace, Finding] = {}
    remarks: list[str] = []
    name = snapshot.source.source_name
    for table in tables:
        columns = [column.name for column in table.columns if is_worth_sampling(column)]
        samples = sample_columns(snapshot, table, columns)
        if samples is None:
            remarks.append(
                f"{name}/{table.table_name} could not be sampled in time: its columns are judged by"
                " their names alone."
            )
        here, more = findings_of(table, samples or {})
        found |= {ColumnPlace(name, table.table_name, c): f for c, f in here.items()}
        remarks += [f"{name}/{table.table_name}.{remark}" for remark in more]
    return found, tuple(remarks)


def _by_name(
    schemas: Mapping[str, SourceSchema], tables: Mapping[str, Tables], but: str
) -> dict[ColumnPlace, Finding]:
    """The other sources' columns that look personal by name: only these are not sampled for it."""
    return {
        ColumnPlace(name, table.table_name, column.name): Finding(
            kind=kind, why="its name or type says so"
        )
        for name in schemas
        if name != but
        for table in tables[name]
        for column in table.columns
        if (kind := kind_by_name(table.table_name, column.name, column.type))
    }


def _overlaps(
    snapshots: Mapping[str, SourceSnapshot],
    schemas: Mapping[str, SourceSchema],
    tables: Mapping[str, Tables],
    own: str,
    findings: Mapping[ColumnPlace, Finding],
) -> Iterator[Overlap]:
    personal = frozenset(findings)
    for other in schemas:
        if other == own:
            continue
        found = candidates((schemas[own], tables[own]), (schemas[other], tables[other]), personal)
        for candidate in found:
            ends = (candidate.reference, candidate.key)
            referring, referred = (
                (snapshots[end.source], schemas[end.source].table(end.table)) for end in ends
            )
            yield measure_overlap(candidate, referring=referring, referred=referred)
