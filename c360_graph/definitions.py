"""The code location: control rows become definitions, pinned for the runs that use them."""

from __future__ import annotations

import logging
import warnings

import dagster as dg
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)

from c360_graph.assets.analytics import analytics_assets
from c360_graph.assets.cypher_script import cypher_script_asset
from c360_graph.assets.neo4j_graph import neo4j_graph_asset
from c360_graph.assets.source_table import source_table_asset
from c360_graph.automation import (
    audit_sensor,
    control_rows_sensor,
    eager_sensor,
    failed_runs_sensor,
    graph_job,
    nightly_schedule,
)
from c360_graph.checks.exclusions import excluded_properties_check, excluded_values_check
from c360_graph.checks.mapping import mapping_checks
from c360_graph.checks.relationships import graph_checks
from c360_graph.control_db import BRIEF_PATIENCE_SECONDS
from c360_graph.errors import MappingError
from c360_graph.executor import audited_executor
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.model import GraphMapping
from c360_graph.mapping_state import MappingState, read_mapping_state
from c360_graph.phases.graph_parts import rules_fingerprint
from c360_graph.phases.readiness import NO_TABLE
from c360_graph.questions import QuestionSet, read_question_set
from c360_graph.resources import Neo4jResource, PostgresResource
from c360_graph.settings import Settings, load_settings

_PINNED = "c360_mapping"
_PINNED_QUESTIONS = "c360_questions"


@dg.definitions
def defs() -> dg.Definitions:
    """Read the mapping, or take the one that the run was started with."""
    settings = load_settings()
    context = DefinitionsLoadContext.get()
    if (
        context.load_type is DefinitionsLoadType.RECONSTRUCTION
        and _PINNED in context.reconstruction_metadata
    ):
        state = MappingState.model_validate_json(context.reconstruction_metadata[_PINNED])
        asked = QuestionSet.model_validate_json(context.reconstruction_metadata[_PINNED_QUESTIONS])
    else:
        control = PostgresResource().control_database(patience_seconds=BRIEF_PATIENCE_SECONDS)
        state = read_mapping_state(control, settings.c360_data_dir)
        asked = read_question_set(settings.c360_queries_dir)
    with warnings.catch_warnings():
        # Dagster marks this as a preview; it is the one way that keeps a run's definitions stable.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return build_definitions(
            state=state, asked=asked, settings=settings
        ).with_reconstruction_metadata(
            {_PINNED: state.model_dump_json(), _PINNED_QUESTIONS: asked.model_dump_json()}
        )


def build_definitions(
    *, state: MappingState, asked: QuestionSet, settings: Settings
) -> dg.Definitions:
    """Definitions of everything that is sound in a state, and of the questions.

    Raises:
        MappingError: nothing can be built, or C360_STRICT is set and something cannot.
    """
    mapping = state.mapping()
    refused = tuple(str(refusal) for refusal in mapping.refusals)
    problems = (*refused, *state.warnings, *asked.problems)
    _refuse_or_warn(mapping, problems, settings)
    return dg.Definitions(
        assets=_assets(mapping, state.rows, asked, settings),
        asset_checks=[
            mapping_checks(mapping=mapping, catalogs=state.catalogs, warnings=state.warnings),
            graph_checks(mapping=mapping, rows=state.rows),
            excluded_properties_check(mapping=mapping),
            excluded_values_check(mapping=mapping, rows=state.rows),
        ],
        jobs=[graph_job()],
        schedules=[nightly_schedule(settings)],
        sensors=[
            control_rows_sensor(fingerprint=state.fingerprint, settings=settings),
            audit_sensor(),
            failed_runs_sensor(),
            eager_sensor(),
        ],
        resources={"postgres": PostgresResource(), "neo4j": Neo4jResource()},
        executor=audited_executor(settings.c360_executor),
    )


def _assets(
    mapping: GraphMapping, rows: ControlRows, asked: QuestionSet, settings: Settings
) -> list[dg.AssetsDefinition]:
    return [
        *(
            source_table_asset(
                table=table, rows=rows, relationships=mapping.relationships, settings=settings
            )
            for table in mapping.tables
        ),
        cypher_script_asset(mapping=mapping, rows=rows, settings=settings),
        neo4j_graph_asset(mapping=mapping, rows=rows, settings=settings),
        analytics_assets(asked=asked, rules=rules_fingerprint(rows)),
    ]


def _refuse_or_warn(mapping: GraphMapping, problems: tuple[str, ...], settings: Settings) -> None:
    listed = "".join(f"\n- {problem}" for problem in problems)
    if not mapping.tables:
        raise MappingError(f"{NO_TABLE}{listed}")
    if problems and settings.c360_strict:
        raise MappingError(f"C360_STRICT is set and not everything can be honoured:{listed}")
    for problem in problems:
        logging.getLogger("c360_graph").warning("%s", problem)
