"""`c360 dev`: the Dagster UI, its storage in PostgreSQL."""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from c360_graph.cli.output import exit_on_error, say
from c360_graph.cli.sandbox import FOLDER, missing_servers, server_of
from c360_graph.cli.signals import orderly_end, run_until_interrupted
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.errors import SettingsError
from c360_graph.extracts import write_whole
from c360_graph.files import make_private_folder
from c360_graph.new_project import file_here_or_ours, sql_folder
from c360_graph.sandbox.sample import load_sample
from c360_graph.settings import Settings, load_settings

HOME = Path(".dagster_home")
_DIGEST = ".dagster.yaml.sha256"
"""What was written into the folder, so that a change by hand is noticed."""


def dev(
    port: Annotated[int, typer.Option(help="Port of the webserver.")] = 3000,
    host: Annotated[str, typer.Option(help="Address that the webserver listens on.")] = "127.0.0.1",
) -> None:
    """Run the Dagster webserver and daemon until interrupted.

    Starts servers that neither the environment nor .env names, with the sample databases, and stops
    them at the end. Dagster's storage is the schema `dagster` of the control database. Its files are in
    DAGSTER_HOME, or in .dagster_home. No checkout is needed: if the current folder has a dagster.yaml
    or workspace.yaml, that file is used.

    **Examples**

    - `c360 dev` and open http://127.0.0.1:3000

    - `c360 dev --host 0.0.0.0 --port 8080` for others on the network
    """
    with orderly_end(), exit_on_error():
        given = load_settings()
        with missing_servers(FOLDER.resolve(), given) as environment:
            url = f"http://{host}:{port}"
            os.environ.update(dagster_environment(environment, given, url=url))
            # With the servers that were started.
            settings = load_settings()
            if "ETL_DB_HOST" in environment:
                load_sample(
                    server_of(environment, given),
                    control_db=settings.etl_db_name,
                    sql_dir=sql_folder(),
                )
            ControlDatabase(control_credentials(settings)).refuse_without_schema()
            say(f"Dagster UI: http://{host}:{port}")
            command = [
                sys.executable,
                "-m",
                "dagster",
                "dev",
                "-w",
                str(file_here_or_ours("workspace.yaml")),
            ]
            code = run_until_interrupted([*command, "-h", host, "-p", str(port)])
    raise typer.Exit(code)


def dagster_environment(started: dict[str, str], settings: Settings, *, url: str) -> dict[str, str]:
    """What the processes of Dagster need to know beside the settings.

    Raises:
        SettingsError: the folder of Dagster's own files cannot be made.
    """
    return {
        "C360_WEBSERVER_URL": settings.c360_webserver_url or url,
        "C360_DATA_DIR": str(settings.c360_data_dir.resolve()),
        "DAGSTER_HOME": os.environ.get("DAGSTER_HOME") or str(own_dagster_home(HOME)),
        **started,
    }


def own_dagster_home(home: Path) -> Path:
    """A folder for Dagster with the dagster.yaml of the current folder, else of this version.

    A dagster.yaml that somebody changed in there stays as it is.

    Raises:
        SettingsError: it cannot be written.
    """
    wanted = file_here_or_ours("dagster.yaml").read_bytes()
    home = home.resolve()
    config, digest = home / "dagster.yaml", home / _DIGEST
    try:
        make_private_folder(home)
        found = config.read_bytes() if config.exists() else None
        written = digest.read_text(encoding="ascii").strip() if digest.exists() else None
        if found is not None and found != wanted and sha256(found).hexdigest() != written:
            say(f"{config} was changed, so it is not overwritten. Remove it to write it again.")
            return home
        write_whole(config, wanted)
        write_whole(digest, f"{sha256(wanted).hexdigest()}\n".encode())
    except OSError as error:
        raise SettingsError(f"{home} cannot be written: {error.strerror}.") from None
    return home
