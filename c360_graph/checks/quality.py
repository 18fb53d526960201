"""Checks that rows of `quality_rules` ask for, over the latest extracts and the graph."""

from collections.abc import Iterator, Mapping

import dagster as dg

from c360_graph.assets.neo4j_graph import KEY as GRAPH_KEY
from c360_graph.assets.step_policy import dagster_failures
from c360_graph.extract_joins.broken_rules import count_breaks
from c360_graph.graph.read_only import read, refuse_beyond_reading
from c360_graph.mapping.model import GraphMapping, QualityRule
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.resources import Neo4jResource
from c360_graph.settings import load_settings
from c360_graph.text import plural

_SEVERITIES = {"error": dg.AssetCheckSeverity.ERROR, "warn": dg.AssetCheckSeverity.WARN}


def quality_checks(*, mapping: GraphMapping) -> list[dg.AssetChecksDefinition]:
    """One step for the rules about tables and one for those about the graph, where there are any."""
    of_tables = {_key(rule): rule for rule in mapping.quality if rule.table is not None}
    of_graph = {_key(rule): rule for rule in mapping.quality if rule.table is None}
    made = []
    if of_tables:
        made.append(_table_checks(of_tables))
    if of_graph:
        made.append(_graph_checks(of_graph))
    return made


Rules = Mapping[dg.AssetCheckKey, QualityRule]


def _table_checks(rules: Rules) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(name="quality_of_tables", specs=_specs(rules), can_subset=True)
    def quality_of_tables(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        chosen = {key: rules[key] for key in rules if key in context.selected_asset_check_keys}
        with dagster_failures():
            store = extract_store(data_location(load_settings()))
            breaks = count_breaks(tuple(chosen.values()), store=store)
            results = [
                _result(key, rule, found)
                for (key, rule), found in zip(chosen.items(), breaks, strict=True)
            ]
        yield from results

    return quality_of_tables


def _graph_checks(rules: Rules) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(name="quality_of_graph", specs=_specs(rules), can_subset=True)
    def quality_of_graph(
        context: dg.AssetCheckExecutionContext, neo4j: Neo4jResource
    ) -> Iterator[dg.AssetCheckResult]:
        chosen = {key: rules[key] for key in rules if key in context.selected_asset_check_keys}
        seconds = load_settings().c360_query_timeout_seconds
        with dagster_failures():
            results = []
            with neo4j.graph() as graph:
                for key, rule in chosen.items():
                    refuse_beyond_reading(graph, rule.query, {}, timeout_seconds=seconds)
                    found = read(graph, rule.query, {}, timeout_seconds=seconds, keep=1).row_count
                    said = f"The query returns {plural(found, 'row')}." if found else None
                    results.append(_result(key, rule, said))
        yield from results

    return quality_of_graph


def _key(rule: QualityRule) -> dg.AssetCheckKey:
    asset = dg.AssetKey(rule.table or GRAPH_KEY)
    return dg.AssetCheckKey(asset_key=asset, name=rule.name)


def _specs(rules: Rules) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            key.name,
            asset=key.asset_key,
            description=rule.description or f"Row {rule.row_id} of quality_rules.",
            blocking=rule.is_blocking,
        )
        for key, rule in rules.items()
    ]


def _result(key: dg.AssetCheckKey, rule: QualityRule, found: str | None) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=found is None,
        severity=_SEVERITIES[rule.severity],
        description=f"{found} (quality_rules row {rule.row_id})" if found else "It holds.",
    )
