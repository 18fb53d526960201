"""`c360 init FOLDER`: the files that a project of one's own starts from."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from c360_graph.cli.output import Json, exit_on_error, print_json, say
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
    if as_json:
        print_json({"written": done.written, "kept": done.kept})
    else:
        for name in done.written:
            typer.echo(folder / name)
    for name in done.kept:
        say(f"{folder / name} exists and stays as it is.")
    if done.written and not as_json:
        say(f"Next: {folder / 'README.md'}")
