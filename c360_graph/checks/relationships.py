"""Checks of `neo4j_graph` that compare it with what the extracts say: counts, orphans, ambiguous joins."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cache

import dagster as dg

from c360_graph.assets.neo4j_graph import KEY
from c360_graph.assets.step_policy import dagster_failures
from c360_graph.checks.check_result import check_result, selected
from c360_graph.control.audit import RunLog
from c360_graph.extract_joins.expected_relationships import Expectation, expected_relationships
from c360_graph.extract_joins.graph_input import GraphParts, gather_parts
from c360_graph.graph.connection import Graph
from c360_graph.graph.counts import count_by_label, count_by_pattern
from c360_graph.graph.execution import Execution
from c360_graph.graph.manifest import read_state
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.graph_manifest import pattern_of
from c360_graph.mapping.model import GraphMapping, NodeTable
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.source_counts import SourceCount, count_in_sources
from c360_graph.resources import Neo4jResource, PostgresResource
from c360_graph.settings import load_settings

NODES, RELATIONSHIPS = "node_counts_match", "relationship_counts_match"
ORPHANS, AMBIGUOUS = "no_row_is_an_orphan", "no_join_is_ambiguous"
SAMPLE_ROWS = 5
"""Keys of rows that a check names for each mapping, at most."""

_SPECS = [
    dg.AssetCheckSpec(
        NODES,
        asset=KEY,
        description="Every row read from a source is a line of its extract and a node of the graph.",
    ),
    dg.AssetCheckSpec(
        RELATIONSHIPS,
        asset=KEY,
        description=(
            "The graph has as many relationships as a join of the extracts, and as a source that counts"
            " the join itself."
        ),
    ),
    dg.AssetCheckSpec(ORPHANS, asset=KEY, description="Every reference has a match."),
    dg.AssetCheckSpec(AMBIGUOUS, asset=KEY, description="No reference has more than one match."),
]


def graph_checks(*, mapping: GraphMapping, rows: ControlRows) -> dg.AssetChecksDefinition:
    """Four checks that read the extracts once."""

    @dg.multi_asset_check(
        name="graph_matches_extracts",
        specs=_SPECS,
        can_subset=True,
    )
    def graph_matches_extracts(
        context: dg.AssetCheckExecutionContext, neo4j: Neo4jResource, postgres: PostgresResource
    ) -> Iterator[dg.AssetCheckResult]:
        with dagster_failures(), ExitStack() as stack:
            settings = load_settings()
            store = extract_store(data_location(settings))
            control = postgres.control_database()
            parts = gather_parts(mapping=mapping, rows=rows, store=store, run_log=RunLog(control))
            # What several checks need is made once, and only for a check that needs it.
            graph = cache(lambda: stack.enter_context(neo4j.graph()))
            # Their keys are values of rows, which may be switched off.
            sample_rows = min(SAMPLE_ROWS, settings.c360_preview_rows)
            expectations = cache(
                lambda: expected_relationships(parts, store=store, sample_rows=sample_rows)
            )
            counted = cache(
                lambda: count_in_sources(
                    expectations(),
                    tuple(extract.manifest.table for extract in parts.extracts),
                    control=control,
                    seconds=settings.c360_source_count_seconds,
                )
            )
            checks = {
                NODES: lambda: node_counts(graph(), parts),
                RELATIONSHIPS: lambda: relationship_counts(graph(), expectations(), counted()),
                ORPHANS: lambda: orphans(expectations()),
                AMBIGUOUS: lambda: ambiguous_joins(expectations()),
            }
            results = selected(context, checks)
        yield from results

    return graph_matches_extracts


def node_counts(graph: Graph, parts: GraphParts) -> dg.AssetCheckResult:
    """Rows that came from the source, lines of the extract, nodes of the label.

    That all came which the source sent is made sure where they are copied.
    """
    state = read_state(Execution(graph))
    wrong: list[str] = []
    if state is not None and not state.is_whole:
        wrong.append("the last load failed or is in progress; materialize neo4j_graph again")
    labels: dict[str, int] = {}
    for extract in parts.extracts:
        manifest = extract.manifest
        lines = manifest.file_lines
        if lines != manifest.rows:
            wrong.append(
                f"{manifest.table.qualified_name}: {manifest.rows:,} rows were read from the source,"
                f" {lines:,} lines are in the extract"
            )
        if isinstance(manifest.table, NodeTable):
            label = manifest.table.node_label
            labels[label] = labels.get(label, 0) + lines
    nodes = count_by_label(graph.rows, [*labels])
    wrong += [
        f"{label}: {lines:,} rows in the extracts, {nodes[label]:,} nodes"
        for label, lines in labels.items()
        if nodes[label] != lines
    ]
    return check_result(KEY, NODES, wrong, dg.AssetCheckSeverity.ERROR)


def relationship_counts(
    graph: Graph, expectations: Sequence[Expectation], counted: Sequence[SourceCount]
) -> dg.AssetCheckResult:
    """Relationships between two labels against the join of their extracts, and that against the source's."""
    expected: dict[tuple[str, str, str], int] = {}
    for expectation in expectations:
        edges = pattern_of(expectation.mapping)
        expected[edges] = expected.get(edges, 0) + expectation.relationships
    existing = count_by_pattern(graph.rows, [*expected])
    wrong = [
        f"(:{from_label})-[:{kind}]->(:{to_label}): {count:,} by the extracts,"
        f" {existing[kind, from_label, to_label]:,} in the graph"
        for (kind, from_label, to_label), count in expected.items()
        if existing[kind, from_label, to_label] != count
    ]
    wrong += [
        f"{_named(count.expectation)}: {count.by_postgres:,} by the source's own join,"
        f" {count.by_graph:,} by what the graph compares"
        for count in counted
        if count.differs
    ]
    return check_result(
        KEY,
        RELATIONSHIPS,
        wrong,
        dg.AssetCheckSeverity.ERROR,
        joins_counted_by_sources=len(counted),
        joins_changed_since=sum(count.has_changed for count in counted),
    )


def orphans(expectations: Sequence[Expectation]) -> dg.AssetCheckResult:
    """Rows whose join found nothing."""
    found = [
        f"{_named(e)}: {e.orphans:,} references have no match{_such_as(e.orphan_sample)}"
        for e in expectations
        if e.orphans
    ]
    total = sum(e.orphans for e in expectations)
    return check_result(KEY, ORPHANS, found, dg.AssetCheckSeverity.WARN, orphans=total)


def ambiguous_joins(expectations: Sequence[Expectation]) -> dg.AssetCheckResult:
    """Rows whose join found several partners."""
    found = [
        f"{_named(e)}: {e.ambiguous:,} references have several matches{_such_as(e.ambiguous_sample)}"
        for e in expectations
        if e.ambiguous
    ]
    total = sum(e.ambiguous for e in expectations)
    return check_result(KEY, AMBIGUOUS, found, dg.AssetCheckSeverity.WARN, ambiguous_rows=total)


def _such_as(sample: Sequence[str]) -> str:
    return f", such as {'; '.join(sample)}" if sample else ""


def _named(expectation: Expectation) -> str:
    mapping = expectation.mapping
    return f"{mapping.relationship_type} ({mapping.row})"
