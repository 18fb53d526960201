"""Failures as Dagster shows them: what failed in a step, and which failed steps stop those behind them.

Dagster abandons every step behind one that failed, and skips those behind one that gave no output. A
table that was never read is missing from the graph either way, so its step fails, and the steps behind
it run without it. Dagster has no setting for that, hence this change to how it takes down a failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager

import click
import dagster as dg
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.outputs import StepOutputHandle
from dagster._core.execution.plan.step import ExecutionStep

from c360_graph.errors import C360Error, DataFolderError, ExtractError
from c360_graph.object_extracts import Extracts

TABLE_TAG = "c360/reads_a_table"
"""Tag of the operations that read a table; no other step is treated differently."""

TABLES_NOT_READ = "tables_not_read"
"""Metadata of the failure of a step that reads several tables: why each of them could not be read."""

_mark_failed = ActiveExecution.mark_failed


@contextmanager
def ending_with_its_message() -> Iterator[None]:
    """Let an error that ends in Dagster's command line be shown there as one sentence.

    Those commands are click's, which prints a ClickException's message and exits with 1. The error
    stays of its own kind as well.
    """
    try:
        yield
    except C360Error as error:
        kind = type(error)
        shown = type(kind.__name__, (click.ClickException, kind), {"__module__": kind.__module__})
        raise shown(str(error)) from None


def failures_of(event: dg.DagsterEvent) -> dict[str, str]:
    """What failed in a failed step, and why, in a line: the tables that it could not read, or the step itself."""
    failure = event.step_failure_data
    user = failure.user_failure_data
    tables = user.metadata.get(TABLES_NOT_READ) if user else None
    if isinstance(tables, dg.JsonMetadataValue) and isinstance(tables.value, dict):
        return {name: " ".join(why.split()) for name, why in tables.value.items()}
    root = failure.error
    while root is not None and root.cause is not None:
        root = root.cause
    why = user.description if user and user.description else root.message if root else ""
    return {event.step_key or "run": " ".join((why or "").split())}


def run_steps_behind_unread_tables(store: Extracts) -> None:
    """From now on a table that was never read stops no other step, whichever executor runs it.

    The run fails at its end as always. `store` has the extracts; the last call counts.
    """

    def marked(execution: ActiveExecution, step_key: str) -> None:
        step = execution.get_step_by_key(step_key)
        made = execution.get_known_state().ready_outputs
        if not _was_never_read(step, made, store):
            _mark_failed(execution, step_key)
            return
        for output in step.step_outputs:
            execution.mark_step_produced_output(StepOutputHandle(step_key, output.name))
        execution.mark_success(step_key)

    ActiveExecution.mark_failed = marked  # type: ignore[assignment, method-assign]


def _was_never_read(step: ExecutionStep, made: Set[StepOutputHandle], store: Extracts) -> bool:
    """Whether a step has failed only for tables of which there is no extract: no graph has lost anything by it."""
    if TABLE_TAG not in step.tags:
        return False
    keys = [
        out.properties.asset_key
        for out in step.step_outputs
        if out.properties.asset_key and StepOutputHandle(step.key, out.name) not in made
    ]
    try:
        return bool(keys) and all(store.latest((key.path[0], key.path[1])) is None for key in keys)
    except (ExtractError, DataFolderError):
        return False
