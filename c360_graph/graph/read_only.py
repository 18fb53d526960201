"""Reads the answer of a statement: read-only, bounded in time and in what is kept; from an event loop, too."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from neo4j import (
    READ_ACCESS,
    AsyncDriver,
    AsyncGraphDatabase,
    NotificationMinimumSeverity,
    Query,
    Record,
    ResultSummary,
    Session,
)
from neo4j.exceptions import DriverError, ServiceUnavailable, SessionExpired

from c360_graph.errors import GraphError, GraphUnavailableError
from c360_graph.graph.connection import ERRORS, Graph, driver_options, graph_error, refuse_address
from c360_graph.graph.row_count import RowCount

_UNKNOWN = frozenset({"01N50", "01N51", "01N52"})
"""GQLSTATUS of a label, a relationship type and a property key that the database does not know."""

_OUTSIDE_THE_GRAPH = {
    "LoadCSV": "LOAD CSV",
    "TransactionApply": "IN TRANSACTIONS",
    "TransactionForeach": "IN TRANSACTIONS",
    "AdministrationCommand": "an administration command",
}
"""Operators of a plan that a read session permits though they do more than read the graph."""
_COMMAND = re.compile(r"(Show|Terminate)([A-Z][A-Za-z]+)")
"""`ShowTransactions`, `TerminateTransactions`, `ShowSettings` and their like."""
_READING_PROCEDURES = re.compile(
    r"db\.(labels|relationshipTypes|propertyKeys|schema\.\w+|index\.(fulltext|vector)\.query\w+)"
    r"|apoc\.(path|algo|neighbors|search)\.\w+(\.\w+)*"
    r"|gds(\.\w+)+\.(stream|stats)",
    re.IGNORECASE,
)
"""Procedures that read the graph alone; others may read files, call servers or end transactions."""

_READING_FUNCTIONS = re.compile(
    r"(date|datetime|localdatetime|localtime|time|duration|point|vector(\.similarity)?)\.\w+"
    r"|db\.nameFromElementId"
    r"|apoc\.(agg|any|bitwise|coll|convert|data|date|diff|hashing|json|label|map|math|meta|node|nodes|number"
    r"|path|rel|scoring|temporal|text|util)\.\w+(\.\w+)*"
    r"|gds\.(similarity|util)\.\w+",
    re.IGNORECASE,
)
"""Functions with a namespace that compute with what they are given; others may run Cypher or read files."""
_ESCAPES = re.compile(r"\\u+([0-9a-fA-F]{4})")
_NOT_CODE = re.compile(
    r"(?P<string>'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")|`(?P<name>(?:``|[^`])*)`"
    r"|/\*.*?\*/|//[^\r\n]*",
    re.DOTALL,
)
_FUNCTIONS = re.compile(r"(\bCALL\s+)?(?<![\w.])((?:[^\W\d]\w*\s*\.\s*)+\w+)\s*\(", re.IGNORECASE)
_USE = re.compile(
    # The first clause of a query, of a part of a UNION or of a subquery, there after what it imports.
    r"(?:^|[{;]|\b(?:UNION|ALL|DISTINCT|NEXT|EXPLAIN|PROFILE)\b|\bCYPHER\s+[\w=\s.]*?|\{\s*WITH\s[^{}]*?)"
    r"\s*\bUSE\s+(?!AS\b)[^\W\d]",
    re.IGNORECASE,
)

_CALLS = re.compile(r"\bCALL ([\w.]+)\(")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a statement returned.

    `rows` are the first ones only, `row_count` counts all. A list is a tuple, a moment a datetime in
    UTC. `tally` counts all rows by the values of one column, in order of appearance. `unknown` says
    which names of the statement the database has never had.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    row_count: int
    tally: tuple[tuple[Any, int], ...]
    unknown: tuple[str, ...]


def read(
    graph: Graph,
    statement: str,
    parameters: Mapping[str, Any],
    *,
    timeout_seconds: float,
    keep: int,
    tally_by: str | None = None,
    at_first_row: Callable[[], None] = lambda: None,
) -> Reading:
    """Run a statement of our own in a read session; the server refuses one that writes.

    Args:
        graph: where.
        statement: Cypher.
        parameters: its values.
        timeout_seconds: after which the server ends it.
        keep: rows that are kept; the others are counted.
        tally_by: column whose values rows are counted by, the first `keep` different ones.
        at_first_row: is called when the first row is here; not if there is none.

    Raises:
        GraphError: the server cannot be reached, refuses the statement, or ended it after the timeout.
    """
    counting = RowCount(
        partial(_reading_session, graph), statement, parameters, timeout_seconds=timeout_seconds
    )
    try:
        with _reading_session(graph) as session:
            result = session.run(Query(statement, timeout=timeout_seconds), dict(parameters))
            columns = tuple(result.keys())
            kept = _Kept(position=_position(columns, tally_by), limit=keep)
            for record in result:
                if not kept.row_count:
                    at_first_row()
                    counting.first_row_is_here()
                kept.add(record)
                if kept.only_counts and counting.is_better(rows_read=kept.row_count):
                    break
            is_at_end = result.peek() is None
            unknown = _unknown_names(result.consume())
        row_count = kept.row_count if is_at_end else counting.count()
    # The driver raises ValueError for a moment that Python cannot hold.
    except (*ERRORS, ValueError) as error:
        raise graph_error(error, graph.server) from None
    return Reading(
        columns=columns,
        rows=tuple(kept.rows),
        row_count=row_count,
        tally=tuple(kept.tally.items()),
        unknown=unknown,
    )


def refuse_beyond_reading(
    graph: Graph, statement: str, parameters: Mapping[str, Any], *, timeout_seconds: float
) -> None:
    """Refuse a user's statement that does more than read the graph, before it runs.

    A read session permits LOAD CSV, TERMINATE TRANSACTIONS and procedures that read files. The
    server's own plan tells them: it sees through comments, escapes and letter case.

    Args:
        graph: where.
        statement: Cypher of a user.
        parameters: its values.
        timeout_seconds: after which the server stops planning.

    Raises:
        GraphError: the statement does more than read the graph; or the server cannot be reached, or
            refuses it.
    """
    explained = Query(f"EXPLAIN {statement}", timeout=timeout_seconds)
    try:
        with _reading_session(graph) as session:
            summary = session.run(explained, dict(parameters)).consume()
    except ERRORS as error:
        raise graph_error(error, graph.server) from None
    used = [
        *_beyond_this_graph(statement),
        *(_beyond_reading(summary.plan) if summary.plan else ()),
    ]
    used = list(dict.fromkeys(used))
    if not used and summary.query_type == "s":
        used = ["a system command"]
    if used:
        raise GraphError(
            f"The statement uses {' and '.join(used)}. A question may only read the graph. Remove it"
            " from the file."
        )


def _beyond_this_graph(statement: str) -> Iterator[str]:
    """What the text names that a plan does not show: another database, functions that are not Neo4j's."""
    # Neo4j reads such escapes before anything else.
    decoded = _ESCAPES.sub(lambda match: chr(int(match[1], 16)), statement)
    code = _NOT_CODE.sub(_as_code, decoded).strip()
    if _USE.search(code):
        yield "USE, so another database"
    for call, name in _FUNCTIONS.findall(code):
        function = "".join(name.split())
        if not call and not _READING_FUNCTIONS.fullmatch(function):
            yield f"the function {function}"


def _as_code(match: re.Match[str]) -> str:
    """A quoted name as a name, a text as an empty one, a comment as a space."""
    if match["name"] is not None:
        return re.sub(r"[^\w.]", "_", match["name"]) or "_"
    return "''" if match["string"] else " "


def _beyond_reading(plan: Mapping[str, Any]) -> Iterator[str]:
    """What a plan does beside reading the graph, in the words of Cypher."""
    operator = str(plan["operatorType"]).partition("@")[0]
    command = _COMMAND.fullmatch(operator)
    if operator in _OUTSIDE_THE_GRAPH:
        yield _OUTSIDE_THE_GRAPH[operator]
    elif command:
        yield f"{command[1]} {command[2]}".upper()
    elif operator == "ProcedureCall":
        name = str(plan["args"].get("Details", "")).partition("(")[0]
        yield from _foreign_procedure(name)
    else:
        # A subquery within a list or a CASE has no operators, only its text as the server writes it.
        text = _NOT_CODE.sub(_as_code, str(plan["args"].get("Details", "")))
        if "LOAD CSV" in text:
            yield "LOAD CSV"
        for name in _CALLS.findall(text):
            yield from _foreign_procedure(name)
    for child in plan.get("children", ()):
        yield from _beyond_reading(child)


def _foreign_procedure(name: str) -> Iterator[str]:
    if not _READING_PROCEDURES.fullmatch(name):
        yield f"the procedure {name}"


def _reading_session(graph: Graph) -> Session:
    return graph.session(
        default_access_mode=READ_ACCESS,
        notifications_min_severity=NotificationMinimumSeverity.WARNING,
    )


_SCALARS = str | int | float | None
"""What the driver returns as it is: to read it with `data()` takes longer than all else of a row."""


class _Kept:
    """Gathers rows up to a limit, and counts all of them."""

    def __init__(self, *, position: int | None, limit: int) -> None:
        self._position = position
        self._limit = limit
        self.rows: list[tuple[Any, ...]] = []
        self.row_count = 0
        self.tally: dict[Any, int] = {}

    @property
    def only_counts(self) -> bool:
        """Whether further rows are read for their number alone."""
        return self.row_count >= self._limit and self._position is None

    def add(self, record: Record) -> None:
        self.row_count += 1
        # Most rows of a large answer are only counted, and reading their values takes longer than that.
        if self.row_count <= self._limit:
            self.rows.append(tuple(plain(value) for value in record.data().values()))
        if self._position is not None:
            value = record[self._position]
            if not isinstance(value, _SCALARS):
                (value,) = record.data(self._position).values()
            key = _key(plain(value))
            if key in self.tally or len(self.tally) < self._limit:
                self.tally[key] = self.tally.get(key, 0) + 1


def _key(value: Any) -> Any:
    """The value, or its text: what a map is in cannot be a key."""
    try:
        # A tuple says that it can be hashed whatever is in it: only trying tells.
        hash(value)
    except TypeError:
        return str(value)
    return value


def plain(value: Any) -> Any:
    """A value of the driver as Python's own, lists as tuples.

    >>> plain([1, [2, 3]])
    (1, (2, 3))
    """
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    native = value.to_native() if hasattr(value, "to_native") else value
    is_moment = isinstance(native, datetime) and native.tzinfo is not None
    return native.astimezone(UTC) if is_moment else native


def _position(columns: tuple[str, ...], name: str | None) -> int | None:
    return columns.index(name) if name in columns else None


def _unknown_names(summary: ResultSummary) -> tuple[str, ...]:
    said_of = (
        status.status_description.removeprefix("warn: ")
        for status in summary.gql_status_objects
        if status.gql_status in _UNKNOWN
    )
    return tuple(dict.fromkeys(said_of))


CONNECT_SECONDS = 3.0
GRACE_SECONDS = 3.0
"""How much longer than its time a statement is waited for."""
MOST_CONNECTIONS = 40
LEFT_SECONDS = 120.0
"""How long statements may still run over connections that are used no more."""


class AsyncGraph:
    """One database of one server, read by many requests at a time."""

    def __init__(self, connect: Callable[[], AsyncDriver], database: str, uri: str) -> None:
        self._connect = connect
        self._driver = connect()
        self._left: set[asyncio.Task[None]] = set()
        self._database = database
        self.server = f"{uri}/{database}"
        """`uri/database`, for messages."""

    def renew(self) -> None:
        """Use new connections from now on, since those of now may be dead without an end of ours knowing.

        Statements that run over them may end.
        """
        closing = asyncio.create_task(_close_later(self._driver))
        self._driver = self._connect()
        self._left.add(closing)
        closing.add_done_callback(self._left.discard)

    async def close(self) -> None:
        """Close all connections."""
        for closing in self._left:
            closing.cancel()
        await asyncio.gather(*self._left, self._driver.close(), return_exceptions=True)

    async def rows(
        self,
        statement: str | bytes,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout_seconds: float,
    ) -> list[dict[str, Any]]:
        """The records of a statement that may only read, values as `plain` makes them.

        A pooled connection that a restarted server has closed is replaced at once by another.

        Raises:
            GraphTimeoutError: the server ended the statement after the time.
            GraphUnavailableError: the server cannot be reached at the moment.
            GraphError: it refuses.
        """
        text = statement.decode() if isinstance(statement, bytes) else statement
        query = Query(text, timeout=timeout_seconds)
        try:
            # The server ends the statement in time, if it is there.
            async with asyncio.timeout(timeout_seconds + GRACE_SECONDS):
                try:
                    return await self._fetch(query, parameters)
                except (SessionExpired, ServiceUnavailable):
                    return await self._fetch(query, parameters)
        except TimeoutError:
            raise GraphUnavailableError(f"Neo4j at {self.server} does not answer.") from None
        except ERRORS as error:
            raise graph_error(error, self.server) from None

    async def _fetch(
        self, query: Query, parameters: Mapping[str, Any] | None
    ) -> list[dict[str, Any]]:
        async with self._driver.session(
            database=self._database, default_access_mode=READ_ACCESS, fetch_size=-1
        ) as session:
            result = await session.run(query, dict(parameters or {}))
            # Not `data()`, which looks for nodes at every depth: statements of ours return none.
            return [
                {key: _value(value) for key, value in zip(record.keys(), record, strict=True)}
                async for record in result
            ]


def _value(value: Any) -> Any:
    try:
        return plain(value)
    except (ValueError, OverflowError):
        # A moment that Python cannot hold.
        return _as_texts(value)


def _as_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_texts(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_as_texts(item) for item in value)
    return value.iso_format() if hasattr(value, "iso_format") else value


@asynccontextmanager
async def open_async_graph(
    *, uri: str, username: str, password: str, database: str
) -> AsyncIterator[AsyncGraph]:
    """A driver whose connections are made when they are needed: the server need not answer yet.

    Raises:
        GraphError: the address cannot be used.
    """
    # Each failed connection would be told of; the caller says it once.
    logging.getLogger("neo4j").setLevel(logging.CRITICAL)
    refuse_address(uri)
    connect = partial(
        AsyncGraphDatabase.driver,
        uri,
        **driver_options(username, password, connect_seconds=CONNECT_SECONDS),
        max_connection_pool_size=MOST_CONNECTIONS,
        max_transaction_retry_time=0,
        user_agent="c360_graph/serve",
    )
    try:
        graph = AsyncGraph(connect, database, uri)
    except (ValueError, DriverError) as error:
        raise GraphError(f"NEO4J_URI {uri!r} cannot be used: {error}") from None
    try:
        yield graph
    finally:
        await graph.close()


async def _close_later(driver: AsyncDriver) -> None:
    try:
        await asyncio.sleep(LEFT_SECONDS)
    finally:
        await driver.close()
