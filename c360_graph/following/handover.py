"""Brings the graph to the state of the sources as a whole: what following begins with.

The slots are there before a row is read, so that what changes meanwhile comes again in the stream.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from c360_graph.control.audit import RunLog
from c360_graph.control.connection import RUN_PATIENCE_SECONDS, ControlDatabase
from c360_graph.extract_joins.graph_input import digest_of, gather_parts, kept_from_refused
from c360_graph.following.mark import GraphMark, read_graph_mark
from c360_graph.graph.connection import Graph
from c360_graph.graph.reconcile import Reconciled
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.mapping.model import GraphMapping
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline.cleaning import clean_data_folder
from c360_graph.pipeline.extract import extract_table
from c360_graph.pipeline.load import Target, reconcile_graph
from c360_graph.pipeline.read_mapping import MappingState
from c360_graph.pipeline.resolve_identity import resolve_identity
from c360_graph.settings import Settings

TABLES_AT_A_TIME = 2
LOCK_WAIT_SECONDS = 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class HandedOver:
    """The graph after it, and what was changed."""

    mark: GraphMark
    reconciled: Reconciled


def hand_over(
    *,
    graph: Graph,
    control: ControlDatabase,
    state: MappingState,
    mapping: GraphMapping,
    settings: Settings,
    log_id: int,
    max_removed_share: float,
    warn: Callable[[str], None],
) -> HandedOver | None:
    """Read every table and reconcile the graph; None where another load came in between.

    Raises:
        C360Error: as a run of the pipeline, table by table.
    """
    clean_data_folder(data_location(settings), state.rows)
    _extract(
        control=control, state=state, mapping=mapping, settings=settings, log_id=log_id, warn=warn
    )
    store = extract_store(data_location(settings))
    parts = gather_parts(mapping=mapping, rows=state.rows, store=store, run_log=RunLog(control))
    reconciled = reconcile_graph(
        Target(
            graph=graph,
            control=ControlDatabase(control.credentials, patience_seconds=RUN_PATIENCE_SECONDS),
            sessions=settings.c360_load_sessions,
            lock_wait_seconds=LOCK_WAIT_SECONDS,
            report=lambda progress: None,
            warn=warn,
        ),
        parts,
        kept=kept_from_refused(state.rows, (*mapping.refusals, *parts.refusals)),
        max_removed_share=max_removed_share,
        created=datetime.now(UTC).isoformat(),
        log_id=log_id,
        former=store,
    )
    mark = read_graph_mark(graph)
    if mark is None or not mark.is_whole or mark.is_locked:
        return None
    # Another load's extracts may be older than the slots.
    loaded = GraphManifest.model_validate_json(mark.content).digests
    ours = {extract.manifest.table.qualified_name: digest_of(extract) for extract in parts.extracts}
    if any(loaded.get(table) != digest for table, digest in ours.items()):
        return None
    return HandedOver(mark=mark, reconciled=reconciled)


def _extract(
    *,
    control: ControlDatabase,
    state: MappingState,
    mapping: GraphMapping,
    settings: Settings,
    log_id: int,
    warn: Callable[[str], None],
) -> None:
    """Read every table, then make the entities of identity resolution of them."""
    tables = mapping.source_tables

    def read(number: int) -> None:
        extract_table(
            table=tables[number],
            rows=state.rows,
            log_id=log_id,
            control=control,
            settings=settings,
            warn=warn,
        )

    with ThreadPoolExecutor(TABLES_AT_A_TIME, thread_name_prefix="c360-extract") as pool:
        list(pool.map(read, range(len(tables))))
    for identity in mapping.identities:
        resolve_identity(
            identity=identity,
            mapping=mapping,
            rows=state.rows,
            log_id=log_id,
            control=control,
            settings=settings,
        )
