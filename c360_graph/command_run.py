"""A run that a command starts in its own process, told event by event."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.execution.api import execute_run_iterator
from dagster._core.instance.config import is_dagster_home_set
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._utils.hosted_user_process import (
    recon_job_from_origin,
    recon_repository_from_origin,
)
from dagster._utils.interrupts import capture_interrupts

from c360_graph.dagster_storage import keep_connections
from c360_graph.new_project import file_here_or_ours

LOCATION = "c360_graph.definitions"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Whoever runs the command sees its lines; the event log of the storage has everything."""


class CommandRun:
    """The assets of the code location, as definitions read them now."""

    def __init__(self) -> None:
        # As `dagster asset materialize` does, so that processes of steps read the same definitions.
        origin = RepositoryPythonOrigin(
            executable_path=sys.executable,
            code_pointer=ModuleCodePointer(LOCATION, "defs", working_directory=str(Path.cwd())),
        )
        self._origin = origin
        self._repository = recon_repository_from_origin(origin)

    @property
    def keys(self) -> list[dg.AssetKey]:
        """Every asset that can be materialized."""
        graph = self._repository.get_definition().asset_graph
        return sorted(graph.materializable_asset_keys)

    def events(
        self,
        instance: dg.DagsterInstance,
        keys: Collection[dg.AssetKey],
        *,
        run_config: Mapping[str, Any],
        tags: Mapping[str, str],
    ) -> Iterator[dg.DagsterEvent]:
        """Materialize assets; each event as it happens, the last of which says how the run ended."""
        # Before the run is created: that writes an event for each asset.
        keep_connections(instance)
        definition = self._repository.get_definition()
        whole = definition.get_implicit_job_def_for_assets(set(keys))
        assert whole is not None
        job = recon_job_from_origin(
            JobPythonOrigin(whole.name, repository_origin=self._origin)
        ).get_subset(asset_selection=frozenset(keys))
        run = instance.create_run_for_job(
            job_def=job.get_definition(),
            run_config={**_QUIET, **run_config},
            tags=tags,
            job_code_origin=job.get_python_origin(),
            repository_load_data=definition.repository_load_data,
            asset_selection=frozenset(keys),
        )
        with capture_interrupts():
            yield from execute_run_iterator(job, run, instance)


@contextmanager
def instance_for_commands() -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, else one of the dagster.yaml here, else of the project's own."""
    if is_dagster_home_set():
        with dg.DagsterInstance.get() as instance:
            yield instance
        return
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(file_here_or_ours("dagster.yaml"), Path(folder, "dagster.yaml"))
        with dg.DagsterInstance.from_config(folder) as instance:
            yield instance
