"""Snapshots of one source, one after the other, over one connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from c360_graph.control.connection import Credentials
from c360_graph.errors import SourceError
from c360_graph.faults import log_warning
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.source.snapshot import SourceSession, SourceSnapshot, open_session


class SnapshotSeries:
    """Connects at the first snapshot, and again after a snapshot that failed.

    Each table has a snapshot of its own, as a table that is rewritten or truncated after the snapshot began
    would look empty in it. A source that could not be reached, or refused the login, is not tried again.

    Args:
        source: which one.
        credentials: asked for how it is reached whenever a connection is made.
        silent_seconds, warn: as `open_snapshot`.
    """

    def __init__(
        self,
        source: SourceRow,
        credentials: Callable[[], Credentials],
        *,
        silent_seconds: float | None = None,
        warn: Callable[[str], None] = log_warning,
    ) -> None:
        self._source = source
        self._credentials = credentials
        self._silent_seconds = silent_seconds
        self._warn = warn
        self._connected = ExitStack()
        self._session: SourceSession | None = None
        self._refused: SourceError | None = None

    def close(self) -> None:
        """End the connection, if there is one."""
        self._session = None
        self._connected.close()

    @contextmanager
    def snapshot(self, exported: str | None = None) -> Iterator[SourceSnapshot]:
        """The next snapshot, which ends with the block.

        Args:
            exported: the name of a snapshot of another connection, to read the same one.

        Raises:
            SourceUnavailableError, SourceError: as `open_snapshot`; the exported snapshot has ended.
        """
        session = self._begun(exported)
        try:
            yield SourceSnapshot(session.connection, self._source, session.wait)
        except psycopg.Error as error:
            failure = session.failure(error)
            self.close()
            raise failure from None
        except BaseException:
            self.close()
            raise
        try:
            session.connection.execute("COMMIT")
        except psycopg.Error:
            # Everything has been read; and a statement that was asked may have ended the connection.
            self.close()

    def _begun(self, exported: str | None) -> SourceSession:
        if self._session is not None:
            try:
                self._session.begin(exported)
                return self._session
            except psycopg.Error:
                # It was idle since the snapshot before, and may have been closed meanwhile.
                self.close()
        session = self._connect()
        try:
            session.begin(exported)
        except psycopg.Error as error:
            failure = session.failure(error)
            self.close()
            raise failure from None
        self._session = session
        return session

    def _connect(self) -> SourceSession:
        if self._refused is not None:
            raise self._refused
        try:
            return self._connected.enter_context(
                open_session(
                    self._source,
                    self._credentials(),
                    silent_seconds=self._silent_seconds,
                    warn=self._warn,
                )
            )
        except SourceError as error:
            self._refused = error
            raise
