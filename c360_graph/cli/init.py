"""`c360 init FOLDER`: the files that a project of one's own starts from."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from c360_graph.cli.output import Json, exit_on_error, print_written, say
from c360_graph.new_project import starter_files, write_missing


def init(
    folder: Annotated[Path, typer.Argument(help="The folder. It is made if it is not there.")],
    as_json: Json = False,
) -> None:
    """Write the files that a project of your own starts from.

    These are settings, the control tables and a control row, a question, Dagster's configuration, a
    workflow for GitHub Actions and a README. A file that exists is never overwritten.

    **Examples**

    - `c360 init customer-graph` and read `customer-graph/README.md`

    - `c360 init .` in the root folder of an empty repository
    """
    with exit_on_error():
        done = write_missing(folder, starter_files(version("c360-graph")))
    print_written(folder, done, as_json=as_json)
    if done.written and not as_json:
        say(f"Next: {folder / 'README.md'}")
