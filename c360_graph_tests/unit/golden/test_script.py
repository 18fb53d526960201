"""The generated script for a tiny mapping, compared whole.

After a change that is meant, `C360_RENEW_GOLDEN=1 pytest c360_graph_tests/unit/golden` writes the
files anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest

from c360_graph.cypher.script_reader import read_statements
from c360_graph.cypher.script_writer import TableExtract, header_for, write_script
from c360_graph.errors import ScriptError
from c360_graph_tests.unit.mapping.given import Case, table

FOLDER = Path(__file__).parent

PEOPLE = table(
    "people",
    "person_id int; name text?; joined timestamptz?; fee numeric(5,2)?; boss int?",
    key="person_id",
)
CLUBS = table("clubs", "club_id text; motto text?", key="club_id")
MEMBERS = table("members", "person_id int; club_id text; since date?; role text?")
ARCHIVE = table("archive", "number text; name text?", key="number")


def shop() -> Case:
    """Two tables, an unlabelled junction with properties, a self relationship."""
    return (
        Case()
        .source("hr", PEOPLE, CLUBS, MEMBERS)
        .label("people", "Person")
        .label("clubs", "Club")
        .joining(
            "Person",
            "REPORTS_TO",
            "Person",
            "p.boss = b.person_id",
            from_alias="p",
            execution_order=20,
        )
        .joining(
            "Person",
            "MEMBER_OF",
            "Club",
            "p.person_id = m.person_id AND m.club_id = c.club_id",
            junction_table="members",
            execution_order=10,
        )
    )


def hostile() -> Case:
    """Names that would be code if they were not quoted, and a label that two sources feed."""
    people = table("o\"'`\\u0060.; //", "i`d\\u0060 int; _ text?", key="i`d\\u0060")
    people = people.model_copy(update={"table_name": "people"})
    case = Case().source("h'r`\\u0060", people).source("old", ARCHIVE)
    case.label("people", "P`\\u0060) DETACH DELETE n //").label(
        "archive", "P`\\u0060) DETACH DELETE n //"
    )
    return case.joining(
        "P`\\u0060) DETACH DELETE n //",
        "KNOWS`]->() //\n",
        "P`\\u0060) DETACH DELETE n //",
        'a."i`d\\u0060" = b."i`d\\u0060"',
        source_db="h'r`\\u0060",
    )


ROWS = {
    # The first goes by road one, its bytes as they are; the second has escapes of its own.
    "hr/people": b"1\tAnn O'Hara\t2025-01-31 12:00:00+00\t9.90\t\\N\n2\t\\N\t\\N\t\\N\t1\n",
    "hr/clubs": (
        b"chess\tlook \\\\ think\\nmove\n" + "go\tété 🎲\\tcalm\n".encode() + b"none\t\\N\n"
    ),
    "hr/members": b"1\tchess\t2025-02-01\tit's\n2\tgo\t\\N\t\\N\n",
}


def script(case: Case, rows: dict[str, bytes]) -> bytes:
    mapping = case.resolve()
    assert mapping.refusals == ()
    extracts = tuple(
        TableExtract(
            table=t,
            rows=rows.get(t.qualified_name, b"").count(b"\n"),
            open=lambda name=t.qualified_name: BytesIO(rows.get(name, b"")),  # type: ignore[misc]
        )
        for t in mapping.tables
    )
    out = BytesIO()
    write_script(
        out,
        header=header_for(extracts, created="2025-11-03T00:00:00+00:00", log_id=7),
        extracts=extracts,
        mappings=mapping.relationships,
    )
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "case", "rows"),
    [("tiny", shop(), ROWS), ("hostile_names", hostile(), {"h'r`\\u0060/people": b"1\tx\n"})],
)
def test_the_script_is_the_golden_one_to_the_byte(
    name: str, case: Case, rows: dict[str, bytes]
) -> None:
    golden = FOLDER / f"{name}.cypher"
    written = script(case, rows)
    if os.environ.get("C360_RENEW_GOLDEN"):
        golden.write_bytes(written)
    assert written.decode() == golden.read_bytes().decode()


def test_an_extract_with_other_rows_than_were_read_makes_no_script() -> None:
    (extract,) = (
        TableExtract(table=t, rows=3, open=lambda: BytesIO(ROWS["hr/people"]))
        for t in shop().resolve().tables
        if t.qualified_name == "hr/people"
    )
    with pytest.raises(ScriptError, match="hr/people holds 2 rows where 3 were read"):
        write_script(
            BytesIO(),
            header=header_for((extract,), created="now", log_id=7),
            extracts=(extract,),
            mappings=(),
        )


def test_hostile_names_make_no_statement_of_their_own() -> None:
    kinds = [
        statement.facts.kind if statement.facts else None
        for statement in read_statements(BytesIO(script(hostile(), {})))
    ]
    assert kinds == [
        "manifest",
        "constraint",
        "constraint",
        "index",
        "await",
        "relationships",
        "manifest",
    ]
