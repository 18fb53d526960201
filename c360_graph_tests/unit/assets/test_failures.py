"""What a failing asset says, and whether it is worth another try."""

from __future__ import annotations

import dagster as dg
import psycopg
import pytest

from c360_graph.assets.step_policy import dagster_failures, raise_for_tables
from c360_graph.dagster_failures import TABLES_NOT_READ
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


UNREAD = {
    "shop/orders": SourceError("source shop failed: no such table."),
    "shop/plans": SourceUnavailableError("source shop left."),
}


def test_a_step_of_several_tables_names_each_that_could_not_be_read() -> None:
    with pytest.raises(dg.Failure) as raised:
        raise_for_tables(UNREAD)
    assert raised.value.description == (
        "2 tables could not be read. shop/orders: source shop failed: no such table."
        " shop/plans: source shop left."
    )
    assert raised.value.metadata[TABLES_NOT_READ].value == {
        name: str(error) for name, error in UNREAD.items()
    }
    raise_for_tables({})


def test_a_step_of_several_tables_is_tried_again_where_one_of_them_may_succeed() -> None:
    with pytest.raises(dg.RetryRequested) as raised:
        raise_for_tables(UNREAD, retries=2, tried=1)
    assert (raised.value.max_retries, raised.value.seconds_to_wait) == (2, 20.0)
    assert isinstance(raised.value.__cause__, dg.Failure)
    with pytest.raises(dg.Failure):
        raise_for_tables({"shop/orders": UNREAD["shop/orders"]}, retries=2)


def test_an_error_that_nobody_foresaw_is_told_of_its_table_by_its_kind_alone() -> None:
    with pytest.raises(dg.Failure) as raised:
        raise_for_tables({"shop/orders": ValueError("bob@example.com")})
    assert raised.value.description == "1 table could not be read. shop/orders: ValueError"
    assert isinstance(raised.value.__cause__, ValueError)


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
