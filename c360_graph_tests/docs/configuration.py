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

Each setting is an environment variable, or a line of `.env` in the folder where you run a command. Start from
[.env.example](../.env.example). An empty variable counts as unset. If a value has the wrong type, the command ends with the name of the
variable, but never shows its value. `make docs` generates this page from [c360_graph/settings.py](../c360_graph/settings.py).

Values are looked up in this order:

1. The environment that the command was started with. This applies to `c360` and to every Dagster command and its child processes.
   Dagster itself lets the lines of `.env` override the environment. The pipeline therefore reads the original environment of the process
   from the operating system (`/proc` on Linux, the kernel's copy elsewhere), and restores it before Dagster's storage is opened. If it is
   too late to restore a value, the run is refused and the message shows both values. This concerns another `DAGSTER_HOME`, and a
   dagster.yaml that itself uses a variable with `env:`.
2. `.env` in the current folder. libpq's `PG...` variables are read from it, too.
3. The servers of `c360 sandbox up`: for the control database if none of `ETL_DB_HOST`, `ETL_DB_PORT` and `PGSERVICE` is set, and for Neo4j
   if `NEO4J_URI` is not set.
4. The defaults below.
"""

_TAIL = """
## Address of the control database

`ETL_DB_HOST` is any host that libpq accepts: a name, an IPv4 or IPv6 address (`::1` or `[::1]`), or the folder of a Unix socket
(`/var/run/postgresql`). If `PGSERVICE` is set, values without an `ETL_DB_*` variable come from that service in `PGSERVICEFILE` or
`~/.pg_service.conf`. The same applies to Dagster's storage, and to the `db_host` of a source.

## Passwords of sources

If `source_databases.db_password` is `env:NAME`, the password is the value of the variable `NAME` in the environment or `.env`, read when the
pipeline connects. See [control tables](control-tables.md#source_databases).

## Config of a run

Some steps take config, in the Dagster launchpad or with `--config-json`; see [running](running.md#a-run).
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
