"""Checks of `cypher_script` that compare control rows and sources: refused rows, unmapped tables, drift."""

from collections.abc import Iterator, Sequence
from functools import cache

import dagster as dg

from c360_graph.assets.cypher_script import KEY
from c360_graph.assets.step_policy import dagster_failures
from c360_graph.checks.check_result import check_result, selected
from c360_graph.control.audit import RunLog
from c360_graph.mapping.catalog import SourceCatalog
from c360_graph.mapping.exclusions import withheld_lines
from c360_graph.mapping.model import GraphMapping, TableMapping
from c360_graph.object_extracts import Extracts, extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.extract import losses_of
from c360_graph.resources import PostgresResource
from c360_graph.settings import load_settings

VALID, MAPPED = "control_rows_are_valid", "every_table_is_mapped"
DRIFT = "columns_have_not_drifted"
WITHHELD = "no_column_is_withheld"
LEFT_OUT = "no_row_is_left_out"
READ = "every_table_was_read"

_DESCRIPTIONS = {
    VALID: "Every active control row is valid.",
    MAPPED: "Every table of the sources has a row of node_label_mappings or relationship_mappings.",
    DRIFT: "Tables have the same columns and types as in the previous run.",
    WITHHELD: "No table with exclusion rules has new columns, which are not read.",
    READ: "Every mapped table was read and is in the graph.",
    LEFT_OUT: "Every row of the tables can be loaded into the graph.",
}


def mapping_checks(
    *,
    mapping: GraphMapping,
    catalogs: tuple[SourceCatalog, ...],
    warnings: tuple[str, ...],
    is_kept: bool = True,
) -> dg.AssetChecksDefinition:
    """Six checks in one step."""

    @dg.multi_asset_check(
        name="mapping_fits_sources",
        specs=[
            dg.AssetCheckSpec(name, asset=KEY, description=said)
            for name, said in _DESCRIPTIONS.items()
        ],
        # Without this the UI offers to execute none of them.
        can_subset=True,
    )
    def mapping_fits_sources(
        context: dg.AssetCheckExecutionContext, postgres: PostgresResource
    ) -> Iterator[dg.AssetCheckResult]:
        refused = [*(str(refusal) for refusal in mapping.refusals), *warnings]
        store = extract_store(data_location(load_settings()))
        error, warn = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
        run_log = RunLog(postgres.control_database())
        unmapped = cache(lambda: unmapped_tables(mapping, catalogs))
        checks = {
            VALID: lambda: check_result(
                KEY, VALID, refused, error, refused_rows=len(mapping.refusals)
            ),
            MAPPED: lambda: check_result(
                KEY, MAPPED, unmapped(), warn, unmapped_tables=len(unmapped())
            ),
            DRIFT: lambda: check_result(KEY, DRIFT, drifted_columns(mapping.tables, store), warn),
            WITHHELD: lambda: check_result(
                KEY, WITHHELD, withheld_column_lines(mapping.tables, store, is_kept=is_kept), warn
            ),
            READ: lambda: check_result(
                KEY, READ, unread_tables(mapping.tables, store, run_log), error
            ),
            LEFT_OUT: lambda: check_result(
                KEY, LEFT_OUT, tables_with_losses(mapping.tables, store), warn
            ),
        }
        with dagster_failures():
            results = selected(context, checks)
        yield from results

    return mapping_fits_sources


def unmapped_tables(mapping: GraphMapping, catalogs: Sequence[SourceCatalog]) -> list[str]:
    """`source/table` of each table that no control row maps; a partition is its parent's."""
    mapped = {(table.source.source_id, table.table_name) for table in mapping.tables}
    names = {table.source.source_id: table.source.source_name for table in mapping.tables}
    return sorted(
        f"{names.get(catalog.source_id, f'source {catalog.source_id}')}/{name} is not mapped"
        for catalog in catalogs
        for name in catalog.mappable_names
        if (catalog.source_id, name) not in mapped
    )


def drifted_columns(tables: Sequence[TableMapping], store: Extracts) -> list[str]:
    """What changed between the two latest extracts of each table."""
    changes: list[str] = []
    for table in tables:
        latest, former = store.latest(table.asset_key), store.former(table.asset_key)
        if latest is not None and former is not None:
            changes += column_changes(former.manifest.table, latest.manifest.table)
    return changes


def withheld_column_lines(
    tables: Sequence[TableMapping], store: Extracts, *, is_kept: bool
) -> list[str]:
    """Columns that the tables' latest extracts lack, as they were new; `is_kept`: see ColumnHistory."""
    latest = [store.latest(table.asset_key) for table in tables]
    read = [e.manifest.table if e else table for e, table in zip(latest, tables, strict=True)]
    found = list(withheld_lines(read))
    if not is_kept and any(table.excluded for table in tables):
        found.append(
            "This role cannot write a table accepted_columns in the control database, so new columns"
            " cannot be detected after a change of the data folder. Run sql/etl_control_db_schema.sql,"
            " and grant SELECT, INSERT and DELETE on that table."
        )
    return found


def unread_tables(tables: Sequence[TableMapping], store: Extracts, run_log: RunLog) -> list[str]:
    """Each table without an extract, and why the last try to read it failed."""
    unread = [table for table in tables if store.latest(table.asset_key) is None]
    return [
        f"{table.qualified_name} is left out of the graph because it was never read:"
        f" {run_log.last_failure(table) or 'materialize that asset'}"
        for table in unread
    ]


def tables_with_losses(tables: Sequence[TableMapping], store: Extracts) -> list[str]:
    """Each table whose latest extract lacks rows or values that the graph cannot hold, with a few keys."""
    latest = (store.latest(table.asset_key) for table in tables)
    manifests = [extract.manifest for extract in latest if extract is not None]
    return [f"{m.table.qualified_name}: {said}" for m in manifests if (said := losses_of(m))]


def column_changes(old: TableMapping, new: TableMapping) -> Iterator[str]:
    """What happened to the source's columns; a change of the exclusion rules is none."""
    before, after = _columns(old), _columns(new)
    for name in sorted(after.keys() - before.keys()):
        yield f"{new.qualified_name}: {name} was added"
    for name in sorted(before.keys() - after.keys()):
        yield f"{new.qualified_name}: {name} was dropped"
    for name in sorted(before.keys() & after.keys()):
        was, now = before[name], after[name]
        if was and now and was != now:
            yield f"{new.qualified_name}: {name} was {was} and is {now}"


def _columns(table: TableMapping) -> dict[str, str | None]:
    """Name and type; of one that is not read only that it is there."""
    unread = (*(column.column for column in table.excluded), *table.withheld)
    read = {p.origin: (p.cast_from or p.type).name for p in table.columns_read}
    return read | dict.fromkeys(unread)
