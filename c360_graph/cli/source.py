"""`c360 source add`: a source database is tried, and its control rows are proposed."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from c360_graph.cli.map import add_rows, offer
from c360_graph.cli.output import Apply, Json, Yes, exit_on_error
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.mapping.control_rows import NEW_SOURCE_ID, SourceRow
from c360_graph.proposal.model import ProposedSource
from c360_graph.settings import load_settings

app = typer.Typer(help="Source databases.", no_args_is_help=True)


def _variable(name: str | None) -> str | None:
    if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        # Not repeated, as it may be the password itself.
        raise typer.BadParameter("give the name of a variable, such as SHOP_PASSWORD")
    return name


_Host = Annotated[
    str | None, typer.Option(help="Host.", show_default="that of the control database")
]
_Port = Annotated[int | None, typer.Option(help="Port.", show_default="5432")]
_User = Annotated[
    str | None,
    typer.Option(
        help="Role that reads it.",
        show_default="without --host that of the control database, else libpq's",
    ),
]
_PasswordVariable = Annotated[
    str | None,
    typer.Option(
        metavar="VARIABLE",
        callback=_variable,
        help="The variable, in the environment or in .env, that holds the password.",
        show_default="without --host as the control database, else libpq's ways",
    ),
]
_TimeZone = Annotated[
    str | None,
    typer.Option(
        help="The zone of columns of type timestamp.", show_default="they stay local times"
    ),
]


@app.callback()
def source_group() -> None:
    """Source databases."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its source_name: the name in assets and logs.")],
    database: Annotated[str, typer.Option("--db", help="The database to connect to.")],
    host: _Host = None,
    port: _Port = None,
    user: _User = None,
    password_env: _PasswordVariable = None,
    schema: Annotated[str, typer.Option(help="The schema that has the tables.")] = "public",
    sslmode: Annotated[
        str | None, typer.Option(help="libpq's sslmode.", show_default="libpq's")
    ] = None,
    time_zone: _TimeZone = None,
    apply: Apply = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Try a source database, and propose its row and those that c360 map proposes, as SQL.

    Connects as a run does, reads one row of each table that is proposed, and says what the role may not
    read. Changes nothing unless you use --apply. The row holds the name of the variable with the
    password, not the password.

    Exits with 1 if the database cannot be reached or read.

    **Examples**

    - `c360 source add shop --host db.example.com --db shop --user c360_reader --password-env SHOP_PASSWORD > rows.sql`

    - `c360 source add support_db --db support_db --apply` for a database on the server of the control database
    """
    # Here, as the grammar of joins takes 16 MB, which most commands do without.
    from c360_graph.pipeline.propose import propose_source

    with exit_on_error():
        control = ControlDatabase(control_credentials(load_settings()))
        row = SourceRow(
            source_id=NEW_SOURCE_ID,
            source_name=name,
            db_host=host,
            db_port=port,
            db_name=database,
            db_user=user,
            db_schema=schema,
            db_sslmode=sslmode,
            time_zone=time_zone,
        )
        proposal = propose_source(control, ProposedSource(row=row, password_variable=password_env))
        offer(proposal, as_json=as_json)
        if apply:
            add_rows(control, proposal, ask=not yes)
