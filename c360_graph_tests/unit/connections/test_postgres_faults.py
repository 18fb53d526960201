"""Which errors of PostgreSQL are worth another try."""

from __future__ import annotations

import psycopg
import pytest

from c360_graph.faults import is_passing


@pytest.mark.parametrize(
    "words",
    [
        'connection to server at "10.0.0.1", port 5432 failed: Connection refused',
        "connection timeout expired",
        "server closed the connection unexpectedly",
        "consuming input failed: SSL SYSCALL error: EOF detected",
        "the connection is lost",
        "failed to resolve host 'db': [Errno -3] Temporary failure in name resolution",
        "FATAL:  the database system is starting up",
        "FATAL:  sorry, too many clients already",
        'connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or directory\n'
        "\tIs the server running locally and accepting connections on that socket?",
        "FATAL:  query_wait_timeout",
    ],
)
def test_a_server_that_cannot_be_reached_just_now_is_tried_again(words: str) -> None:
    assert is_passing(psycopg.OperationalError(words))


@pytest.mark.parametrize(
    "words",
    [
        'connection is bad: invalid sslmode value: "requires"',
        "connection failed: server does not support SSL, but SSL was required",
        'root certificate file "/root/.postgresql/root.crt" does not exist',
        "SSL error: certificate verify failed",
        "failed to resolve host 'nosuch.invalid': [Errno -2] Name or service not known",
        'FATAL:  password authentication failed for user "x"',
        'FATAL:  database "x" does not exist',
        "fe_sendauth: no password supplied",
        'connection is bad: invalid port number: "99999"',
        'FATAL:  no pg_hba.conf entry for host "10.0.0.1"',
        "FATAL:  server login has been failing, cached error: password authentication failed",
        "FATAL:  unsupported startup parameter: options",
    ],
)
def test_what_is_configured_wrongly_is_not_tried_again(words: str) -> None:
    assert not is_passing(psycopg.OperationalError(words))


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.CannotConnectNow(), True),
        (psycopg.errors.TooManyConnections(), True),
        (psycopg.errors.IdleInTransactionSessionTimeout(), True),
        (psycopg.errors.InsufficientPrivilege(), False),
        (psycopg.errors.InvalidPassword(), False),
        (psycopg.errors.UndefinedTable("relation timed out"), False),
        (ConnectionResetError(), True),
    ],
)
def test_an_sqlstate_says_it_where_there_is_one(error: Exception, passing: bool) -> None:
    assert is_passing(error) is passing
