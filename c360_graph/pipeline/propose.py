"""Reads what a proposal of control rows is made from, of a source, of a new one or of an import specification, and makes it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from c360_graph.control.connection import ControlDatabase, Credentials
from c360_graph.errors import C360Error, MappingError, SourceError
from c360_graph.exchange.import_model import proposal_of
from c360_graph.exchange.import_spec import ImportSpecification
from c360_graph.exchange.spec_tables import table_with_source
from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.control_rows import ControlRows, SourceRow
from c360_graph.mapping.names import did_you_mean
from c360_graph.mapping.resolve import resolve
from c360_graph.pipeline.readiness import unreadable
from c360_graph.proposal.candidates import Candidate, candidates, shared_out
from c360_graph.proposal.control_rows import Standing, lock_statement, statements
from c360_graph.proposal.model import Proposal, ProposedSource, QualifiedColumn, SourceSchema
from c360_graph.proposal.overlaps import Overlap
from c360_graph.proposal.personal_columns import ColumnFinding, findings_of, is_worth_sampling
from c360_graph.proposal.personal_names import kind_by_name
from c360_graph.proposal.propose import Known, propose, tables_to_read
from c360_graph.settings import resolve_secret
from c360_graph.source.references import measure_overlap, read_source_schema
from c360_graph.source.sampling import sample_columns
from c360_graph.source.snapshot import SourceSnapshot, open_snapshot
from c360_graph.text import plural

Tables = tuple[CatalogTable, ...]

MOST_COMPARISONS = 200
"""Pairs of columns whose values are compared across databases; each takes seconds at worst."""


class ControlRowsReader(Protocol):
    """What a proposal needs of the control database."""

    def read_rows(self) -> ControlRows:
        """All active rows."""

    def read_rows_as_if_all_were_on(self) -> ControlRows:
        """The rows of active sources as if none of them was switched off."""

    def source_credentials(self, source: SourceRow) -> Credentials:
        """How a source is reached."""


def propose_rows(control: ControlRowsReader, source_name: str) -> Proposal:
    """Propose control rows for a source; nothing is written anywhere.

    Raises:
        MappingError: there is no active source of that name.
        SourceError: the source cannot be read. Other sources that cannot be are left out, with a remark.
        ControlDatabaseError: the control database cannot be reached or lacks its tables.
    """
    active, every = control.read_rows(), control.read_rows_as_if_all_were_on()
    source = active_source(active, source_name)
    schemas, unasked = read_schemas(control, active, {source_name}, named_tables(every))
    standing = Standing(active=active, every=every, schemas=tuple(schemas.values()))
    tables = {name: tables_to_read(schema, standing)[0] for name, schema in schemas.items()}
    with open_snapshot(source, control.source_credentials(source)) as snapshot:
        sampled, remarks = _findings(snapshot, tables[source_name])
    findings = _by_name(schemas, tables, source_name) | sampled
    own = (schemas[source_name], tables[source_name])
    pairs, left_over = shared_out(
        [candidates(own, (schema, tables[name]), findings) for name, schema in schemas.items()],
        most=MOST_COMPARISONS,
    )
    overlaps = _overlaps(control, schemas, source, pairs)
    if left_over:
        remarks = (*remarks, _too_many(left_over))
    proposal = propose(
        Known(schema=own[0], standing=standing, findings=findings, overlaps=overlaps)
    )
    remarks = (*unasked, *_without_tables(own[0]), *proposal.remarks, *remarks)
    return proposal.model_copy(update={"remarks": remarks})


def apply(control: ControlDatabase, proposal: Proposal) -> int:
    """Add the proposed rows in one transaction; returns how many were not there.

    Raises:
        ControlDatabaseError: the control database refused a row, and none was added.
    """
    return sum(control.insert(statements(proposal), lock=lock_statement(proposal)))


def _without_tables(schema: SourceSchema) -> Iterator[str]:
    if not schema.catalog.tables:
        source = schema.source
        yield (
            f"Schema {source.db_schema} of database {source.db_name} has no tables that the role may"
            f" see. Check db_name, db_schema and db_user of {source.told_as}."
        )


def _too_many(pairs: Sequence[Candidate]) -> str:
    shown = ", ".join(f"{pair.reference} = {pair.key}" for pair in pairs[:5])
    return (
        f"{plural(len(pairs), 'pair')} of columns with names that agree were not"
        f" compared, {MOST_COMPARISONS} others were: {shown}{', ...' if len(pairs) > 5 else ''}."
    )


def active_source(rows: ControlRows, name: str) -> SourceRow:
    """The active source of a name.

    Raises:
        MappingError: there is none.
    """
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


def named_tables(rows: ControlRows) -> frozenset[str]:
    """The tables that control rows name, in whichever source."""
    labelled = (row.table_name for row in rows.labels)
    return frozenset(
        (*labelled, *(r.junction_table for r in rows.relationships if r.junction_table))
    )


def read_schemas(
    control: ControlRowsReader, rows: ControlRows, wanted: Collection[str], named: frozenset[str]
) -> tuple[dict[str, SourceSchema], tuple[str, ...]]:
    """The schema of each active source by its name, and why some could not be had.

    Raises:
        C360Error: a wanted source cannot be read.
    """
    schemas: dict[str, SourceSchema] = {}
    unasked: list[str] = []
    for source in rows.sources:
        try:
            with open_snapshot(source, control.source_credentials(source)) as snapshot:
                schemas[source.source_name] = read_source_schema(snapshot, named)
        except C360Error as error:
            if source.source_name in wanted:
                raise
            unasked.append(f"{error} No join with it is proposed.")
    return schemas, tuple(unasked)


def _findings(
    snapshot: SourceSnapshot, tables: Tables
) -> tuple[dict[QualifiedColumn, ColumnFinding], tuple[str, ...]]:
    """The columns of the mapped source that look personal by name or by sampled values."""
    found: dict[QualifiedColumn, ColumnFinding] = {}
    remarks: list[str] = []
    name = snapshot.source.source_name
    for table in tables:
        columns = [column.name for column in table.columns if is_worth_sampling(column)]
        samples = sample_columns(snapshot, table, columns)
        if samples is None:
            remarks.append(
                f"{name}/{table.table_name} could not be sampled (refused, or too slow): its columns are judged by"
                " their names alone."
            )
        here, more = findings_of(table, samples or {})
        found |= {QualifiedColumn(name, table.table_name, c): f for c, f in here.items()}
        remarks += [f"{name}/{table.table_name}.{remark}" for remark in more]
    return found, tuple(remarks)


def _by_name(
    schemas: Mapping[str, SourceSchema], tables: Mapping[str, Tables], but: str
) -> dict[QualifiedColumn, ColumnFinding]:
    """The other sources' columns that look personal by name: only these are not sampled for it."""
    return {
        QualifiedColumn(name, table.table_name, column.name): ColumnFinding(
            kind=kind, why="its name or type says so"
        )
        for name in schemas
        if name != but
        for table in tables[name]
        for column in table.columns
        if (kind := kind_by_name(table.table_name, column.name, column.type))
    }


def _overlaps(
    control: ControlRowsReader,
    schemas: Mapping[str, SourceSchema],
    own: SourceRow,
    pairs: Sequence[Candidate],
) -> tuple[Overlap, ...]:
    """What comparing each pair's values says; two sources are open at a time."""
    found: list[Overlap] = []
    for schema in schemas.values():
        ends = {own.source_name, schema.source.source_name}
        here = [pair for pair in pairs if {pair.reference.source, pair.key.source} == ends]
        if not here:
            continue
        with open_snapshot(own, control.source_credentials(own)) as mine:
            found += _compared(control, schemas, mine, schema.source, here)
    return tuple(found)


def _compared(
    control: ControlRowsReader,
    schemas: Mapping[str, SourceSchema],
    mine: SourceSnapshot,
    other: SourceRow,
    pairs: Sequence[Candidate],
) -> list[Overlap]:
    """What comparing with one source says; nothing is known of the pairs at which it left."""
    found: list[Overlap] = []
    try:
        with open_snapshot(other, control.source_credentials(other)) as theirs:
            snapshots = {snapshot.source.source_name: snapshot for snapshot in (mine, theirs)}
            for pair in pairs:
                referring, referred = (
                    (snapshots[end.source], schemas[end.source].table(end.table))
                    for end in (pair.reference, pair.key)
                )
                found.append(measure_overlap(pair, referring=referring, referred=referred))
    except SourceError:
        if other == mine.source:
            raise
        # Only another source may be left out: this fails where it was the mapped one that left.
        mine.ask("SELECT")
        missing = pairs[len(found) :]
        found += [Overlap(candidate=pair, sampled=0, found=None) for pair in missing]
    return found


def propose_imported(
    control: ControlRowsReader, document: ImportSpecification, source_name: str | None
) -> Proposal:
    """Propose the control rows that a document stands for; nothing is written anywhere.

    Raises:
        ExchangeError: a table's source is not known.
        MappingError: there is no active source of that name.
        SourceError: a source that the document names cannot be read.
        ControlDatabaseError: the control database cannot be reached or lacks its tables.
    """
    active, every = control.read_rows(), control.read_rows_as_if_all_were_on()
    if source_name is not None:
        active_source(active, source_name)
    names = [source.source_name for source in active.sources]
    qualified = (table_with_source(source.name, names) for source in document.sources)
    wanted = {found[0] for found in qualified if found} | ({source_name} if source_name else set())
    schemas, unasked = read_schemas(control, active, wanted, named_tables(every))
    proposal = proposal_of(
        document,
        standing=Standing(active=active, every=every, schemas=tuple(schemas.values())),
        source_name=source_name,
    )
    return proposal.model_copy(update={"remarks": (*unasked, *proposal.remarks)})


def propose_source(control: ControlDatabase, source: ProposedSource) -> Proposal:
    """The rows of a source and of its tables; nothing is written anywhere.

    What a run could not read of the tables that are proposed is among the remarks.

    Raises:
        MappingError: there is a source of that name.
        SettingsError: the variable with its password is not set.
        SourceError: the source cannot be reached or read.
        ControlDatabaseError: the control database cannot be reached or lacks its tables.
    """
    name = source.row.source_name
    rows = control.read_rows()
    if name in {*rows.inactive_sources, *(known.source_name for known in rows.sources)}:
        raise MappingError(
            f"source_databases has a source {name!r} already. Choose another name, or change that row and"
            f" run c360 map {name}."
        )
    password = resolve_secret(source.db_password, where=f"source {name!r}")
    credentials = control.credentials_for(source.row, password)
    reader = _WithSource(control=control, source=source.row, credentials=credentials)
    proposal = propose_rows(reader, name)
    with open_snapshot(source.row, credentials) as snapshot:
        lines = tuple(_unreadable(snapshot, proposal.laid_over(reader.read_rows())))
    return proposal.model_copy(update={"source": source, "remarks": (*lines, *proposal.remarks)})


@dataclass(frozen=True, kw_only=True)
class _WithSource:
    """The control database as it would be with one more source."""

    control: ControlDatabase
    source: SourceRow
    credentials: Credentials

    def read_rows(self) -> ControlRows:
        return self._with(self.control.read_rows())

    def read_rows_as_if_all_were_on(self) -> ControlRows:
        return self._with(self.control.read_rows_as_if_all_were_on())

    def source_credentials(self, source: SourceRow) -> Credentials:
        if source == self.source:
            return self.credentials
        return self.control.source_credentials(source)

    def _with(self, rows: ControlRows) -> ControlRows:
        return rows.model_copy(update={"sources": (*rows.sources, self.source)})


def _unreadable(snapshot: SourceSnapshot, rows: ControlRows) -> Iterator[str]:
    """Why tables that rows give a label cannot be read, as `c360 check` says it."""
    names = frozenset(row.table_name for row in rows.labels)
    catalogs = {snapshot.source.source_id: snapshot.catalog(names)}
    yield from unreadable(snapshot, resolve(rows, catalogs).tables)
