"""Runs one statement so that it takes effect exactly once, whatever happens to the connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from uuid import uuid4

from neo4j import SummaryCounters

from c360_graph.cypher import counts_and_deletes
from c360_graph.cypher.general_statements import (
    GeneralRelationships,
    create_any_relationships,
    relationships_parameters,
)
from c360_graph.cypher.relationships import in_shares
from c360_graph.cypher.script_reader import Batch, Statement, lift
from c360_graph.cypher.script_writer import RelationshipsFacts
from c360_graph.cypher.weights import DELETE_BATCH_ROWS
from c360_graph.errors import ServerMemoryError, StatementError
from c360_graph.graph.attempts import Attempts, Done, Work, give_up_if_hopeless
from c360_graph.graph.connection import ERRORS, Graph, Tag, outcome, said
from c360_graph.graph.refused_row import describe_refused_row
from c360_graph.graph.sessions import make_relationships, run_shares
from c360_graph.mapping.graph_manifest import Owner

T = TypeVar("T")

_CALLS = re.compile(rb"\bCALL\b", re.IGNORECASE)
_TRANSACTION_ROWS = re.compile(rb"( IN TRANSACTIONS OF )(\d+)( ROWS)\Z")


class Execution:
    """The statements of one load. `load` tags its transactions, so that they can be found and ended."""

    def __init__(
        self,
        graph: Graph,
        *,
        load: str | None = None,
        warn: Callable[[str], None] = lambda message: None,
        check: Callable[[], None] = lambda: None,
        verify: Callable[[], None] = lambda: None,
        owner: Owner | None = None,
    ) -> None:
        self.graph = graph
        self.load = load or uuid4().hex
        self.owner = owner
        """Who the graph is loaded for."""
        self._warn = warn
        self._attempts = Attempts(graph, warn=warn, check=check, verify=verify)

    def run_batch(self, statement: Statement, batch: Batch) -> int | None:
        """One transaction; sent again only once it is sure that it took no effect.

        Where the server lacks memory for it, its halves are transactions of their own. Returns how many
        relationships it made; None where the answer was lost.

        Raises:
            StatementError: it was refused, and for which row; or kept failing.
        """
        parts = in_parts(batch, lambda part: self._run_part(statement, part))
        made = [part for part in parts if part is not None]
        return sum(made) if len(made) == len(parts) else None

    def _run_part(self, statement: Statement, batch: Batch) -> int | None:
        tag = self._tag()
        keyed = statement.node_pattern is not None

        def send() -> int | None:
            try:
                with self.graph.transaction(tag) as transaction:
                    done = transaction.run(batch.text, batch.parameters).consume()
                    if not keyed:
                        transaction.run(counts_and_deletes.create_batch_mark(), tag).consume()
                    transaction.commit()
                    return done.counters.relationships_created
            except ERRORS as error:
                self._name_refused_row(statement, batch, error)
                raise

        def recover() -> Done[int | None] | None:
            if keyed:
                is_there = self._has_first_node(statement, batch)
            else:
                marks = self.graph.fetch(counts_and_deletes.count_batch_marks(), **tag)
                is_there = bool(marks[0]["count"])
            return Done(None) if is_there else None

        return self._attempts.run(Work(title=statement.title, tag=tag, send=send, recover=recover))

    def run_repeatable(self, title: str, text: str | bytes, **parameters: Any) -> SummaryCounters:
        """A statement that may run twice: schema, waiting, removal; what its last attempt counted.

        Raises:
            StatementError: it was refused, or kept failing.
        """
        tag = self._tag()
        return self._attempts.run(
            Work(title=title, tag=tag, send=lambda: self.graph.run(text, tag=tag, **parameters))
        )

    def run_in_batches(
        self, title: str, text: str, *, batch_rows: int, **parameters: Any
    ) -> SummaryCounters:
        """A statement that may run twice and commits after each `$batch_rows`; as `run_repeatable`.

        Each attempt that fails for want of memory, or with the connection, has the next one go on
        with batches of half the size.

        Raises:
            StatementError: it was refused, or kept failing.
        """
        tag = self._tag()

        def send(rows: int) -> SummaryCounters:
            return self.graph.run(text, tag=tag, batch_rows=rows, **parameters)

        return self._in_lighter_batches(title, tag, send, batch_rows=batch_rows)

    def run_in_shares(
        self, title: str, shared: Callable[[int], Sequence[str]], *, sessions: int, batch_rows: int
    ) -> int:
        """As `run_in_batches`, by several sessions; how many relationships came or went.

        Args:
            title: for messages.
            shared: makes so many statements that do the work together.
            sessions: of the first attempt; whatever they may do to each other, a second one is spared it.
            batch_rows: rows of a transaction.

        Raises:
            StatementError: one was refused, or kept failing.
        """
        tag = self._tag()
        shares = sessions

        def send(rows: int) -> int:
            nonlocal shares
            texts, shares = shared(shares), 1
            counted = run_shares(self.graph, texts, tag=tag, batch_rows=rows)
            return sum(done.relationships_created + done.relationships_deleted for done in counted)

        return self._in_lighter_batches(title, tag, send, batch_rows=batch_rows)

    def _in_lighter_batches(
        self, title: str, tag: Tag, send: Callable[[int], T], *, batch_rows: int
    ) -> T:
        """What `send` returns, which is called with the rows of a transaction: half of them where memory lacks."""
        rows = batch_rows

        def lighten() -> bool:
            nonlocal rows
            was, rows = rows, max(1, rows // 2)
            return rows < was

        return self._attempts.run(
            Work(title=title, tag=tag, send=lambda: send(rows), lighten=lighten)
        )

    def change(
        self, title: str, text: str, **parameters: Any
    ) -> tuple[list[dict[str, Any]], SummaryCounters]:
        """One transaction that may run twice; its records and what its last attempt counted.

        Raises:
            StatementError: it was refused, or kept failing.
        """
        tag = self._tag()

        def send() -> tuple[list[dict[str, Any]], SummaryCounters]:
            with self.graph.transaction(tag) as transaction:
                result = transaction.run(text, parameters)
                records = [record.data() for record in result]
                counted = result.consume().counters
                transaction.commit()
            return records, counted

        return self._attempts.run(Work(title=title, tag=tag, send=send))

    def ask(self, title: str, text: str | bytes, **parameters: Any) -> list[dict[str, Any]]:
        """The records of a statement that only reads.

        Raises:
            StatementError: it was refused, or kept failing.
        """
        return self._attempts.run(
            Work(title=title, tag=self._tag(), send=lambda: self.graph.fetch(text, **parameters))
        )

    def ask_numbers(
        self, title: str, text: str, *, keep: Callable[[int], bool] = lambda number: True
    ) -> Sequence[int]:
        """Those of the integers of a statement that only reads, one to a record, that are kept.

        Raises:
            StatementError: it was refused, or kept failing.
        """
        return self._attempts.run(
            Work(title=title, tag=self._tag(), send=lambda: self.graph.numbers(text, keep=keep))
        )

    def run_relationships(
        self,
        statement: Statement,
        facts: RelationshipsFacts,
        *,
        earlier: Callable[[], Iterable[Statement]],
        sessions: int = 1,
        generally: bool = False,
    ) -> int:
        """A statement that commits as it goes; how many relationships it made.

        Up to so many `sessions` share it in the first attempt, where it can be shared. `generally` has that
        attempt send the statement of all small tables instead, where the facts say how.

        After a loss all relationships of its type between its labels are removed, and made anew by
        `earlier`, the statements before it that make such relationships too, and by itself.

        Raises:
            StatementError: it was refused, or kept failing.
        """
        tag = self._tag()
        removal = counts_and_deletes.delete_relationships(
            relationship_type=facts.type,
            from_label=facts.from_label,
            to_label=facts.to_label,
        )
        halvings = 0
        shares = sessions if facts.lookup is not None else 1

        general = facts.general if generally else None

        def send() -> int:
            if general is not None:
                return self._make_generally(facts, general, tag)
            text = with_smaller_transactions(statement.text, halvings)
            texts = in_shares(text, lookup=facts.lookup or "", shares=shares)
            return make_relationships(self.graph, texts, tag=tag)

        def undo() -> None:
            nonlocal shares, general
            # Whatever sessions may do to each other, a second attempt is spared it.
            shares, general = 1, None
            self.graph.run(removal, tag=tag, batch_rows=max(1, DELETE_BATCH_ROWS >> halvings))
            for other in earlier():
                text, parameters = _lifted(other)
                if not parameters:
                    text = with_smaller_transactions(other.text, halvings)
                self.graph.run(text, tag=tag, **parameters)

        def lighten() -> bool:
            nonlocal halvings
            before = with_smaller_transactions(statement.text, halvings)
            halvings += 1
            return with_smaller_transactions(statement.text, halvings) != before

        return self._attempts.run(
            Work(title=statement.title, tag=tag, send=send, recover=undo, lighten=lighten)
        )

    def _make_generally(
        self, facts: RelationshipsFacts, general: GeneralRelationships, tag: Tag
    ) -> int:
        parameters = relationships_parameters(facts.type, facts.driving, general)
        text = create_any_relationships(general)
        return self.graph.run(text, tag=tag, **parameters).relationships_created

    def run_once(self, statement: Statement) -> None:
        """A statement nobody knows anything of: sent again only where it certainly took no effect.

        Raises:
            StatementError: it failed; says whether it may have taken effect.
        """
        text, parameters = _lifted(statement)
        tag = self._tag()

        def send() -> None:
            try:
                self.graph.run(text, tag=tag, **parameters)
            except ERRORS as error:
                give_up_if_hopeless(statement.title, error)
                # A call may have committed a part of its work by itself.
                if outcome(error) == "lost" or _CALLS.search(statement.text):
                    raise StatementError(
                        f"{statement.title} failed: {said(error)}. Whether it took effect is"
                        " unknown; look at the graph before running it again."
                    ) from None
                raise

        self._attempts.run(Work(title=statement.title, tag=tag, send=send))

    def remove_marks(self) -> None:
        """Remove what `run_batch` marked batches of tables without key with."""
        self.run_in_batches(
            "Removing the load's marks",
            counts_and_deletes.delete_batch_marks(),
            batch_rows=DELETE_BATCH_ROWS,
        )

    def end_all(self) -> None:
        """End whatever still runs of this load; the driver's errors pass through."""
        self.graph.end_transactions({"c360_load": self.load})

    def end_other_loads(self) -> None:
        """End what a load that died has left running. Only for whoever holds the target's lock."""

        def send() -> None:
            ended = self.graph.end_transactions_of_other_loads(self.load)
            if ended:
                self._warn(f"Ended {ended} transactions that an earlier load left running.")

        self._attempts.run(Work(title="Ending earlier loads", tag=self._tag(), send=send))

    def _tag(self) -> dict[str, str]:
        return {"c360_load": self.load, "c360_work": uuid4().hex}

    def _has_first_node(self, statement: Statement, batch: Batch) -> bool:
        """Whether the node of the batch's first row is there; its key is unique."""
        found = self.graph.fetch(
            f"{batch.unwound} WITH row LIMIT 1 MATCH {statement.node_pattern}"
            " RETURN count(n) AS count",
            rows=batch.rows,
        )
        return bool(found[0]["count"])

    def _name_refused_row(self, statement: Statement, batch: Batch, error: BaseException) -> None:
        if outcome(error) != "refused":
            return
        row = describe_refused_row(self.graph, statement, batch, tag=self._tag())
        raise StatementError(
            f"{statement.title} failed{f' at {row}' if row else ''}: {said(error)}."
        ) from None


def in_parts(batch: Batch, send: Callable[[Batch], T]) -> list[T]:
    """Send a batch, or its halves where the server lacks the memory for it, and what each gave.

    Raises:
        ServerMemoryError: the server lacks it for a single row too.
    """
    try:
        return [send(batch)]
    except ServerMemoryError:
        rows = batch.rows.count(batch.row_mark) + 1
        if rows == 1:
            raise
        half = rows // 2
        return [
            *in_parts(batch.cut(0, half), send),
            *in_parts(batch.cut(half, rows), send),
        ]


def with_smaller_transactions(text: bytes, halvings: int) -> bytes:
    """The statement with its `IN TRANSACTIONS OF n ROWS` halved so often, down to 1.

    >>> text = b"MATCH (x) CALL (x) { DELETE x } IN TRANSACTIONS OF 20000 ROWS"
    >>> print(with_smaller_transactions(text, 2).decode())
    MATCH (x) CALL (x) { DELETE x } IN TRANSACTIONS OF 5000 ROWS
    """
    return _TRANSACTION_ROWS.sub(
        lambda match: match[1] + b"%d" % max(1, int(match[2]) >> halvings) + match[3], text
    )


def _lifted(statement: Statement) -> tuple[str | bytes, dict[str, Any]]:
    """Text and parameters of a statement, its data lifted out where it can be."""
    batch = lift(statement)
    return (batch.text, {"rows": batch.rows}) if batch else (statement.text, {})
