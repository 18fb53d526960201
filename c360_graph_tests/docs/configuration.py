"""docs/configuration.md, from the settings class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from c360_graph.settings import Settings

DOCUMENT = "docs/configuration.md"

_HEAD = """# Configuration

Every setting is an environment variable, or a line of `.env` in the folder that a command is run in; the environment wins.
[.env.example](../.env.example) is a beginning. An empty variable counts as unset. A value of the wrong kind ends the command
with the variable's name, never with its value. This page is written by `make docs` from
[c360_graph/settings.py](../c360_graph/settings.py).

Values are looked for in this order:

1. The environment that a command is started with. This holds for `c360` and for every command of Dagster, in its child processes too.
   Dagster itself puts the lines of `.env` over the environment; what a process was started with is read from the operating system
   (`/proc` on Linux, the kernel's copy elsewhere) and set back before Dagster's storage is opened. Where it cannot be set back any more,
   the run is refused with both values: another `DAGSTER_HOME`, or a dagster.yaml that names a variable by `env:` itself.
2. `.env` in the current folder. `PG...` variables of libpq are taken from there too.
3. The servers of `c360 sandbox up`, for the control database where neither `ETL_DB_HOST`, `ETL_DB_PORT` nor `PGSERVICE` is set above, and
   for Neo4j where `NEO4J_URI` is not.
4. The defaults below.
"""

_TAIL = """
## Where the control database is

`ETL_DB_HOST` is whatever libpq takes as a host: a name, an IPv4 or IPv6 address (`::1` or `[::1]`), or the folder of a Unix socket
(`/var/run/postgresql`). With `PGSERVICE` set, what no `ETL_DB_*` names comes from that service of `PGSERVICEFILE` or
`~/.pg_service.conf`. Dagster's storage is reached in the same way, and so is a source by its `db_host`.

## Passwords of sources

`source_databases.db_password` may hold `env:NAME`: the password is then the variable `NAME` of the environment or `.env`, read
at the moment of connecting. See [control-tables.md](control-tables.md#source_databases).

## Config of a run

Given in the Dagster launchpad, or to `dagster asset materialize` by `--config-json`; see [running.md](running.md#a-run).
"""

_TITLES = {
    "etl_db_": "Control database",
    "neo4j_": "Target graph",
    "c360_": "The pipeline",
}


def configuration() -> str:
    """The whole document."""
    fields = Settings.model_fields.items()
    parts = [
        "\n".join(["", f"## {title}", "", *_table([f for f in fields if f[0].startswith(prefix)])])
        + "\n"
        for prefix, title in _TITLES.items()
    ]
    return _HEAD + "".join(parts) + _TAIL


def _table(fields: list[tuple[str, FieldInfo]]) -> Iterator[str]:
    yield "| variable | default | kind | |"
    yield "| --- | --- | --- | --- |"
    for name, field in fields:
        yield (
            f"| `{name.upper()}` | {_default(field)} | {_kind(field)} |"
            f" {(field.description or '').replace('|', '&#124;')} |"
        )


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value is PydanticUndefined or value == "":
        return "unset"
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value}`"


def _kind(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(field.annotation))
    kinds = [a for a in get_args(field.annotation) if a is not type(None)] or [field.annotation]
    names = {
        str: "text",
        int: "number",
        float: "number",
        bool: "`true` or `false`",
        Path: "path",
        SecretStr: "secret",
    }
    bounds = [bound for bound in map(_bound, field.metadata) if bound]
    return ", ".join([names.get(kinds[0], str(kinds[0])), *bounds])


def _bound(limit: Any) -> str | None:
    for name, words in (("ge", "at least"), ("le", "at most"), ("gt", "over"), ("lt", "under")):
        if hasattr(limit, name):
            return f"{words} {getattr(limit, name)}"
    return None
