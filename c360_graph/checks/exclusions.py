"""Checks that excluded columns are nowhere: not in the graph, not in extract or script."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import dagster as dg

from c360_graph.assets.cypher_script import KEY as SCRIPT_KEY
from c360_graph.assets.failures import failing_clearly
from c360_graph.assets.neo4j_graph import KEY as GRAPH_KEY
from c360_graph.checks.outcome import outcome
from c360_graph.control_db import ControlDatabase
from c360_graph.cypher.holding import count_holders
from c360_graph.cypher.quoting import copy_literal, string_literal
from c360_graph.extracts import ExtractStore
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import GraphMapping
from c360_graph.mapping.table_index import TableIndex
from c360_graph.neo4j_loader.graph import Graph
from c360_graph.phases.graph_parts import gather_parts
from c360_graph.phases.scripting import script_to_load
from c360_graph.resources import Neo4jResource, PostgresResource
from c360_graph.run_log import RunLog
from c360_graph.script_files import open_script
from c360_graph.settings import load_settings
from c360_graph.source_db.samples import distinctive_values
from c360_graph.source_db.snapshot import open_snapshot

_READ_BYTES = 1 << 20

GRAPH_CHECK, FILES_CHECK = "excluded_properties_are_absent", "excluded_values_are_in_no_file"


def excluded_properties_check(*, mapping: GraphMapping) -> dg.AssetChecksDefinition:
    """No node of a mapped label has a property that is an excluded column of its table."""

    @dg.asset_check(
        asset=GRAPH_KEY,
        name=GRAPH_CHECK,
        description="No node has a property that a rule excludes.",
    )
    def excluded_properties_are_absent(neo4j: Neo4jResource) -> dg.AssetCheckResult:
        with failing_clearly(), neo4j.graph() as graph:
            found = list(_present_properties(graph, mapping))
        return outcome(GRAPH_KEY, GRAPH_CHECK, found, dg.AssetCheckSeverity.ERROR)

    return excluded_properties_are_absent


def excluded_values_check(*, mapping: GraphMapping, rows: ControlRows) -> dg.AssetChecksDefinition:
    """No file holds any of a sample of values that the sources keep in excluded columns."""

    @dg.asset_check(
        asset=SCRIPT_KEY,
        name=FILES_CHECK,
        description="A sample of the excluded columns' values is in no extract and not in the script.",
    )
    def excluded_values_are_in_no_file(
        context: dg.AssetCheckExecutionContext, postgres: PostgresResource
    ) -> dg.AssetCheckResult:
        with failing_clearly():
            control = postgres.control_database()
            run_log = RunLog(control)
            script = script_to_load(run_log, log_id=run_log.open_run(context.run.run_id))
            store = ExtractStore(load_settings().c360_data_dir)
            parts = gather_parts(mapping=mapping, rows=rows, store=store)
            files = [script, *(extract.rows_path for extract in parts.extracts)]
            found, looked_for = [], 0
            for place, values in _excluded_values(mapping, control):
                looked_for += len(values)
                found += [
                    f"{path.name} of {path.parent} holds a value of {place}"
                    for path in files
                    if holds_any(path, values)
                ]
        error = dg.AssetCheckSeverity.ERROR
        return outcome(SCRIPT_KEY, FILES_CHECK, found, error, values_looked_for=looked_for)

    return excluded_values_are_in_no_file


def holds_any(path: Path, values: Iterable[str]) -> bool:
    """Whether a file holds one of the texts, as it is or in the quoting of an extract or a script."""
    forms = {form for value in values for form in _forms(value)}
    overlap = max(map(len, forms), default=1) - 1
    kept = b""
    # Not as mapped memory: the pages of a large file would all count as this process's own.
    with open_script(path) as file:
        while forms and (block := file.read(_READ_BYTES)):
            text = kept + block
            if any(form in text for form in forms):
                return True
            kept = text[-overlap:] if overlap else b""
    return False


def _forms(value: str) -> set[bytes]:
    as_is = value.encode()
    return {as_is, copy_literal(as_is)[1:-1], string_literal(value)[1:-1].encode()}


def _present_properties(graph: Graph, mapping: GraphMapping) -> Iterator[str]:
    index = TableIndex(mapping.tables)
    for table in mapping.tables:
        shared = {p.column for t in index.labelled(table.node_label) for p in t.properties}
        for column in table.excluded if table.node_label else ():
            # A label that two tables feed may have the property from the other one.
            if column.column in shared:
                continue
            holders = count_holders(table.node_label or "", column.column)
            count = graph.rows(holders)[0]["count"]
            if count:
                yield (
                    f"{count:,} nodes of {table.node_label} have {column.column}, excluded by"
                    f" field_exclusion_rules row {column.rule_id}. Load again."
                )


def _excluded_values(
    mapping: GraphMapping, control: ControlDatabase
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for table in mapping.tables:
        if not table.excluded:
            continue
        credentials = control.source_credentials(table.source)
        with open_snapshot(table.source, credentials) as snapshot:
            for column in table.excluded:
                yield (
                    f"{table.place}.{column.column}",
                    distinctive_values(snapshot, table, column.column),
                )
