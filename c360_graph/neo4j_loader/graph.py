"""A database of a Neo4j server, and what the driver's errors mean for what was sent to it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from neo4j import Driver, GraphDatabase, Query
from neo4j.exceptions import (
    DatabaseUnavailable,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
    TransientError,
)

from c360_graph.errors import GraphError

Outcome = Literal["lost", "transient", "out of memory", "refused"]
ERRORS = (Neo4jError, DriverError, OSError)

_ENDING_SECONDS = 120.0


class Graph:
    """One database of one server. Sessions are made for each use; the driver pools connections."""

    def __init__(self, driver: Driver, database: str, uri: str) -> None:
        self.driver = driver
        self.database = database
        self.uri = uri

    @property
    def place(self) -> str:
        """`uri/database`, for messages."""
        return f"{self.uri}/{self.database}"

    def identity(self) -> str:
        """The database's own id: the same by whatever address it is reached."""
        return str(self.rows("CALL db.info() YIELD id RETURN id")[0]["id"])

    def rows(self, statement: str | bytes, **parameters: Any) -> list[dict[str, Any]]:
        """The records of a statement that only reads, tried again when the connection is lost.

        Raises:
            GraphError: the server cannot be reached or refuses.
        """
        text = statement.decode() if isinstance(statement, bytes) else statement
        try:
            records, _, _ = self.driver.execute_query(
                Query(text),
                parameters,
                database_=self.database,
                routing_="r" if self.uri.startswith("neo4j") else "w",
            )
        except ERRORS as error:
            raise GraphError(f"Neo4j at {self.place} failed: {said(error)}") from None
        return [record.data() for record in records]

    def run(self, statement: bytes, *, tag: dict[str, Any], **parameters: Any) -> None:
        """Run a statement outside of a transaction of ours; driver errors pass through."""
        with self.driver.session(database=self.database) as session:
            session.run(Query(statement.decode(), metadata=tag), parameters).consume()

    def end_transactions(self, tag: dict[str, Any]) -> None:
        """Terminate what still runs under a tag and wait until it is gone.

        A server goes on with a statement whose client has vanished (measured through a broken
        proxy), so nothing may be sent again before this.

        Raises:
            GraphError: it does not end in time.
        """
        where = " AND ".join(f"metaData.{key} = $tag.{key}" for key in tag)
        deadline = time.monotonic() + _ENDING_SECONDS
        while found := self.rows(
            f"SHOW TRANSACTIONS YIELD transactionId, metaData WHERE {where}"
            " RETURN collect(transactionId) AS ids",
            tag=tag,
        )[0]["ids"]:
            if time.monotonic() > deadline:
                raise GraphError(
                    f"Transactions {', '.join(found)} of {self.place} do not end after being"
                    " terminated. Look at SHOW TRANSACTIONS, then run the load again."
                )
            self.rows("TERMINATE TRANSACTIONS $ids", ids=found)
            time.sleep(0.2)


@contextmanager
def open_graph(*, uri: str, username: str, password: str, database: str) -> Iterator[Graph]:
    """Connect and make sure that the server answers.

    Raises:
        GraphError: it does not, or refuses the login; the password is not in the message.
    """
    logging.getLogger("neo4j.notifications").setLevel(logging.ERROR)
    try:
        driver = GraphDatabase.driver(
            uri,
            auth=(username, password),
            keep_alive=True,
            connection_timeout=15,
            liveness_check_timeout=30,
            notifications_min_severity="OFF",
        )
    except (ValueError, DriverError) as error:
        raise GraphError(f"NEO4J_URI {uri!r} cannot be used: {error}") from None
    with driver:
        try:
            driver.execute_query("RETURN 1", database_=database)
        except ERRORS as error:
            raise GraphError(
                f"Neo4j at {uri}/{database} cannot be used: {said(error)}. Check NEO4J_URI,"
                " NEO4J_USERNAME, NEO4J_PASSWORD and NEO4J_DATABASE."
            ) from None
        yield Graph(driver, database, uri)


def outcome(error: BaseException) -> Outcome:
    """What an error says of a statement: `lost` means that nobody knows whether it took effect."""
    if isinstance(error, (ServiceUnavailable, SessionExpired, OSError)):
        return "lost"
    if isinstance(error, Neo4jError) and "OutOfMemory" in (error.code or ""):
        # It calls itself transient, but trying again needs the same memory.
        return "out of memory"
    if isinstance(error, (TransientError, DatabaseUnavailable)):
        return "transient"
    return "refused"


def said(error: BaseException) -> str:
    """The server's words without the statement, which may hold customers' data."""
    if isinstance(error, Neo4jError) and error.code:
        return f"{error.code}: {_first_line(error.message)}"
    return f"{type(error).__name__}: {_first_line(str(error))}"


def _first_line(text: str | None) -> str:
    return next(iter((text or "").splitlines()), "")[:500]
