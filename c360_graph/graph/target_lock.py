"""One load at a time for a target, whoever starts it: a lock that the target itself keeps.

The holder shows every second that it lives, by a counter. Whoever waits takes the lock only from a
holder that is known to be dead:

- it had the session lock of the same control database, which the waiting load has now;
- or none of its connections is left (asked of a server that stands alone: a cluster's members do not
  know each other's clients);
- or its counter has not moved for `LEASE_SECONDS` of the waiting load's own clock. The time of day is
  never compared.

A holder that was taken for dead finds that out before it sends another statement, and what it left
running is ended by the new holder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from neo4j.exceptions import Neo4jError

from c360_graph.cypher import target_lock as text
from c360_graph.errors import GraphOwnedError, GraphUnavailableError, LoadLockedError
from c360_graph.faults import repeating
from c360_graph.graph.attempts import Attempts, Done, Work
from c360_graph.graph.connection import ERRORS, Graph
from c360_graph.mapping.graph_manifest import GraphManifest, Owner


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who loads a graph.

    Attributes:
        owner: the control database that the load is for; None where it is not known.
        take_over: whether the graph of another control database becomes this one's.
        keeper: id of the control database that keeps this load's session lock. Whoever holds that
            lock knows that an earlier load under the same lock has ended.
        wait_seconds: how long to wait for another load of the target; 0 fails at once.
    """

    owner: Owner | None = None
    take_over: bool = False
    keeper: str = ""
    wait_seconds: float = 0.0

    @property
    def name(self) -> str:
        """Who loads, for the messages of others."""
        return self.owner.name if self.owner else "a script that names no control database"


def owned_by_another(manifest: GraphManifest | None, claim: Claim, *, server: str) -> str | None:
    """Why a load may not write to a graph; None where it may.

    A graph without a manifest, or with that of a version that named no owner, may be loaded by anyone.
    """
    owner = manifest.owner if manifest else None
    if owner is None or claim.take_over or (claim.owner and claim.owner.id == owner.id):
        return None
    return (
        f"The graph {server} is loaded from another control database ({owner.name}; this load is for"
        f" {claim.name}), and nothing was changed. Point NEO4J_URI at a graph of its own. If this one"
        " is to take the graph over, for instance because the control database was moved or restored,"
        " load once with take_over: true (c360 load --take-over): what the other one wrote is then"
        " replaced."
    )


def refuse_anothers_graph(manifest: GraphManifest | None, claim: Claim, *, server: str) -> None:
    """Make sure that the graph is not another control database's.

    Raises:
        GraphOwnedError: it is, and the claim does not take it over.
    """
    reason = owned_by_another(manifest, claim, server=server)
    if reason is not None:
        raise GraphOwnedError(reason)


POLL_SECONDS = 0.5
BEAT_SECONDS = 1.0
VERIFIED_SECONDS = 2.0
"""Before a statement is sent, the lock was seen as ours no longer ago."""
ABSENT_SECONDS = 4.0
"""A holder without connections is dead after this; longer than `VERIFIED_SECONDS`, as it may connect again."""
LEASE_SECONDS = 45.0
TRANSACTION_SECONDS = 15.0
"""The server ends a transaction on the lock that takes longer: its client is likely gone."""


class TargetLock:
    """A lock that is held. `check` is cheap; `verify` asks the target where that was long ago."""

    def __init__(self, graph: Graph, claim: Claim, *, may_vanish: bool) -> None:
        self._graph = graph
        self._parameters = _parameters(graph, claim)
        self._may_vanish = may_vanish
        self._verified = time.monotonic()
        self._lost: LoadLockedError | None = None

    def check(self) -> None:
        """Raise where the lock is known to be lost.

        Raises:
            LoadLockedError: another load has it.
        """
        if self._lost is not None:
            raise self._lost

    def verify(self) -> None:
        """Make sure that the lock is held still. The driver's errors pass through.

        Raises:
            LoadLockedError: another load has it.
        """
        self.check()
        if time.monotonic() - self._verified > VERIFIED_SECONDS:
            self.beat()

    def beat(self) -> None:
        """Show that the holder lives. The driver's errors pass through.

        Raises:
            LoadLockedError: another load has the lock.
        """
        begin = time.monotonic()
        if not self._send(text.beat()).properties_set and not self._held_again():
            self._lost = LoadLockedError(
                f"The lock on {self._graph.server} was lost: this load did not answer for a while, and"
                " another took it for dead. It stops before the two can mix. Run it again."
            )
            raise self._lost
        self._verified = begin

    def release(self) -> None:
        """Let the next load begin; without the server it finds out by itself."""
        for _ in range(3):
            with suppress(GraphUnavailableError, *ERRORS):
                self._send(text.release_lock())
                return
            time.sleep(BEAT_SECONDS)

    def _held_again(self) -> bool:
        # A file of Cypher that somebody wrote may well begin by removing every node.
        return self._may_vanish and bool(self._send(text.hold_again()).nodes_created)

    def _send(self, statement: str) -> Any:
        return self._graph.run(
            statement, tag={}, timeout_seconds=TRANSACTION_SECONDS, **self._parameters
        )

    @property
    def holder(self) -> str:
        """The name of this load in the lock."""
        return str(self._parameters["holder"])


@dataclass
class _Seen:
    """How long a holder has been looked at without a sign of life."""

    beat: int
    moved: float
    connected: float
    """When it last had a connection, or might have had one."""


@dataclass
class _HolderWatch:
    """Judges from outside whether a holder is dead."""

    graph: Graph
    keeper: str
    seen: dict[str, _Seen] = field(default_factory=dict)
    lives: bool = False
    """Whether the last holder that was looked at has shown that it lives."""

    def is_dead(self, lock: dict[str, Any]) -> bool:
        if self.keeper and lock["keeper"] == self.keeper:
            return True
        now = time.monotonic()
        seen = self.seen.setdefault(lock["holder"], _Seen(lock["beat"], now, now))
        if seen.beat != lock["beat"]:
            seen.beat, seen.moved, self.lives = lock["beat"], now, True
        if self._may_be_connected(lock["client"]):
            seen.connected = now
        return now - seen.moved >= LEASE_SECONDS or now - seen.connected >= ABSENT_SECONDS

    def _may_be_connected(self, client: str) -> bool:
        try:
            (shown,) = self.graph.fetch(text.show_clients())
        except Neo4jError:
            # Who may not ask cannot tell.
            return True
        is_told = bool(client) and shown["is_alone"]
        return not is_told or any(client in name for name in shown["clients"] if name)


@contextmanager
def target_lock(
    graph: Graph,
    claim: Claim,
    *,
    warn: Callable[[str], None] = lambda message: None,
    check: Callable[[], None] = lambda: None,
    may_vanish: bool = False,
) -> Iterator[TargetLock]:
    """Hold the lock on a target while the block runs.

    Args:
        graph: the target.
        claim: who loads, and how long to wait.
        warn: told once that another load is under way.
        check: called while waiting; may raise to stop.
        may_vanish: whether what is loaded may remove the lock with everything else.

    Raises:
        LoadLockedError: another load held it all that time.
        StatementError: the target cannot be asked.
    """
    lock = TargetLock(graph, claim, may_vanish=may_vanish)
    try:
        _acquire(graph, claim, lock.holder, warn=warn, check=check)
        with _beating(lock):
            yield lock
    finally:
        lock.release()


@contextmanager
def _beating(lock: TargetLock) -> Iterator[None]:
    def beat() -> bool:
        # The load itself meets a lost connection, and verifies the lock when it is back.
        with suppress(*ERRORS):
            try:
                lock.beat()
            except (GraphUnavailableError, LoadLockedError):
                return False
        return True

    with repeating(
        beat, every=BEAT_SECONDS, name="c360-target-lock", join_seconds=TRANSACTION_SECONDS
    ):
        yield


def _acquire(
    graph: Graph,
    claim: Claim,
    holder: str,
    *,
    warn: Callable[[str], None],
    check: Callable[[], None],
) -> None:
    watch = _HolderWatch(graph, claim.keeper)
    attempts = Attempts(graph, warn=warn, check=check)
    deadline = time.monotonic() + claim.wait_seconds
    told = False
    while True:
        dead, living = _judged(attempts, watch, graph)
        if not living:
            if _taken(attempts, graph, claim, holder, dead):
                return
            continue
        # Also who is not to wait looks until the holder is known to live, or to be dead.
        patience = 0.0 if watch.lives else 2 * ABSENT_SECONDS
        if time.monotonic() >= deadline + patience:
            raise LoadLockedError(_refusal(graph.server, living[0], claim.wait_seconds))
        if not told and claim.wait_seconds:
            warn(
                f"Another load of {graph.server} is under way ({_described(living[0])}); waiting up to"
                f" {claim.wait_seconds:.0f} s."
            )
            told = True
        time.sleep(POLL_SECONDS)


def _judged(
    attempts: Attempts, watch: _HolderWatch, graph: Graph
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """The holders that are dead, each with its counter, and those that may live."""

    def look() -> tuple[dict[str, int], list[dict[str, Any]]]:
        holding = [lock for lock in graph.fetch(text.read_locks()) if lock["holds"]]
        dead = [lock for lock in holding if watch.is_dead(lock)]
        living = [lock for lock in holding if lock not in dead]
        return {lock["holder"]: lock["beat"] for lock in dead}, living

    return attempts.run(Work(title="Looking at the target's lock", tag=_tag(), send=look))


def _taken(
    attempts: Attempts, graph: Graph, claim: Claim, holder: str, dead: dict[str, int]
) -> bool:
    """Take the lock unless another than these dead ones holds it."""
    parameters = _parameters(graph, claim) | {"holder": holder}
    tag = _tag()

    def send() -> bool:
        graph.run(text.request_lock(), tag=tag, timeout_seconds=TRANSACTION_SECONDS, **parameters)
        with graph.transaction(tag, timeout_seconds=TRANSACTION_SECONDS) as transaction:
            transaction.run(text.lock_requests(), holder=holder).consume()
            locks = [record.data() for record in transaction.run(text.read_locks())]
            may = all(_may_be_replaced(lock, holder, dead) for lock in locks)
            # Whoever took the lock meanwhile has removed our request.
            if may and any(lock["holder"] == holder for lock in locks):
                transaction.run(text.hold_lock(), holder=holder).consume()
                transaction.commit()
                return True
            transaction.rollback()
        graph.run(text.release_lock(), tag=tag, timeout_seconds=TRANSACTION_SECONDS, **parameters)
        return False

    def recover() -> Done[bool] | None:
        locks = graph.fetch(text.read_locks())
        is_held = any(lock["holds"] and lock["holder"] == holder for lock in locks)
        return Done(True) if is_held else None

    work = Work(title="Taking the target's lock", tag=tag, send=send, recover=recover)
    return attempts.run(work)


def _may_be_replaced(lock: dict[str, Any], holder: str, dead: dict[str, int]) -> bool:
    if not lock["holds"] or lock["holder"] == holder:
        return True
    # A counter that moved after all is a sign of life.
    return bool(dead.get(lock["holder"]) == lock["beat"])


def _refusal(server: str, lock: dict[str, Any], wait_seconds: float) -> str:
    waited = f" for {wait_seconds:.0f} s" if wait_seconds else ""
    return (
        f"Another load of {server} has been under way{waited} ({_described(lock)}). Wait for it to"
        " end, or give a longer lock_wait_seconds (c360 load --wait). If it died without a word, its"
        f" lock ends {LEASE_SECONDS:.0f} s after somebody waits for it."
    )


def _described(lock: dict[str, Any]) -> str:
    return f"of {lock['name']}, since {lock['since']}"


def _parameters(graph: Graph, claim: Claim) -> dict[str, str]:
    return {
        "holder": uuid4().hex,
        "client": graph.client,
        "keeper": claim.keeper,
        "name": claim.name,
    }


def _tag() -> dict[str, str]:
    return {"c360_lock": uuid4().hex}
