"""`python -m benchmarks.identity`: identity resolution alone, of generated records, with time and memory."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from c360_graph.extracts import Extract, ExtractManifest, ExtractStore, WrittenRows, open_rows
from c360_graph.identity.resolution import Former, Limits, Resolution, resolve_records
from c360_graph.mapping.catalog import CatalogColumn, CatalogTable, ColumnType, SourceCatalog
from c360_graph.mapping.control_rows import (
    ControlRows,
    IdentityRuleRow,
    NodeLabelRow,
    SourceRow,
)
from c360_graph.mapping.model import GraphMapping, TableMapping
from c360_graph.mapping.resolve import resolve

SOURCES = ("crm", "shop")
_TEXT, _BIGINT = ColumnType(name="text", base="text"), ColumnType(name="bigint", base="int8")

app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A first load, and a second one that gives the same ids."""

    records: int
    entities: int
    first_seconds: float
    second_seconds: float
    peak_mb: int
    """Of the join engine; this process holds no rows."""


def measure(records: int, folder: Path) -> Measured:
    """Resolve so many records of two tables, twice."""
    mapping = _mapping()
    store = ExtractStore(folder / "data")
    each = records // len(SOURCES)
    random = Random(360)
    extracts = {
        table.asset_key: _extract(store, table, _lines(each, records, random))
        for table in mapping.source_tables
    }
    start = time.monotonic()
    first = _resolve(mapping, extracts, Former(links={}), folder / "first")
    middle = time.monotonic()
    (identity,) = mapping.identities
    links = {
        "/".join(record.table): _committed(store, written.table, written.path)
        for record, written in zip(identity.records, first.tables[1:], strict=True)
    }
    former = Former(links=links, highest_id=first.ids.highest_id)
    again = time.monotonic()
    second = _resolve(mapping, extracts, former, folder / "second")
    end = time.monotonic()
    assert (second.ids.created, second.ids.changed_records) == (0, 0)
    return Measured(
        records=first.records,
        entities=first.entities,
        first_seconds=middle - start,
        second_seconds=end - again,
        peak_mb=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    )


@app.command()
def main(
    records: Annotated[
        list[int] | None, typer.Option(help="Records; may be given several times.")
    ] = None,
) -> None:
    """Time and memory by number of records."""
    measured: list[Measured] = []
    for number in sorted(records or (100_000, 1_000_000)):
        with tempfile.TemporaryDirectory(prefix="c360_identity_") as folder:
            found = measure(number, Path(folder))
        measured.append(found)
        typer.echo(
            f"{found.records:>10,} records  {found.entities:>9,} entities  first load"
            f" {found.first_seconds:6.1f} s  second {found.second_seconds:6.1f} s  engine"
            f" {found.peak_mb:,} MB"
        )
    for small, large in pairwise(measured):
        typer.echo(
            f"{large.records / small.records:.1f} times the records take"
            f" {large.first_seconds / small.first_seconds:.1f} times as long"
        )


def _resolve(
    mapping: GraphMapping, extracts: dict[tuple[str, str], Extract], former: Former, folder: Path
) -> Resolution:
    folder.mkdir()
    return resolve_records(
        mapping.identities[0],
        extracts,
        decisions=(),
        former=former,
        limits=Limits(shared_records=20),
        folder=folder,
    )


def _mapping() -> GraphMapping:
    columns = ("email", "phone", "name")
    tables = [
        SourceCatalog(
            source_id=number,
            tables=(
                CatalogTable(
                    schema_name="public",
                    table_name="people",
                    columns=(
                        CatalogColumn(name="id", type=_BIGINT, nullable=False),
                        *(CatalogColumn(name=name, type=_TEXT) for name in columns),
                    ),
                    primary_key=("id",),
                ),
            ),
            table_names=("people",),
        )
        for number, _ in enumerate(SOURCES, start=1)
    ]
    rows = ControlRows(
        sources=tuple(
            SourceRow(source_id=number, source_name=name, db_name=name)
            for number, name in enumerate(SOURCES, start=1)
        ),
        labels=tuple(
            NodeLabelRow(
                mapping_id=number, source_id=number, table_name="people", node_label=name.title()
            )
            for number, name in enumerate(SOURCES, start=1)
        ),
        identity_rules=tuple(
            IdentityRuleRow(
                rule_id=number,
                entity_label="Customer",
                table_name="people",
                identifier_kind=column,
                column_name=column,
            )
            for number, column in enumerate(columns[:2], start=1)
        ),
    )
    return resolve(rows, {catalog.source_id: catalog for catalog in tables})


def _lines(count: int, records: int, random: Random) -> Iterator[bytes]:
    """Records of half as many people; one in a hundred has a number that a hundred others have."""
    people = max(1, records // 2)
    for number in range(count):
        person = random.randrange(people)
        email = f"person{person}@mail{person % 97}.example" if random.random() < 0.9 else r"\N"
        phone = f"+4930{1_000_000 + person}" if random.random() < 0.7 else r"\N"
        if random.random() < 0.01:
            phone = f"000{random.randrange(max(1, records // 10_000))}"
        yield f"{number}\t{email}\t{phone}\tName of {person}\n".encode()


def _extract(store: ExtractStore, table: TableMapping, lines: Iterator[bytes]) -> Extract:
    with store.new_folder() as folder:
        longest = 0
        with open_rows(folder) as (out, file):
            for line in lines:
                longest = max(longest, len(line))
                out.write(line)
        return store.commit(folder, _manifest(table, file, longest))


def _committed(store: ExtractStore, table: TableMapping, path: Path) -> Extract:
    with path.open("rb") as lines:
        return _extract(store, table, iter(lines))


def _manifest(table: TableMapping, file: WrittenRows, longest: int) -> ExtractManifest:
    now = datetime.now(UTC)
    return ExtractManifest(
        table=table,
        rows=file.lines,
        values_absent={},
        file_bytes=file.size,
        file_lines=file.lines,
        file_digest=file.digest,
        longest_row_bytes=longest,
        log_id=1,
        table_log_id=0,
        start_time=now,
        end_time=now,
    )


if __name__ == "__main__":
    app()
