"""How work is tried again, with errors that no server gives at will."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from neo4j.exceptions import (
    ConnectionAcquisitionTimeoutError,
    IncompleteCommit,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
)

from c360_graph.errors import GraphError, StatementError
from c360_graph.graph import attempts
from c360_graph.graph.attempts import Attempts, Done, Work
from c360_graph.graph.connection import Graph, Tag, outcome, said


def server_error(code: str, message: str = "as it is") -> Neo4jError:
    return Neo4jError._hydrate_neo4j(code=code, message=message)


class Ended:
    """Stands for a graph; knows what was ended, and fails to when told."""

    def __init__(self) -> None:
        self.tags: list[Tag] = []
        self.errors: list[Exception] = []

    def end_transactions(self, tag: Tag) -> None:
        self.tags.append(tag)
        if self.errors:
            raise self.errors.pop()


class Script:
    """Raises these errors one after the other, then does its work."""

    def __init__(self, *errors: Exception | None) -> None:
        self._errors: Iterator[Exception | None] = iter(errors)
        self.done = 0

    def __call__(self) -> bool:
        error = next(self._errors, None)
        if error is not None:
            raise error
        self.done += 1
        return False


@pytest.fixture(autouse=True)
def _little_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(attempts, "LONGEST_WAIT", 0.001)


@pytest.fixture
def ended() -> Ended:
    return Ended()


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def tries(ended: Ended, warnings: list[str]) -> Attempts:
    return Attempts(cast(Graph, ended), warn=warnings.append, check=lambda: None)


DEADLOCK = "Neo.TransientError.Transaction.DeadlockDetected"


def test_an_error_that_passes_is_tried_again_after_what_runs_was_ended(
    tries: Attempts, ended: Ended, warnings: list[str]
) -> None:
    send = Script(server_error(DEADLOCK), ServiceUnavailable("gone"))
    tries.run(Work(title="It", tag={"a": "1"}, send=send))
    assert send.done == 1
    assert ended.tags == [{"a": "1"}] * 2
    assert [warning.startswith("It is tried again in ") for warning in warnings] == [True, True]


def test_an_error_that_stays_is_reported_with_how_often_it_was_tried(tries: Attempts) -> None:
    send = Script(*[server_error(DEADLOCK)] * 100)
    with pytest.raises(
        StatementError, match=f"It failed 15 times, last with: {DEADLOCK}: as it is"
    ):
        tries.run(Work(title="It", tag={}, send=send))


def test_doubt_stays_until_a_recovery_has_ended(tries: Attempts, ended: Ended) -> None:
    send = Script(SessionExpired("cut"))
    looked = Script(SessionExpired("cut again"), server_error(DEADLOCK))

    def recover() -> None:
        looked()

    ended.errors = [ServiceUnavailable("still starting")]
    tries.run(Work(title="It", tag={}, send=send, recover=recover))
    assert (send.done, looked.done) == (1, 1)
    assert len(ended.tags) == 4


def test_work_that_turns_out_to_be_done_is_not_sent_again(tries: Attempts) -> None:
    send = Script(IncompleteCommit("no answer"))
    assert tries.run(Work(title="It", tag={}, send=send, recover=lambda: Done(True)))
    assert send.done == 0


@pytest.mark.parametrize(
    "code",
    [
        "Neo.TransientError.General.MemoryPoolOutOfMemoryError",
        "Neo.TransientError.General.OutOfMemoryError",
        "Neo.TransientError.General.TransactionOutOfMemoryError",
    ],
)
def test_running_out_of_memory_is_never_tried_again(
    tries: Attempts, warnings: list[str], code: str
) -> None:
    with pytest.raises(StatementError, match="It: the server ran out of memory"):
        tries.run(Work(title="It", tag={}, send=Script(server_error(code))))
    assert warnings == []


def test_a_transaction_that_does_not_end_is_reported_at_once(tries: Attempts, ended: Ended) -> None:
    ended.errors = [GraphError("does not end")]
    with pytest.raises(GraphError, match="does not end"):
        tries.run(Work(title="It", tag={}, send=Script(SessionExpired("cut"))))


def test_a_load_that_must_stop_is_not_tried_again(ended: Ended) -> None:
    check = Script(None, GraphError("stop"))
    tries = Attempts(cast(Graph, ended), warn=lambda message: None, check=check)
    with pytest.raises(GraphError, match="stop"):
        tries.run(Work(title="It", tag={}, send=Script(SessionExpired("cut"))))


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (IncompleteCommit("x"), "lost"),
        (ServiceUnavailable("x"), "lost"),
        (SessionExpired("x"), "lost"),
        (ConnectionResetError(), "lost"),
        (ConnectionAcquisitionTimeoutError("x"), "transient"),
        (server_error("Neo.TransientError.General.DatabaseUnavailable"), "transient"),
        (server_error("Neo.ClientError.Security.AuthorizationExpired"), "transient"),
        (server_error("Neo.ClientError.Security.Unauthorized"), "refused"),
        (server_error("Neo.ClientError.Schema.ConstraintValidationFailed"), "refused"),
        (server_error("Neo.TransientError.Transaction.Terminated"), "refused"),
    ],
)
def test_what_an_error_says_of_a_statement(error: Exception, what: str) -> None:
    assert outcome(error) == what


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Node(1) already exists with label `A` and property `p` = 'secret'", "property `p`"),
        ("Node(1) already exists with properties `a` = 1, `b` = 'secret'", "properties `a`"),
        ('Text cannot be parsed to a DateTime\n"secret"\n ^', "to a DateTime"),
        ("integer, 5e3c7e7, is too large.", "integer is too large"),
        ("Unable to create C:\nBoth Node(1) and Node(2) have property `p` = 'secret'. Note", "`p`"),
        ("Cause of failure:\n==========\nToo large", "Cause of failure: Too large"),
    ],
)
def test_the_servers_words_are_shown_without_values(message: str, shown: str) -> None:
    told = said(server_error("Neo.ClientError.X.Y", message))
    assert told.startswith("Neo.ClientError.X.Y: ")
    assert told.endswith(shown)
    assert "secret" not in told
