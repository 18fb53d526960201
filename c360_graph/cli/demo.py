"""`c360 demo`: the sample databases become a graph, on real servers, and the graph answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from c360_graph.cli.output import (
    Json,
    err,
    exit_on_error,
    print_counts,
    print_json,
    say,
)
from c360_graph.cli.questions import (
    Replies,
    answers_as_data,
    ask_questions,
    fail_for_refused,
    print_answers,
)
from c360_graph.cli.sandbox import missing_servers, server_of
from c360_graph.cli.signals import orderly_end
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.control.locks import control_owner
from c360_graph.errors import GraphNotEmptyError, SandboxError, ScriptError
from c360_graph.extracts import write_whole
from c360_graph.files import make_private_folder
from c360_graph.graph.connection import Graph, target_graph
from c360_graph.graph.execution import Execution
from c360_graph.graph.load import graph_counts
from c360_graph.graph.manifest import mark_whole, read_state
from c360_graph.graph.target_lock import Claim, refuse_anothers_graph
from c360_graph.mapping.graph_manifest import Owner
from c360_graph.new_project import project_file, sql_folder
from c360_graph.report.files import ReportStore
from c360_graph.sandbox.sample import LABELS, Server, load_sample
from c360_graph.settings import Settings, load_settings

_MATERIALIZE = ("asset", "materialize", "--select", "*", "-m", "c360_graph.definitions")

AS_OF = datetime(2025, 11, 3, tzinfo=UTC)
"""The sample's play events end here, so that answers are the same on every day."""

REPORT = "demo.html"
"""The demo's report in the user's folder of reports, where no pruning of a run's reports touches it."""


_DEMO = Owner(id="demo", name="c360 demo")

_STEP = re.compile(r" - (\w+) - STEP_(START|SUCCESS|FAILURE) - ")
_LOOK_SECONDS = 1.0


def demo(as_json: Json = False) -> None:
    """Start real servers, load the sample databases, materialize every asset, print counts and answers.

    Uses the servers of ETL_DB_HOST or NEO4J_URI if they are set. Refuses a graph that has labels other
    than the sample's, or that belongs to your control database. Stops the servers that it started. The
    report of all answers is kept as C360_DATA_DIR/reports/demo.html.

    **Examples**

    - `c360 demo`

    - `c360 demo --json > demo.json`
    """
    with (
        orderly_end(),
        exit_on_error(),
        tempfile.TemporaryDirectory(prefix="c360_demo_") as name,
        _servers(Path(name) / "sandbox", given := load_settings()) as server,
    ):
        # A control database that ends with the demo cannot own a graph that stays.
        is_passing = "etl_db_host" not in given.model_fields_set
        kept, data_dir = given.c360_data_dir / "reports" / REPORT, Path(name) / "data"
        home = Path(name) / "dagster_home"
        home.mkdir()
        shutil.copyfile(project_file("dagster.yaml"), home / "dagster.yaml")
        os.environ.update(
            {
                "C360_DATA_DIR": str(data_dir),
                "C360_DATA_URI": data_dir.as_uri(),
                "DAGSTER_HOME": str(home),
            }
        )
        # With the servers that were started.
        settings = load_settings()
        with _step("Loading the sample databases"):
            load_sample(server, control_db=settings.etl_db_name, sql_dir=sql_folder())
        with target_graph(settings) as graph:
            refuse_foreign_labels(graph)
            refuse_anothers(graph, settings)
            with _step(f"Running dagster {' '.join(_MATERIALIZE)}"):
                _materialize(Path(name) / "materialize.log")
            if is_passing:
                _own(graph)
            keep_report(data_dir, kept)
            counts, told = graph_counts(graph), ask_questions(graph, settings, {"as_of": AS_OF})
        if as_json:
            print_json({**_document(counts, told), "report": str(kept.resolve())})
        else:
            _print(counts, told)
    say(f"The report of all answers: {kept.resolve().as_uri()}")
    fail_for_refused(told)


_Counts = tuple[dict[str, int], dict[str, int]]


def _print(counts: _Counts, told: Replies) -> None:
    print_counts(*counts)
    print_answers(told)


def _document(counts: _Counts, told: Replies) -> dict[str, object]:
    return {
        "nodes": counts[0],
        "relationships": counts[1],
        "answers": answers_as_data(told),
    }


def keep_report(data_dir: Path, kept: Path) -> None:
    """Copy the newest report of a data folder that will not last.

    Raises:
        ScriptError: it cannot be written there.
    """
    try:
        make_private_folder(kept.parent)
        write_whole(kept, ReportStore(data_dir).latest.read_bytes())
    except OSError as error:
        raise ScriptError(f"The report {kept} cannot be written: {error.strerror}.") from None


@contextmanager
def _servers(folder: Path, settings: Settings) -> Iterator[Server]:
    """Whatever is not named by the settings is started and stopped; the environment points at it."""
    with ExitStack() as stack:
        with _step("Starting the servers (the first time, their packages are fetched)"):
            environment = stack.enter_context(missing_servers(folder, settings))
        os.environ.update(environment)
        yield server_of(environment, settings)


def refuse_foreign_labels(graph: Graph) -> None:
    """Make sure that nothing but an earlier sample is lost when the graph is emptied.

    Raises:
        GraphNotEmptyError: it holds other labels.
    """
    foreign = sorted(set(graph_counts(graph)[0]) - LABELS)
    if foreign:
        raise GraphNotEmptyError(
            f"{graph.server} has nodes that are not from the sample ({', '.join(foreign[:5])}), and the"
            " demo empties the graph. Set NEO4J_URI to another server, or unset it."
        )


def refuse_anothers(graph: Graph, settings: Settings) -> None:
    """Make sure that the graph is no other control database's; that of an earlier demo may be emptied.

    Raises:
        GraphOwnedError: it is.
    """
    state = read_state(Execution(graph))
    if state is None or state.manifest.owner in (None, _DEMO):
        return
    control = ControlDatabase(control_credentials(settings))
    claim = Claim(owner=control_owner(control))
    refuse_anothers_graph(state.manifest, claim, server=graph.server)


def _own(graph: Graph) -> None:
    """Say that the graph is a demo's, so that the next demo may empty it."""
    execution = Execution(graph, owner=_DEMO)
    state = read_state(execution)
    if state is not None and state.is_whole:
        mark_whole(execution, state.manifest)


def _materialize(log: Path) -> None:
    parameters = {"as_of": AS_OF.isoformat()}
    # What may not be taken over was refused before.
    config = json.dumps(
        {
            "ops": {
                "neo4j_graph": {"config": {"take_over": True}},
                "answers": {"config": {"parameters": parameters}},
            }
        }
    )
    command = [sys.executable, "-m", "dagster", *_MATERIALIZE, "--config-json", config]
    with log.open("w") as file:
        code = _run_showing_steps(command, file, log)
    if code:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        raise SandboxError("Materializing failed:\n" + "\n".join(tail))


def _run_showing_steps(command: list[str], file: IO[str], log: Path) -> int:
    with (
        subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT) as process,  # noqa: S603
        err.status("Starting Dagster") as status,
    ):
        try:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_SECONDS)
                status.update(steps_done(log.read_text(encoding="utf-8", errors="replace")))
        except BaseException:
            process.kill()
            raise
    return process.returncode


def steps_done(log: str) -> str:
    """How far a run is, by the events of its log."""
    events = _STEP.findall(log)
    ended = [name for name, event in events if event != "START"]
    running = [name for name, event in events if event == "START" and name not in ended]
    now = f", now {running[-1]}" if running else ""
    return f"{len(ended)} steps done{now}"


@contextmanager
def _step(name: str) -> Iterator[None]:
    begin = time.monotonic()
    say(f"{name} ...")
    yield
    say(f"  {time.monotonic() - begin:.1f} s")
