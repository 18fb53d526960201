"""The replication stream of one source, read through libpq itself.

psycopg's `pq` sends and receives the bytes. psycopg2's own replication cursor is not used: at a keepalive
it confirms everything that the server has sent as soon as the last message began before the last
confirmed position, as the rows of a transaction that ran for a while do. Transactions that were received
and not yet applied would be confirmed with it.
"""

from __future__ import annotations

import select
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from c360_graph.control.connection import CONNECT_TIMEOUT_SECONDS, Credentials, first_line
from c360_graph.errors import ReplicationError, SourceError, SourceUnavailableError
from c360_graph.faults import KEEPALIVE, is_passing
from c360_graph.sql_quoting import quoted

STATUS_SECONDS = 5.0
"""The server hears from us at least so often; it ends a connection after wal_sender_timeout, 60 s."""
SILENT_SECONDS = 45.0
"""The server is asked to answer at each status: one that has sent nothing for so long is gone."""

# What the text of a key depends on is the same as where rows are read.
_OPTIONS = (
    "-c datestyle=ISO,YMD -c intervalstyle=iso_8601 -c timezone=UTC -c extra_float_digits=1"
    " -c bytea_output=hex -c client_encoding=UTF8"
)
_MICROSECONDS_TO_2000 = 946_684_800_000_000
_HEADER = struct.Struct(">QQq")
_KEEPALIVE = struct.Struct(">QqB")
_STATUS = struct.Struct(">cQQQqB")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a source's changes come from."""

    name: str
    credentials: Credentials
    slot: str
    publication: str


class ReplicationStream:
    """Messages of a slot, in the order of commits."""

    def __init__(self, connection: pq.abc.PGconn, name: str) -> None:
        self._connection = connection
        self._name = name
        self._confirmed = 0
        self._received = 0
        self._status_sent = 0.0
        self._heard = self._looked = time.monotonic()
        self.wal_end = 0
        """How far the server has looked through its log; all that concerns us before it was sent."""

    @property
    def socket(self) -> int:
        """To wait on."""
        return self._connection.socket

    def read(self) -> bytes | None:
        """The next message, None where none has come yet.

        Raises:
            SourceUnavailableError: the connection was lost.
            ReplicationError: the server ended the stream, and why.
        """
        while True:
            try:
                size, data = self._connection.get_copy_data(1)
            except psycopg.Error as error:
                raise _failure(self._name, error) from None
            if size == 0:
                return None
            if size < 0:
                raise SourceUnavailableError(f"source {self._name} ended the replication stream.")
            message = bytes(data)
            self._heard = time.monotonic()
            if message[:1] == b"w":
                start, end, _ = _HEADER.unpack_from(message, 1)
                self._received = max(self._received, start)
                self.wal_end = max(self.wal_end, end)
                return message[25:]
            if message[:1] == b"k":
                end, _, wants_answer = _KEEPALIVE.unpack_from(message, 1)
                self.wal_end = max(self.wal_end, end)
                if wants_answer:
                    self.send_status()

    def receive(self) -> None:
        """Take in what the network has.

        Raises:
            SourceUnavailableError: the connection was lost, or the server has been silent for long.
        """
        try:
            self._connection.consume_input()
        except psycopg.Error as error:
            raise _failure(self._name, error) from None
        now = time.monotonic()
        if now - self._looked > STATUS_SECONDS:
            # What came while nobody looked is not read yet.
            self._heard = now
        self._looked = now
        self.keep_alive()
        if now - self._heard > SILENT_SECONDS:
            raise SourceUnavailableError(
                f"source {self._name} has sent nothing for {SILENT_SECONDS:.0f} s, and does not answer."
            )

    def receive_more(self) -> bool:
        """Take in what the network has by now; False where it has nothing.

        libpq takes in some kilobytes at a time, and much more may be waiting.

        Raises:
            SourceUnavailableError: the connection was lost.
        """
        if not select.select([self.socket], [], [], 0)[0]:
            return False
        try:
            self._connection.consume_input()
        except psycopg.Error as error:
            raise _failure(self._name, error) from None
        return True

    def keep_alive(self) -> None:
        """Tell the server that we live, where it has not heard of us for a while.

        Raises:
            SourceUnavailableError: the connection was lost.
        """
        if time.monotonic() - self._status_sent >= STATUS_SECONDS:
            self.send_status()

    def confirm(self, lsn: int) -> None:
        """Let the server forget everything before a position: it was applied.

        Raises:
            SourceUnavailableError: the connection was lost.
        """
        if lsn > self._confirmed:
            self._confirmed = lsn
            self._received = max(self._received, lsn)
            self.send_status()

    def send_status(self) -> None:
        """Say how far we are.

        Raises:
            SourceUnavailableError: the connection was lost.
        """
        now = time.time_ns() // 1_000 - _MICROSECONDS_TO_2000
        status = _STATUS.pack(b"r", self._received, self._confirmed, self._confirmed, now, 1)
        try:
            self._connection.put_copy_data(status)
            self._connection.flush()
        except psycopg.Error as error:
            raise _failure(self._name, error) from None
        self._status_sent = time.monotonic()


@contextmanager
def open_stream(endpoint: Endpoint) -> Iterator[ReplicationStream]:
    """Start to read a slot where it was confirmed last.

    Raises:
        SourceUnavailableError: the source cannot be reached at the moment, or another client reads the slot.
        ReplicationError: the source refuses.
    """
    # Held to the end: it closes what it has made.
    opened = _connected(endpoint)
    connection = opened.pgconn
    try:
        options = f"proto_version '1', publication_names '{quoted(endpoint.publication)}'"
        command = f"START_REPLICATION SLOT {quoted(endpoint.slot)} LOGICAL 0/0 ({options})"
        result = connection.exec_(command.encode())
        if result.status != pq.ExecStatus.COPY_BOTH:
            raise refusal(endpoint, result)
        connection.nonblocking = 1
        yield ReplicationStream(connection, endpoint.name)
    finally:
        opened.close()


def wait_for_data(streams: list[ReplicationStream], *, seconds: float) -> None:
    """Wait until one of the streams has something, at most so long."""
    if streams:
        select.select([stream.socket for stream in streams], [], [], max(0.0, seconds))
    else:
        time.sleep(max(0.0, seconds))


def _connected(endpoint: Endpoint) -> psycopg.Connection:
    credentials = endpoint.credentials
    parameters = {
        "host": credentials.host,
        "port": credentials.port,
        "dbname": credentials.database,
        "user": credentials.user,
        "password": credentials.password,
        "sslmode": credentials.sslmode,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": "c360_graph follow",
        "replication": "database",
        "options": _OPTIONS,
        **KEEPALIVE,
    }
    given = {name: value for name, value in parameters.items() if value is not None}
    try:
        # Not libpq's own blocking call, during which no other thread of the process runs.
        return psycopg.connect(make_conninfo(**given), autocommit=True)
    except psycopg.Error as error:
        said = first_line(error)
    if credentials.password:
        said = said.replace(credentials.password, "***")
    kind = (
        SourceUnavailableError if is_passing(psycopg.OperationalError(said)) else ReplicationError
    )
    raise kind(
        f"source {endpoint.name} ({credentials.server}) refuses a replication connection: {said}. Its"
        " role needs REPLICATION, and a pooler cannot stand between."
    )


def refusal(endpoint: Endpoint, result: pq.abc.PGresult) -> SourceError:
    """What it means that the server does not begin to send: whether another try may succeed."""
    said = first_line(result.error_message.decode(errors="replace"))
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    # The slot is read by another client: it may be a former connection of ours that is not gone yet.
    is_passing_one = state == "55006" or is_passing(psycopg.OperationalError(said))
    kind = SourceUnavailableError if is_passing_one else ReplicationError
    return kind(f"source {endpoint.name} does not send its changes: {said}.")


def _failure(name: str, error: psycopg.Error) -> SourceError:
    said = first_line(error)
    if is_passing(error) or "no COPY in progress" in said:
        return SourceUnavailableError(f"source {name} left the replication stream: {said}.")
    return ReplicationError(f"source {name} does not send its changes: {said}.")


def lsn_text(lsn: int) -> str:
    """A position as PostgreSQL writes it.

    >>> lsn_text(0x16B3748)
    '0/16B3748'
    """
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lsn_number(text: str) -> int:
    """A position from its text.

    >>> lsn_number("1/10") == (1 << 32) + 16
    True
    """
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)
