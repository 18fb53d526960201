"""The resident process: from changed rows of the sources to the graph, again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from uuid import uuid4

from c360_graph.control.locks import control_owner
from c360_graph.errors import MappingChangedError, SourceUnavailableError
from c360_graph.following.given import Flushed, Given, Stopped
from c360_graph.following.graph_writer import GraphChanges, GraphWriter
from c360_graph.following.handover import hand_over
from c360_graph.following.held_back import AwaySources, LossGuard
from c360_graph.following.mark import (
    HEARTBEAT_SECONDS,
    FollowMark,
    GraphMark,
    LagMeter,
    claim,
    read_graph_mark,
    take_over,
)
from c360_graph.following.refused_rows import (
    Outcome,
    PendingErrors,
    write_all_but_refused,
)
from c360_graph.following.relationships import Patterns
from c360_graph.following.source_changes import Dirty
from c360_graph.following.source_feed import SourceFeed
from c360_graph.following.stream import wait_for_data
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.model import GraphMapping, TableMapping
from c360_graph.pipeline.read_mapping import MappingState, read_mapping_state, rows_fingerprint
from c360_graph.source.key_reads import Key, RowsRead

GATHER_SECONDS = 0.02
"""After the first change more is waited for as long, so that one transaction takes many."""
IDLE_SECONDS = 1.0
CONTROL_ROWS_SECONDS = 5.0
CONFIRM_SECONDS = 10.0
"""How often an idle source is told that nothing of its log is needed."""
LOAD_POLL_SECONDS = 0.2
WRITING_POLL_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class _Underway:
    """What is being written while the next is read."""

    taken: list[tuple[SourceFeed, Dirty]]
    changes: GraphChanges
    mark: FollowMark
    """The graph's once it is written."""
    future: Future[tuple[Outcome | None, datetime]]


class Follower:
    """Follows from one state of the control rows; `run` ends when that is another."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._holder = uuid4().hex
        self._state: MappingState = read_mapping_state(given.control, given.settings)
        self._mapping: GraphMapping = self._state.mapping()
        self._feeds = self._make_feeds()
        self._away = AwaySources(self._mapping)
        self._unfollowed: dict[str, str] = {}
        self._mark: FollowMark
        self._guard = LossGuard(max_removed_share=given.max_removed_share)
        self._lag = LagMeter()
        self._errors = PendingErrors(given.control, self._mapping.tables, warn=given.callbacks.warn)
        self._patterns: Patterns
        self._writer: GraphWriter
        self._control_rows_seen = time.monotonic()
        self._confirmed_idle = self._wrote = time.monotonic()
        self._pool: ThreadPoolExecutor
        self._underway: _Underway | None = None
        self._is_over = threading.Event()

    def run(self) -> None:
        """Bring the graph to the state of the sources where it is not, then follow until something ends it.

        Raises:
            Stopped: the follower was asked to end.
            MappingChangedError: the mapping or the graph is not as it was; begin anew.
            C360Error: a server cannot be reached, or refuses.
        """
        self._begin()
        with ExitStack() as stack:
            for feed in self._feeds:
                stack.enter_context(feed.open(hashing=self._hashing(), waiting=self._keep_alive))
            self._try_refused_again()
            self._writer.prepare([one.table for feed in self._feeds for one in feed.followed])
            self._given.callbacks.following()
            stack.callback(self._given.callbacks.stopped)
            stack.callback(self._given.minutes.write)
            stack.enter_context(self._away.watched())
            stack.enter_context(self._writing_thread())
            while True:
                self._step()
                self._given.callbacks.looked()

    @contextmanager
    def _writing_thread(self) -> Iterator[None]:
        """Writes while the sources are read; what it has begun ends with the block."""
        with ThreadPoolExecutor(1, thread_name_prefix="graph writer") as self._pool:
            try:
                yield
            finally:
                self._is_over.set()

    def _try_refused_again(self) -> None:
        for row in self._errors.read():
            for feed in self._feeds:
                if feed.source.source_id == row.source_id:
                    feed.read_again(row.table_name, row.key)

    def _make_feeds(self) -> list[SourceFeed]:
        control = self._given.control
        sources = {t.source.source_id: t.source for t in self._mapping.source_tables}
        return [
            SourceFeed(
                source,
                control.source_credentials(source),
                self._mapping,
                target=self._given.graph.identity(),
                owner=control_owner(control).id,
                warn=self._given.callbacks.warn,
            )
            for source in sources.values()
        ]

    def _begin(self) -> None:
        """Publications and slots; then the graph as a whole where it is not known to be."""
        tell = self._given.callbacks
        found = self._await_no_load()
        known = found.follow if found and found.is_whole else None
        reasons = self._prepare_feeds(known)
        for feed in self._feeds:
            for table in feed.unfollowed:
                tell.warn(f"Not followed, and only as new as the last load: {table}.")
        self._prepare_writing()
        for pattern in self._patterns.left:
            tell.warn(
                f"Not followed, and only as new as the last load: relationships {pattern.edges[0]}, which"
                " go through a table without a label."
            )
        for identity in self._mapping.identities:
            tell.warn(
                f"Not followed, and only as new as the last load: nodes of {identity.label}, and which"
                " records are theirs. Identity resolution makes them of all records."
            )
        self._unfollowed = {t.qualified_name: t.why for f in self._feeds for t in f.unfollowed}
        self._unfollowed |= {
            identity.entities.qualified_name: "identity resolution makes its rows of all records"
            for identity in self._mapping.identities
        }
        self._feeds = [feed for feed in self._feeds if feed.followed]
        if known is None:
            reasons = ["it is not known to be whole"]
        elif known.mapping != self._fingerprint():
            reasons.append("something else is mapped now")
        elif known.held and self._given.release:
            reasons.append(f"{', '.join(known.held)} is followed again")
        if not reasons and known is not None and take_over(self._given.graph, holder=self._holder):
            slots = {name: known.slots[name] for name in self._away.why}
            slots |= {feed.name: feed.mark for feed in self._feeds if feed.mark}
            self._mark = known.model_copy(update={"slots": slots, "away": self._away.why})
        elif self._away.why:
            # Only all sources together say what the whole graph should be.
            raise SourceUnavailableError(" ".join(self._away.why.values()))
        else:
            tell.say(f"The graph is brought to the state of the sources: {'; '.join(reasons)}.")
            self._hand_over()
        self._writer.make_indexes()

    def _prepare_feeds(self, known: FollowMark | None) -> list[str]:
        """Why the graph cannot go on from what it says; leaves out sources that cannot be reached."""
        reasons = []
        for feed in self._feeds:
            mark = known.slots.get(feed.name) if known else None
            try:
                why = feed.prepare(mark)
            except SourceUnavailableError as error:
                if known is None or mark is None:
                    raise
                self._away.add(feed, error, known)
                self._given.callbacks.warn(f"{error} The other sources are followed.")
                continue
            if why is not None:
                reasons.append(f"source {feed.name}: {why}")
        if len(self._away.why) == len(self._feeds):
            raise SourceUnavailableError(" ".join(self._away.why.values()))
        return reasons

    def _followed(self) -> set[str]:
        """The tables that are followed, with those of sources that are away."""
        return {
            one.table.qualified_name for feed in self._feeds for one in feed.followed
        } | self._away.tables

    def _prepare_writing(self) -> None:
        followed = self._followed()
        self._patterns = Patterns(self._mapping, followed)
        self._writer = GraphWriter(
            self._given.graph,
            self._patterns,
            holder=self._holder,
            read_links=self._read_links,
            warn=self._given.callbacks.warn,
            check=self._refuse_over,
        )

    def _refuse_over(self) -> None:
        # In the thread that writes. The other one keeps the streams alive.
        if self._is_over.is_set():
            raise Stopped
        self._refuse_stopped()

    def _read_links(
        self, table: TableMapping, columns: tuple[str, ...], values: list[Key]
    ) -> list[bytes]:
        self._away.refuse_need(table.source.source_id)
        for feed in self._feeds:
            if feed.source.source_id == table.source.source_id:
                return feed.read_by_values(table, columns, values)
        return []

    def _hand_over(self) -> None:
        given = self._given
        marks = {feed.name: feed.mark for feed in self._feeds if feed.mark}
        self._mark = FollowMark(
            mapping=self._fingerprint(), slots=marks, unfollowed=self._unfollowed
        )
        while True:
            self._refuse_stopped()
            handed = hand_over(
                graph=given.graph,
                control=given.control,
                state=self._state,
                mapping=self._mapping,
                settings=given.settings,
                log_id=given.log_id,
                max_removed_share=1.0 if given.release else given.max_removed_share,
                warn=given.callbacks.warn,
            )
            if handed and claim(given.graph, handed.mark, self._mark, holder=self._holder):
                return
            self._await_no_load()

    def _fingerprint(self) -> str:
        """Of all that decides what the graph holds."""
        said = [table.fingerprint_source for table in self._mapping.tables]
        said += sorted(mapping.fingerprint_source for mapping in self._mapping.relationships)
        return sha256("\n".join((*said, *sorted(self._followed()))).encode()).hexdigest()[:32]

    def _hashing(self) -> KeyedHash | None:
        key = self._given.settings.c360_hash_key
        return KeyedHash(key.get_secret_value()) if key else None

    def _step(self) -> None:
        self._look_around()
        seconds = WRITING_POLL_SECONDS if self._underway else IDLE_SECONDS
        wait_for_data([feed.stream for feed in self._feeds], seconds=seconds)
        self._take_in()
        self._finish_if_written(seconds=0.0)
        if any(feed.is_dirty for feed in self._feeds):
            self._gather()
            self._flush()
        elif time.monotonic() - self._confirmed_idle >= CONFIRM_SECONDS:
            self._confirmed_idle = time.monotonic()
            is_due = time.monotonic() - self._wrote >= HEARTBEAT_SECONDS
            if is_due or any(feed.is_ahead for feed in self._feeds):
                self._flush()

    def _take_in(self) -> None:
        for feed in self._feeds:
            feed.take_in()

    def _gather(self) -> None:
        deadline = time.monotonic() + GATHER_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            if any(feed.is_full for feed in self._feeds):
                return
            wait_for_data([feed.stream for feed in self._feeds], seconds=left)
            self._take_in()

    def _flush(self) -> None:
        """Read what was gathered while the former is written, then begin to write it."""
        taken = [(feed, feed.take()) for feed in self._feeds]
        reads = [read for feed, dirty in taken if dirty.wanted for read in feed.read(dirty)]
        while self._underway:
            self._finish_if_written(seconds=IDLE_SECONDS)
            if self._underway:
                self._keep_alive()
        self._begin_to_write(taken, reads)

    def _begin_to_write(self, taken: list[tuple[SourceFeed, Dirty]], reads: list[RowsRead]) -> None:
        marks = {feed.name: feed.moved_to(dirty.position) for feed, dirty in taken}
        emptied = [table for _, dirty in taken for table in dirty.emptied]
        changes, held = self._without_great_losses(emptied, reads)
        before = self._mark.model_dump_json()
        mark = self._mark.model_copy(
            update={
                "slots": self._mark.slots | marks,
                "held": held,
                "rates": self._lag.rates(),
            }
        )

        def write() -> tuple[Outcome | None, datetime]:
            outcome = write_all_but_refused(
                self._writer, changes, before=before, after=mark.model_dump_json()
            )
            return outcome, datetime.now(UTC)

        self._underway = _Underway(
            taken=taken, changes=changes, mark=mark, future=self._pool.submit(write)
        )

    def _finish_if_written(self, *, seconds: float) -> None:
        if self._underway and wait([self._underway.future], timeout=seconds).done:
            self._finish(self._underway)

    def _finish(self, written: _Underway) -> None:
        """Confirm what was written.

        Raises:
            MappingChangedError: the graph was not ours, since a load had come.
        """
        self._underway = None
        outcome, moment = written.future.result()
        if outcome is None:
            self._refuse_other()
            self._await_no_load()
            raise MappingChangedError("A load of the graph has come in between.")
        mark = written.mark
        # Before anything is confirmed: what is not in the graph is to be known.
        self._errors.note(written.changes, outcome.refused, marks=mark.slots)
        self._mark, self._wrote = mark, time.monotonic()
        self._given.minutes.note(written.changes)
        for feed, _ in written.taken:
            feed.confirm(mark.slots[feed.name])
        made, removed = outcome.written.nodes_made, outcome.written.nodes_deleted
        for table in made.keys() | removed.keys():
            self._guard.note(table, made=made[table], removed=removed[table])
        self._tell(written.taken, outcome, moment)

    def _without_great_losses(
        self, emptied: list[TableMapping], reads: list[RowsRead]
    ) -> tuple[GraphChanges, dict[str, str]]:
        """What is written: nothing of a table that lost too many rows, which is held from now on."""
        held = dict(self._mark.held)
        going = {table.qualified_name: (table, 0) for table in emptied}
        going |= {r.table.qualified_name: (r.table, len(r.gone)) for r in reads if r.gone}
        for table in emptied:
            going[table.qualified_name] = (table, self._writer.count(table))
        for name, (table, rows) in going.items():
            if name in held:
                continue
            why = self._guard.why_refused(
                name, going=rows, count=partial(self._writer.count, table)
            )
            if why is not None:
                held[name] = why
                self._given.callbacks.warn(
                    f"{name} is held: {why}. Its nodes stay as they are, and the other tables are"
                    " followed. If the rows are meant to be gone, run c360 follow --release, or a load"
                    " with max_removed_share: 1.0."
                )
        changes = GraphChanges(
            emptied=tuple(table for table in emptied if table.qualified_name not in held),
            reads=tuple(read for read in reads if read.table.qualified_name not in held),
        )
        return changes, held

    def _tell(
        self, taken: list[tuple[SourceFeed, Dirty]], outcome: Outcome, moment: datetime
    ) -> None:
        flushed = Flushed(
            written=outcome.written,
            refused=len(outcome.refused),
            held=len(self._mark.held),
            changes=sum(dirty.changes for _, dirty in taken),
            lag_seconds=tuple(
                (moment - committed).total_seconds()
                for _, dirty in taken
                if dirty.changes
                for committed in dirty.commit_times
            ),
        )
        self._lag.add(flushed.changes, flushed.lag_seconds)
        self._given.callbacks.flushed(flushed)

    def _refuse_other(self) -> None:
        """Why the graph was not ours to write to; returns where a load is under way."""
        found = read_graph_mark(self._given.graph)
        if found is not None and found.is_locked:
            return
        if found is not None and found.follower == self._holder and found.is_whole:
            return
        raise MappingChangedError("The graph was loaded meanwhile, or another follower has come.")

    def _await_no_load(self) -> GraphMark | None:
        """The graph's mark once no load holds the graph."""
        told = False
        while True:
            found = read_graph_mark(self._given.graph)
            if found is None or not found.is_locked:
                return found
            if not told:
                self._given.callbacks.say(
                    "A load of the graph is under way; following waits for it."
                )
                told = True
            self._keep_alive()
            self._refuse_stopped()
            time.sleep(LOAD_POLL_SECONDS)

    def _keep_alive(self) -> None:
        self._given.turn.check()
        self._refuse_stopped()
        for feed in self._feeds:
            feed.keep_alive()

    def _look_around(self) -> None:
        self._refuse_stopped()
        self._away.refuse_back()
        self._given.turn.check()
        self._given.minutes.write_if_due()
        if time.monotonic() - self._control_rows_seen >= CONTROL_ROWS_SECONDS:
            self._control_rows_seen = time.monotonic()
            if rows_fingerprint(self._given.control.read_rows()) != self._state.fingerprint:
                raise MappingChangedError("A control row was changed.")
            # Where nothing is written, nobody else would notice that a load has come and gone.
            self._refuse_other()

    def _refuse_stopped(self) -> None:
        if self._given.stop.is_set():
            raise Stopped
