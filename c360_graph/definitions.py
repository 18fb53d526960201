"""The code location: control rows become definitions, pinned for the runs that use them."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import dagster as dg
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)

from c360_graph.assets.analytics import analytics_assets
from c360_graph.assets.customer_identity import identity_asset
from c360_graph.assets.cypher_script import cypher_script_asset
from c360_graph.assets.import_files import import_files_asset
from c360_graph.assets.neo4j_graph import neo4j_graph_asset
from c360_graph.assets.source_table import (
    ranged_table_asset,
    shared_step_assets,
    source_table_asset,
)
from c360_graph.automation import (
    ask_again_sensors,
    audit_sensor,
    control_rows_sensor,
    eager_sensor,
    failed_runs_sensor,
    following_check,
    following_sensor,
    graph_job,
    nightly_schedule,
)
from c360_graph.checks.exclusions import excluded_properties_check, excluded_values_check
from c360_graph.checks.mapping import mapping_checks
from c360_graph.checks.quality import quality_checks
from c360_graph.checks.relationships import graph_checks
from c360_graph.control.connection import BRIEF_PATIENCE_SECONDS
from c360_graph.dagster_failures import ending_with_its_message, run_steps_behind_unread_tables
from c360_graph.errors import MappingError
from c360_graph.executor import audited_executor
from c360_graph.extract_joins.graph_input import rules_fingerprint
from c360_graph.mapping.missing import graph_names
from c360_graph.mapping.model import GraphMapping, relationships_by_table
from c360_graph.mapping.table_steps import readers_by_table, tables_by_step
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.read_mapping import MappingState, read_mapping_state
from c360_graph.pipeline.readiness import NO_TABLE
from c360_graph.questions import QuestionSet, read_question_set
from c360_graph.resources import Neo4jResource, PostgresResource
from c360_graph.settings import Settings, load_settings
from c360_graph.start_environment import restore_start_environment
from c360_graph.text import visible

_PINNED = "c360_mapping"
_PINNED_QUESTIONS = "c360_questions"


@dg.definitions
def defs() -> dg.Definitions:
    """Read the mapping, or take the one that the run was started with."""
    with ending_with_its_message():
        return _definitions()


def _definitions() -> dg.Definitions:
    restore_start_environment()
    settings = load_settings()
    run_steps_behind_unread_tables(extract_store(data_location(settings)))
    context = _load_context()
    pinned = _pinned(context)
    if pinned is None:
        control = PostgresResource().own_control_database(patience_seconds=BRIEF_PATIENCE_SECONDS)
        state = read_mapping_state(control, settings)
        asked = read_question_set(settings.c360_queries_dir)
        pinned = _Pinned(state.model_dump_json(), asked.model_dump_json())
    context.add_to_pending_reconstruction_metadata(_PINNED, pinned.state)
    context.add_to_pending_reconstruction_metadata(_PINNED_QUESTIONS, pinned.questions)
    return _built(pinned, settings)


class _Pinned(NamedTuple):
    """The mapping and the questions as they were read, as JSON."""

    state: str
    questions: str


def _load_context() -> DefinitionsLoadContext:
    """What Dagster knows of this load; the command `dagster asset materialize` sets none at first."""
    context = DefinitionsLoadContext.get()
    if not DefinitionsLoadContext.is_set():
        DefinitionsLoadContext.set(context)
    return context


def _pinned(context: DefinitionsLoadContext) -> _Pinned | None:
    """What this run, or an earlier load of this process for the same run, has read.

    Dagster loads the definitions six times for one `dagster asset materialize`.
    """
    if context.load_type is not DefinitionsLoadType.RECONSTRUCTION:
        return None
    for known in (context.reconstruction_metadata, context.get_pending_reconstruction_metadata()):
        if _PINNED in known and _PINNED_QUESTIONS in known:
            return _Pinned(known[_PINNED], known[_PINNED_QUESTIONS])
    return None


@lru_cache(maxsize=1)
def _built(pinned: _Pinned, settings: Settings) -> dg.Definitions:
    """The definitions; those built last are kept, as a run loads the same ones several times."""
    definitions = build_definitions(
        state=MappingState.model_validate_json(pinned.state),
        asked=QuestionSet.model_validate_json(pinned.questions),
        settings=settings,
    )
    with warnings.catch_warnings():
        # Dagster marks this as a preview; it shows what the definitions were made from.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return definitions.with_reconstruction_metadata(
            {_PINNED: pinned.state, _PINNED_QUESTIONS: pinned.questions}
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
        assets=_assets(mapping, state, asked, settings),
        asset_checks=[
            mapping_checks(
                mapping=mapping,
                catalogs=state.catalogs,
                warnings=state.warnings,
                is_kept=state.history.is_kept,
            ),
            graph_checks(mapping=mapping, rows=state.rows),
            following_check(settings),
            excluded_properties_check(mapping=mapping),
            excluded_values_check(rows=state.rows),
            *quality_checks(mapping=mapping),
        ],
        jobs=[graph_job()],
        schedules=[nightly_schedule(settings)],
        sensors=[
            control_rows_sensor(fingerprint=state.fingerprint, settings=settings),
            audit_sensor(),
            failed_runs_sensor(settings),
            eager_sensor(mapping.identities),
            following_sensor(mapping=mapping, settings=settings),
            *ask_again_sensors(settings),
        ],
        resources={"postgres": PostgresResource(), "neo4j": Neo4jResource()},
        executor=audited_executor(settings.c360_executor),
    )


def _assets(
    mapping: GraphMapping, state: MappingState, asked: QuestionSet, settings: Settings
) -> list[dg.AssetsDefinition]:
    rows = state.rows
    return [
        *_table_assets(mapping, state, settings),
        *(
            identity_asset(identity=identity, mapping=mapping, rows=rows, settings=settings)
            for identity in mapping.identities
        ),
        cypher_script_asset(mapping=mapping, rows=rows, settings=settings),
        neo4j_graph_asset(mapping=mapping, rows=rows, settings=settings),
        *(
            (import_files_asset(mapping=mapping, rows=rows, settings=settings),)
            if settings.c360_import_files
            else ()
        ),
        analytics_assets(
            asked=asked.fitting(graph_names(mapping, rows)),
            rules=rules_fingerprint(rows),
            mapping=mapping,
            settings=settings,
        ),
    ]


def _table_assets(
    mapping: GraphMapping, state: MappingState, settings: Settings
) -> Iterator[dg.AssetsDefinition]:
    relationships = relationships_by_table(mapping.relationships, mapping.tables)
    readers = readers_by_table(
        state.catalogs, range_rows=settings.c360_range_rows, most=settings.table_readers
    )
    shared: Counter[str] = Counter()
    for tables in tables_by_step(
        mapping.source_tables, state.catalogs, most=settings.c360_tables_in_a_step
    ):
        if len(tables) > 1:
            shared[tables[0].source.source_name] += 1
            yield shared_step_assets(
                tables=tables,
                number=shared[tables[0].source.source_name],
                rows=state.rows,
                relationships=relationships,
                settings=settings,
            )
            continue
        (table,) = tables
        together = readers.get((table.source.source_id, table.table_name), 1)
        of_table = relationships.get(table.asset_key, ())
        if together > 1:
            yield ranged_table_asset(
                table=table,
                readers=together,
                rows=state.rows,
                relationships=of_table,
                settings=settings,
            )
        else:
            yield source_table_asset(
                table=table, rows=state.rows, relationships=of_table, settings=settings
            )


def _refuse_or_warn(mapping: GraphMapping, problems: tuple[str, ...], settings: Settings) -> None:
    listed = "".join(f"\n- {problem}" for problem in problems)
    if not mapping.tables:
        raise MappingError(f"{NO_TABLE}{listed}")
    if problems and settings.c360_strict:
        raise MappingError(f"C360_STRICT is set and control rows are refused:{listed}")
    for problem in problems:
        logging.getLogger("c360_graph").warning("%s", visible(problem))
