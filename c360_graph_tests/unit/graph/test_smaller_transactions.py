"""How work is made lighter for a server that lacks memory."""

from __future__ import annotations

from io import BytesIO
from typing import cast

import pytest
from neo4j.exceptions import Neo4jError

from c360_graph.cypher import weights
from c360_graph.cypher.copy_text import blocks
from c360_graph.cypher.script_reader import Batch
from c360_graph.errors import ServerMemoryError
from c360_graph.graph import attempts
from c360_graph.graph.attempts import Attempts, Work
from c360_graph.graph.connection import Graph, Tag, outcome
from c360_graph.graph.execution import in_parts, with_smaller_transactions


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("Neo.TransientError.General.OutOfMemoryError", "whatever"),
        ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", "whatever"),
        ("Neo.DatabaseError.Statement.ExecutionFailed", "Java heap space"),
        ("Neo.DatabaseError.Statement.ExecutionFailed", "GC overhead limit exceeded"),
        ("Neo.DatabaseError.General.UnknownError", "java.lang.OutOfMemoryError: x"),
    ],
)
def test_a_lack_of_memory_is_told_in_each_of_its_shapes(code: str, message: str) -> None:
    error = Neo4jError._hydrate_neo4j(code=code, message=message)
    assert outcome(error) == "out of memory"


class Ended:
    def end_transactions(self, tag: Tag) -> None:
        """Nothing runs."""


def test_work_is_made_lighter_until_it_fits_and_given_up_when_it_cannot_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(attempts, "LONGEST_WAIT", 0.001)
    rows = 20_000
    sent: list[int] = []

    def send(fits: int) -> None:
        sent.append(rows)
        if rows > fits:
            raise Neo4jError._hydrate_neo4j(
                code="Neo.DatabaseError.Statement.ExecutionFailed", message="Java heap space"
            )

    def lighten() -> bool:
        nonlocal rows
        was, rows = rows, max(1, rows // 2)
        return rows < was

    trying = Attempts(cast(Graph, Ended()), warn=lambda message: None, check=lambda: None)
    trying.run(Work(title="Removing", tag={}, send=lambda: send(3_000), lighten=lighten))
    assert sent == [20_000, 10_000, 5_000, 2_500]
    rows = 4
    with pytest.raises(ServerMemoryError, match="Removing: the server ran out of memory"):
        trying.run(Work(title="Removing", tag={}, send=lambda: send(0), lighten=lighten))


def test_a_batch_is_sent_in_halves_in_its_order_down_to_a_single_row() -> None:
    def send(part: Batch) -> str:
        if len(part.rows) > 3:
            raise ServerMemoryError("too much")
        return part.rows

    whole = Batch(text="t", rows="a\nb\nc\nd\ne", row_mark="\n")
    assert in_parts(whole, send) == ["a\nb", "c", "d\ne"]
    with pytest.raises(ServerMemoryError):
        in_parts(Batch(text="t", rows="a\nlong", row_mark="\n"), send)


def test_the_transactions_of_a_statement_get_smaller_and_those_in_its_values_do_not() -> None:
    text = (
        b"MATCH (n {t: ' IN TRANSACTIONS OF 9 ROWS'}) CALL (n) { x } IN TRANSACTIONS OF 10000 ROWS"
    )
    assert with_smaller_transactions(text, 0) == text
    assert with_smaller_transactions(text, 3) == text.replace(b"10000", b"1250")
    assert with_smaller_transactions(text, 20).endswith(b"OF 1 ROWS")
    assert with_smaller_transactions(b"MATCH (n) RETURN n", 3) == b"MATCH (n) RETURN n"


def test_a_batch_of_a_wide_table_has_fewer_rows() -> None:
    narrow = b"1\t2\n" * 4_500
    assert [rows for rows, _ in blocks(BytesIO(narrow))] == [2_000, 2_000, 500]
    wide = b"\t".join([b"1"] * 400) + b"\n"
    assert [rows for rows, _ in blocks(BytesIO(wide * 600))] == [250, 250, 100]
    widest = b"\t".join([b""] * 200_000) + b"\n"
    assert [rows for rows, _ in blocks(BytesIO(widest * 3))] == [1, 1, 1]


def test_rows_of_a_transaction_follow_their_weight_and_the_heap() -> None:
    small, usual = weights.budget_of(160_000_000), weights.budget_of(512_000_000)
    assert small < usual < weights.budget_of(32_000_000_000) == weights.MOST_BUDGET_BYTES
    assert weights.budget_of(None) == weights.DEFAULT_BUDGET_BYTES
    assert weights.batch_rows(20_000, budget=usual, most=20_000) == 1_600
    assert weights.batch_rows(1_000, budget=usual, most=20_000) == 20_000
    assert weights.batch_rows(10**9, budget=usual, most=20_000) == 1
    assert weights.join_batch_rows(0) == weights.JOIN_BATCH_ROWS
    assert weights.join_batch_rows(76) < 2_000
