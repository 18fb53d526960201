"""The assets of identity resolution, one for each label of `identity_rules`, such as `customer_identity`."""

from collections.abc import Iterator, Sequence

import dagster as dg

from c360_graph.assets.lineage import table_columns
from c360_graph.assets.metadata import Metadata, cell, code, counts_table, table
from c360_graph.assets.pictures import cluster_pictures
from c360_graph.assets.source_table import group_name, operation_name, table_inputs
from c360_graph.assets.step_policy import (
    dagster_failures,
    freshness_policy,
    identity_version,
    source_pool,
    when_a_run_updates,
)
from c360_graph.checks.check_result import check_result
from c360_graph.control.audit import RunLog
from c360_graph.identity.resolution import Resolution
from c360_graph.identity.similar import Similar
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.join_forms import shown_column
from c360_graph.mapping.model import GraphMapping, Identity, NodeTable, TableMapping
from c360_graph.pipeline.resolve_identity import resolve_identity
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings, load_settings
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


def identity_asset(
    *, identity: Identity, mapping: GraphMapping, rows: ControlRows, settings: Settings
) -> dg.AssetsDefinition:
    """The assets `[customer_identity, ...]`: entities, and the links to the records of each table.

    They are written by one step, behind the tables with the records and before the script.
    """
    entities = list(identity.entities.asset_key)
    records = [record.table for record in identity.records]

    @dg.multi_asset(
        name=operation_name((identity.name, "entities")),
        outs={
            operation_name(table.asset_key): _out(identity, table, settings)
            for table in identity.tables
        },
        ins=table_inputs(records),
        # Two at a time would give one id twice.
        pool=source_pool(group_name(identity.name)),
        check_specs=[
            *(
                dg.AssetCheckSpec(name, asset=entities, description=said)
                for name, said in ENTITY_CHECKS.items()
            ),
            *(
                dg.AssetCheckSpec(SIMILAR, asset=list(t.asset_key), description=SIMILAR_CHECK)
                for t in filter(None, (identity.similar,))
            ),
        ],
    )
    def resolve(
        context: dg.AssetExecutionContext, postgres: PostgresResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        with dagster_failures():
            control = postgres.control_database()
            now = load_settings()
            resolution = resolve_identity(
                identity=identity,
                mapping=mapping,
                rows=rows,
                log_id=RunLog(control).open_run(context.run.run_id),
                control=control,
                settings=now,
            )
        context.log.info(
            f"{resolution.records:,} records are of {resolution.entities:,} {identity.label}:"
            f" {resolution.ids.created:,} new, {resolution.ids.merges:,} merged into older ones,"
            f" {resolution.ids.splits:,} split"
        )
        yield from _results(resolution, identity, now)

    return resolve


def _results(
    resolution: Resolution, identity: Identity, settings: Settings
) -> Iterator[dg.MaterializeResult[None]]:
    for made in resolution.tables:
        key = list(made.table.asset_key)
        if isinstance(made.table, NodeTable):
            yield dg.MaterializeResult(
                asset_key=key,
                metadata=entity_facts(resolution, identity),
                check_results=identity_checks(
                    resolution, key=key, limit=settings.c360_most_sharing_records
                ),
            )
        elif made.table == identity.similar and resolution.similar is not None:
            least = settings.c360_least_score
            yield dg.MaterializeResult(
                asset_key=key,
                metadata=similar_facts(resolution.similar, made.table, identity),
                check_results=[
                    similar_check(resolution.similar, identity, key=key, least_score=least)
                ],
            )
        else:
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={"dagster/row_count": made.rows, **links_lineage(made.table, identity)},
            )


def _out(identity: Identity, table: TableMapping, settings: Settings) -> dg.AssetOut:
    return dg.AssetOut(
        key=list(table.asset_key),
        dagster_type=dg.Nothing,
        group_name=group_name(identity.name),
        kinds={"duckdb"},
        description=_description(identity, table),
        code_version=identity_version(identity),
        automation_condition=when_a_run_updates(),
        freshness_policy=freshness_policy(settings),
        metadata={
            "label": table.node_label or "",
            "dagster/column_schema": table_columns(table),
        },
    )


def _description(identity: Identity, table: TableMapping) -> str:
    label = code(f":{identity.label}")
    if table.identity is not None and table.identity.record is not None:
        return f"Which record of {code('/'.join(table.identity.record))} is of which {label}."
    if table == identity.similar:
        kinds = ", ".join(
            dict.fromkeys(c.kind for record in identity.records for c in record.compared)
        )
        return f"Which {label} may be the same, as Splink finds by {kinds}. Rows of identity_decisions decide."
    lines = [
        f"- {code('/'.join(record.table))}: "
        + ", ".join(f"{i.kind} by {code(i.column)}" for i in record.identifiers)
        for record in identity.records
    ]
    return f"One {label} for all records that identity_rules find to be of one.\n\n" + "\n".join(
        lines
    )
