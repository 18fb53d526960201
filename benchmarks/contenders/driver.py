"""The hand-tuned reference: the driver with its Rust extension, lists as parameters, two sessions.

`python -m benchmarks.contenders.driver FOLDER`
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path

from neo4j import Driver, ManagedTransaction

from benchmarks.contenders.contender import Contender, Ground, Run, connected, module_run
from benchmarks.dataset import nodes_file
from benchmarks.graph_model import EDGES, INDEXES, LABELS, SCHEMA, Label, properties, relationships

BATCH_ROWS = 1_000
SESSIONS = 2

Row = list[str | int | None]


class ListParameters(Contender):
    """What somebody who knows Neo4j well writes for exactly these tables."""

    title = "driver, list parameters, 2 sessions (reference)"

    def prepare(self, ground: Ground) -> Run:
        """This module, on the dataset's files."""
        return module_run(ground, __name__, str(ground.dataset.folder))


def load(driver: Driver, folder: Path) -> None:
    """Constraints, nodes, the index, relationships."""
    for statement in SCHEMA:
        driver.execute_query(statement)
    for label in LABELS.values():
        _load_nodes(driver, label, nodes_file(folder, label.name))
    with driver.session() as session:
        for statement in (*INDEXES, *map(relationships, EDGES)):
            session.run(statement).consume()


def _load_nodes(driver: Driver, label: Label, file: Path) -> None:
    columns = properties(label, integers_are_text=False)
    statement = f"UNWIND $rows AS row CREATE (:{label.name} {{{columns}}})"

    def create(transaction: ManagedTransaction, rows: list[Row]) -> None:
        transaction.run(statement, rows=rows).consume()

    def send(rows: list[Row]) -> None:
        with driver.session() as session:
            session.execute_write(create, rows)

    pending: set[Future[None]] = set()
    with ThreadPoolExecutor(SESSIONS) as pool:
        for rows in _batches(label, file):
            pending.add(pool.submit(send, rows))
            if len(pending) > SESSIONS:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
        for future in pending:
            future.result()


def _batches(label: Label, file: Path) -> Iterator[list[Row]]:
    integers = [i for i, kind in enumerate(label.columns.values()) if kind == "integer"]
    with file.open(newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        while rows := list(islice(reader, BATCH_ROWS)):
            yield [_typed(row, integers) for row in rows]


def _typed(texts: list[str], integers: list[int]) -> Row:
    row: Row = [text or None for text in texts]
    for position in integers:
        row[position] = int(texts[position]) if texts[position] else None
    return row


if __name__ == "__main__":
    with connected() as opened:
        load(opened, Path(sys.argv[1]))
