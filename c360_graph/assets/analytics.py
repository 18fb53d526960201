"""An asset for each question, which is asked again by itself after changes of the tables that it is about, and `customer_360_report`, behind `neo4j_graph`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import reduce
from hashlib import sha256
from operator import or_
from typing import Any, cast

import dagster as dg
from pydantic import Field

from c360_graph.assets.metadata import answer_facts, counted_once
from c360_graph.assets.neo4j_graph import KEY as GRAPH_KEY
from c360_graph.assets.source_table import operation_name
from c360_graph.assets.step_policy import NEO4J_POOL, dagster_failures
from c360_graph.control.connection import ControlDatabase
from c360_graph.control.locks import control_owner
from c360_graph.cypher.quoting import used_names
from c360_graph.errors import GraphError
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph.graph.manifest import refuse_broken, refuse_changed
from c360_graph.graph.target_lock import Claim, refuse_anothers_graph
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.mapping.model import GraphMapping, TableIndex, TableMapping
from c360_graph.object_storage import data_location
from c360_graph.questions import Question, QuestionSet, Refused, Reply, ask_all, shown
from c360_graph.resources import Neo4jResource, PostgresResource
from c360_graph.settings import Settings, load_settings

OPERATION, GROUP = "answers", "answers"
REPORT_KEY = "customer_360_report"
HAS_ROWS = "has_rows"


def tables_read(question: Question, mapping: GraphMapping) -> tuple[TableMapping, ...]:
    """The tables that a question's labels and relationship types are made of; all where it names none of them."""
    index = TableIndex(mapping.tables)
    names = {name[1:] for name in used_names(question.statement) if name[0] == ":"}
    found = [table for table in mapping.tables if names & _labels(table)]
    for relationship in mapping.relationships:
        if relationship.relationship_type in names:
            found += index.of(relationship)
    return tuple({table.asset_key: table for table in found or mapping.tables}.values())


def _labels(table: TableMapping) -> frozenset[str | None]:
    return frozenset({*table.extra.all, table.node_label})


def when_tables_change(
    tables: Sequence[TableMapping], *, minutes: int
) -> dg.AutomationCondition[dg.AssetKey]:
    """True at each so-manieth minute where one of the tables was materialized, or followed, since the last answer."""
    of_dagster = dg.AutomationCondition
    changed: list[Any] = [
        of_dagster.asset_matches(dg.AssetKey(table.asset_key), of_dagster.newly_updated())
        for table in tables
    ]
    any_changed: Any = reduce(or_, changed)
    return cast(
        "dg.AutomationCondition[dg.AssetKey]",
        any_changed.since_last_handled()
        & of_dagster.cron_tick_passed(f"*/{minutes} * * * *")
        & ~of_dagster.in_progress(),
    )


class AnswersConfig(dg.Config):
    """Config of `answers`."""

    parameters: dict[str, str] = Field(
        default={},
        description=(
            "Values for parameters of the questions, instead of the defaults in their files and in the"
            " same notation: `as_of` is a time such as 2025-11-03T00:00:00, a list is JSON such as"
            ' ["a", "b"].'
        ),
    )


def analytics_assets(
    *, asked: QuestionSet, rules: str, mapping: GraphMapping, settings: Settings
) -> dg.AssetsDefinition:
    """An asset `answers/<name>` for each question, and the report, in one step.

    One step, since each costs time of its own, and since Dagster would skip the report as soon as
    one answer is skipped. `rules` is the fingerprint of the exclusion rules.
    """
    again = {q.name: _asked_again(q, mapping, settings) for q in asked.questions}
    keys = {question.name: dg.AssetKey([GROUP, question.name]) for question in asked.questions}

    @dg.multi_asset(
        name=OPERATION,
        outs={
            **{
                _output(q.name): _answer_out(q, keys[q.name], again[q.name])
                for q in asked.questions
            },
            REPORT_KEY: _report_out(),
        },
        deps=[GRAPH_KEY],
        pool=NEO4J_POOL,
        internal_asset_deps=_dependencies(keys),
        check_specs=[_has_rows(key) for key in keys.values()],
        can_subset=True,
    )
    def answers(
        context: dg.AssetExecutionContext,
        config: AnswersConfig,
        postgres: PostgresResource,
        neo4j: Neo4jResource,
    ) -> Iterator[dg.MaterializeResult[None]]:
        selected = context.selected_asset_keys
        has_report = dg.AssetKey(REPORT_KEY) in selected
        sound = _sound_graph(neo4j, rules, postgres.control_database())
        with dagster_failures(), sound as (graph, manifest):
            wanted = [q for q in asked.questions if has_report or keys[q.name] in selected]
            replies = _ask(graph, wanted, config, manifest)
            pictures = _ask(graph, asked.pictures if has_report else (), config, manifest)
            extra = manifest.extra_labels if manifest else frozenset()
            nodes, relationships = graph_counts(graph)
            counts = (counted_once(nodes, extra), relationships)
        for reply in replies:
            if keys[reply.question.name] in selected:
                yield from _materialized(context, keys[reply.question.name], reply)
        if has_report:
            with dagster_failures():
                report = _write_report(
                    replies, pictures, counts, manifest, rules, config.parameters.get("as_of")
                )
            yield report
        _fail_for_refused(replies)

    return answers


@contextmanager
def _sound_graph(
    neo4j: Neo4jResource, rules: str, control: ControlDatabase
) -> Iterator[tuple[Graph, GraphManifest | None]]:
    """The graph and its manifest; one that others made, which has no manifest, may be asked.

    Raises:
        GraphError: a load of ours did not end, or followed other exclusion rules; or the graph is
            loaded from another control database.
    """
    with neo4j.graph() as graph:
        state = refuse_broken(graph)
        if state is not None and state.manifest.owner is not None:
            claim = Claim(owner=control_owner(control))
            refuse_anothers_graph(state.manifest, claim, server=graph.server)
        if state is not None and state.manifest.rules != rules:
            raise GraphError(
                "The graph was loaded under other exclusion rules. Materialize neo4j_graph first."
            )
        yield graph, state.manifest if state else None
        refuse_changed(graph, state)


def _ask(
    graph: Graph,
    questions: Sequence[Question],
    config: AnswersConfig,
    manifest: GraphManifest | None,
) -> tuple[Reply, ...]:
    return ask_all(
        graph,
        questions,
        config.parameters,
        timeout_seconds=load_settings().c360_query_timeout_seconds,
        manifest=manifest,
    )


def _materialized(
    context: dg.AssetExecutionContext, key: dg.AssetKey, reply: Reply
) -> Iterator[dg.MaterializeResult[None]]:
    if isinstance(reply, Refused):
        return
    if reply.lacking:
        context.log.warning(f"{key.to_user_string()} is skipped: {' '.join(reply.lacking)}")
        return
    yield dg.MaterializeResult(
        asset_key=key,
        metadata=answer_facts(reply, preview_rows=load_settings().c360_preview_rows),
        check_results=[
            dg.AssetCheckResult(
                check_name=HAS_ROWS,
                asset_key=key,
                passed=reply.row_count > 0,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"{reply.row_count:,} rows",
            )
        ],
    )


def _write_report(
    replies: Sequence[Reply],
    pictures: Sequence[Reply],
    counts: tuple[dict[str, int], dict[str, int]],
    manifest: GraphManifest | None,
    rules: str,
    as_of: str | None,
) -> dg.MaterializeResult[None]:
    # Imported here: definitions are loaded often, and seldom need what writes a page.
    from c360_graph.report.contents import customer_360_page, is_answered
    from c360_graph.report.files import report_store
    from c360_graph.report.page import render

    settings = load_settings()
    page = customer_360_page(
        replies=replies,
        pictures=pictures,
        nodes=counts[0],
        relationships=counts[1],
        made_at=datetime.now(UTC),
        as_of=as_of,
        rules=rules,
        refused=tuple(dict.fromkeys(manifest.refused.values())) if manifest else (),
    )
    headline = "; ".join(f"{h.number} {h.words}" for h in page.headlines) or "none"
    store = report_store(data_location(settings))
    html = render(page)
    path = store.write(html)
    store.prune(keep=settings.c360_keep_reports, rules=rules)
    return dg.MaterializeResult(
        asset_key=REPORT_KEY,
        metadata={
            "path": dg.MetadataValue.path(str(path)),
            "report": dg.MetadataValue.url(path.as_uri()),
            "latest": dg.MetadataValue.url(store.latest.as_uri()),
            "dagster/uri": path.as_uri(),
            **({"headline": headline} if settings.c360_preview_rows else {}),
            "answered": sum(is_answered(reply) for reply in replies),
            "not_answered": sum(not is_answered(reply) for reply in replies),
            "file_bytes": len(html.encode()),
        },
    )


def _fail_for_refused(replies: Sequence[Reply]) -> None:
    refused = [reply for reply in replies if isinstance(reply, Refused)]
    if refused:
        raise dg.Failure(
            description=" ".join(f"{r.question.name} was refused: {r.reason}" for r in refused)
        )


def _asked_again(
    question: Question, mapping: GraphMapping, settings: Settings
) -> dg.AutomationCondition[dg.AssetKey] | None:
    minutes = settings.c360_ask_again_minutes
    if minutes is None:
        return None
    return when_tables_change(tables_read(question, mapping), minutes=minutes)


def _answer_out(
    question: Question, key: dg.AssetKey, again: dg.AutomationCondition[dg.AssetKey] | None
) -> dg.AssetOut:
    defaults: Mapping[str, Any] = dict(question.parameters)
    given = "".join(f"\n- `{name}`: {shown(value)}" for name, value in defaults.items())
    return dg.AssetOut(
        key=key,
        dagster_type=dg.Nothing,
        is_required=False,
        group_name=GROUP,
        kinds={"neo4j"},
        description=(
            f"**{question.title}**\n\n{question.description}"
            + (f"\n\nParameters with their defaults:\n{given}" if given else "")
            + f"\n\n```cypher\n{question.statement}\n```"
        ),
        code_version=sha256(question.statement.encode()).hexdigest()[:12],
        automation_condition=again,
    )


def _dependencies(keys: Mapping[str, dg.AssetKey]) -> dict[str, set[dg.AssetKey]]:
    graph = dg.AssetKey(GRAPH_KEY)
    return {**{_output(name): {graph} for name in keys}, REPORT_KEY: {graph, *keys.values()}}


def _has_rows(key: dg.AssetKey) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(HAS_ROWS, asset=key, description="The answer has rows.")


def _report_out() -> dg.AssetOut:
    return dg.AssetOut(
        key=REPORT_KEY,
        dagster_type=dg.Nothing,
        is_required=False,
        group_name=GROUP,
        kinds={"html"},
        description=(
            "One HTML file with the headline, the pictures, the charts and all answers. It loads nothing"
            " from other servers, so you can send it to anyone who is allowed to see the data."
        ),
    )


def _output(name: str) -> str:
    return operation_name((GROUP, name))
