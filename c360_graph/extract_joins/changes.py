"""What changed between the extracts of now and those that the graph holds: rows, and relationships.

Values are compared as COPY's texts, by the engine and out of core, so that only what changed is ever
held by us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO

from c360_graph.cypher.script_writer import NodeExtract
from c360_graph.errors import ExtractError
from c360_graph.extract_joins.engine import JoinEngine, join_engine
from c360_graph.extract_joins.extract_sql import file_lines, written_to
from c360_graph.extract_joins.graph_input import GraphParts, digest_of
from c360_graph.extract_joins.relationship_changes import LinkQuery, link_queries, taking_part
from c360_graph.extract_joins.versions import Versions
from c360_graph.extracts import WRITE_BYTES
from c360_graph.files import private_folder
from c360_graph.graph.desired import LinkChanges, RelationshipRows, RowChanges
from c360_graph.mapping.model import NodeTable, RelationshipMapping, TableIndex
from c360_graph.object_extracts import Extracts


@contextmanager
def comparing(
    parts: GraphParts, store: Extracts, *, warn: Callable[[str], None]
) -> Iterator[Callable[[Mapping[str, str]], ExtractChanges]]:
    """Gives what compares `parts` with the extracts of these digests (by `source/table`)."""
    with store.work_folder() as work, join_engine(work / "spilled") as engine:
        changes = private_folder(work / "changes")
        yield lambda digests: ExtractChanges(
            engine, changes, _versions(parts, store, digests), warn=warn
        )


class ExtractChanges:
    """Compares lazily: a table when it is asked for, a mapping when it is."""

    def __init__(
        self,
        engine: JoinEngine,
        folder: Path,
        versions: Mapping[str, Versions],
        *,
        warn: Callable[[str], None],
    ) -> None:
        self._engine, self._folder, self._versions, self._warn = engine, folder, versions, warn
        self._index = TableIndex(version.table for version in versions.values())
        self._different: dict[str, bool] = {}
        self._numbers = count()

    def rows_before(self, qualified_name: str) -> int | None:
        """Rows of the table's extract that the graph holds; None where it is not kept."""
        versions = self._versions.get(qualified_name)
        return versions.old.manifest.rows if versions else None

    def of_table(self, table: NodeTable) -> RowChanges | None:
        """Rows that are new, other or gone; None where the extracts cannot be compared."""
        versions = self._comparable(table.qualified_name)
        if versions is None:
            return None
        try:
            return RowChanges(
                upserted=self._node_extract(table, versions.name("new")),
                deleted=self._node_extract(table, versions.name("deleted")),
            )
        except ExtractError as error:
            self._warn(_not_compared(table.qualified_name, error))
            return None

    def of_mapping(self, mapping: RelationshipMapping) -> LinkChanges | None:
        """Relationships that are new or gone; None where that cannot be told from the extracts."""
        parts = taking_part(mapping, self._versions, self._index)
        if parts is None or not all(
            self._comparable(part.qualified_name) for part in parts.versions
        ):
            return None
        queries = link_queries(parts, name=f"m{next(self._numbers)}")
        try:
            for statement in queries.preparing:
                self._engine.rows(statement)
            return LinkChanges(
                tables=parts.tables,
                added=self._links(queries.added),
                removed=self._links(queries.removed),
            )
        except ExtractError as error:
            self._warn(_not_compared(mapping.row, error))
            return None

    def _comparable(self, qualified_name: str) -> Versions | None:
        """Both versions of a table, after what differs was put into two tables of the engine."""
        versions = self._versions.get(qualified_name)
        if versions is None or not versions.are_comparable:
            return None
        if qualified_name not in self._different:
            self._different[qualified_name] = self._compare(versions)
        return versions if self._different[qualified_name] else None

    def _compare(self, versions: Versions) -> bool:
        old, new = file_lines(versions.old), file_lines(versions.new)
        upserted, before, deleted = (
            versions.name("new"),
            versions.name("old"),
            versions.name("deleted"),
        )
        try:
            if self._has_nan_key(versions):
                return False
            if versions.are_same:
                for name in (upserted, before, deleted):
                    self._engine.rows(f"CREATE TEMP TABLE {name} (line VARCHAR)")
                return True
            self._engine.rows(f"CREATE TEMP TABLE {upserted} AS {_only_in(new, old)}")
            self._engine.rows(f"CREATE TEMP TABLE {before} AS {_only_in(old, new)}")
            keys = " AND ".join(
                f"{versions.value('o', column)} = {versions.value('n', column)}"
                for column in versions.table.key
            )
            self._engine.rows(
                f"CREATE TEMP TABLE {deleted} AS SELECT line FROM {before} AS o"
                f" ANTI JOIN {upserted} AS n ON {keys}"
            )
        except ExtractError as error:
            self._warn(_not_compared(versions.qualified_name, error))
            return False
        return True

    def _has_nan_key(self, versions: Versions) -> bool:
        queries = (versions.keys_that_are_nan("old"), versions.keys_that_are_nan("new"))
        return any(query is not None and self._engine.rows(query)[0][0] for query in queries)

    def _node_extract(self, table: NodeTable, name: str) -> NodeExtract:
        ((rows,),) = self._engine.rows(f"SELECT count(*) FROM {name}")
        path = self._written(f"SELECT line FROM {name}")
        return NodeExtract(table=table, rows=rows, open=_opened(path))

    def _links(self, query: LinkQuery) -> RelationshipRows:
        ((links,),) = self._engine.rows(query.counting)
        return RelationshipRows(count=links, open=_opened(self._written(query.lines)))

    def _written(self, query: str) -> Path:
        path = self._folder / f"rows_{next(self._numbers)}.tsv"
        self._engine.rows(written_to(path, query))
        return path


def _versions(
    parts: GraphParts, store: Extracts, digests: Mapping[str, str]
) -> dict[str, Versions]:
    found = {}
    for number, extract in enumerate(parts.extracts):
        table = extract.manifest.table
        for kept in store.kept(table.asset_key):
            if digest_of(kept) == digests.get(table.qualified_name):
                found[table.qualified_name] = Versions(number=number, old=kept, new=extract)
                break
    return found


def _only_in(these: str, those: str) -> str:
    # 128 bits, so that two different lines are never taken for the same.
    return (
        f"SELECT line FROM {these} AS a ANTI JOIN (SELECT md5_number(line) AS hash FROM {those}) AS b"
        " ON md5_number(a.line) = b.hash"
    )


def _opened(path: Path) -> Callable[[], BinaryIO]:
    return lambda: path.open("rb", buffering=WRITE_BYTES)


def _not_compared(what: str, error: ExtractError) -> str:
    return (
        f"The extracts of {what} cannot be compared with those before"
        f" ({error}); the graph itself is compared."
    )
