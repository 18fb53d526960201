"""What a failing asset says, and whether it is worth another try."""

from __future__ import annotations

import dagster as dg
import psycopg
import pytest

from c360_graph.assets.step_policy import dagster_failures
from c360_graph.errors import (
    C360Error,
    GraphUnavailableError,
    MappingError,
    SourceError,
    SourceUnavailableError,
    StatementError,
)
from c360_graph.source.snapshot import kind_of


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (SourceUnavailableError("nobody answers"), True),
        (GraphUnavailableError("nobody answers"), True),
        (SourceError("no such table"), False),
        (StatementError("the server ran out of memory"), False),
        (MappingError("row 3"), False),
    ],
)
def test_only_a_server_that_cannot_be_reached_is_tried_again(error: C360Error, again: bool) -> None:
    with (
        pytest.raises((dg.Failure, dg.RetryRequested)) as raised,
        dagster_failures(retries=2, tried=1),
    ):
        raise error
    if again:
        assert isinstance(raised.value, dg.RetryRequested)
        assert (raised.value.max_retries, raised.value.seconds_to_wait) == (2, 20.0)
    failure = raised.value.__cause__ if again else raised.value
    assert isinstance(failure, dg.Failure)
    assert failure.description == str(error)


def test_without_retries_every_error_is_a_failure_at_once() -> None:
    with pytest.raises(dg.Failure, match="nobody answers"), dagster_failures():
        raise SourceUnavailableError("nobody answers")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.OperationalError("connection refused"), SourceUnavailableError),
        (
            psycopg.OperationalError("FATAL:  the database system is starting up"),
            SourceUnavailableError,
        ),
        (psycopg.errors.AdminShutdown("terminating"), SourceUnavailableError),
        (psycopg.errors.TooManyConnections("full"), SourceUnavailableError),
        (psycopg.OperationalError("FATAL:  password authentication failed"), SourceError),
        (psycopg.errors.OutOfMemory("out of memory"), SourceError),
        (psycopg.errors.UndefinedTable("no such table"), SourceError),
    ],
)
def test_a_source_is_unavailable_only_where_another_try_may_succeed(
    error: psycopg.Error, kind: type[SourceError]
) -> None:
    assert kind_of(error) is kind
