"""LOAD CSV in transactions: the server reads the files itself.

`python -m benchmarks.contenders.load_csv FOLDER plain|concurrent retry|fail`, with FOLDER below the server's import folder.
"""

from __future__ import annotations

import sys

from benchmarks.contenders.contender import Contender, Ground, Run, connected, module_run
from benchmarks.graph_model import EDGES, LABELS, SCHEMA, Edge, Kind, Label, properties

_NODES_IN_TRANSACTION = 1_000
_EDGES_IN_TRANSACTION = 10_000


class LoadCsv(Contender):
    """Nodes from the tables' files, relationships from files that hold the keys of both ends."""

    def __init__(self, *, concurrent: bool) -> None:
        self._way = "concurrent" if concurrent else "plain"
        self.title = f"LOAD CSV in transactions, {self._way}"

    def prepare(self, ground: Ground) -> Run:
        """This module; the files lie where the server may read."""
        # 5.26 knows no ON ERROR RETRY.
        again = "fail" if ground.line.startswith("5") else "retry"
        return module_run(ground, __name__, ground.dataset.folder.name, self._way, again)


def load(folder: str, *, concurrent: bool, on_error: str) -> None:
    """Constraints, nodes, relationships."""
    statements = [
        *SCHEMA,
        *(_nodes(label, folder, concurrent) for label in LABELS.values()),
        *(_relationships(edge, folder, concurrent, on_error) for edge in EDGES),
    ]
    with connected() as driver, driver.session() as session:
        for statement in statements:
            session.run(statement).consume()


def _nodes(label: Label, folder: str, concurrent: bool) -> str:
    side_by_side = "2 CONCURRENT " if concurrent else ""
    return (
        f"LOAD CSV FROM 'file:///{folder}/nodes/{label.name}.csv' AS row"
        f" CALL (row) {{ CREATE (:{label.name} {{{properties(label, integers_are_text=True)}}}) }}"
        f" IN {side_by_side}TRANSACTIONS OF {_NODES_IN_TRANSACTION} ROWS"
    )


def _relationships(edge: Edge, folder: str, concurrent: bool, on_error: str) -> str:
    # Two transactions that touch one node may wait for each other in a circle, so they try again.
    side_by_side = "2 CONCURRENT " if concurrent else ""
    again = " ON ERROR RETRY THEN FAIL" if concurrent and on_error == "retry" else ""
    return (
        f"LOAD CSV FROM 'file:///{folder}/relationships/{edge.type}.csv' AS row CALL (row) {{"
        f" MATCH (a:{edge.start} {{{_key(LABELS[edge.start], 0)}}})"
        f" MATCH (b:{edge.end} {{{_key(LABELS[edge.end], 1)}}})"
        f" CREATE (a)-[:{edge.type}]->(b) }}"
        f" IN {side_by_side}TRANSACTIONS OF {_EDGES_IN_TRANSACTION} ROWS{again}"
    )


def _key(label: Label, position: int) -> str:
    kind: Kind = label.columns[label.key[0]]
    text = f"row[{position}]"
    return f"{label.key[0]}: {f'toInteger({text})' if kind == 'integer' else text}"


if __name__ == "__main__":
    load(sys.argv[1], concurrent=sys.argv[2] == "concurrent", on_error=sys.argv[3])
