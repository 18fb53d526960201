"""What is in the databases: as CSV for the contenders that read files, and how much there is of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.generator import Databases
from benchmarks.graph_model import EDGES, LABELS, Edge, Kind, Label

_TIME = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Nodes by label and relationships by type."""

    nodes: dict[str, int]
    relationships: dict[str, int]

    @property
    def all_nodes(self) -> int:
        """Nodes of every label."""
        return sum(self.nodes.values())

    @property
    def all_relationships(self) -> int:
        """Relationships of every type."""
        return sum(self.relationships.values())


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Generated databases, their rows as files, and the graph that they must become.

    `nodes/<Label>.csv` has the columns of the model, `relationships/<TYPE>.csv` both ends' keys; no
    file has a header.
    """

    databases: Databases
    folder: Path
    counts: Counts

    @property
    def events(self) -> int:
        """Play events."""
        return self.databases.events


def export(databases: Databases, folder: Path) -> Dataset:
    """Write the files; counting is left to PostgreSQL, so no contender vouches for another."""
    for name in ("nodes", "relationships"):
        (folder / name).mkdir(parents=True)
    nodes = {
        label.name: _copy(databases, label.source, _rows(label), nodes_file(folder, label.name))
        for label in LABELS.values()
    }
    relationships = {
        edge.type: _copy(
            databases, LABELS[edge.rows].source, _pairs(edge), relationships_file(folder, edge.type)
        )
        for edge in EDGES
    }
    return Dataset(
        databases=databases,
        folder=folder,
        counts=Counts(nodes=nodes, relationships=relationships),
    )


def nodes_file(folder: Path, label: str) -> Path:
    """Where the rows of a label lie."""
    return folder / "nodes" / f"{label}.csv"


def relationships_file(folder: Path, relationship_type: str) -> Path:
    """Where the pairs of keys of a relationship type lie."""
    return folder / "relationships" / f"{relationship_type}.csv"


def _rows(label: Label) -> str:
    columns = ", ".join(_as_text(name, kind) for name, kind in label.columns.items())
    return f"SELECT {columns} FROM {label.table}"


def _as_text(column: str, kind: Kind) -> str:
    return _TIME.format(column) if kind == "datetime" else column


def _pairs(edge: Edge) -> str:
    rows = LABELS[edge.rows]
    keys, joins = [], []
    for alias, name, by in (("a", edge.start, edge.start_by), ("b", edge.end, edge.end_by)):
        label = LABELS[name]
        keys.append(f"{alias if by else 'r'}.{label.key[0]}")
        if by:
            joins.append(f"JOIN {label.table} AS {alias} ON {alias}.{by[0]} = r.{by[1]}")
    return f"SELECT {', '.join(keys)} FROM {rows.table} AS r {' '.join(joins)}"


def _copy(databases: Databases, source: str, query: str, file: Path) -> int:
    with (
        _connected(databases, source) as connection,
        file.open("wb") as out,
        connection.cursor() as cursor,
    ):
        with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)".encode()) as stream:
            for data in stream:
                out.write(data)
        return cursor.rowcount


@contextmanager
def _connected(databases: Databases, source: str) -> Iterator[psycopg.Connection]:
    """A connection to a source that has the accounts too, so that PostgreSQL can join across."""
    with databases.server.connect(databases.source(source)) as connection:
        connection.execute("SET timezone = 'UTC'")
        if source != "profiles_db":
            connection.execute("CREATE TEMPORARY TABLE accounts (account_id uuid, email text)")
            with (
                databases.server.connect(databases.source("profiles_db")) as profiles,
                profiles.cursor().copy("COPY accounts (account_id, email) TO STDOUT") as there,
                connection.cursor().copy("COPY accounts FROM STDIN") as here,
            ):
                for data in there:
                    here.write(data)
            connection.execute("ANALYZE accounts")
        yield connection
