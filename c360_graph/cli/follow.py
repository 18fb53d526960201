"""`c360 follow`: keeps the graph equal to the sources while they change."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Annotated

import typer

from c360_graph.cli.output import exit_on_error, say
from c360_graph.settings import load_settings

REPORT_SECONDS = 60.0


def follow(
    max_removed_share: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="The largest share of a label's nodes that may be removed when following begins.",
        ),
    ] = 0.3,
) -> None:
    """Keep the graph equal to the sources while they change, until interrupted.

    Reads the changes of the sources by logical replication: only the keys of changed rows. Reads these rows
    again as an extraction would, with all exclusion rules, and updates their nodes and relationships.
    Begins with a full update where the graph is not known to be complete. Needs `wal_level = logical` in
    each source, and a role with REPLICATION.

    **Examples**

    - `c360 follow` in a terminal, a container or a systemd unit
    """
    # Here, as most commands read no mapping, whose grammar takes 16 MB.
    from c360_graph.following.follower import Callbacks
    from c360_graph.following.service import follow as run

    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    report = _Report()
    with exit_on_error():
        run(
            load_settings(),
            stop=stop,
            callbacks=Callbacks(
                say=say,
                warn=say,
                flushed=report.flushed,
                following=lambda: say("Following. Every change of the sources is brought along."),
            ),
            max_removed_share=max_removed_share,
        )


class _Report:
    """A line a minute."""

    def __init__(self) -> None:
        self._told = time.monotonic()
        self._changes = 0
        self._lags: list[float] = []

    def flushed(self, flushed: object) -> None:
        from c360_graph.following.follower import Flushed

        assert isinstance(flushed, Flushed)
        self._changes += flushed.changes
        self._lags += flushed.lag_seconds
        now = time.monotonic()
        if now - self._told < REPORT_SECONDS or not self._lags:
            return
        lags = sorted(self._lags)
        middle, late = lags[len(lags) // 2], lags[min(len(lags) - 1, len(lags) * 99 // 100)]
        say(
            f"{self._changes:,} changes in {now - self._told:.0f} s; lag p50 {middle * 1000:.0f} ms,"
            f" p99 {late * 1000:.0f} ms"
        )
        self._told, self._changes, self._lags = now, 0, []
