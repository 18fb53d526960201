"""Reads Neo4j from an event loop: read-only sessions, bounded in time, one statement a round trip."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from neo4j import READ_ACCESS, AsyncDriver, AsyncGraphDatabase, Query
from neo4j.exceptions import DriverError, ServiceUnavailable, SessionExpired

from c360_graph.errors import GraphError, GraphUnavailableError
from c360_graph.graph.connection import ERRORS, driver_options, graph_error, refuse_address
from c360_graph.graph.read_only import plain

CONNECT_SECONDS = 3.0
GRACE_SECONDS = 3.0
"""How much longer than its time a statement is waited for."""
MOST_CONNECTIONS = 40


class AsyncGraph:
    """One database of one server, read by many requests at a time."""

    def __init__(self, driver: AsyncDriver, database: str, uri: str) -> None:
        self._driver = driver
        self._database = database
        self.server = f"{uri}/{database}"
        """`uri/database`, for messages."""

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
    try:
        driver = AsyncGraphDatabase.driver(
            uri,
            **driver_options(username, password, connect_seconds=CONNECT_SECONDS),
            max_connection_pool_size=MOST_CONNECTIONS,
            max_transaction_retry_time=0,
            user_agent="c360_graph/serve",
        )
    except (ValueError, DriverError) as error:
        raise GraphError(f"NEO4J_URI {uri!r} cannot be used: {error}") from None
    async with driver:
        yield AsyncGraph(driver, database, uri)
