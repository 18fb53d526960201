"""`c360 run`: a run of the pipeline in the terminal, a line for each asset."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from c360_graph.cli.output import FAILED, Json, err, exit_on_error, out, print_json
from c360_graph.cli.signals import orderly_end
from c360_graph.errors import MappingError
from c360_graph.mapping.names import did_you_mean
from c360_graph.text import plural, visible_line

if TYPE_CHECKING:
    import dagster as dg

Verdict = Literal["PASS", "WARN", "FAIL", "SKIP"]
_WORDS: dict[Verdict, str] = {
    "PASS": "passed",
    "WARN": "with a warning",
    "FAIL": "failed",
    "SKIP": "skipped",
}
_STYLES = {"PASS": "green", "WARN": "yellow", "FAIL": "bold red", "SKIP": "dim"}
_BEHIND_TABLES = ("cypher_script", "neo4j_graph")


def run(
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TABLE]...",
            help="Tables to read, as SOURCE/TABLE or TABLE. The script and the graph are built from them"
            " and from the last extracts of all others.",
            show_default="everything, questions and report too",
        ),
    ] = None,
    clear: Annotated[
        bool | None,
        typer.Option(
            "--clear/--reconcile",
            help="Empty the graph first, or update it while it stays readable.",
            show_default="C360_CLEAR_DATABASE, else --clear",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="With --reconcile: compare every row with the graph itself."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Read the tables, write the script and load the graph, in this terminal.

    The run is one of Dagster's, with the same storage, audit rows and checks as in the UI. Prints PASS or
    FAIL for each asset, WARN or FAIL for each check that does not hold, and a summary.

    Exits with 1 if the run fails.

    **Examples**

    - `c360 run`

    - `c360 run --reconcile` to update the graph while it is queried

    - `c360 run profiles_db/plans --reconcile` to refresh one table

    - `c360 run --json | jq .success` in CI
    """
    with orderly_end(), exit_on_error():
        result = _run(tables or [], _config(clear, full=full), quiet=as_json)
    if as_json:
        print_json(result.data())
    else:
        _print_summary(result)
    if not result.success:
        raise typer.Exit(FAILED)


@dataclass(frozen=True, kw_only=True)
class ResultLine:
    """What became of an asset or a check."""

    verdict: Verdict
    name: str
    said: str = ""
    rows: int | None = None
    seconds: float | None = None

    def shown(self) -> str:
        """As markup, in one line."""
        facts = [] if self.rows is None else [plural(self.rows, "row")]
        facts += [] if self.seconds is None else [f"{self.seconds:.1f} s"]
        style = _STYLES[self.verdict]
        said = f"  {escape(visible_line(self.said))}" if self.said else ""
        return f"[{style}]{self.verdict}[/] {escape(self.name)}{said}" + (
            f"  [dim]{', '.join(facts)}[/]" if facts else ""
        )


@dataclass(kw_only=True)
class Result:
    """What is known of a run so far."""

    run_id: str = ""
    success: bool = False
    lines: list[ResultLine] = field(default_factory=list)
    checks_passed: int = 0
    seconds: float = 0.0
    message: str = ""

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "run_id": self.run_id,
            "success": self.success,
            "seconds": round(self.seconds, 1),
            "checks_passed": self.checks_passed,
            "message": self.message,
            "lines": [vars(line) for line in self.lines],
        }

    def count(self, verdict: Verdict) -> int:
        """Lines with a verdict."""
        return sum(line.verdict == verdict for line in self.lines)


def _config(clear: bool | None, *, full: bool) -> dict[str, Any]:
    given: dict[str, Any] = {} if clear is None else {"clear_database": clear}
    if full:
        given["full_comparison"] = True
    return {"ops": {"neo4j_graph": {"config": given}}} if given else {}


def _run(tables: Sequence[str], run_config: dict[str, Any], *, quiet: bool) -> Result:
    # Here, as the other commands do without Dagster, which takes a second to import.
    from c360_graph.command_run import CommandRun, instance_for_commands

    begin = time.monotonic()
    result = Result()
    started = CommandRun()
    keys = _chosen(tables, started.keys)
    reader = _EventLines(result, quiet=quiet)
    with instance_for_commands() as instance:
        for event in started.events(instance, keys, run_config=run_config, tags={}):
            reader.take(event)
    result.seconds = time.monotonic() - begin
    return result


def _chosen(tables: Sequence[str], keys: Sequence[dg.AssetKey]) -> list[dg.AssetKey]:
    """The assets of a run.

    Raises:
        MappingError: no mapped table has a name, or several sources have one.
    """
    if not tables:
        return list(keys)
    by_name: dict[str, dg.AssetKey] = {}
    for key in keys:
        if len(key.path) > 1 and key.path[0] != "answers":
            by_name["/".join(key.path)] = key
    chosen = [key for key in keys if key.path[0] in _BEHIND_TABLES]
    for name in tables:
        found = [key for whole, key in by_name.items() if name in (whole, key.path[-1])]
        if len(found) > 1:
            listed = ", ".join("/".join(key.path) for key in found)
            raise MappingError(
                f"Several sources have a table {name!r}: {listed}. Name the source, too."
            )
        if not found:
            known = [*by_name, *(key.path[-1] for key in by_name.values())]
            raise MappingError(
                f"No mapped table is called {name!r}{did_you_mean(name, known) or '.'}"
            )
        chosen += found
    return list(dict.fromkeys(chosen))


class _EventLines:
    """Makes lines of a run's events, and prints each at once."""

    def __init__(self, result: Result, *, quiet: bool) -> None:
        # Here, as the other commands do without Dagster.
        from c360_graph.dagster_failures import failures_of

        self._failures_of = failures_of
        self._result = result
        self._quiet = quiet
        self._begun: dict[str, float] = {}

    def take(self, event: dg.DagsterEvent) -> None:
        """Note an event."""
        result = self._result
        result.run_id = (event.logging_tags or {}).get("run_id", result.run_id)
        if event.is_step_start:
            self._begun[event.step_key or ""] = time.monotonic()
        elif event.is_step_materialization:
            self._add(self._materialized(event))
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            self._take_check(event)
        elif event.is_step_failure:
            for name, why in self._failures_of(event).items():
                self._add(ResultLine(verdict="FAIL", name=name, said=why))
        elif event.is_step_skipped:
            self._add(ResultLine(verdict="SKIP", name=event.step_key or ""))
        elif event.is_job_success:
            result.success = True
        elif event.is_job_failure or event.event_type_value == "PIPELINE_CANCELED":
            result.message = event.message or ""

    def _materialized(self, event: dg.DagsterEvent) -> ResultLine:
        made = event.step_materialization_data.materialization
        rows = made.metadata.get("dagster/row_count")
        begun = self._begun.get(event.step_key or "")
        # A table knows its own time, which is not that of its step where others share it.
        told = made.metadata.get("seconds")
        own = told.value if told is not None and isinstance(told.value, float) else None
        return ResultLine(
            verdict="PASS",
            name="/".join(made.asset_key.path),
            rows=rows.value if rows is not None and isinstance(rows.value, int) else None,
            seconds=own or (None if begun is None else time.monotonic() - begun),
        )

    def _take_check(self, event: dg.DagsterEvent) -> None:
        check = event.asset_check_evaluation_data
        if check.passed:
            self._result.checks_passed += 1
            return
        self._add(
            ResultLine(
                verdict="WARN" if check.severity.value == "WARN" else "FAIL",
                name=f"{'/'.join(check.asset_key.path)}: {check.check_name}",
                said=str(check.description or ""),
            )
        )

    def _add(self, line: ResultLine) -> None:
        self._result.lines.append(line)
        if not self._quiet:
            out.print(line.shown(), soft_wrap=True)


def _print_summary(result: Result) -> None:
    counts = ", ".join(
        f"{result.count(verdict)} {word}"
        for verdict, word in _WORDS.items()
        if result.count(verdict) or verdict == "PASS"
    )
    checks = f"{plural(result.checks_passed, 'check')} passed"
    style = "green" if result.success else "bold red"
    word = "Done" if result.success else "Failed"
    err.print(
        f"[{style}]{word}[/] in {result.seconds:.1f} s: {counts}; {checks}."
        f" Run {escape(result.run_id)}.",
        soft_wrap=True,
    )
    if result.message and not result.success:
        err.print(escape(visible_line(result.message)), soft_wrap=True)
