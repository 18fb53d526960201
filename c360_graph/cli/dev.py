"""`c360 dev`: the Dagster UI, its storage in PostgreSQL."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from c360_graph.cli.output import errors_in_one_sentence, say
from c360_graph.cli.sandbox import FOLDER, SQL_DIR, missing_servers, server_of
from c360_graph.cli.signals import orderly_end, run_until_interrupted
from c360_graph.control_db import ControlDatabase, control_credentials
from c360_graph.sandbox.sample import load_sample
from c360_graph.settings import load_settings

HOME = Path(".dagster_home")


def dev(
    port: Annotated[int, typer.Option(help="Port of the webserver.")] = 3000,
    host: Annotated[str, typer.Option(help="Address it listens on.")] = "127.0.0.1",
) -> None:
    """Run the Dagster webserver and daemon until interrupted.

    Servers that neither the environment nor .env names are started with the sample databases, and
    stopped at the end. Dagster's storage is the schema `dagster` of the control database.

    **Examples**

    - `c360 dev` and open http://127.0.0.1:3000

    - `c360 dev --host 0.0.0.0 --port 8080` for others on the network
    """
    with (
        orderly_end(),
        errors_in_one_sentence(),
        missing_servers(FOLDER.resolve()) as environment,
    ):
        os.environ.update(dagster_environment(environment, url=f"http://{host}:{port}"))
        if "ETL_DB_HOST" in environment:
            load_sample(
                server_of(environment), control_db=load_settings().etl_db_name, sql_dir=SQL_DIR
            )
        ControlDatabase(control_credentials(load_settings())).refuse_without_schema()
        say(f"Dagster UI: http://{host}:{port}")
        command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml"]
        code = run_until_interrupted([*command, "-h", host, "-p", str(port)])
    raise typer.Exit(code)


def dagster_environment(started: dict[str, str], *, url: str) -> dict[str, str]:
    """What dagster.yaml and the processes of Dagster read; every variable it names must be set."""
    settings = load_settings()
    home = HOME.resolve()
    home.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile("dagster.yaml", home / "dagster.yaml")
    password = settings.etl_db_password
    return {
        "ETL_DB_HOST": settings.etl_db_host,
        "ETL_DB_PORT": str(settings.etl_db_port),
        "ETL_DB_NAME": settings.etl_db_name,
        "ETL_DB_USER": settings.etl_db_user,
        "ETL_DB_PASSWORD": password.get_secret_value() if password else "",
        "C360_WEBSERVER_URL": settings.c360_webserver_url or url,
        "C360_DATA_DIR": str(settings.c360_data_dir.resolve()),
        "DAGSTER_HOME": str(home),
        **started,
    }
