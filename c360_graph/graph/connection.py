"""A database of a Neo4j server, and what the driver's errors mean for what was sent to it."""

from __future__ import annotations

import logging
import re
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Literal
from uuid import uuid4

from neo4j import Driver, GraphDatabase, Query, Session, SummaryCounters, Transaction
from neo4j.exceptions import (
    ConnectionAcquisitionTimeoutError,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
)

from c360_graph.errors import GraphError, GraphTimeoutError, GraphUnavailableError
from c360_graph.faults import log_warning
from c360_graph.graph.liveness import ANSWER_SECONDS, watching
from c360_graph.pipeline_settings import address_problem
from c360_graph.settings import Settings

Outcome = Literal["lost", "transient", "out of memory", "refused"]
Tag = Mapping[str, str]
"""Metadata of a transaction, by which it is found again."""

ERRORS = (Neo4jError, DriverError, OSError)

CONNECT_SECONDS = 15.0
_TIMED_OUT = "TransactionTimedOut"
_ENDING_SECONDS = 120.0
_OUT_OF_MEMORY = re.compile(
    r"OutOfMemory|Java heap space|GC overhead limit|not enough memory|memory pool limit"
    r"|direct buffer memory",
    re.IGNORECASE,
)
"""The code of the error, or only its words: an error of the runtime comes as that of the statement."""
_VALUE = re.compile(r"(?<=`) = .*|(?<=integer), .*,(?= is too large)")
"""`... and property `p` = 'value'`, `integer, 99999999999999999999, is too large`."""


class Graph:
    """One database of one server. Sessions are made for each use; the driver pools connections."""

    def __init__(self, driver: Driver, database: str, uri: str, client: str = "") -> None:
        self.driver = driver
        self.database = database
        self.uri = uri
        self.client = client
        """What the server's list of connections shows of ours; empty where it is not known."""
        self._given_up = ""

    def give_up(self, reason: str) -> None:
        """Refuse every further use with this reason, so that whoever tries again ends at once."""
        self._given_up = reason

    def session(self, **options: Any) -> Session:
        """A new session on the database; takes the driver's options.

        Raises:
            GraphUnavailableError: the server was given up.
        """
        self._refuse_given_up()
        return self.driver.session(database=self.database, **options)

    def _refuse_given_up(self) -> None:
        if self._given_up:
            raise GraphUnavailableError(self._given_up)

    @property
    def server(self) -> str:
        """`uri/database`, for messages."""
        return f"{self.uri}/{self.database}"

    def identity(self) -> str:
        """The database's own id: the same by whatever address it is reached."""
        return str(self.rows("CALL db.info() YIELD id RETURN id")[0]["id"])

    def rows(self, statement: str | bytes, **parameters: Any) -> list[dict[str, Any]]:
        """The records of a statement that only reads, tried again when the connection is lost.

        Raises:
            GraphUnavailableError: the server cannot be reached at the moment.
            GraphError: it refuses.
        """
        try:
            return self.fetch(statement, **parameters)
        except ERRORS as error:
            raise graph_error(error, self.server) from None

    def fetch(self, statement: str | bytes, **parameters: Any) -> list[dict[str, Any]]:
        """As `rows`, but the driver's errors pass through."""
        text = statement.decode() if isinstance(statement, bytes) else statement
        self._refuse_given_up()
        # Never from a follower, which may not have yet what a transaction with a lost reply wrote.
        records, _, _ = self.driver.execute_query(Query(text), parameters, database_=self.database)
        return [record.data() for record in records]

    def operators(self, statement: str) -> frozenset[str]:
        """The names of the operators of a statement's plan, such as `AllNodesScan`; it is not run.

        Raises:
            GraphUnavailableError: the server cannot be reached at the moment.
            GraphError: it refuses.
        """
        self._refuse_given_up()
        explained = Query(f"EXPLAIN {statement}")
        try:
            _, summary, _ = self.driver.execute_query(explained, database_=self.database)
        except ERRORS as error:
            raise graph_error(error, self.server) from None
        return frozenset(_operators(summary.plan or {}))

    def numbers(self, statement: str, *, keep: Callable[[int], bool]) -> array[int]:
        """Those of a statement's integers, one to a record, that are kept, eight bytes each.

        The records are never held together; the driver's errors pass through.
        """
        with self.session() as session:
            found = (record[0] for record in session.run(Query(statement)))
            return array("q", (number for number in found if keep(number)))

    def run(
        self,
        statement: str | bytes,
        *,
        tag: Tag,
        timeout_seconds: float | None = None,
        **parameters: Any,
    ) -> SummaryCounters:
        """Run a statement outside of a transaction of ours; the driver's errors pass through."""
        text = statement.decode() if isinstance(statement, bytes) else statement
        query = Query(text, metadata=dict(tag), timeout=timeout_seconds)
        with self.session() as session:
            return session.run(query, parameters).consume().counters

    @contextmanager
    def transaction(
        self, tag: Tag, *, timeout_seconds: float | None = None
    ) -> Iterator[Transaction]:
        """A transaction that is rolled back where nobody commits it; the driver's errors pass through."""
        with (
            self.session() as session,
            session.begin_transaction(metadata=dict(tag), timeout=timeout_seconds) as transaction,
        ):
            yield transaction

    def end_transactions(self, tag: Tag) -> None:
        """Terminate what still runs under a tag and wait until it is gone.

        A server goes on with a statement whose client has vanished (measured through a broken
        proxy), so nothing may be sent again before this. The driver's errors pass through.

        Raises:
            GraphError: it does not end in time.
        """
        where = " AND ".join(f"metaData.{key} = $tag.{key}" for key in tag)
        self._end_transactions(where, tag=dict(tag))

    def end_transactions_of_other_loads(self, load: str) -> int:
        """End what a load that died may have left running; how many there were.

        Only for whoever holds the target's lock: any other load is dead then.
        """
        return self._end_transactions("metaData.c360_load <> $load", load=load)

    def _end_transactions(self, where: str, **parameters: Any) -> int:
        ended: set[str] = set()
        deadline = time.monotonic() + _ENDING_SECONDS
        while running := self.fetch(
            "SHOW TRANSACTIONS YIELD transactionId, connectionId, metaData"
            f" WHERE {where} RETURN transactionId, connectionId",
            **parameters,
        ):
            ids = [row["transactionId"] for row in running]
            if time.monotonic() > deadline:
                raise GraphError(
                    f"Transactions {', '.join(ids)} of {self.server} do not end after being"
                    " terminated. Look at SHOW TRANSACTIONS, then run the load again."
                )
            self.fetch("TERMINATE TRANSACTIONS $ids", ids=ids)
            self._kill_connections([row["connectionId"] for row in running])
            ended.update(ids)
            time.sleep(0.1)
        return len(ended)

    def _kill_connections(self, ids: list[str]) -> None:
        # A terminated transaction that waits for its client is only gone with its connection.
        with suppress(Neo4jError):
            self.fetch("CALL dbms.killConnections($ids)", ids=[i for i in ids if i])


def _operators(plan: dict[str, Any]) -> Iterator[str]:
    # The name of the database comes behind an @.
    yield str(plan.get("operatorType", "")).partition("@")[0]
    for child in plan.get("children", ()):
        yield from _operators(child)


def driver_options(
    username: str, password: str, *, connect_seconds: float = CONNECT_SECONDS
) -> dict[str, Any]:
    """What every driver of ours is made with."""
    return {
        "auth": (username, password),
        "keep_alive": True,
        "connection_timeout": connect_seconds,
        # The time above does not cover the handshake.
        "connection_acquisition_timeout": connect_seconds,
        "liveness_check_timeout": 30,
        "notifications_min_severity": "OFF",
        # A message and its answer beside each statement, which the server counts and nobody here reads.
        "telemetry_disabled": True,
    }


def refuse_address(uri: str) -> None:
    """Make sure that drivers know what an address means.

    Raises:
        GraphError: they do not.
    """
    problem = address_problem(uri)
    if problem:
        raise GraphError(f"The address of Neo4j cannot be used: {problem}. Check NEO4J_URI.")


@contextmanager
def open_graph(
    *,
    uri: str,
    username: str,
    password: str,
    database: str,
    connect_seconds: float = CONNECT_SECONDS,
) -> Iterator[Graph]:
    """Connect and make sure that the server answers, within `connect_seconds` for each connection.

    Raises:
        GraphError: it does not, or refuses the login; the password is not in the message.
    """
    logging.getLogger("neo4j.notifications").setLevel(logging.ERROR)
    refuse_address(uri)
    client = f"c360_graph/{uuid4().hex}"
    try:
        driver = GraphDatabase.driver(
            uri,
            **driver_options(username, password, connect_seconds=connect_seconds),
            # The driver's own waits double up to half a minute, past the moment a server is back.
            max_transaction_retry_time=5,
            user_agent=client,
        )
    except (ValueError, DriverError) as error:
        raise GraphError(f"NEO4J_URI {uri!r} cannot be used: {error}") from None
    with driver:
        try:
            driver.execute_query("RETURN 1", database_=database)
        except ERRORS as error:
            passing = outcome(error) in ("lost", "transient")
            raise (GraphUnavailableError if passing else GraphError)(
                f"Neo4j at {uri}/{database} cannot be used: {said(error)}. Check NEO4J_URI,"
                " NEO4J_USERNAME, NEO4J_PASSWORD and NEO4J_DATABASE."
            ) from None
        graph = Graph(driver, database, uri, client)
        with watching(
            driver,
            server=f"{uri}/{database}",
            connect=lambda: GraphDatabase.driver(
                uri,
                auth=(username, password),
                connection_timeout=ANSWER_SECONDS,
                connection_acquisition_timeout=ANSWER_SECONDS,
                max_transaction_retry_time=0,
                max_connection_pool_size=1,
            ),
            database=database,
            warn=log_warning,
            give_up=graph.give_up,
        ):
            yield graph


@contextmanager
def target_graph(
    settings: Settings,
    *,
    uri: str | None = None,
    username: str | None = None,
    password: str | None = None,
    database: str | None = None,
) -> Iterator[Graph]:
    """The target that the settings name; what is given takes precedence over a setting.

    Raises:
        GraphError: it cannot be reached or refuses the login.
    """
    with open_graph(
        uri=uri or settings.neo4j_uri,
        username=username or settings.neo4j_username,
        password=settings.neo4j_password.get_secret_value() if password is None else password,
        database=database or settings.neo4j_database,
    ) as graph:
        yield graph


def outcome(error: BaseException) -> Outcome:
    """What an error says of a statement: `lost` means that nobody knows whether it took effect."""
    if isinstance(error, (ServiceUnavailable, SessionExpired, OSError)):
        return "lost"
    if isinstance(error, ConnectionAcquisitionTimeoutError):
        return "transient"
    if not isinstance(error, Neo4jError):
        return "refused"
    if _OUT_OF_MEMORY.search(f"{error.code} {error.message}"):
        # It calls itself transient, but trying the same again needs the same memory.
        return "out of memory"
    return "transient" if error.is_retryable() else "refused"


def graph_error(error: BaseException, server: str) -> GraphError:
    """What to raise for an error of the driver, with the server's words."""
    text = f"Neo4j at {server} failed: {said(error)}."
    if isinstance(error, Neo4jError) and _TIMED_OUT in (error.code or ""):
        return GraphTimeoutError(text)
    passing = outcome(error) in ("lost", "transient")
    return (GraphUnavailableError if passing else GraphError)(text)


def said(error: BaseException) -> str:
    """The server's words without the statement and the values, which may be customers' data."""
    if isinstance(error, Neo4jError) and error.code:
        return f"{error.code}: {_without_values(error.message)}"
    return f"{type(error).__name__}: {_without_values(str(error))}"


def _without_values(text: str | None) -> str:
    # Further lines repeat the statement or the value, but for one that a colon announces.
    lines = [line for line in (text or "").splitlines() if line.strip("= ")]
    shown = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    return _VALUE.sub("", shown)[:500].rstrip(". ")
