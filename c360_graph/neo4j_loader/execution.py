"""Runs one statement so that it takes effect exactly once, whatever happens to the connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
)
from tenacity.wait import wait_exponential_jitter

from c360_graph.cypher import cleanup
from c360_graph.cypher.statements import Batch, Statement
from c360_graph.errors import GraphError, StatementError
from c360_graph.neo4j_loader.graph import ERRORS, Graph, outcome, said

ATTEMPTS = 8
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 15.0

Edges = tuple[str, str, str]
"""Relationship type, label it starts from, label it ends at."""


class _TryAgain(Exception):
    """An attempt failed in a way that another may not, and what it did is undone or known."""


class Execution:
    """The statements of one load. `load` tags its transactions, so that they can be found and ended."""

    def __init__(self, graph: Graph, *, warn: Callable[[str], None]) -> None:
        self.graph = graph
        self.load = uuid4().hex
        self._warn = warn
        self._made: dict[Edges, list[Statement]] = {}
        self._linked: set[Edges] = set()

    def run_batch(self, statement: Statement, batch: Batch) -> None:
        """One transaction; sent again only once it is sure that it took no effect.

        Raises:
            StatementError: it was refused, or kept failing.
        """
        if statement.facts is not None and statement.facts.kind == "links":
            self._linked.add(_edges(statement))
        marked = statement.facts is None or statement.facts.match is None
        text = batch.text + (_MARK if marked else "")
        parameters: dict[str, Any] = {"rows": batch.rows}
        if marked:
            parameters |= self._tag(statement)

        def send() -> None:
            with (
                self.graph.driver.session(database=self.graph.database) as session,
                session.begin_transaction(metadata=self._tag(statement)) as transaction,
            ):
                transaction.run(text, parameters).consume()
                transaction.commit()

        self._try(statement, send, recover=lambda: self._is_there(statement, batch))

    def run_repeatable(self, statement: Statement) -> None:
        """A statement that may run twice: schema, waiting, removal.

        Raises:
            StatementError: it was refused, or kept failing.
        """
        self._try(
            statement,
            lambda: self.graph.run(statement.text, tag=self._tag(statement)),
            recover=lambda: False,
        )

    def run_relationships(self, statement: Statement) -> None:
        """A statement that commits as it goes: after a loss, what it made is removed and made anew.

        Raises:
            StatementError: it was refused, or kept failing.
        """
        edges = _edges(statement)
        made = self._made.setdefault(edges, [])

        def recover() -> bool:
            self._undo(statement, edges)
            for earlier in made:
                self.run_relationships(earlier)
            return False

        self._try(
            statement,
            lambda: self.graph.run(statement.text, tag=self._tag(statement)),
            recover=recover,
        )
        if statement not in made:
            made.append(statement)

    def run_once(self, statement: Statement) -> None:
        """A statement nobody knows anything of: never sent again.

        Raises:
            StatementError: it failed; says whether it may have taken effect.
        """
        try:
            self.graph.run(statement.text, tag=self._tag(statement))
        except ERRORS as error:
            doubt = (
                " Whether it took effect is unknown; look at the graph before running it again."
                if outcome(error) == "lost"
                else ""
            )
            raise StatementError(f"{_named(statement)} failed: {said(error)}.{doubt}") from None

    def remove_marks(self) -> None:
        """Remove what `run_batch` marked batches of tables without key with."""
        text = cleanup.delete_batch_marks()
        self.run_repeatable(Statement(number=0, text=text))

    def _tag(self, statement: Statement) -> dict[str, Any]:
        return {"c360_load": self.load, "c360_statement": statement.number}

    def _is_there(self, statement: Statement, batch: Batch) -> bool:
        """Whether a batch whose COMMIT got no answer was committed: its first node is there, or its mark."""
        match = statement.facts.match if statement.facts else None
        if match is None:
            found = self.graph.rows(f"{_FIND_MARK} RETURN count(n) AS n", **self._tag(statement))
        else:
            unwound = batch.text.partition("\nCREATE ")[0]
            found = self.graph.rows(
                f"{unwound} WITH row LIMIT 1 MATCH {match} RETURN count(n) AS n", rows=batch.rows
            )
        return bool(found[0]["n"])

    def _undo(self, statement: Statement, edges: Edges) -> None:
        if edges in self._linked:
            raise StatementError(
                f"{_named(statement)} was interrupted, and another mapping made relationships of the"
                " same type between the same labels. Run the load again with clear_database."
            )
        kind, from_label, to_label = edges
        text = cleanup.delete_relationships(
            relationship_type=kind, from_label=from_label, to_label=to_label
        )
        # A number of its own: the statement's own transactions must not be taken for this one's.
        self.run_repeatable(Statement(number=-statement.number, text=text))

    def _give_up_unless_worth_trying(self, statement: Statement, error: BaseException) -> None:
        what = outcome(error)
        if what == "out of memory":
            raise StatementError(
                f"{_named(statement)}: the server ran out of memory ({said(error)}). Give it more:"
                " server.memory.heap.max_size, or dbms.memory.transaction.total.max."
            ) from None
        if what == "refused":
            raise StatementError(f"{_named(statement)} failed: {said(error)}") from None

    def _try(
        self, statement: Statement, send: Callable[[], None], *, recover: Callable[[], bool]
    ) -> None:
        """Send a statement until it took effect once.

        Before it is sent again, what still runs of it is ended and `recover` makes good what it did;
        `recover` says whether it turned out to be done.
        """
        interrupted = False

        def attempt() -> None:
            nonlocal interrupted
            try:
                if interrupted:
                    self.graph.end_transactions(self._tag(statement))
                    if recover():
                        return
                    interrupted = False
                send()
            except ERRORS as error:
                self._give_up_unless_worth_trying(statement, error)
                interrupted = True
                raise _TryAgain(said(error)) from None
            except StatementError:
                raise
            except GraphError as error:
                # The server could not be asked what became of it: it may be restarting.
                raise _TryAgain(str(error)) from None

        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            retry=retry_if_exception_type(_TryAgain),
            before_sleep=lambda state: self._warn(_retry_message(statement, state)),
        )
        try:
            retrying(attempt)
        except RetryError as error:
            cause = error.last_attempt.exception()
            raise StatementError(
                f"{_named(statement)} failed {ATTEMPTS} times, last with: {cause}"
            ) from None


_MARK = (
    "\nWITH count(*) AS made"
    f" CREATE (:{cleanup.BATCH_MARK} {{load: $c360_load, statement: $c360_statement}})"
)
_FIND_MARK = f"MATCH (n:{cleanup.BATCH_MARK} {{load: $c360_load, statement: $c360_statement}})"


def _edges(statement: Statement) -> Edges:
    facts = statement.facts
    assert facts is not None
    return (facts.type or "", facts.from_label or "", facts.to_label or "")


def _retry_message(statement: Statement, state: RetryCallState) -> str:
    cause = state.outcome.exception() if state.outcome else None
    return f"{_named(statement)} is tried again in {state.upcoming_sleep:.1f} s: {cause}"


def _named(statement: Statement) -> str:
    facts = statement.facts
    if facts is None:
        return f"Statement {statement.number}"
    if facts.kind in ("relationships", "links"):
        what = f"{facts.type}, relationship_mappings row {facts.relationship_id}"
    else:
        what = f"{facts.kind} of {facts.table or facts.label or 'the graph'}"
    return f"Statement {statement.number} ({what})"
