"""What a failing statement says, and that nothing is changed by a script that cannot be run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from c360_graph.errors import GraphNotEmptyError, ScriptError, StatementError
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import LoadCallbacks, clear_and_load, graph_counts, load_into_empty
from c360_graph.graph.progress import ProgressMeter
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    REFERRAL,
    VISIT,
    joined,
    patients,
    referred,
    table,
    visits,
    write,
)


def failure(graph: Graph, script: Path) -> str:
    with pytest.raises(StatementError) as caught:
        load_into_empty(graph, script, sessions=1)
    return str(caught.value)


def test_a_duplicate_key_is_named_by_its_row_and_key(graph: Graph, tmp_path: Path) -> None:
    late = [(number, "late") for number in range(5_000, 5_100)]
    rows = [*patients(2_700), (1_234, "a secret name"), *late]
    script = write(tmp_path / "s.cypher", [(PATIENT, rows)])
    assert re.sub(r"Node\(\d+\)", "Node(…)", failure(graph, script)) == (
        "Statement 4 (nodes of clinic/patient, label Patient) failed at row 701 of the batch, key"
        " id: 1234: Neo.ClientError.Schema.ConstraintValidationFailed: Node(…) already exists with"
        " label `Patient` and property `id`. The load came to 3 statements and 2,000 of 2,801 nodes;"
        " the graph is incomplete. Mend the cause and load again with clear_database."
    )


def test_of_two_rows_with_one_key_in_a_batch_the_second_is_named(
    graph: Graph, tmp_path: Path
) -> None:
    script = write(tmp_path / "s.cypher", [(PATIENT, [*patients(700), (3, "a secret name")])])
    message = failure(graph, script)
    assert "at row 701 of the batch, key id: 3:" in message
    assert "secret" not in message
    assert graph_counts(graph) == ({}, {})


def test_a_value_that_cannot_be_converted_is_never_part_of_the_message(
    graph: Graph, tmp_path: Path
) -> None:
    columns = {"code": "text", "part": "int8", "seen": "timestamptz"}
    scan = table("scan", "Scan", columns, key=("code", "part"))
    rows = [(f"it's {number}", number, "2025-01-01T00:00:00Z") for number in range(100)]
    rows[42] = ("it's 42", 42, "a secret moment")
    message = failure(graph, write(tmp_path / "s.cypher", [(scan, rows)]))
    assert "at row 43 of the batch, key code: it's 42, part: 42: " in message
    assert "Text cannot be parsed to a DateTime" in message
    assert "secret" not in message


def test_without_a_key_or_with_an_unreadable_one_the_row_has_its_number(
    graph: Graph, tmp_path: Path
) -> None:
    rows = [(f"2025-01-{day:02}" if day != 8 else "a secret day", 1) for day in range(1, 10)]
    for key in ((), ("seen",)):
        scan = table("scan", "Scan", {"seen": "date", "n": "int8"}, key=key)
        message = failure(graph, write(tmp_path / "s.cypher", [(scan, rows)]))
        assert "at row 8 of the batch: Neo.ClientError.Statement" in message
        assert "secret" not in message


def test_running_again_repairs_what_a_failed_statement_left(graph: Graph, tmp_path: Path) -> None:
    script = write(
        tmp_path / "s.cypher",
        [(PATIENT, patients(2_500)), (VISIT, visits(30, of=10))],
        (joined(1),),
    )
    good = script.read_bytes()
    script.write_bytes(good.replace(b"CREATE (a)-", b"CREATE (nobody:Knows {x: [[1]]})-"))
    message = failure(graph, script)
    assert message.startswith("Statement 7 (VISITED, relationship_mappings row 1) failed: ")
    assert "The load came to 6 statements and 2,530 of 2,530 nodes" in message
    script.write_bytes(good)
    with pytest.raises(GraphNotEmptyError):
        load_into_empty(graph, script)
    clear_and_load(graph, script)
    assert graph_counts(graph) == ({"Patient": 2_500, "Visit": 30}, {"VISITED": 30})


def test_rows_of_a_junction_count_neither_as_nodes_to_come_nor_as_nodes_made(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[str, int | None]] = []
    begin = ProgressMeter.begin

    def spy(meter: ProgressMeter, phase: str, *, total: int | None, **more: Any) -> None:
        begun.append((phase, total))
        begin(meter, phase, total=total, **more)

    monkeypatch.setattr(ProgressMeter, "begin", spy)
    script = write(
        tmp_path / "s.cypher",
        [(PATIENT, patients(10)), (REFERRAL, [(1, 2), (2, 3)])],
        (referred(1), referred(2, "KNOWS"), joined(3)),
    )
    script.write_bytes(script.read_bytes().replace(b"CREATE (a)-[:`VISITED`]", b"CREATE 1"))
    assert b"CREATE 1" in script.read_bytes()
    message = failure(graph, script)
    assert "statements and 10 of 10 nodes; the graph is incomplete" in message
    assert ("nodes", 10) in begun


@pytest.mark.parametrize("lost", ["its last statement", "a part of its last line", "half of it"])
def test_a_script_that_was_cut_short_is_refused_before_the_graph_is_touched(
    graph: Graph, tmp_path: Path, lost: str
) -> None:
    graph.run("CREATE (:Other)", tag={})
    script = write(
        tmp_path / "s.cypher", [(PATIENT, patients(50)), (VISIT, visits(50, of=5))], (joined(1),)
    )
    whole = script.read_bytes()
    kept = {
        "its last statement": whole.rindex(b"// c360 {"),
        "a part of its last line": len(whole) - 2,
        "half of it": len(whole) // 2,
    }
    script.write_bytes(whole[: kept[lost]])
    with pytest.raises(ScriptError, match="cut short"):
        clear_and_load(graph, script)
    assert graph_counts(graph) == ({"Other": 1}, {})


def test_a_file_of_another_tool_runs_statement_by_statement(graph: Graph, tmp_path: Path) -> None:
    script = tmp_path / "other.cypher"
    script.write_bytes(
        b"\xef\xbb\xbf// made elsewhere; truly\r\nCREATE INDEX other IF NOT EXISTS FOR (n:A) ON (n.x);\r\n"
        b"CREATE (:A {x: 'a;b'}), (:A {x: \"it's; //\"}); /* ; */ ;\n"
        b"CYPHER 5 UNWIND split('1,2', ',') AS line WITH split(line, ';') AS row\n"
        b"CREATE (n:A {x: row[0]}) RETURN n;\n"
        b"MATCH (a:A) CALL (a) { CREATE (a)-[:TO]->(a) } IN TRANSACTIONS OF 1 ROWS;"
    )
    result = load_into_empty(graph, script)
    assert (result.statements, result.rows) == (4, 0)
    assert (result.nodes, result.relationships) == ({"A": 4}, {"TO": 4})
    assert [row["x"] for row in graph.rows("MATCH (a:A) RETURN a.x AS x ORDER BY x")] == [
        "1",
        "2",
        "a;b",
        "it's; //",
    ]


def test_a_failing_statement_of_another_tool_is_named_by_its_number(
    graph: Graph, tmp_path: Path
) -> None:
    script = tmp_path / "other.cypher"
    script.write_text("CREATE (:A);\nCREATE (:A {x: 1/0});\nCREATE (:A);\n")
    message = failure(graph, script)
    assert message.startswith("Statement 2 failed: Neo.ClientError.Statement.ArithmeticError")
    assert "The load came to 1 statements" in message
    assert graph_counts(graph) == ({"A": 1}, {})


def test_commands_of_cypher_shell_are_refused_before_anything_runs(
    graph: Graph, tmp_path: Path
) -> None:
    script = tmp_path / "other.cypher"
    script.write_text("CREATE (:A);\n:begin\nCREATE (:B);\n:commit\n")
    with pytest.raises(ScriptError, match="statement 2 begins with :begin"):
        load_into_empty(graph, script)
    assert graph_counts(graph) == ({}, {})


def test_running_out_of_memory_is_said_at_once(graph: Graph, tmp_path: Path) -> None:
    script = write(tmp_path / "s.cypher", [(VISIT, visits(1, of=1))])
    script.write_bytes(
        script.read_bytes().replace(
            b"\nCREATE ", b"\nUNWIND range(1, 100000000) AS i WITH row, collect(i) AS many CREATE "
        )
    )
    warnings: list[str] = []
    with pytest.raises(StatementError, match="the server ran out of memory"):
        load_into_empty(graph, script, listener=LoadCallbacks(warn=warnings.append))
    assert warnings == []
