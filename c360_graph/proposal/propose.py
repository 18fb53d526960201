"""From a source's schema to the rows it should have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.control_rows import ExclusionRow, NodeLabelRow, RelationshipRow
from c360_graph.mapping.model import is_kept_name
from c360_graph.proposal.control_rows import Standing, accepted
from c360_graph.proposal.model import Proposal, Proposed, QualifiedColumn, SourceSchema
from c360_graph.proposal.naming import label_name
from c360_graph.proposal.overlaps import MENTIONED_SHARE, Overlap
from c360_graph.proposal.personal_columns import (
    ColumnFinding,
    Treatments,
    groups_of,
    needs_hash,
    stands_against_hash,
)
from c360_graph.proposal.relationships import (
    Edge,
    ProposedJoin,
    ProposedJunction,
    ProposedRelationships,
    QualifiedTable,
    fact,
    joins_between,
    joins_of,
    links_of,
    proposed_edges,
)
from c360_graph.text import plural

_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
_BOOKKEEPING = frozenset(
    [
        "alembic_version",
        "ar_internal_metadata",
        "databasechangelog",
        "databasechangeloglock",
        "django_content_type",
        "django_migrations",
        "flyway_schema_history",
        "goose_db_version",
        "knex_migrations",
        "knex_migrations_lock",
        "schema_migrations",
        "spatial_ref_sys",
    ]
)
"""Tables that tools keep for themselves."""

Findings = Mapping[QualifiedColumn, ColumnFinding]

_MOST_SHOWN = 5


def tables_to_read(
    schema: SourceSchema, standing: Standing
) -> tuple[tuple[CatalogTable, ...], tuple[str, ...]]:
    """Tables that are mapped or worth it, and a remark on each that is left out."""
    wanted: list[CatalogTable] = []
    remarks: list[str] = []
    mappable = frozenset(schema.catalog.mappable_names)
    for table in schema.catalog.tables:
        if table.table_name not in mappable:
            continue
        reason = _reason_against(table, schema, standing)
        if reason is None:
            wanted.append(table)
        else:
            remarks.append(f"{schema.source.source_name}/{table.table_name} {reason}")
    return tuple(wanted), (*remarks, *_partitions(schema), *_keyless(schema, wanted, standing))


def _reason_against(table: CatalogTable, schema: SourceSchema, standing: Standing) -> str | None:
    name = table.table_name
    if (schema.source.source_name, name) in standing.labels:
        return None
    if standing.is_inactive(schema, name):
        return "is not proposed: its row in node_label_mappings is switched off or refused."
    if table.kind in _KINDS:
        return (
            f"is {_KINDS[table.kind]} and is not proposed; map it by hand where it is to be nodes."
        )
    if name in schema.unreadable:
        return "is not proposed: the role may not SELECT all of it."
    if name in schema.inheriting:
        return "is not proposed: it inherits from a table whose rows include its own."
    if name.lower() in _BOOKKEEPING:
        return "is not proposed: it is a tool's own bookkeeping."
    if not table.columns:
        return "is not proposed: it has no columns."
    kept = next(filter(is_kept_name, (column.name for column in table.columns)), None)
    if kept:
        return f"is not proposed: its column {kept} has a name that is kept."
    return None


def _partitions(schema: SourceSchema) -> Iterator[str]:
    count = len(schema.catalog.table_names) - len(schema.catalog.mappable_names)
    if count:
        yield (
            f"{schema.source.source_name} has {plural(count, 'partition')}: the tables they are"
            " partitions of have their rows."
        )


def _keyless(schema: SourceSchema, wanted: list[CatalogTable], standing: Standing) -> Iterator[str]:
    for table in wanted:
        if (schema.source.source_name, table.table_name) in standing.labels:
            continue
        if not table.primary_key and not table.unique_keys:
            yield (
                f"{schema.source.source_name}/{table.table_name} has no key: its nodes get no"
                " constraint, and a load that keeps the graph replaces them all when a row changed."
            )


@dataclass(frozen=True, kw_only=True)
class Known:
    """All that was read for a proposal."""

    schema: SourceSchema
    standing: Standing
    findings: Findings
    overlaps: tuple[Overlap, ...] = ()


def propose(known: Known) -> Proposal:
    """The rows for one source; the project's own validation has accepted each of them."""
    tables, remarks = tables_to_read(known.schema, known.standing)
    joins, links, between, more = _declared(known, tables)
    linking = {link.junction for link in links}
    labels = _labels(known, [t for t in tables if _qualified_table(known, t) not in linking])
    all_labels = known.standing.labels | {
        (p.source_name, p.row.table_name): p.row.node_label for p in labels
    }
    led_across, remarks_across = _between_schemas(between, known, all_labels)
    across, still_more = _across(known.overlaps, all_labels)
    wanted: tuple[ProposedJoin | ProposedJunction, ...] = (
        *(j for j in joins if j.child not in linking),
        *links,
        *led_across,
        *across,
    )
    kept, withheld = _without_conflicts(_new(wanted, known.standing), known)
    relationships, named = _relationships(kept, known, all_labels)
    exclusions = _exclusions(kept, known, tables)
    proposal = Proposal(
        source_name=known.schema.source.source_name,
        labels=labels,
        relationships=relationships,
        exclusions=exclusions,
        remarks=(
            *remarks,
            *more,
            *remarks_across,
            *still_more,
            *withheld,
            *named,
            *_in_the_clear(exclusions, known),
        ),
    )
    return accepted(proposal, known.standing)


def _declared(
    known: Known, tables: tuple[CatalogTable, ...]
) -> tuple[
    tuple[ProposedJoin, ...],
    tuple[ProposedJunction, ...],
    tuple[ProposedJoin, ...],
    tuple[str, ...],
]:
    """Joins within the schema, tables that only link, foreign keys from and to other schemas, remarks."""
    own = known.schema.source.source_name
    declared, remarks = joins_of(known.schema, tables, known.standing.schemas)
    joins = (*declared, *(o.as_join() for o in known.overlaps if o.agrees and o.is_inside))
    read = {_qualified_table(known, table) for table in tables}
    between = tuple(
        join
        for join in joins_between(known.schema, known.standing.schemas)
        if join.child[0] != own or join.child in read
    )
    leading = (j for j in between if j.child in read and j.parent in known.standing.labels)
    coming = (join for join in between if join.child[0] != own)
    return joins, links_of(known.schema, (*joins, *leading), coming), between, remarks


def _between_schemas(
    between: tuple[ProposedJoin, ...], known: Known, labels: Mapping[QualifiedTable, str]
) -> tuple[tuple[ProposedJoin, ...], tuple[str, ...]]:
    """The foreign keys between schemas whose tables are both mapped, and a remark on those that wait."""
    own = known.schema.source.source_name
    joins: list[ProposedJoin] = []
    remarks: list[str] = []
    for join in between:
        if join.child in labels and join.parent in labels:
            joins.append(join)
        elif join.child[0] == own and join.child in labels:
            child, parent = "/".join(join.child), "/".join(join.parent)
            remarks.append(f"{child}: {join.evidence} is proposed once {parent} is mapped.")
    return tuple(joins), tuple(remarks)


def _qualified_table(known: Known, table: CatalogTable) -> QualifiedTable:
    return (known.schema.source.source_name, table.table_name)


def _labels(known: Known, tables: list[CatalogTable]) -> tuple[Proposed[NodeLabelRow], ...]:
    others = {row.node_label.casefold() for row in known.standing.every.labels}
    own: set[str] = set()
    found: list[Proposed[NodeLabelRow]] = []
    for table in tables:
        if _qualified_table(known, table) in known.standing.labels:
            continue
        name = label_name(table.table_name, known.schema.source, own=own, others=others)
        own.add(name.casefold())
        row = NodeLabelRow(
            mapping_id=-1 - len(found),
            source_id=known.schema.source.source_id,
            table_name=table.table_name,
            node_label=name,
        )
        found.append(
            Proposed(row=row, source_name=known.schema.source.source_name, why=_about(table))
        )
    return tuple(found)


def _about(table: CatalogTable) -> str:
    rows = table.estimated_rows
    size = f"about {plural(rows, 'row')}" if rows >= 0 else "not yet analysed"
    keys = (table.primary_key, *table.unique_keys)
    key = next((", ".join(columns) for columns in keys if columns), None)
    return f"{size}, {f'key {key}' if key else 'no key'}"


def _across(
    overlaps: tuple[Overlap, ...], labels: Mapping[QualifiedTable, str]
) -> tuple[tuple[ProposedJoin, ...], tuple[str, ...]]:
    """The joins across databases, and a remark on overlaps that are weak, unknown or too early."""
    joins: list[ProposedJoin] = []
    remarks: list[str] = []
    for overlap in sorted(overlaps, key=lambda overlap: overlap.candidate.rank):
        if overlap.agrees_by_chance or (overlap.agrees and overlap.is_inside):
            continue
        join = overlap.as_join()
        unmapped = [table for table in (join.child, join.parent) if table not in labels]
        if overlap.agrees and not unmapped:
            joins.append(join)
        elif overlap.agrees:
            where = ", ".join("/".join(table) for table in unmapped)
            remarks.append(f"{overlap}: is proposed once {where} is mapped.")
        elif overlap.found is None or (overlap.share >= MENTIONED_SHARE and overlap.has_values):
            remarks.append(f"{overlap}: is not proposed.")
    return tuple(joins), (*remarks, *_by_chance(overlaps))


def _by_chance(overlaps: tuple[Overlap, ...]) -> Iterator[str]:
    """A remark for each reason on the pairs of columns whose values agree and tell nothing."""
    alike: dict[str, list[Overlap]] = {}
    for overlap in overlaps:
        if overlap.doubt is not None and overlap.agrees_by_chance:
            alike.setdefault(overlap.doubt, []).append(overlap)
    for doubt, found in alike.items():
        shown = ", ".join(
            f"{o.candidate.reference} = {o.candidate.key}" for o in found[:_MOST_SHOWN]
        )
        more = ", ..." if len(found) > _MOST_SHOWN else ""
        pairs = "1 pair of columns" if len(found) == 1 else f"{len(found):,} pairs of columns"
        yield f"{pairs} not proposed, whose values agree by chance ({doubt}): {shown}{more}."


def _new(
    wanted: tuple[ProposedJoin | ProposedJunction, ...], standing: Standing
) -> tuple[ProposedJoin | ProposedJunction, ...]:
    """What no row says yet; a junction counts as said where both its joins are."""
    return tuple(
        one
        for one in wanted
        if fact(one.edges) not in standing.facts
        and not (
            isinstance(one, ProposedJunction)
            and all(fact(end.edges) in standing.facts for end in one.ends)
        )
    )


def _without_conflicts(
    wanted: tuple[ProposedJoin | ProposedJunction, ...], known: Known
) -> tuple[tuple[ProposedJoin | ProposedJunction, ...], tuple[str, ...]]:
    """Leave out joins by personal columns that a row on one side keeps from being hashed."""
    kept = list(wanted)
    remarks: list[str] = []
    while True:
        against = {
            column: obstacle
            for group in groups_of(_edges(tuple(kept), known))
            if needs_hash(group, known.findings, known.standing)
            and (obstacle := stands_against_hash(group, known.standing))
            for column in group
        }
        broken = [one for one in kept if any(a in against for a, _ in one.edges)]
        if not broken:
            return tuple(kept), tuple(remarks)
        kept = [one for one in kept if not any(a in against for a, _ in one.edges)]
        for one in broken:
            pairs = " AND ".join(f"{a} = {b}" for a, b in one.edges)
            obstacle = next(against[a] for a, _ in one.edges if a in against)
            remarks.append(
                f"{pairs} is not proposed: one side is personal, and {obstacle} has a rule other than"
                " hash; give both the treatment hash to have it."
            )


def _edges(kept: tuple[ProposedJoin | ProposedJunction, ...], known: Known) -> list[Edge]:
    standing = [edge for edges in proposed_edges(known.standing.mapping) for edge in edges]
    return standing + [edge for one in kept for edge in one.edges]


def _relationships(
    kept: tuple[ProposedJoin | ProposedJunction, ...],
    known: Known,
    labels: Mapping[QualifiedTable, str],
) -> tuple[tuple[Proposed[RelationshipRow], ...], tuple[str, ...]]:
    orders = [row.execution_order or 0 for row in known.standing.every.relationships]
    rows = ProposedRelationships(labels, known.standing.relationship_names, max(orders, default=0))
    found: list[Proposed[RelationshipRow]] = []
    remarks: list[str] = []
    for one in kept:
        row = rows.of_link(one) if isinstance(one, ProposedJunction) else rows.of_join(one)
        if row:
            found.append(row)
        else:
            pairs = " AND ".join(f"{a} = {b}" for a, b in one.edges)
            remarks.append(f"{pairs} is not proposed: a row of the name it would have is there.")
    return tuple(found), tuple(remarks)


def _exclusions(
    kept: tuple[ProposedJoin | ProposedJunction, ...],
    known: Known,
    tables: tuple[CatalogTable, ...],
) -> tuple[Proposed[ExclusionRow], ...]:
    source_ids = {s.source.source_name: s.source.source_id for s in known.standing.schemas}
    own = known.schema.source.source_name
    # What nobody reads needs no rule.
    read = {table.table_name for table in tables}
    treatments = Treatments(
        known.findings,
        known.standing,
        source_name=own,
        edges=_edges(kept, known),
        likely=(
            column
            for overlap in known.overlaps
            if overlap.agrees
            for column in (overlap.candidate.reference, overlap.candidate.key)
        ),
    )
    keys = frozenset(QualifiedColumn(own, t.table_name, c) for t in tables for c in t.primary_key)
    return tuple(
        Proposed(
            row=ExclusionRow(
                rule_id=-1 - number,
                source_id=source_ids[column.source],
                table_name=column.table,
                column_name=column.column,
                reason=why,
                treatment=treatment,
            ),
            source_name=column.source,
            why=why,
        )
        for number, (column, treatment, why) in enumerate(treatments.each(keys))
        if column.source != own or column.table in read
    )


def _in_the_clear(exclusions: tuple[Proposed[ExclusionRow], ...], known: Known) -> Iterator[str]:
    for proposed in exclusions:
        if (proposed.source_name, proposed.row.table_name) in known.standing.labels:
            column = QualifiedColumn(
                proposed.source_name, proposed.row.table_name, proposed.row.column_name
            )
            yield (
                f"{column} is read in the clear at present; with its rule ({proposed.row.treatment})"
                " the next run takes the clear values out of the graph."
            )
