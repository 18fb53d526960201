"""The pipeline's pieces without its orchestration: a table is extracted, written to a script and loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from c360_graph.cypher.script_writer import TableExtract, header_for, write_script
from c360_graph.extracts import ExtractManifest, ExtractStore, FolderExtract, open_rows
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import LoadResult, load_into_empty
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.control_rows import (
    ControlRows,
    ExclusionRow,
    NodeLabelRow,
    SourceRow,
)
from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.mapping.tables import describe
from c360_graph.source.snapshot import SourceSnapshot, open_snapshot
from c360_graph_tests.conftest import TestServers

HASH_KEY = "a key for tests"


@dataclass(frozen=True, kw_only=True)
class SourceDatabase:
    """A database of the PostgreSQL server, seen as a source."""

    servers: TestServers
    database: str
    folder: Path
    schema: str = "public"
    time_zone: str | None = None

    @property
    def row(self) -> SourceRow:
        """The row of source_databases that names it."""
        return SourceRow(
            source_id=1,
            source_name=f"src.{self.schema}",
            db_name=self.database,
            db_schema=self.schema,
            time_zone=self.time_zone,
        )

    def within(self, **changes: Any) -> SourceDatabase:
        """The same database with another schema or time zone."""
        return replace(self, **changes)

    def execute(self, *statements: str) -> None:
        """Run statements as its owner."""
        with self.servers.postgres.connect(self.database) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows by PostgreSQL itself, its text in the forms that the properties have."""
        with self.servers.postgres.connect(self.database) as connection:
            connection.execute("SET intervalstyle = 'iso_8601'; SET timezone = 'UTC'")
            return connection.execute(statement).fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[SourceSnapshot]:
        """One snapshot of it."""
        with open_snapshot(self.row, self.servers.credentials(self.database)) as snapshot:
            yield snapshot

    def mapping(
        self, table: str, *, label: str | None = None, rules: tuple[ExclusionRow, ...] = ()
    ) -> TableMapping:
        """The table as a label, named as itself where no other is asked for."""
        with self.snapshot() as snapshot:
            return self._described(snapshot, table, label or table, rules)

    def extract(
        self, table: str, *, label: str | None = None, rules: tuple[ExclusionRow, ...] = ()
    ) -> FolderExtract:
        """A committed extract of the table."""
        store = ExtractStore(self.folder)
        with self.snapshot() as snapshot:
            described = self._described(snapshot, table, label or table, rules)
            with store.new_folder() as folder:
                losses = snapshot.losses(described)
                with open_rows(folder) as (out, file):
                    copied = snapshot.copy(
                        described, out, lambda rows: None, hashing=KeyedHash(HASH_KEY)
                    )
                manifest = ExtractManifest(
                    table=described,
                    rows=copied.rows,
                    rows_left_out=losses.rows,
                    rows_too_long=losses.too_long,
                    left_out_sample=snapshot.rows_left_out(described, most=5 if losses.rows else 0),
                    values_absent=losses.values,
                    file_bytes=file.size,
                    file_lines=file.lines,
                    file_digest=file.digest,
                    longest_row_bytes=copied.longest_bytes,
                    log_id=1,
                    table_log_id=1,
                    start_time=datetime.now(UTC),
                    end_time=datetime.now(UTC),
                )
                return store.commit(folder, manifest)

    def script(
        self, *extracts: FolderExtract, mappings: tuple[RelationshipMapping, ...] = ()
    ) -> Path:
        """A script over these extracts."""
        parts = tuple(
            TableExtract(table=e.manifest.table, rows=e.manifest.rows, open=e.open)
            for e in extracts
        )
        path = self.folder / "graph.cypher"
        header = header_for(parts, created="now", log_id=1)
        with path.open("wb") as out:
            write_script(out, header=header, extracts=parts, mappings=mappings)
        return path

    def _described(
        self,
        snapshot: SourceSnapshot,
        table: str,
        label: str,
        rules: tuple[ExclusionRow, ...],
    ) -> TableMapping:
        return describe(
            source=self.row,
            table_name=table,
            label_row=NodeLabelRow(mapping_id=1, source_id=1, table_name=table, node_label=label),
            rows=ControlRows(exclusions=rules),
            catalog_table=snapshot.catalog(frozenset({table})).table(table),
        )


def rule(table: str, column: str, treatment: str) -> ExclusionRow:
    """A rule of field_exclusion_rules."""
    return ExclusionRow(
        rule_id=1, source_id=None, table_name=table, column_name=column, treatment=treatment
    )


def load(graph: Graph, script: Path) -> LoadResult:
    """Load by the project's own loader."""
    return load_into_empty(graph, script)
