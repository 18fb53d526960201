"""One CREATE statement a row, the way such scripts are commonly made.

`python -m benchmarks.contenders.single_rows FOLDER`
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.contenders.contender import Contender, Ground, Run, connected, module_run
from benchmarks.dataset import nodes_file, relationships_file
from benchmarks.graph_model import EDGES, LABELS, SCHEMA, Kind, Label


class SingleRows(Contender):
    """Every value a literal, every statement a transaction and a plan of its own."""

    title = "one CREATE statement a row"
    sampled = True

    def prepare(self, ground: Ground) -> Run:
        """This module, on a small set's files."""
        return module_run(ground, __name__, str(ground.dataset.folder))


def statements(folder: Path) -> Iterator[str]:
    """The whole script."""
    yield from SCHEMA
    for label in LABELS.values():
        for row in _rows(nodes_file(folder, label.name)):
            columns = ", ".join(
                f"{name}: {_literal(text, kind)}"
                for (name, kind), text in zip(label.columns.items(), row, strict=True)
                if text
            )
            yield f"CREATE (:{label.name} {{{columns}}})"
    for edge in EDGES:
        for start, end in _rows(relationships_file(folder, edge.type)):
            yield (
                f"MATCH (a:{edge.start} {{{_key(LABELS[edge.start], start)}}}),"
                f" (b:{edge.end} {{{_key(LABELS[edge.end], end)}}}) CREATE (a)-[:{edge.type}]->(b)"
            )


def _rows(file: Path) -> Iterator[list[str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        yield from csv.reader(lines)


def _key(label: Label, text: str) -> str:
    return f"{label.key[0]}: {_literal(text, label.columns[label.key[0]])}"


def _literal(text: str, kind: Kind) -> str:
    if kind in ("integer", "float"):
        return text
    quoted = json.dumps(text)
    return quoted if kind == "string" else f"{kind}({quoted})"


if __name__ == "__main__":
    with connected() as driver, driver.session() as session:
        for statement in statements(Path(sys.argv[1])):
            session.run(statement).consume()
