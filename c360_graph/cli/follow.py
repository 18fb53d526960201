"""`c360 follow`: keeps the graph equal to the sources while they change."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c360_graph.cli.output import FAILED, Json, exit_on_error, grid, out, print_json, say
from c360_graph.settings import Settings, load_settings

if TYPE_CHECKING:
    # What follows reads mappings, whose grammar takes 16 MB that most commands need not.
    from c360_graph.following.given import Flushed
    from c360_graph.following.survey import SourceSurvey, Survey

REPORT_SECONDS = 60.0


def follow(
    max_removed_share: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="The largest share of a label's nodes that may be removed within an hour.",
        ),
    ] = 0.3,
    release: Annotated[
        bool,
        typer.Option(
            "--release", help="Follow held tables again, however many of their rows are gone."
        ),
    ] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print what a DBA runs in each source, and exit.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Test what each source needs, and exit.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Show how far each source is followed, and exit.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Keep the graph equal to the sources while they change, until interrupted.

    Reads the changes of the sources by logical replication: only the keys of changed rows. Reads these rows
    again as an extraction does, with all exclusion rules, and updates their nodes and relationships.
    Begins with a full update if the graph is not known to be complete. Needs `wal_level = logical` in
    each source, and a role with REPLICATION. A second follower of the same graph stands by.

    `--check` exits with 1 if something is missing. `--json` is for `--check` and `--status`.

    **Examples**

    - `c360 follow` in a terminal, a container or a systemd unit

    - `c360 follow --sql` before the first time, for roles with few rights

    - `c360 follow --status --json` for a monitor
    """
    with exit_on_error():
        settings = load_settings()
        if sql or check or status:
            found = _survey(settings)
            if sql:
                _print_sql(found)
            elif check:
                _print_check(found, as_json=as_json)
            else:
                _print_status(found, as_json=as_json)
            return
        _run(settings, max_removed_share=max_removed_share, release=release)


def _run(settings: Settings, *, max_removed_share: float, release: bool) -> None:
    from c360_graph.following.given import Callbacks
    from c360_graph.following.metrics import FollowMetrics, exporting, serving
    from c360_graph.following.service import follow as run

    stop = threading.Event()
    report, metrics = _Report(), FollowMetrics()

    def following() -> None:
        metrics.following()
        say("Following. Every change of the sources is brought along.")

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with (
        serving(metrics, settings.c360_follow_metrics),
        exporting(metrics, is_wanted=settings.c360_follow_telemetry) as export,
    ):

        def flushed(what: Flushed) -> None:
            for told in (report.flushed, metrics.flushed, export):
                told(what)

        run(
            settings,
            stop=stop,
            callbacks=Callbacks(
                say=say,
                warn=say,
                flushed=flushed,
                following=following,
                looked=metrics.looked,
                stopped=metrics.stopped,
            ),
            max_removed_share=max_removed_share,
            release=release,
        )


class _Report:
    """A line a minute."""

    def __init__(self) -> None:
        self._told = time.monotonic()
        self._changes = 0
        self._lags: list[float] = []

    def flushed(self, flushed: Flushed) -> None:
        """Tell of a transaction."""
        self._changes += flushed.changes
        self._lags += flushed.lag_seconds
        now = time.monotonic()
        if now - self._told < REPORT_SECONDS or not self._lags:
            return
        # Here, as in this module's other functions: most commands follow nothing.
        from c360_graph.following.mark import percentile

        lags = sorted(self._lags)
        say(
            f"{self._changes:,} changes in {now - self._told:.0f} s;"
            f" lag p50 {percentile(lags, 50) * 1000:.0f} ms, p99 {percentile(lags, 99) * 1000:.0f} ms"
        )
        self._told, self._changes, self._lags = now, 0, []


def _survey(settings: Settings) -> Survey:
    from c360_graph.following.survey import survey
    from c360_graph.graph.connection import target_graph

    with target_graph(settings) as graph:
        return survey(settings, graph)


def _print_sql(found: Survey) -> None:
    from c360_graph.following.survey import NOTES

    for source in found.sources:
        typer.echo(f"-- {source.name}: {source.server}")
        if source.problem:
            typer.echo(f"-- cannot be asked: {source.problem}")
        for statement in source.setup:
            typer.echo(statement)
        for table in source.unfollowed:
            typer.echo(f"-- not followed: {table}")
        typer.echo("")
    typer.echo(NOTES, nl=False)


def _print_check(found: Survey, *, as_json: bool) -> None:
    problems = 0
    listed: list[dict[str, Any]] = []
    for source in found.sources:
        problems += bool(source.problem) + sum(not f.is_good for f in source.findings)
        listed.append(
            {
                "source": source.name,
                "problem": source.problem,
                "findings": [asdict(finding) for finding in source.findings],
                "not_followed": {table.qualified_name: table.why for table in source.unfollowed},
            }
        )
        if not as_json:
            out.print(grid(f"{source.name}", ("", "what", "to do"), _checked(source)))
    if as_json:
        print_json(listed)
    if problems:
        raise typer.Exit(FAILED)


def _checked(source: SourceSurvey) -> list[tuple[str, str, str]]:
    rows = [("no", "it cannot be asked", source.problem)] if source.problem else []
    rows += [
        ("yes" if f.is_good else "no", f.what, "" if f.is_good else f.advice)
        for f in source.findings
    ]
    rows += [
        ("", f"{table.qualified_name} is not followed", table.why) for table in source.unfollowed
    ]
    return rows


def _print_status(found: Survey, *, as_json: bool) -> None:
    follow = found.follow
    sources = [
        {
            "source": source.name,
            "state": _state(source),
            "bytes_behind": source.bytes_behind,
            "safe_wal_bytes": source.slot.safe_wal_bytes if source.slot else None,
            "lsn": follow.slots[source.name].lsn
            if follow and source.name in follow.slots
            else None,
        }
        for source in found.sources
    ]
    rates = follow.rates.model_dump(mode="json") if follow and follow.rates else None
    held = follow.held if follow else {}
    unfollowed = follow.unfollowed if follow else {}
    if as_json:
        print_json({"sources": sources, "rates": rates, "held": held, "not_followed": unfollowed})
        return
    columns = ("source", "state", "bytes behind", "LSN in the graph")
    rows = [(s["source"], s["state"], s["bytes_behind"], s["lsn"]) for s in sources]
    out.print(grid("Following", columns, rows))
    if rates:
        out.print(grid("The last minute with changes", ("", ""), list(map(_said, rates.items()))))
    if held:
        out.print(grid("Held", ("table", "why"), list(held.items())))
    if unfollowed:
        out.print(grid("Not followed", ("table", "why"), list(unfollowed.items())))


def _said(item: tuple[str, Any]) -> tuple[str, str]:
    return item[0].replace("_", " "), "" if item[1] is None else str(item[1])


def _state(source: SourceSurvey) -> str:
    if source.problem:
        return f"cannot be asked: {source.problem}"
    if source.slot is None:
        return "not followed"
    if source.slot.is_lost:
        return "its slot is lost"
    return "followed" if source.slot.is_active else "nobody follows it at the moment"
