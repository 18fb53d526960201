"""Checks that excluded columns are nowhere: not in the graph, not in any file."""

import html
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import dagster as dg

from c360_graph.assets.cypher_script import KEY as SCRIPT_KEY
from c360_graph.assets.neo4j_graph import KEY as GRAPH_KEY
from c360_graph.assets.step_policy import dagster_failures
from c360_graph.checks.check_result import check_result
from c360_graph.control.connection import ControlDatabase
from c360_graph.cypher.holding import count_holders
from c360_graph.cypher.quoting import copy_literal, string_literal
from c360_graph.errors import C360Error, ScriptError
from c360_graph.files import is_regular
from c360_graph.graph.connection import Graph
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.exclusions import forbidden_columns, treatment_of
from c360_graph.mapping.model import GraphMapping, TableIndex
from c360_graph.mapping.tables import describe
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import DataLocation, KeptFile, data_location
from c360_graph.resources import Neo4jResource, PostgresResource
from c360_graph.scripts import ScriptStore, open_script
from c360_graph.settings import load_settings
from c360_graph.source.sampling import distinctive_values
from c360_graph.source.snapshot import SourceSnapshot, open_snapshot

_READ_BYTES = 1 << 20

GRAPH_CHECK, FILES_CHECK = "excluded_properties_are_absent", "excluded_values_are_in_no_file"


def excluded_properties_check(*, mapping: GraphMapping) -> dg.AssetChecksDefinition:
    """No node of a mapped label has a property that is an excluded column of its table."""

    @dg.asset_check(
        asset=GRAPH_KEY,
        name=GRAPH_CHECK,
        description="No node has a property that an exclusion rule forbids.",
    )
    def excluded_properties_are_absent(neo4j: Neo4jResource) -> dg.AssetCheckResult:
        with dagster_failures(), neo4j.graph() as graph:
            found = list(_present_properties(graph, mapping))
        return check_result(GRAPH_KEY, GRAPH_CHECK, found, dg.AssetCheckSeverity.ERROR)

    return excluded_properties_are_absent


def excluded_values_check(*, rows: ControlRows) -> dg.AssetChecksDefinition:
    """No file holds any of a sample of values that the sources keep in excluded columns."""

    @dg.asset_check(
        asset=SCRIPT_KEY,
        name=FILES_CHECK,
        description=(
            "No file of the data folder and no script elsewhere contains a sampled value of an excluded"
            " column."
        ),
    )
    def excluded_values_are_in_no_file(postgres: PostgresResource) -> dg.AssetCheckResult:
        with dagster_failures():
            location = data_location(load_settings())
            values, unasked = _excluded_values(rows, postgres.control_database())
            files = kept_files(location)
            found = [
                f"{path.name} of {str(path).rpartition('/')[0]} holds a value of {column}"
                for path in files
                for column in sorted(columns_held(path, values))
            ]
            found += _held_otherwise(location, rows)
        severity = dg.AssetCheckSeverity.ERROR if found else dg.AssetCheckSeverity.WARN
        return check_result(
            SCRIPT_KEY,
            FILES_CHECK,
            [*found, *unasked],
            severity,
            values_looked_for=sum(map(len, values.values())),
            files_read=len(files),
        )

    return excluded_values_are_in_no_file


def kept_files(location: DataLocation) -> list[KeptFile]:
    """Every file of the project, and scripts that were written elsewhere."""
    if not isinstance(location, Path):
        return list(location.files(""))
    return [*files_below(location), *_scripts_elsewhere(location)]


def files_below(folder: Path) -> list[Path]:
    """Every regular file below a folder; a folder that a link leads to is entered once."""
    found: list[Path] = []
    entered = {os.path.realpath(folder)}
    for name, folders, files in os.walk(folder.resolve(), followlinks=True):
        real = {below: os.path.realpath(Path(name, below)) for below in sorted(folders)}
        folders[:] = [below for below, path in real.items() if path not in entered]
        entered.update(real.values())
        found += [path for file in sorted(files) if is_regular(path := Path(name, file))]
    return found


def holds_any(path: KeptFile, values: Iterable[str]) -> bool:
    """Whether a file holds one of the texts, as it is or as an extract, a script or a page quotes it."""
    return bool(columns_held(path, {"": tuple(values)}))


def columns_held(path: KeptFile, values: Mapping[str, Iterable[str]]) -> set[str]:
    """The names under which a file holds one of the texts; read once, compressed or not.

    A file that another process has removed since holds nothing; of one that is cut short, all that can be
    read counts.
    """
    forms = {form: column for column, texts in values.items() for v in texts for form in _forms(v)}
    overlap = max(map(len, forms), default=1) - 1
    found: set[str] = set()
    kept = b""
    # Not as mapped memory: the pages of a large file would all count as this process's own.
    with suppress(FileNotFoundError, ScriptError), open_script(path) as file:
        while forms and (block := file.read(_READ_BYTES)):
            text = kept + block
            found |= {column for form, column in forms.items() if form in text}
            forms = {form: column for form, column in forms.items() if column not in found}
            kept = text[-overlap:] if overlap else b""
    return found


def _forms(value: str) -> set[bytes]:
    as_is = value.encode()
    return {
        as_is,
        copy_literal(as_is)[1:-1],
        string_literal(value)[1:-1].encode(),
        html.escape(value).encode(),
        json.dumps(value)[1:-1].encode(),
        json.dumps(value, ensure_ascii=False)[1:-1].encode(),
    }


def _scripts_elsewhere(data_dir: Path) -> list[Path]:
    """Scripts that were written outside of the data folder."""
    inside = data_dir.resolve()
    return [p for p in ScriptStore(data_dir).files() if not p.is_relative_to(inside)]


def _held_otherwise(location: DataLocation, rows: ControlRows) -> list[str]:
    """Extracts whose own description says that they hold what the rules of now forbid."""
    found = []
    for extract in extract_store(location).every():
        columns = forbidden_columns(extract.manifest.table, rows)
        if columns:
            found.append(
                f"{extract.location} holds {', '.join(columns)} of {extract.manifest.table.qualified_name}"
                " against the current field_exclusion_rules. The next run removes it."
            )
    return found


def _present_properties(graph: Graph, mapping: GraphMapping) -> Iterator[str]:
    index = TableIndex(mapping.tables)
    for table in mapping.node_tables:
        shared = {p.column for t in index.labelled(table.node_label) for p in t.properties}
        for column in table.excluded:
            # A label that two tables feed may have the property from the other one.
            if column.column in shared:
                continue
            holders = count_holders(table.node_label, column.column)
            count = graph.rows(holders)[0]["count"]
            if count:
                yield (
                    f"{count:,} nodes of {table.node_label} have {column.column}, excluded by"
                    f" field_exclusion_rules row {column.rule_id}. Load again."
                )


def _excluded_values(
    rows: ControlRows, control: ControlDatabase
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Values by `source/table.column`, of tables that are mapped and of others, and who was not asked."""
    values: dict[str, tuple[str, ...]] = {}
    unasked: list[str] = []
    for source in rows.sources:
        rules = [rule for rule in rows.exclusions if rule.source_id in (None, source.source_id)]
        if not any(treatment_of(rule) == "exclude" for rule in rules):
            continue
        try:
            with open_snapshot(source, control.source_credentials(source)) as snapshot:
                values |= _values_of(snapshot, rows, {r.table_name.casefold() for r in rules})
        except C360Error as error:
            unasked.append(f"Its excluded values were not searched for: {error}")
    return values, unasked


def _values_of(
    snapshot: SourceSnapshot, rows: ControlRows, names: set[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    source = snapshot.source
    every = snapshot.catalog(frozenset()).table_names
    wanted = frozenset(name for name in every if name.casefold() in names)
    for catalog_table in snapshot.catalog(wanted).tables:
        table = describe(
            source=source,
            table_name=catalog_table.table_name,
            label_row=None,
            rows=rows,
            catalog_table=catalog_table,
        )
        for column in table.excluded:
            values = distinctive_values(snapshot, table, column.column)
            yield f"{table.qualified_name}.{column.column}", values
