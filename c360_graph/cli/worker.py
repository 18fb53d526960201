"""`c360 worker`: executes steps of runs with C360_EXECUTOR=celery."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from c360_graph.cli.dev import HOME, own_dagster_home
from c360_graph.cli.output import exit_on_error, say
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.settings import load_settings


def worker(
    concurrency: Annotated[
        int, typer.Option(min=1, help="Steps that are executed at a time, each in its own process.")
    ] = 1,
    name: Annotated[
        str,
        typer.Option(help="Name of the worker; `%h` is the host. Two on one host need two names."),
    ] = "c360@%h",
) -> None:
    """Execute the steps of runs with C360_EXECUTOR=celery until interrupted.

    Takes steps from the queue of C360_CELERY_BROKER. Needs the same control database, sources, target, C360_DATA_URI and
    secrets as the process that starts the runs: from the environment, or from .env. Dagster's own files are in DAGSTER_HOME,
    or in .dagster_home. On SIGTERM it ends the steps that it has begun and takes no more; on a second one it stops at once.

    **Examples**

    - `c360 worker` on each host

    - `c360 worker --concurrency 4 --name load@%h`
    """
    with exit_on_error():
        settings = load_settings()
        os.environ["DAGSTER_HOME"] = os.environ.get("DAGSTER_HOME") or str(own_dagster_home(HOME))
        ControlDatabase(control_credentials(settings)).refuse_without_schema()
        # Here, as no other command needs Dagster's executors. Loaded once, before workers are forked.
        from c360_graph.celery_steps import QUEUE, celery_app

        app = celery_app(settings)
        say(f"Taking steps from the queue {QUEUE}. Ctrl-C ends it.")
        app.worker_main(
            [
                "worker",
                "--pool=prefork",
                f"--concurrency={concurrency}",
                f"--queues={QUEUE}",
                f"--hostname={name}",
                "--loglevel=WARNING",
                "--without-gossip",
                "--without-mingle",
            ]
        )
