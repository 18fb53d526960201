"""Empties a graph in bounded batches: relationships, nodes, and constraints and indexes of ours.

The manifest says that the graph is broken before anything is removed, and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from c360_graph.cypher import counts_and_deletes, holding, schema
from c360_graph.cypher.weights import DELETE_BATCH_ROWS, FEW_ROWS, FEW_ROWS_BATCH
from c360_graph.graph.batching import Batching
from c360_graph.graph.counts import count_graph
from c360_graph.graph.execution import Execution
from c360_graph.graph.progress import ProgressMeter
from c360_graph.graph.schema_sync import read_graph_schema

_SCHEMA = "Removing constraints and indexes"


def empty_graph(execution: Execution, meter: ProgressMeter, *, kept: Collection[str] = ()) -> None:
    """Remove everything but the manifest, which says that the graph is broken, and the lock.

    Other clients' constraints and indexes stay, and so do those of ours whose names are in ``kept`` if
    every index of the graph is online.

    Raises:
        StatementError: a removal kept failing.
    """
    batching = Batching(execution)
    _remove_relationships(execution, meter, batching)
    _remove_nodes(execution, meter, batching)
    for statement in _drops_of_ours(execution, kept):
        execution.run_repeatable(_SCHEMA, statement)


def _remove_relationships(execution: Execution, meter: ProgressMeter, batching: Batching) -> None:
    """First, so that no node's removal drags an unbounded number of relationships along."""
    title = "Removing relationships"
    total = _begin(
        execution, meter, title, "relationships", counts_and_deletes.count_all_relationships()
    )
    if total <= FEW_ROWS:
        _remove_few(execution, title, counts_and_deletes.delete_all_relationships(), total)
        return
    _, kinds = count_graph(lambda text: execution.ask(title, text))
    large = _remove_small(execution, title, kinds, counts_and_deletes.delete_relationships_of_types)
    for kind in large:
        execution.run_in_batches(
            title,
            counts_and_deletes.delete_relationships_of_type(kind),
            batch_rows=batching.relationships(kind),
        )
    # Of types that others have brought meanwhile.
    execution.run_in_batches(
        title, counts_and_deletes.delete_all_relationships(), batch_rows=DELETE_BATCH_ROWS
    )


def _remove_nodes(execution: Execution, meter: ProgressMeter, batching: Batching) -> None:
    title = "Removing nodes"
    total = _begin(execution, meter, title, "nodes", counts_and_deletes.count_nodes_to_delete())
    if total <= FEW_ROWS:
        _remove_few(execution, title, counts_and_deletes.delete_all_nodes(), total)
        return
    labels, _ = count_graph(lambda text: execution.ask(title, text))
    large = _remove_small(execution, title, labels, counts_and_deletes.delete_labels)
    for label in large:
        execution.run_in_batches(
            title, counts_and_deletes.delete_label(label), batch_rows=batching.nodes(label)
        )
    # Those without a label, and the marks of loads that broke off.
    execution.run_in_batches(
        title, counts_and_deletes.delete_all_nodes(), batch_rows=batching.nodes_without_label()
    )


def _remove_few(execution: Execution, title: str, removal: str, total: int) -> None:
    """One statement for all: asking for the weight of each label takes longer than removing them."""
    if total:
        execution.run_in_batches(title, removal, batch_rows=FEW_ROWS_BATCH)


def _remove_small(
    execution: Execution,
    title: str,
    counts: Mapping[str, int],
    removal: Callable[[Sequence[str]], str],
) -> list[str]:
    """Remove those labels or types that have few, many by a statement; the names of the others."""
    small = [name for name, count in counts.items() if count <= FEW_ROWS]
    for start in range(0, len(small), counts_and_deletes.MOST_COUNTED):
        names = small[start : start + counts_and_deletes.MOST_COUNTED]
        execution.run_in_batches(title, removal(names), batch_rows=FEW_ROWS_BATCH)
    return [name for name in counts if name not in {*small}]


def _begin(execution: Execution, meter: ProgressMeter, title: str, unit: str, count: str) -> int:
    """How many there are to remove; the meter counts those that are removed."""
    total = int(execution.ask(title, count)[0]["count"])
    if not total:
        return total

    def removed() -> int:
        return max(0, total - int(execution.graph.rows(count)[0]["count"]))

    meter.begin(title.lower(), unit=unit, total=total, poll=removed)
    return total


def _drops_of_ours(execution: Execution, kept: Collection[str]) -> list[str]:
    """Those that are not kept. Names of ours say what they are on, so none that is kept is out of date."""
    existing = read_graph_schema(execution)
    if kept and int(execution.ask(_SCHEMA, holding.count_broken_indexes())[0]["count"]):
        # A constraint's index may have failed, too: making all of them anew mends that.
        kept = ()
    return [
        *(
            schema.drop_constraint(name)
            for name, on in existing.constraints.items()
            if name not in kept or name != schema.constraint_name(on)
        ),
        *(schema.drop_index(name) for name in existing.indexes if name not in kept),
    ]
