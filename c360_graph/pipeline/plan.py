"""Makes a plan: asks control rows, sources and graph, and writes to none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from c360_graph.control.connection import ControlDatabase
from c360_graph.control.locks import control_owner
from c360_graph.errors import C360Error, ControlDatabaseError, GraphError
from c360_graph.extract_joins.graph_input import kept_from_refused
from c360_graph.graph.connection import Graph
from c360_graph.graph.state import read_holding, with_counts
from c360_graph.graph.target_lock import Claim, owned_by_another
from c360_graph.mapping.catalog import SourceCatalog
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.model import GraphMapping, TableMapping
from c360_graph.pipeline.read_mapping import MappingState
from c360_graph.pipeline.readiness import lacking, unreadable_or_left
from c360_graph.plan.diff import Estimates, plan_load, questions
from c360_graph.plan.inputs import GraphState, Intention
from c360_graph.plan.model import PartnerSample, Plan, RowEstimate, Way
from c360_graph.settings import Settings
from c360_graph.source.join_counts import PartnerSampling
from c360_graph.source.sampling import row_estimate
from c360_graph.source.snapshot import SourceSnapshot, open_snapshot

OpenGraph = Callable[[], AbstractContextManager[Graph]]


@dataclass(frozen=True, kw_only=True)
class _SourceReading:
    """What the sources said."""

    problems: dict[int, str]
    estimates: Estimates
    samples: dict[int, PartnerSample]
    failing: tuple[str, ...]


def make_plan(
    *,
    control: ControlDatabase,
    state: MappingState,
    open_graph: OpenGraph,
    server: str,
    way: Way,
    settings: Settings,
) -> Plan:
    """What a load would do now.

    Args:
        control: where the sources' passwords are.
        state: control rows and catalogs.
        open_graph: connects to the target.
        server: the target, for messages where it cannot be reached.
        way: of loading.
        settings: what a run would read and write with.
    """
    mapping = state.mapping()
    asked = frozenset(catalog.source_id for catalog in state.catalogs)
    intention = Intention(
        way=way,
        rows=state.rows,
        mapping=mapping,
        kept=kept_from_refused(state.rows, mapping.refusals),
        unasked=frozenset(source.source_id for source in state.rows.sources) - asked,
    )
    holding, problems = _read_graph(open_graph, intention)
    reading = _read_sources(control, state, mapping)
    # With the control database down, its warning is of no source.
    general = () if state.unasked else state.warnings
    plan = plan_load(
        intention,
        server=server,
        holding=holding,
        problems=(*general, *problems),
        source_problems=reading.problems,
        estimates=reading.estimates,
        samples=reading.samples,
        refusal=_refusal(control, holding, server),
    )
    failing = (*lacking(mapping, settings), *reading.failing)
    return plan.model_copy(update={"failing": failing})


def _refusal(control: ControlDatabase, holding: GraphState | None, server: str) -> str | None:
    """Why the graph may not be loaded: another control database loads it."""
    if holding is None or holding.listed.owner is None:
        return None
    try:
        owner = control_owner(control)
    except ControlDatabaseError:
        # The plan says already that it is down.
        return None
    return owned_by_another(holding.listed, Claim(owner=owner), server=server)


def _read_graph(
    open_graph: OpenGraph, intention: Intention
) -> tuple[GraphState | None, tuple[str, ...]]:
    try:
        with open_graph() as graph:
            holding = read_holding(graph, intention.desired)
            return with_counts(graph, holding, questions(intention, holding)), ()
    except GraphError as error:
        return None, (str(error),)


def _read_sources(
    control: ControlDatabase, state: MappingState, mapping: GraphMapping
) -> _SourceReading:
    catalogs = {catalog.source_id: catalog for catalog in state.catalogs}
    with _snapshots(control, state) as (snapshots, problems):
        estimates = {
            table.asset_key: _estimate(
                snapshots.get(table.source.source_id),
                catalogs.get(table.source.source_id),
                table,
            )
            for table in mapping.tables
        }
        sampling = PartnerSampling(snapshots, catalogs, mapping.tables)
        failing = tuple(
            line
            for snapshot in snapshots.values()
            for line in unreadable_or_left(snapshot, mapping.tables)
        )
        samples = {
            m.relationship_id: sampling.sample(m)
            for m in mapping.relationships
            # Identity resolution finds them in the extracts; no source has their table.
            if m.relationship_id >= 0
        }
    return _SourceReading(problems=problems, estimates=estimates, samples=samples, failing=failing)


@contextmanager
def _snapshots(
    control: ControlDatabase, state: MappingState
) -> Iterator[tuple[dict[int, SourceSnapshot], dict[int, str]]]:
    """A read-only snapshot of each source that answers, and why the others do not."""
    snapshots: dict[int, SourceSnapshot] = {}
    problems = dict(state.unasked)
    with ExitStack() as stack:
        for source in state.rows.sources:
            if source.source_id in problems:
                continue
            try:
                snapshots[source.source_id] = _open(control, source, stack)
            except C360Error as error:
                problems[source.source_id] = str(error)
        yield snapshots, problems


def _open(control: ControlDatabase, source: SourceRow, stack: ExitStack) -> SourceSnapshot:
    credentials = control.source_credentials(source)
    return stack.enter_context(open_snapshot(source, credentials))


def _estimate(
    snapshot: SourceSnapshot | None, catalog: SourceCatalog | None, mapped: TableMapping
) -> RowEstimate:
    table = catalog.table(mapped.table_name) if catalog else None
    if table is None:
        return RowEstimate()
    if snapshot is not None:
        return row_estimate(snapshot, table, mapped.kept_rows())
    seen = 0 if mapped.row_filter else table.estimated_rows
    return RowEstimate(rows=seen, basis="estimate") if seen > 0 else RowEstimate()
