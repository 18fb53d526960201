"""A world: source databases and control rows as SQL files, built into the graph by the pipeline."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from neo4j.time import Date, DateTime

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph.sandbox.sample import fill_database
from c360_graph_tests.conftest import SQL_DIR, TestServers, drop_databases, empty
from c360_graph_tests.integration.runs import load_graph

FOLDER = Path(__file__).parent
HASH_KEY = "a key for tests"


@dataclass(frozen=True, kw_only=True)
class World:
    """Databases under names of their own, and the target."""

    servers: TestServers
    prefix: str
    control_db: str
    graph: Graph
    data_dir: Path

    def control(self, text: str, *values: Any) -> None:
        """Change control rows."""
        with self.servers.postgres.connect(self.control_db) as connection:
            connection.execute(text.encode(), values or None)

    def execute_in(self, source: str, statement: str) -> None:
        """Change a source."""
        with self.servers.postgres.connect(self.prefix + source) as connection:
            connection.execute(statement.encode())

    def sql(self, source: str, query: str) -> list[tuple[Any, ...]]:
        """What a source answers."""
        with self.servers.postgres.connect(self.prefix + source) as connection:
            return connection.execute(query.encode()).fetchall()

    def number(self, source: str, query: str) -> int:
        """The one number that a source answers."""
        return int(self.sql(source, query)[0][0])

    def cypher(self, query: str) -> list[tuple[Any, ...]]:
        """What the graph answers, moments as Python's."""
        return [tuple(map(_native, row.values())) for row in self.graph.rows(query)]

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Nodes by label, relationships by type."""
        return graph_counts(self.graph)

    def materialize(self) -> dg.ExecuteInProcessResult:
        """Every asset, on definitions that are read anew."""
        return load_graph()


def joined(left: Iterable[tuple[Any, ...]], right: Iterable[tuple[Any, ...]]) -> int:
    """Rows of an inner join by whole tuples, as SQL counts them: NULL equals nothing."""
    ours, theirs = (Counter(row for row in rows if None not in row) for rows in (left, right))
    return sum(count * theirs[row] for row, count in ours.items())


_MADE_BEFORE: dict[str, frozenset[str]] = {}
"""Constraints and indexes that loads of these control rows made: the next one finds them, and plans that still hold."""


@contextmanager
def built_from(files: Mapping[str, str], servers: TestServers, folder: Path) -> Iterator[World]:
    """The world of SQL texts, by the names of their databases, as `built` makes that of files."""
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    with built(str(folder), servers, folder) as made:
        yield made


@contextmanager
def built(name: str, servers: TestServers, folder: Path, *, change: str = "") -> Iterator[World]:
    """The world of a folder of SQL files, with its graph built; `change` alters control rows first."""
    files = FOLDER / name
    prefix = f"t{uuid4().hex[:8]}_"
    control_db = f"{prefix}control"
    environment = servers.environment(control_db) | {
        "C360_DATA_DIR": str(folder / "data"),
        "C360_HASH_KEY": HASH_KEY,
    }
    try:
        _fill(servers, files, prefix=prefix, control_db=control_db)
        with pytest.MonkeyPatch.context() as patch, servers.open_graph() as graph:
            for variable in [v for v in os.environ if v.startswith(("C360_", "DAGSTER_"))]:
                patch.delenv(variable)
            for variable, value in environment.items():
                patch.setenv(variable, value)
            control_rows = (files / "control.sql").read_text(encoding="utf-8") + change
            empty(graph, kept=_MADE_BEFORE.get(control_rows, ()))
            world = World(
                servers=servers,
                prefix=prefix,
                control_db=control_db,
                graph=graph,
                data_dir=folder / "data",
            )
            if change:
                world.control(change)
            assert world.materialize().success
            schema = graph.rows("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name")
            _MADE_BEFORE[control_rows] = frozenset(row["name"] for row in schema)
            yield world
    finally:
        drop_databases(servers.postgres, prefix)


def _fill(servers: TestServers, files: Path, *, prefix: str, control_db: str) -> None:
    for file in files.glob("*.sql"):
        if file.stem != "control":
            fill_database(servers.postgres, name=prefix + file.stem, files=(file,))
    fill_database(
        servers.postgres,
        name=control_db,
        files=(SQL_DIR / "etl_control_db_schema.sql", files / "control.sql"),
    )
    with servers.postgres.connect(control_db) as connection:
        connection.execute("UPDATE source_databases SET db_name = %s || db_name", (prefix,))


def _native(value: Any) -> Any:
    return value.to_native() if isinstance(value, (Date, DateTime)) else value
