"""What the assets of identity resolution show: metadata and the results of their checks."""

from collections.abc import Sequence

import dagster as dg

from c360_graph.assets.metadata import Metadata, cell, code, counts_table, table
from c360_graph.assets.pictures import cluster_pictures
from c360_graph.checks.check_result import check_result
from c360_graph.identity.resolution import Resolution
from c360_graph.identity.similar import Similar
from c360_graph.mapping.join_forms import shown_column
from c360_graph.mapping.model import Identity, TableMapping
from c360_graph.text import plural

SIMILAR = "similar_entities_are_decided"
SIMILAR_CHECK = "No two entities have alike records that no row of identity_decisions decides on."
IGNORED, IDS_KEPT, DECIDED, SMALL = (
    "no_identifier_is_ignored",
    "no_entity_was_split",
    "decisions_are_applied",
    "no_entity_is_large",
)
ENTITY_CHECKS = {
    IGNORED: "No identifier is shared by more records than C360_MOST_SHARING_RECORDS allows.",
    IDS_KEPT: "All records that were of one entity in the load before still are.",
    DECIDED: "Every row of identity_decisions is valid and in accordance with the identifiers.",
    SMALL: "No entity has more records than C360_MOST_SHARING_RECORDS.",
}


def entity_facts(resolution: Resolution, identity: Identity) -> Metadata:
    """What was found, and what changed since the load before."""
    ids = resolution.ids
    facts: Metadata = {
        "dagster/row_count": resolution.entities,
        "records": resolution.records,
        "entities": resolution.entities,
        "entities_created": ids.created,
        "entities_merged": ids.merges,
        "entities_split": ids.splits,
        "records_with_another_id": ids.changed_records,
        "identifiers_ignored": resolution.ignored,
        "decisions": resolution.decisions,
        "cluster_sizes": dg.MetadataValue.md(
            table(
                ("records of an entity", identity.label),
                [(f"{size:,}", f"{count:,}") for size, count in resolution.sizes],
                right=frozenset({0, 1}),
            )
        ),
    }
    if resolution.largest:
        facts["largest"] = dg.MetadataValue.md(
            counts_table(
                identity.entities.key[0],
                {str(cluster.id): cluster.records for cluster in resolution.largest},
            )
        )
        facts["pictures"] = dg.MetadataValue.md(
            cluster_pictures(resolution.label, resolution.largest)
        )
    if resolution.ignored_sample:
        facts["ignored"] = dg.MetadataValue.md(_ignored_table(resolution))
    if ids.merged:
        facts["merged"] = dg.MetadataValue.json(
            [{"id": merge.id, "into": merge.into} for merge in ids.merged]
        )
    if ids.split:
        facts["split"] = dg.MetadataValue.json(
            [{"id": split.id, "parts": list(split.parts)} for split in ids.split]
        )
    return facts


def identity_checks(
    resolution: Resolution, *, key: Sequence[str], limit: int
) -> list[dg.AssetCheckResult]:
    """All four; each a warning, as none is a fault of the load."""
    warn = dg.AssetCheckSeverity.WARN
    ignored = [
        f"{found.kind}{f' {found.value}' if found.value is not None else ''} is ignored:"
        f" {found.records:,} records share it, and at most {limit:,} may"
        for found in resolution.ignored_sample
    ]
    if resolution.ignored > len(ignored):
        ignored.append(f"{resolution.ignored:,} identifiers are ignored in all")
    split = [
        f"the records of {resolution.label} {found.id} are of {', '.join(map(str, found.parts))} now"
        for found in resolution.ids.split
    ]
    if resolution.ids.splits > len(split):
        split.append(f"{resolution.ids.splits:,} {resolution.label} were split in all")
    large = [
        f"{resolution.label} {cluster.id} has {plural(cluster.records, 'record')}"
        for cluster in resolution.largest
        if cluster.records > limit
    ]
    found = {IGNORED: ignored, IDS_KEPT: split, SMALL: large}
    return [
        *(check_result(key, name, those, warn) for name, those in found.items()),
        check_result(key, DECIDED, resolution.decision_problems, warn),
    ]


def similar_facts(similar: Similar, table: TableMapping, identity: Identity) -> Metadata:
    """How many entities may be the same, how records were compared, and by which columns."""
    columns = [
        dg.TableColumnDep(asset_key=dg.AssetKey(list(record.table)), column_name=c.column)
        for record in identity.records
        for c in record.compared
    ]
    return {
        "dagster/row_count": similar.pairs,
        "pairs_of_records_compared": similar.compared,
        "compared_if_equal_in": "; ".join(" and ".join(kinds) for kinds in similar.blocks),
        "dagster/column_lineage": dg.TableColumnLineage(
            deps_by_column={prop.column: columns for prop in table.properties}
        ),
    } | ({"weights": dg.MetadataValue.md(_weights_table(similar))} if similar.weights else {})


def similar_check(
    similar: Similar, identity: Identity, *, key: Sequence[str], least_score: float
) -> dg.AssetCheckResult:
    """A warning: a person decides."""
    found = [f"No records were compared: {similar.why_none}."] if similar.why_none else []
    if similar.pairs:
        found.append(
            f"{plural(similar.pairs, 'pair')} of {identity.label} may be the same, with a score of"
            f" {least_score:g} or more: decide on them in identity_decisions"
        )
    return check_result(
        key, SIMILAR, found, dg.AssetCheckSeverity.WARN, undecided_pairs=similar.pairs
    )


def links_lineage(links: TableMapping, identity: Identity) -> Metadata:
    """The columns of the links, back to the table with the records."""
    record = links.identity.record if links.identity else None
    mapped = next(m for m in identity.records if m.table == record)
    source = dg.AssetKey(list(mapped.table))
    identified = [
        dg.TableColumnDep(asset_key=source, column_name=i.column) for i in mapped.identifiers
    ]
    return {
        "identifiers": ", ".join(f"{i.kind}: {shown_column(i.column)}" for i in mapped.identifiers),
        "dagster/column_lineage": dg.TableColumnLineage(
            deps_by_column={
                prop.column: [dg.TableColumnDep(asset_key=source, column_name=prop.origin)]
                if prop.of
                else identified
                for prop in links.properties
            }
        ),
    }


def _ignored_table(resolution: Resolution) -> str:
    return table(
        ("kind", "value", "records"),
        [
            (
                cell(found.kind),
                code(found.value) if found.value is not None else "*not shown*",
                f"{found.records:,}",
            )
            for found in resolution.ignored_sample
        ],
        right=frozenset({2}),
    )


def _weights_table(similar: Similar) -> str:
    return table(
        ("kind", "two records", "weight"),
        [(cell(w.kind), cell(w.level), f"{w.weight:+.1f}") for w in similar.weights],
        right=frozenset({2}),
    )
