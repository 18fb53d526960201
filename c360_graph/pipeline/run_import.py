"""Runs `neo4j-admin database import full` with the files of an export."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from c360_graph.errors import ImportFilesError

_OURS = ("ETL_DB_", "C360_", "DAGSTER_", "PG")
_STANDARD_ERROR = 2
_SECRETS = frozenset({"NEO4J_PASSWORD", "NEO4J_AUTH"})


def run_import(command: Sequence[str]) -> None:
    """Run the command to its end; what it says goes to standard error.

    Raises:
        ImportFilesError: it cannot be started, or says that it failed.
    """
    program = shutil.which(command[0])
    if program is None:
        raise ImportFilesError(
            f"{command[0]} is not a program that can be started. Name neo4j-admin by --neo4j-admin or"
            " C360_NEO4J_ADMIN."
        )
    # Its own settings are among the variables, such as NEO4J_HOME; passwords of ours are no business of its.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and name not in _SECRETS
    }
    try:
        done = subprocess.run(  # noqa: S603
            [program, *command[1:]],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=_STANDARD_ERROR,
            check=False,
        )
    except OSError as error:
        raise ImportFilesError(f"{program} cannot be started: {error.strerror}.") from None
    if done.returncode:
        raise ImportFilesError(
            f"neo4j-admin ended with exit code {done.returncode}; its own words are above. The files stay, so"
            " that the command can be run again."
        )
