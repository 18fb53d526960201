"""Looks after the graph: whether it is whole, what it was made from, and what is served of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

from pydantic import ValidationError

from c360_graph.cypher import customers as customer_text
from c360_graph.cypher.counts_and_deletes import MOST_COUNTED, count_labels
from c360_graph.cypher.following import read_mark
from c360_graph.cypher.manifest import WHOLE
from c360_graph.errors import GraphError
from c360_graph.following.mark import FollowMark
from c360_graph.graph.read_only import AsyncGraph
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.serve.schema import ServedGraph, ServedRule, served_graph

LOOK_SECONDS = 0.5
"""Between a look and the next one."""
SETTLED_SECONDS = 2.0
"""After as long, what changes next has another second than what changed last."""
PATIENCE_SECONDS = 2.0
"""A server that has not answered for as long counts as unreachable, and is asked again over a new connection."""
_TIMEOUT_SECONDS = 20.0
"""It is waited for all the same: one that has just started takes long for its first statements."""

GraphState = Literal["whole", "rebuilding", "absent", "unreachable"]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What was known of the graph at the last look. `version` changes with whatever can change an answer."""

    state: GraphState = "unreachable"
    manifest: GraphManifest = field(default_factory=GraphManifest)
    served: ServedGraph = field(default_factory=ServedGraph)
    content: str = ""
    """The manifest as the graph has it."""
    rules: tuple[ServedRule, ...] = ()
    """Those that `served` was made with."""
    follow: FollowMark | None = None
    is_followed: bool = False
    version: str = ""
    changed_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """When the last load ended, a follower moved, or this process saw that the rules changed."""
    seen: float = 0.0
    """When this process first saw the version, by the monotonic clock."""
    loads: tuple[str, ...] = ()
    """What the mark of a graph of the same load says; nothing where an older version loaded it."""

    @property
    def is_settled(self) -> bool:
        """Whether no other version has the same second in `changed_at`."""
        return time.monotonic() - self.seen >= SETTLED_SECONDS


class GraphWatch:
    """One statement of the server every half second, and a few more when the mapping changed."""

    def __init__(
        self,
        graph: AsyncGraph,
        *,
        customer_label: str | None,
        renew: Callable[[], None],
        on_return: Callable[[], None],
    ) -> None:
        """Watch a graph.

        Args:
            graph: by connections of its own, which no request waits for.
            customer_label: of the customers that are served; None for the label that the mapping tells.
            renew: called where a connection may be dead, to use others from then on.
            on_return: called when a server that could not be reached is there.
        """
        self._graph = graph
        self._renew = renew
        self._on_return = on_return
        self._customer_label = customer_label
        self._rules: tuple[ServedRule, ...] = ()
        self._looking = asyncio.Lock()
        self.current = Snapshot()
        self.interruptions = 0
        """How often the graph was found not to be whole."""

    def use_rules(self, rules: tuple[ServedRule, ...]) -> None:
        """The exclusion rules that are in force from now on."""
        self._rules = rules

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Bring `current` up to date; a server that cannot be reached is a state, too."""
        # One after the other, so that what was seen first does not come last.
        async with self._looking:
            try:
                seen = await self._first_seen()
            except GraphError:
                seen = replace(self.current, state="unreachable")
            if self.current.state == "unreachable" and seen.state != "unreachable":
                self._on_return()
            self.current = seen
            self.interruptions += self.current.state in ("rebuilding", "absent")

    async def _first_seen(self) -> Snapshot:
        """What the first of several tries sees.

        A connection may be dead without an end of ours knowing. So nothing waits for one alone: a server that
        is back is seen after one more try, however long those of before wait.

        Raises:
            GraphError: a try failed; the first one does after `_TIMEOUT_SECONDS` at the latest.
        """
        tries: set[asyncio.Task[Snapshot]] = set()
        try:
            while True:
                tries.add(asyncio.create_task(self._see()))
                done, _ = await asyncio.wait(
                    tries, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    return await done.pop()
                self.current = replace(self.current, state="unreachable")
                self._renew()
        finally:
            for each in tries:
                each.cancel()
            await asyncio.gather(*tries, return_exceptions=True)

    async def _see(self) -> Snapshot:
        rows = await self._graph.rows(read_mark(), timeout_seconds=_TIMEOUT_SECONDS)
        return await self._seen(rows)

    async def _seen(self, rows: list[dict[str, Any]]) -> Snapshot:
        if not rows:
            return replace(self.current, state="absent")
        row = rows[0]
        if len(rows) > 1 or row["state"] != WHOLE:
            return replace(self.current, state="rebuilding")
        content = row["content"] or ""
        known = self.current
        if content != known.content or self._rules != known.rules or not known.version:
            try:
                manifest = GraphManifest.model_validate_json(content)
            except ValidationError:
                return replace(known, state="rebuilding")
            rules = self._rules
            served = await self._served(manifest, rules)
            known = replace(known, manifest=manifest, served=served, content=content, rules=rules)
        follow = _follow(row["follow"])
        version = _version(content, known.served.fingerprint, follow)
        if version != known.version:
            changed_at = _changed_at(known, row["moments"])
            known = replace(known, changed_at=changed_at, seen=time.monotonic())
        return replace(
            known,
            state="whole",
            follow=follow,
            is_followed=row["follower"] is not None,
            version=version,
            loads=(row["loaded_at"],) if row["loaded_at"] else (),
        )

    async def _served(self, manifest: GraphManifest, rules: tuple[ServedRule, ...]) -> ServedGraph:
        found = await self._graph.rows(
            customer_text.indexed_properties(), timeout_seconds=_TIMEOUT_SECONDS
        )
        names = list(manifest.labels)
        counts: list[int] = []
        for start in range(0, len(names), MOST_COUNTED):
            (row,) = await self._graph.rows(
                count_labels(names[start : start + MOST_COUNTED]), timeout_seconds=_TIMEOUT_SECONDS
            )
            counts += row["counts"]
        return served_graph(
            manifest,
            rules,
            indexed=[(row["label"], row["property"]) for row in found],
            counts=dict(zip(names, counts, strict=True)),
            customer=self._customer_label,
        )


def _changed_at(known: Snapshot, moments: Iterable[datetime | None]) -> datetime:
    """When the graph changed; now, where it is not the graph that did, or nobody wrote down when."""
    last = max((moment.replace(microsecond=0) for moment in moments if moment), default=None)
    if last is None or last <= known.changed_at:
        return datetime.now(UTC).replace(microsecond=0)
    return last


def _follow(text: str | None) -> FollowMark | None:
    if not text:
        return None
    try:
        return FollowMark.model_validate_json(text)
    except ValidationError:
        return None


def _version(content: str, served: str, follow: FollowMark | None) -> str:
    # The rates of a follower change without a change of the graph.
    slots = {name: slot.lsn for name, slot in follow.slots.items()} if follow else None
    text = json.dumps([content, served, slots], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:20]
