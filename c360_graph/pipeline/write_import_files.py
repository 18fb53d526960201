"""Writes the files of an offline import from the latest extracts: a folder that is whole or absent."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from c360_graph.cypher import manifest as manifest_text
from c360_graph.cypher.script_writer import ScriptHeader, script_manifest
from c360_graph.errors import ExtractError, ImportFilesError
from c360_graph.extract_joins.engine import JoinEngine, join_engine
from c360_graph.extract_joins.graph_input import GraphParts
from c360_graph.extracts import Extract
from c360_graph.files import open_private, private_folder, work_folder
from c360_graph.import_files.csv_rows import (
    BYTE_ORDER_MARK,
    LIST_DELIMITER,
    CsvColumn,
    NumberedTable,
    header_line,
)
from c360_graph.import_files.import_folder import (
    CsvFile,
    ImportInput,
    arguments_text,
    end_script,
    late_properties,
    list_properties,
    node_file,
    refuse_path,
    relationship_files,
)
from c360_graph.mapping.graph_manifest import (
    GraphManifest,
    RelationshipPattern,
    pattern_of,
)
from c360_graph.mapping.model import NodeTable, RelationshipMapping, node_tables
from c360_graph.sql_quoting import sql_literal
from c360_graph.text import plural

ARGUMENTS, END_SCRIPT, REPORT = "arguments.txt", "after_import.cypher", "import_report.txt"
MANIFEST = "manifest.csv"
_MANIFEST_ID = 0
_READ_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class WrittenImport:
    """The folder of an import, and what the graph will hold."""

    folder: Path
    nodes: dict[str, int]
    relationships: dict[str, int]

    @property
    def arguments(self) -> Path:
        """The file that neo4j-admin reads."""
        return self.folder / ARGUMENTS

    @property
    def end_script(self) -> Path:
        """What runs on the started server."""
        return self.folder / END_SCRIPT


def write_import_files(
    parts: GraphParts,
    *,
    header: ScriptHeader,
    folder: Path,
    memory: str,
    report: Callable[[str], None],
) -> WrittenImport:
    """Write everything that an import of these parts takes.

    Args:
        parts: extracts and relationships.
        header: what a script over them would say.
        folder: made by this; an empty one may be there.
        memory: what the engine that joins may use, such as `1GB`.
        report: is told of each file.

    Raises:
        ImportFilesError: the folder is not empty or cannot be written, or a label cannot be.
        ExtractError: an extract is not what was read, or cannot be joined.
    """
    target = folder.resolve()
    refuse_path(target)
    _refuse_taken(target)
    try:
        private_folder(target.parent)
        with _work_beside(target) as work, join_engine(work / "spilled", memory=memory) as engine:
            files = private_folder(work / "files")
            writer = _Writer(engine, files, target, report=report)
            writer.write(parts, header)
            # Anything that came meanwhile is not replaced: a folder can only replace an empty one.
            files.rename(target)
    except OSError as error:
        raise ImportFilesError(f"{target} cannot be written: {error.strerror or error}.") from None
    return WrittenImport(
        folder=target,
        nodes=dict(writer.nodes),
        relationships=writer.relationships,
    )


def _refuse_taken(target: Path) -> None:
    if target.exists() or target.is_symlink():
        with suppress(OSError):
            if target.is_dir() and not target.is_symlink() and not any(target.iterdir()):
                return
        raise ImportFilesError(
            f"{target} exists and is not an empty folder. Name a new folder, or remove it first."
        )


@contextmanager
def _work_beside(target: Path) -> Iterator[Path]:
    """A folder on the same disk; what a killed process left there is removed by the next export."""
    root = target.with_name(f".{target.name}.work")
    try:
        with work_folder(root) as work:
            yield work
    finally:
        with suppress(OSError):
            root.rmdir()


class _Writer:
    """Writes the files of one import, and knows what is in them."""

    def __init__(
        self, engine: JoinEngine, files: Path, target: Path, *, report: Callable[[str], None]
    ) -> None:
        self._engine, self._files, self._target, self._report = engine, files, target, report
        self._inputs: list[ImportInput] = []
        self.nodes: Counter[str] = Counter()
        self._between: Counter[RelationshipPattern] = Counter()

    @property
    def relationships(self) -> dict[str, int]:
        """Relationships of each type."""
        found: Counter[str] = Counter()
        for (kind, _, _), count in self._between.items():
            found[kind] += count
        return dict(found)

    def write(self, parts: GraphParts, header: ScriptHeader) -> None:
        ours = script_manifest(header, parts.tables, parts.relationships)
        _refuse_labels(ours)
        tables = self._numbered(parts)
        for table in tables.values():
            if isinstance(table.table, NodeTable):
                self._write_nodes(table.table, table)
        for mapping in parts.relationships:
            self._write_relationships(mapping, tables, parts)
        ours = self._counted(ours)
        content = ours.to_json()
        self._write_manifest(content)
        text = arguments_text(
            self._inputs,
            report=self._target / REPORT,
            has_line_breaks=any(table.has_line_breaks for table in tables.values())
            or _has_line_break(ours),
            longest_row_bytes=max(
                len(content), *(e.manifest.longest_row_bytes for e in parts.extracts)
            ),
        )
        self._put(ARGUMENTS, text.encode())
        late = late_properties(tables.values(), parts.relationships, parts.index)
        read = node_tables(extract.manifest.table for extract in parts.extracts)
        self._put(END_SCRIPT, end_script(read, parts.relationships, late))

    def _numbered(self, parts: GraphParts) -> dict[str, NumberedTable]:
        """The tables that have rows, by qualified name; those of nodes come first, and leave no gap between numbers."""
        first = _MANIFEST_ID + 1
        found = {}
        for extract in sorted(parts.extracts, key=_is_of_no_node):
            if extract.manifest.rows:
                table = self._examined(extract, first=first)
                found[table.table.qualified_name] = table
                first += table.rows
        return found

    def _examined(self, extract: Extract, *, first: int) -> NumberedTable:
        """A table with what has to be known of its values before they are written."""
        begins_with_mark, has_line_breaks = _looked_through(extract)
        table = NumberedTable(
            extract=extract,
            first=first,
            begins_with_mark=begins_with_mark,
            has_line_breaks=has_line_breaks,
        )
        properties = table.table.properties
        if len(properties) == 1:
            ((found,),) = self._ask(
                table, f"SELECT count(*) FROM ({table.rows_sql({'v0': properties[0].column})})"
            )
            table = replace(table, empty_lines=table.rows - found)
        lists = list_properties(table)
        if not lists:
            return table
        texts: Mapping[str, str | None] = {f"v{i}": p.column for i, p in enumerate(properties)}
        conditions = ", ".join(f"coalesce(bool_or({text}), false)" for text in lists.values())
        (late,) = self._ask(table, f"SELECT {conditions} FROM ({table.rows_sql(texts)})")
        names = frozenset(name for name, is_late in zip(lists, late, strict=True) if is_late)
        return replace(table, late=names)

    def _write_nodes(self, mapped: NodeTable, table: NumberedTable) -> None:
        written = self._copied(table, node_file(mapped, table))
        if written != table.rows:
            raise ExtractError(
                f"The extract of {table.table.qualified_name} holds {written:,} rows where {table.rows:,} were read."
                " Something changed it; materialize that asset again."
            )
        self.nodes[mapped.node_label] += written
        self._report(
            f"{mapped.node_label}: {plural(written, 'node')} of {table.table.qualified_name}"
        )

    def _write_relationships(
        self,
        mapping: RelationshipMapping,
        tables: Mapping[str, NumberedTable],
        parts: GraphParts,
    ) -> None:
        written = 0
        for file in relationship_files(mapping, tables, parts.index):
            written += self._copied(tables[file.table], file)
        self._between[pattern_of(mapping)] += written
        self._report(f"{mapping.relationship_type}: {plural(written, 'relationship')}")

    def _copied(self, table: NumberedTable, file: CsvFile) -> int:
        """Fill a file and write its header; returns its rows."""
        name = f"{file.kind}_{len(self._inputs):04d}.csv"
        quoted = ", ".join(file.quoted_columns)
        force = f", FORCE_QUOTE ({quoted})" if quoted else ""
        path = sql_literal(str(self._files / name))
        ((written,),) = self._ask(
            table,
            f"COPY ({file.query}) TO {path} (FORMAT csv, HEADER false, DELIMITER ',', QUOTE '\"',"
            f" ESCAPE '\"', NULLSTR ''{force})",
        )
        if written:
            _flush(self._files / name)
            self._add(name, file.kind, file.group, file.columns)
        else:
            (self._files / name).unlink(missing_ok=True)
        return int(written)

    def _ask(self, table: NumberedTable, statement: str) -> list[list[int]]:
        try:
            return self._engine.rows(statement)
        except ExtractError as error:
            raise ExtractError(
                f"The extract of {table.table.qualified_name} cannot be exported: {error}. Give the export more memory"
                " (--memory) or disk, or materialize the table again."
            ) from None

    def _counted(self, ours: GraphManifest) -> GraphManifest:
        """The manifest with what a load would count at its end."""
        return ours.with_counts(
            nodes=self.nodes, relationships=self.relationships, between=self._between
        )

    def _write_manifest(self, content: str) -> None:
        columns = tuple(
            CsvColumn(header=header, sql="", is_text=True)
            for header in (":ID", "state:string", "content:string")
        )
        text = content.replace('"', '""')
        # The script behind the import makes it whole.
        row = f'{_MANIFEST_ID},"{manifest_text.BROKEN}","{text}"\n'
        self._put(MANIFEST, row.encode())
        self._add(MANIFEST, "nodes", manifest_text.LABEL, columns)

    def _add(self, name: str, kind: str, group: str | None, columns: tuple[CsvColumn, ...]) -> None:
        header = name.replace(".csv", "_header.csv")
        self._put(header, header_line(columns).encode())
        self._inputs.append(
            ImportInput(
                kind="nodes" if kind == "nodes" else "relationships",
                group=group,
                header=self._target / header,
                data=self._target / name,
            )
        )

    def _put(self, name: str, content: bytes) -> None:
        with open_private(self._files / name) as file:
            file.write(content)


def _is_of_no_node(extract: Extract) -> bool:
    return not isinstance(extract.manifest.table, NodeTable)


def _flush(path: Path) -> None:
    """Wait until the disk has a file that the engine wrote."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _refuse_labels(ours: GraphManifest) -> None:
    """Make sure that no label holds what stands between labels."""
    for label in (*ours.labels, *ours.extra_labels):
        if chr(LIST_DELIMITER) in label:
            raise ImportFilesError(
                f"The label {label!r} holds U+{LIST_DELIMITER:04X}, which stands between labels in the files of an"
                " import. Name it otherwise in node_label_mappings, or load online."
            )


def _has_line_break(ours: GraphManifest) -> bool:
    """Whether a name that a file holds has one."""
    names = [*ours.names, *ours.extra_labels]
    for listed in (ours.labels, ours.edge_properties, ours.junction_properties):
        for properties in listed.values():
            names += properties
    return any("\n" in name or "\r" in name for name in names)


def _looked_through(extract: Extract) -> tuple[bool, bool]:
    """Whether a file begins with a byte order mark, and whether a value has a line break."""
    mark = BYTE_ORDER_MARK.encode()
    with extract.open() as file:
        block = file.read(_READ_BYTES)
        begins_with_mark = block.startswith(mark)
        while block:
            # COPY writes both as escapes. A pair of backslashes before the letter counts too: it costs time only.
            if b"\\n" in block or b"\\r" in block:
                return begins_with_mark, True
            following = file.read(_READ_BYTES)
            block = block[-1:] + following if following else b""
    return begins_with_mark, False
