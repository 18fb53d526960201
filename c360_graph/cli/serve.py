"""`c360 serve`: the graph over HTTP, and the keys of those who may ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from c360_graph.cli.output import FAILED, Json, exit_on_error, grid, out, print_json, say
from c360_graph.errors import SettingsError
from c360_graph.settings import Settings, load_settings

if TYPE_CHECKING:
    from c360_graph.control.api_clients import ApiClients

app = typer.Typer(rich_markup_mode="markdown")
keys = typer.Typer(
    help="Create, list and revoke the keys of `c360 serve`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(keys, name="key")


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen at.")] = 8360,
    workers: Annotated[
        int,
        typer.Option(
            min=1, max=64, help="Processes that answer requests. They share the rates of clients."
        ),
    ] = 1,
    unmasked: Annotated[
        bool,
        typer.Option(
            "--unmasked",
            help="Serve personal properties without a key, too. Only on loopback, and only while there is no key.",
        ),
    ] = False,
) -> None:
    """Serve the graph over HTTP: an API and a page, until interrupted.

    Listens on loopback. Listens elsewhere only if a client has a key, or with C360_SERVE_OIDC_ISSUER. Never
    writes to the graph. Needs the extra `serve`.

    **Examples**

    - `c360 serve` and then open http://127.0.0.1:8360

    - `c360 serve --host 0.0.0.0 --workers 4` for other machines, behind a proxy with TLS

    - `c360 serve key create crm --label Account --unmasked`
    """
    if context.invoked_subcommand is not None:
        return
    with exit_on_error():
        _run(load_settings(), host=host, port=port, unmasked=unmasked, workers=workers)


def _run(settings: Settings, *, host: str, port: int, unmasked: bool, workers: int) -> None:
    try:
        from c360_graph.serve.clients import tokens_of
        from c360_graph.serve.listening import listen
        from c360_graph.serve.server import bind
    except ImportError as error:
        raise SettingsError(
            f"c360 serve needs the extra serve ({error.name} is missing). Install c360-graph[serve]."
        ) from None
    from c360_graph.control.api_clients import ApiClients
    from c360_graph.control.connection import ControlDatabase, control_credentials

    rows = ApiClients(ControlDatabase(control_credentials(settings))).read()
    tokens_of(settings)
    binding = bind(host, rows, settings, unmasked=unmasked)
    say(f"Serving at http://{host}:{port} {'without keys' if binding.is_open else 'with keys'}.")
    if not listen(settings, binding, port=port, workers=workers):
        raise typer.Exit(FAILED)


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name of the client, such as `crm`.")],
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", help="Serve only this label. May be repeated.", show_default="all"),
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            "--answer", help="Serve only this answer. May be repeated.", show_default="all"
        ),
    ] = None,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="Serve personal properties, too.")
    ] = False,
    days: Annotated[
        int | None, typer.Option(min=1, help="Days until the key expires.", show_default="never")
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(min=1, help="Requests a minute.", show_default="C360_SERVE_RATE_PER_MINUTE"),
    ] = None,
) -> None:
    """Create a key and print it to standard output. It is shown only now: its hash is kept.

    **Examples**

    - `c360 serve key create crm --unmasked --days 90`

    - `c360 serve key create board --answer revenue_by_plan` for one answer
    """
    with exit_on_error():
        from c360_graph.serve.clients import new_key

        key, hashed = new_key()
        expires = datetime.now(UTC) + timedelta(days=days) if days else None
        _clients().add(
            name=name,
            key_hash=hashed,
            labels=labels,
            answers=answers,
            unmasked=unmasked,
            rate_per_minute=rate,
            expires_at=expires,
        )
    typer.echo(key)
    say(
        f"The key of {name} is valid {f'until {expires:%Y-%m-%d %H:%M} UTC' if expires else 'until it is revoked'}."
    )


@keys.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the clients and what is served to each.

    **Example**

    - `c360 serve key list --json`
    """
    with exit_on_error():
        rows = _clients().read()
    if as_json:
        print_json(
            [
                {
                    "name": row.client_name,
                    "labels": row.labels,
                    "answers": row.answers,
                    "unmasked": row.unmasked,
                    "rate_per_minute": row.rate_per_minute,
                    "created_at": row.created_at,
                    "expires_at": row.expires_at,
                    "revoked_at": row.revoked_at,
                }
                for row in rows
            ]
        )
        return
    columns = ("name", "labels", "answers", "unmasked", "expires", "revoked")
    listed = [
        (
            row.client_name,
            "all" if row.labels is None else ", ".join(row.labels),
            "all" if row.answers is None else ", ".join(row.answers),
            "yes" if row.unmasked else "no",
            f"{row.expires_at:%Y-%m-%d %H:%M}" if row.expires_at else "",
            f"{row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at else "",
        )
        for row in rows
    ]
    out.print(grid("Keys", columns, listed))


@keys.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="Name of the client.")]) -> None:
    """Revoke a client's key. Servers refuse it within seconds.

    **Example**

    - `c360 serve key revoke crm`
    """
    with exit_on_error():
        if not _clients().revoke(name):
            raise SettingsError(
                f"api_clients has no client {name!r}. `c360 serve key list` lists them."
            )
    say(f"The key of {name} is revoked.")


def _clients() -> ApiClients:
    from c360_graph.control.api_clients import ApiClients
    from c360_graph.control.connection import ControlDatabase, control_credentials

    return ApiClients(ControlDatabase(control_credentials(load_settings())))
