"""One followed source: its slot, its stream, the keys that came from it, and the way to read them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from c360_graph.control.connection import Credentials
from c360_graph.errors import MappingChangedError, SourceError
from c360_graph.faults import log_warning
from c360_graph.following.mark import SlotMark
from c360_graph.following.messages import decode
from c360_graph.following.replication import (
    FollowedTable,
    Slot,
    SourceServer,
    UnfollowedTable,
    ask_server,
    create_slot,
    drop_slot,
    find_slot,
    followable,
    publish,
    slot_name,
)
from c360_graph.following.source_changes import (
    Dirty,
    DirtyKeys,
    Facts,
    TableFacts,
    facts_digest,
    read_table_facts,
    why_missed,
)
from c360_graph.following.stream import Endpoint, ReplicationStream, lsn_text, open_stream
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.catalog import CatalogTable
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.model import GraphMapping, TableMapping
from c360_graph.source.key_reads import Key, KeyReader, RowsRead
from c360_graph.source.snapshot import (
    SourceSession,
    SourceSnapshot,
    connect_source,
    kind_of,
    open_session,
)

MOST_KEYS = 5_000
"""Keys that are gathered before they are applied, even where their transaction goes on."""
TAKE_IN_SECONDS = 0.1
"""How long is taken in at a time: where few keys change again and again, their number does not grow."""
SCHEMA_SECONDS = 5.0
"""How often the catalog is compared with the one that was mapped."""
_SLOT_ATTEMPTS_SECONDS = 20.0


class SourceFeed:
    """What is followed of a source. `prepare` comes first, then `open`."""

    def __init__(
        self,
        source: SourceRow,
        credentials: Credentials,
        mapping: GraphMapping,
        *,
        target: str,
        owner: str,
        warn: Callable[[str], None] = log_warning,
    ) -> None:
        self.source = source
        self._credentials = credentials
        self._mapping = mapping
        self._target, self._owner = target, owner
        self._warn = warn
        self.followed: tuple[FollowedTable, ...] = ()
        self.unfollowed: tuple[UnfollowedTable, ...] = ()
        self.slot = ""
        self.mark: SlotMark | None = None
        self._catalog: tuple[CatalogTable, ...] = ()
        self._facts: dict[str, TableFacts] = {}
        self._digest = ""
        self._schema_seen = 0.0
        self._keys: DirtyKeys
        self._stream: ReplicationStream | None = None
        self._reader: KeyReader
        self._session: SourceSession
        # What is written reads rows of junction tables while the next rows are read.
        self._reading = threading.Lock()

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.source_name

    def prepare(self, known: SlotMark | None) -> str | None:
        """Make sure of publication and slot; why the graph cannot go on from `known`, None where it can.

        Raises:
            SourceUnavailableError: the source cannot be reached at the moment.
            ReplicationError: it cannot be followed, and what a DBA does about it.
        """
        with self._connected() as connection:
            return self._prepare(connection, known)

    def reach(self) -> None:
        """Connect, and no more; errors as `prepare`."""
        with self._connected():
            pass

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        try:
            with connect_source(self._credentials) as connection:
                yield connection
        except psycopg.Error as error:
            raise kind_of(error)(
                f"source {self.name} ({self._credentials.server}) cannot be followed:"
                f" {str(error).splitlines()[0]}."
            ) from None

    def _prepare(self, connection: psycopg.Connection, known: SlotMark | None) -> str | None:
        server = ask_server(connection, source=self.name)
        if not server.keeps_bounded:
            self._warn(
                f"source {self.name}: max_slot_wal_keep_size is not set. While nothing follows it, the"
                " slot keeps the source's log until its disk is full. Set it, for instance to 10GB."
            )
        tables = [t for t in self._mapping.tables if t.source.source_id == self.source.source_id]
        self.followed, self.unfollowed = followable(connection, tables, self._mapping)
        self.slot = slot_name(
            target=self._target, owner=self._owner, database_oid=server.database_oid
        )
        if not self.followed:
            return None
        is_changed = publish(connection, self.slot, self.followed, source=self.name)
        slot = find_slot(connection, self.slot)
        self._read_facts(connection)
        if slot is not None and known is not None and not is_changed:
            why = why_not_from(known, slot, server, facts=self._digest)
            if why is None:
                self.mark = known.model_copy(
                    update={"timeline": server.timeline, "facts": self._digest}
                )
                return None
        elif known is not None:
            why = "its tables or their keys are others" if is_changed else "its slot is gone"
        else:
            why = "the graph was not followed from here yet"
        if slot is not None:
            self._drop(connection)
        # After the publication, which a slot looks up as of its own time; and it waits for the
        # transactions that are under way, whose changes nobody would publish.
        begin = create_slot(connection, self.slot, source=self.name)
        self.mark = SlotMark(
            slot=self.slot,
            database_oid=server.database_oid,
            lsn=lsn_text(begin),
            timeline=server.timeline,
            facts=self._digest,
        )
        return why

    def _read_facts(self, connection: psycopg.Connection) -> None:
        self._facts = read_table_facts(
            connection,
            publication=self.slot,
            schema=self.source.db_schema,
            names=[one.table.table_name for one in self.followed],
            before=self._facts,
        )
        self._digest = facts_digest(self._facts)

    def _drop(self, connection: psycopg.Connection) -> None:
        """A follower that has just died may still be connected."""
        deadline = time.monotonic() + _SLOT_ATTEMPTS_SECONDS
        while True:
            slot = find_slot(connection, self.slot)
            if slot is None:
                return
            if not slot.is_active or time.monotonic() > deadline:
                drop_slot(connection, self.slot)
                return
            time.sleep(0.5)

    @contextmanager
    def open(self, *, hashing: KeyedHash | None, waiting: Callable[[], None]) -> Iterator[None]:
        """Read the stream while the block runs.

        Raises:
            SourceUnavailableError: the source cannot be reached at the moment.
            ReplicationError: it does not send its changes.
        """
        assert self.mark is not None
        endpoint = Endpoint(
            name=self.name,
            credentials=self._credentials,
            slot=self.slot,
            publication=self.slot,
        )
        with ExitStack() as stack:
            self._session = stack.enter_context(open_session(self.source, self._credentials))
            self._stream = stack.enter_context(open_stream(endpoint))
            self._keys = DirtyKeys(self.followed, source=self.name, position=self.mark.position)
            self._reader = KeyReader(
                self._session, hashing=hashing, waiting=waiting, warn=self._warn
            )
            before = self._facts
            self._catalog = self._read_catalog()
            self._refuse_missed(before)
            try:
                yield
            finally:
                self._stream = None

    @property
    def stream(self) -> ReplicationStream:
        """The stream, to wait on."""
        assert self._stream is not None
        return self._stream

    def keep_alive(self) -> None:
        """Tell the source that we live, where its stream is read.

        Raises:
            SourceUnavailableError: the connection was lost.
        """
        if self._stream is not None:
            self._stream.keep_alive()

    def take_in(self) -> None:
        """Take in what has come, up to `MOST_KEYS` keys.

        Raises:
            SourceUnavailableError: the connection was lost.
            MappingChangedError: a table is not as it was mapped.
        """
        self.stream.receive()
        deadline = time.monotonic() + TAKE_IN_SECONDS
        while self._keys.count < MOST_KEYS:
            data = self.stream.read()
            if data is not None:
                self._keys.add(decode(data))
            elif time.monotonic() > deadline or not self.stream.receive_more():
                break
        self._look_at_schema()
        if not (self._keys.is_dirty or self._keys.is_in_transaction):
            self._keys.skip_to(self.stream.wal_end)

    @property
    def is_dirty(self) -> bool:
        """Whether rows are to be read again."""
        return self._keys.is_dirty

    @property
    def is_full(self) -> bool:
        """Whether nothing more is taken in before what was gathered is applied."""
        return self._keys.count >= MOST_KEYS

    @property
    def is_ahead(self) -> bool:
        """Whether a position can be confirmed that was not."""
        assert self.mark is not None
        return not self._keys.is_dirty and self._keys.position > self.mark.position

    def read_again(self, table_name: str, key: Key) -> None:
        """Read a row again although no change of it came."""
        self._keys.read_again(table_name, key)

    def take(self) -> Dirty:
        """What was gathered."""
        return self._keys.take()

    def read(self, dirty: Dirty) -> list[RowsRead]:
        """The rows as they are now.

        Raises:
            SourceError: the source cannot be reached, or refuses.
            MappingChangedError: it refuses since a table is not as it was mapped.
        """
        try:
            with self._reading:
                return self._reader.read(dirty.wanted, xids=dirty.xids)
        except SourceError:
            self.refuse_changed_schema()
            raise

    def read_by_values(
        self, table: TableMapping, columns: tuple[str, ...], values: list[Key]
    ) -> list[bytes]:
        """Rows of a junction table by what they join; errors as `read`."""
        with self._reading:
            return self._reader.read_by_values(table, columns, values)

    def moved_to(self, position: int) -> SlotMark:
        """The mark at a position."""
        assert self.mark is not None
        moved = self.mark.moved_to(max(position, self.mark.position))
        return moved.model_copy(update={"facts": self._digest})

    def confirm(self, mark: SlotMark) -> None:
        """What the graph says is in it, the source may forget.

        Raises:
            SourceUnavailableError: the connection was lost.
        """
        self.mark = mark
        self.stream.confirm(mark.position)

    def _look_at_schema(self) -> None:
        due = time.monotonic() - self._schema_seen >= SCHEMA_SECONDS
        if due or self._keys.may_have_changed:
            self._keys.may_have_changed = False
            self.refuse_changed_schema()

    def refuse_changed_schema(self) -> None:
        """Make sure that the tables are as they were mapped.

        Raises:
            MappingChangedError: they are not.
        """
        before = self._facts
        if self._read_catalog() != self._catalog:
            raise MappingChangedError(f"source {self.name}: a table is not as it was mapped.")
        self._refuse_missed(before)

    def _refuse_missed(self, before: Facts) -> None:
        why = why_missed(before, self._facts)
        if why is not None:
            raise MappingChangedError(f"source {self.name}: {why}, which its log does not tell.")

    def _read_catalog(self) -> tuple[CatalogTable, ...]:
        self._schema_seen = time.monotonic()
        names = frozenset(
            table.table_name
            for table in self._mapping.tables
            if table.source.source_id == self.source.source_id
        )
        try:
            with self._reading:
                self._session.begin()
                catalog = SourceSnapshot(
                    self._session.connection, self.source, self._session.wait
                ).catalog(names)
                self._read_facts(self._session.connection)
                self._session.connection.execute("COMMIT")
        except psycopg.Error as error:
            raise self._session.failure(error) from None
        uncounted = {"estimated_rows": -1, "live_rows": 0}
        return tuple(table.model_copy(update=uncounted) for table in catalog.tables)


def why_not_from(known: SlotMark, slot: Slot, server: SourceServer, *, facts: str) -> str | None:
    """Why the graph cannot go on from a mark; None where it can. `facts` are those of the tables now."""
    if slot.is_lost:
        return "the source has removed a part of its log that was not applied yet"
    if known.slot != slot.name or known.database_oid != server.database_oid:
        return "the graph was followed from another database"
    if slot.confirmed > known.position:
        return "the slot was made anew or moved by somebody else"
    if server.log_end is not None and server.log_end < known.position:
        return "the graph has changes that the source has not: an older state of it was restored"
    if None not in (known.timeline, server.timeline) and known.timeline != server.timeline:
        return "its log has another history, after a failover or a restored backup"
    if known.facts and known.facts != facts:
        return "tables or partitions were made, removed or altered while nobody followed"
    return None
