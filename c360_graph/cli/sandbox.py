"""`c360 sandbox`: real PostgreSQL and real Neo4j from packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from c360_graph.cli.output import FAILED, Json, exit_on_error, out, print_json, say
from c360_graph.control.connection import control_credentials, names_control_database
from c360_graph.new_project import sql_folder
from c360_graph.sandbox.sample import CONTROL, Server, load_sample
from c360_graph.settings import ENV_FILE, SANDBOX_ENV_FILE, Settings, load_settings

FOLDER = Path(".sandbox")

app = typer.Typer(help="Real PostgreSQL and real Neo4j from packages.", no_args_is_help=True)

_Folder = Annotated[Path, typer.Option(help="Folder for the data of the servers.")]


@app.command()
def up(
    folder: _Folder = FOLDER,
    sample: Annotated[bool, typer.Option(help="Load the sample databases.")] = True,
    neo4j: Annotated[
        str | None, typer.Option(help="Neo4j version line: 2026 or 5.26.", show_default="2026")
    ] = None,
) -> None:
    """Start both servers and make them available to the commands in this folder.

    Their addresses and passwords are in .c360_sandbox.env, a link to sandbox.env in the folder of the
    servers. Variables in the environment or in .env take precedence. .env itself is never changed.

    **Examples**

    - `c360 sandbox up` then `c360 check`, `c360 plan`, `c360 dev`

    - `c360 sandbox up --no-sample --neo4j 5.26` for empty servers of the LTS line
    """
    from c360_graph.sandbox.servers import start, write_environment

    with exit_on_error():
        settings = load_settings()
        say("Starting PostgreSQL and Neo4j. The first time, their packages are downloaded.")
        servers = start(folder=folder, neo4j_line=neo4j or settings.c360_sandbox_neo4j)
        environment = servers.environment()
        if sample:
            load_sample(server_of(environment, settings), control_db=CONTROL, sql_dir=sql_folder())
        file = write_environment(folder=folder, environment=environment)
    _offer(file, environment, down="" if folder == FOLDER else f" --folder {folder}")


@app.command()
def down(folder: _Folder = FOLDER) -> None:
    """Stop the servers that `up` started and remove their data. Your own files are kept.

    **Example**

    - `c360 sandbox down`
    """
    from c360_graph.sandbox.servers import remove_environment, stop, unlink_environment

    with exit_on_error():
        # Before the folder, which goes once it holds nothing else.
        remove_environment(folder=folder)
        stop(folder=folder)
        unlink_environment(folder=folder, name=Path(SANDBOX_ENV_FILE))
    say("Both are down.")


@app.command()
def status(folder: _Folder = FOLDER, as_json: Json = False) -> None:
    """Show whether each server is up. Exits with 1 unless both are up.

    **Examples**

    - `c360 sandbox status`

    - `c360 sandbox status --json | jq .neo4j_up`
    """
    from c360_graph.sandbox.servers import status as ask

    with exit_on_error():
        found = ask(folder=folder)
    if as_json:
        print_json(asdict(found))
    else:
        for name, is_up in (("PostgreSQL", found.postgres_up), ("Neo4j", found.neo4j_up)):
            out.print(f"{name}: {'up' if is_up else 'down'}", highlight=False)
    if not (found.postgres_up and found.neo4j_up):
        raise typer.Exit(FAILED)


@contextmanager
def missing_servers(folder: Path, settings: Settings) -> Iterator[dict[str, str]]:
    """Start what the settings do not name, and stop it afterwards.

    Gives the environment that reaches the servers, the user's and ours. With ETL_DB_HOST set no
    PostgreSQL is started, with NEO4J_URI set no Neo4j.
    """
    from c360_graph.sandbox import servers

    line = settings.c360_sandbox_neo4j
    wants_postgres = not names_control_database(settings)
    wants_neo4j = "neo4j_uri" not in settings.model_fields_set
    # The folder may hold servers of `sandbox up`: what is not started here is not stopped.
    before = servers.status(folder=folder)
    environment: dict[str, str] = {}
    try:
        if wants_postgres and wants_neo4j:
            environment = servers.start(folder=folder, neo4j_line=line).environment()
        elif wants_postgres:
            environment = servers.start_postgres(folder=folder).environment()
        elif wants_neo4j:
            environment = servers.start_neo4j(folder=folder, neo4j_line=line).environment()
        yield environment
    finally:
        if wants_postgres or wants_neo4j:
            servers.stop(
                folder=folder,
                postgres=wants_postgres and not before.postgres_up,
                neo4j=wants_neo4j and not before.neo4j_up,
            )


def server_of(environment: dict[str, str], settings: Settings) -> Server:
    """The PostgreSQL that an environment, laid over the settings, names."""
    own = control_credentials(settings)
    return Server(
        # Empty stands for what libpq takes by itself.
        host=environment.get("ETL_DB_HOST", own.host or ""),
        port=int(environment.get("ETL_DB_PORT", own.port or 5432)),
        user=environment.get("ETL_DB_USER", own.user or ""),
        password=environment.get("ETL_DB_PASSWORD", own.password),
    )


def _offer(file: Path, environment: dict[str, str], *, down: str) -> None:
    """Let the commands in this folder reach the servers, or say what to set."""
    from c360_graph.sandbox.servers import link_environment

    name = Path(SANDBOX_ENV_FILE)
    try:
        linked = link_environment(target=file, name=name)
    except OSError as error:
        say(f"{name} cannot be written: {error.strerror}.")
        linked = False
    stop = f"Stop them with: c360 sandbox down{down}"
    # Read again: the commands in this folder read the link, too.
    settings = load_settings()
    others = [name for name, value in environment.items() if _text_of(settings, name) != value]
    if linked and not others:
        say(f"Both are up; {name} has their addresses and passwords. {stop}")
        return
    why = (
        f"The environment or {ENV_FILE} sets {', '.join(others)} differently"
        if linked
        else f"{name} does not belong to this sandbox"
    )
    say(f"Both are up. {why}, so set these variables yourself to use the sandbox. {stop}")
    for variable, value in environment.items():
        out.print(f"export {variable}='{value}'", markup=False, highlight=False, soft_wrap=True)


def _text_of(settings: Settings, variable: str) -> str:
    value = getattr(settings, variable.lower())
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
