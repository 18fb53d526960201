"""What an error of PostgreSQL or libpq means for another try, and the options that make libpq notice a dead peer."""

from __future__ import annotations

from typing import Any

KEEPALIVE: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # Milliseconds. The kernel gives up on what it sent and nobody acknowledged.
    "tcp_user_timeout": 25_000,
}
"""Options of libpq: a peer that is gone is noticed within 25 s. They say nothing of a proxy that
acknowledges and forwards nothing; see `silence`."""

# A lost connection, a shutdown, a start, too many connections, a session or transaction that the server
# ended for its age, a read on a standby that the primary's changes cut short.
_PASSING_STATES = frozenset(
    {
        "08000",
        "08001",
        "08003",
        "08006",
        "08007",
        "25P03",
        "40001",
        "40P01",
        "53300",
        "57P01",
        "57P02",
        "57P03",
        "57P05",
    }
)
# An error on the way to a session has no SQLSTATE, so that its words have to do. They are libpq's and
# the server's; those of PgBouncer stand last.
_PASSING_WORDS = (
    "connection refused",
    "connection reset",
    "connection aborted",
    "broken pipe",
    "timeout expired",
    "timed out",
    "network is unreachable",
    "network is down",
    "no route to host",
    "host is down",
    "host is unreachable",
    "temporary failure in name resolution",
    "is the server running",
    "server closed the connection",
    "connection has been closed unexpectedly",
    "could not receive data from server",
    "could not send data to server",
    "ssl syscall error",
    "eof detected",
    "connection is lost",
    "connection is closed",
    "connection already closed",
    "terminating connection",
    "the database system is ",
    "too many clients already",
    "too many connections for",
    "remaining connection slots",
    "number of requested standby connections",
    "server_login_retry",
    "query_wait_timeout",
    "no more connections allowed",
    "pgbouncer cannot connect to server",
    "server conn crashed",
    "server login has been failing",
)
# What is wrong with the configuration behind a pooler comes in the pooler's words for a lost server.
_LASTING_WORDS = ("password authentication failed", "does not exist", "no pg_hba.conf entry")


def hint(error: BaseException | None) -> str:
    """What to do about an error whose own words do not say it; empty where they do."""
    if "unsupported startup parameter" in str(error):
        return (
            " A pooler such as PgBouncer answers there, and Dagster's storage and the locks of runs and"
            " loads need PostgreSQL itself: set ETL_DB_HOST and ETL_DB_PORT to it."
        )
    return ""


def is_passing(error: BaseException | None) -> bool:
    """Whether another try may succeed: nobody answered, the connection was lost, or the server starts,
    stops or is full.

    A wrong password, database, host name, TLS mode or right is not: it would be refused again. Errors of
    psycopg 2, which Dagster's storage uses, are told apart in the same way.

    >>> is_passing(psycopg.OperationalError("connection failed: Connection refused"))
    True
    >>> is_passing(psycopg.OperationalError('connection is bad: invalid sslmode value: "on"'))
    False
    """
    if isinstance(error, OSError):
        return True
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state is not None and state != "08P01":
        return state in _PASSING_STATES
    said = str(error).lower()
    if any(words in said for words in _LASTING_WORDS):
        return False
    return any(words in said for words in _PASSING_WORDS)
