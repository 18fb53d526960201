"""Decides how many rows a transaction of the server has, by what they weigh."""

from __future__ import annotations

from neo4j.exceptions import Neo4jError

from c360_graph.cypher import counts_and_deletes, weights
from c360_graph.graph.execution import Execution

_TITLE = "Weighing"


class Batching:
    """Asks a sample of what is to be changed; the heap is asked for once."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._known_budget: int | None = None

    def nodes(self, label: str, *, most: int = weights.DELETE_BATCH_ROWS) -> int:
        """Nodes of a label that one transaction may remove or change."""
        count = self._number(counts_and_deletes.count_nodes(label), "count")
        return self._rows(weights.weigh_nodes(label), most=most, share=_share(count))

    def nodes_without_label(self) -> int:
        """The same of whatever nodes there are."""
        count = self._number(counts_and_deletes.count_all_nodes(), "count")
        weighing = weights.weigh_nodes_without_label()
        return self._rows(weighing, most=weights.DELETE_BATCH_ROWS, share=_share(count))

    def relationships(self, kind: str) -> int:
        """Relationships of a type that one transaction may remove."""
        return self._rows(weights.weigh_relationships(kind), most=weights.DELETE_BATCH_ROWS)

    def _rows(self, weighing: str, *, most: int, **parameters: float) -> int:
        weight = self._number(weighing, "bytes", **parameters)
        return weights.batch_rows(weight, budget=self._budget(), most=most)

    def _budget(self) -> int:
        if self._known_budget is None:
            self._known_budget = weights.budget_of(self._heap())
        return self._known_budget

    def _heap(self) -> int | None:
        try:
            rows = self._execution.graph.fetch(weights.read_heap())
        except Neo4jError:
            # Not everybody may ask, and not every server tells.
            return None
        return int(rows[0]["bytes"]) if rows and (rows[0]["bytes"] or 0) > 0 else None

    def _number(self, text: str, name: str, **parameters: float) -> float:
        return float(self._execution.ask(_TITLE, text, **parameters)[0][name])


def _share(count: float) -> float:
    """The share of all nodes that makes about twice the sample."""
    return min(1.0, 2 * weights.SAMPLE_ROWS / max(count, 1.0))
