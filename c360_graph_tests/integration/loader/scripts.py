"""Small scripts of the real format, their rows made on the spot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, closing
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from c360_graph.cypher.script_writer import TableExtract, header_for, write_script
from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.graph_manifest import Owner
from c360_graph.mapping.model import (
    Junction,
    JunctionTable,
    NodeTable,
    PropertyMapping,
    RelationshipMapping,
    TableMapping,
)

SOURCE = SourceRow(source_id=1, source_name="clinic", db_name="clinic")

Row = Sequence[object]


def table(
    name: str, label: str, columns: dict[str, str], *, key: tuple[str, ...] = ()
) -> NodeTable:
    """A table whose columns have these PostgreSQL types; text is nullable."""
    return NodeTable(
        source=SOURCE,
        table_name=name,
        mapping_id=1,
        node_label=label,
        properties=_properties(columns, key),
        key=key,
    )


def _properties(columns: dict[str, str], key: tuple[str, ...] = ()) -> tuple[PropertyMapping, ...]:
    return tuple(
        PropertyMapping(
            column=column,
            type=ColumnType(name=base, base=base),
            nullable=base == "text" and column not in key,
        )
        for column, base in columns.items()
    )


PATIENT = table("patient", "Patient", {"id": "int8", "name": "text"}, key=("id",))
VISIT = table("visit", "Visit", {"patient": "int8", "note": "text"})
REFERRAL = JunctionTable(
    source=SOURCE,
    table_name="referral",
    mapping_id=None,
    properties=_properties({"sender": "int8", "receiver": "int8"}),
)


def patients(count: int) -> list[Row]:
    """Patients with ids from 0."""
    return [(number, f"patient {number}") for number in range(count)]


def visits(count: int, *, of: int) -> list[Row]:
    """Visits of the patients 0 up to `of`, one after the other."""
    return [(number % of, f"visit {number}") for number in range(count)]


def joined(
    number: int, kind: str = "VISITED", *, on: tuple[str, str] = ("id", "patient")
) -> RelationshipMapping:
    """(Patient)-[:kind]->(Visit), made from the visits."""
    return RelationshipMapping(
        relationship_id=number,
        relationship_type=kind,
        from_label="Patient",
        to_label="Visit",
        pairs=(on,),
        seek="from",
    )


def referred(number: int, kind: str = "REFERRED") -> RelationshipMapping:
    """(Patient)-[:kind]->(Patient) for each row of the junction, which is no label."""
    return RelationshipMapping(
        relationship_id=number,
        relationship_type=kind,
        from_label="Patient",
        to_label="Patient",
        junction=Junction(
            table=("clinic", "referral"),
            node_label=None,
            from_pairs=(("id", "sender"),),
            to_pairs=(("id", "receiver"),),
        ),
    )


def write(
    path: Path,
    rows: Iterable[tuple[TableMapping, Sequence[Row]]],
    mappings: tuple[RelationshipMapping, ...] = (),
    owner: Owner | None = None,
) -> Path:
    """A script over these tables with these rows."""
    extracts = tuple(extract(mapping, values) for mapping, values in rows)
    with path.open("wb") as out:
        write_script(
            out,
            header=header_for(extracts, created="2026-01-01T00:00:00Z", log_id=None, owner=owner),
            extracts=extracts,
            mappings=mappings,
        )
    return path


def with_small_transactions(script: Path) -> Path:
    """The same script, but relationships are made in many small transactions: slower, and cut better."""
    text = script.read_bytes()
    assert b"OF 10000 ROWS" in text
    script.write_bytes(text.replace(b"OF 10000 ROWS", b"OF 100 ROWS"))
    return script


def extract(mapping: TableMapping, rows: Sequence[Row]) -> TableExtract:
    """The extract of a table with these rows."""
    text = "".join("\t".join(map(copied, row)) + "\n" for row in rows).encode()

    def open_rows() -> AbstractContextManager[BinaryIO]:
        return closing(BytesIO(text))

    return TableExtract(table=mapping, rows=len(rows), open=open_rows)


def copied(value: object) -> str:
    """A value in COPY's text form."""
    if value is None:
        return "\\N"
    escapes: dict[str, str | int | None] = {
        "\\": "\\\\",
        "\t": "\\t",
        "\n": "\\n",
        "\r": "\\r",
        "\b": "\\b",
        "\f": "\\f",
        "\v": "\\v",
    }
    return str(value).translate(str.maketrans(escapes))
