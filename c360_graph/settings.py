"""Settings from the environment and from `.env`: one class, one field a variable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from c360_graph.errors import SettingsError

ENV_FILE = ".env"


class Settings(BaseSettings):
    """Every variable the project reads; the environment wins over `.env`."""

    model_config = SettingsConfigDict(env_file=ENV_FILE, extra="ignore", env_ignore_empty=True)

    etl_db_host: str = Field(default="localhost", description="Host of the control database.")
    etl_db_port: int = Field(default=5432, description="Port of the control database.")
    etl_db_name: str = Field(default="etl_control_db", description="Name of the control database.")
    etl_db_user: str = Field(default="postgres", description="Role that reads and writes it.")
    etl_db_password: SecretStr | None = Field(
        default=None,
        description="Its password; unset means libpq's own ways (.pgpass, peer, trust).",
    )
    neo4j_uri: str = Field(
        default="bolt://localhost:7687",
        description="Address of the target Neo4j; neo4j+s://... for Aura.",
    )
    neo4j_username: str = Field(default="neo4j", description="User of the target Neo4j.")
    neo4j_password: SecretStr = Field(default=SecretStr(""), description="Its password.")
    neo4j_database: str = Field(default="neo4j", description="Database of the target Neo4j.")
    c360_data_dir: Path = Field(
        default=Path("c360_data"),
        description="Folder of extracts and scripts; made with mode 0700.",
    )
    c360_executor: Literal["in_process", "multiprocess"] = Field(
        default="in_process",
        description="Whether a run's steps share a process or have one each, side by side.",
    )
    c360_keep_extracts: int = Field(
        default=3, ge=1, description="Extracts kept per table, the last good one always among them."
    )
    c360_keep_scripts: int = Field(
        default=3,
        ge=1,
        description="Scripts kept, the newest and the last one loaded always among them.",
    )
    c360_compress_scripts: bool = Field(
        default=False, description="Whether scripts are written compressed, as `.cypher.zst`."
    )
    c360_preview_rows: int = Field(
        default=5,
        ge=0,
        le=50,
        description=(
            "Rows of each extract that its asset shows, beside the first 20 of each answer and the"
            " keys of up to as many rows, at most 5, that a check finds fault with; Dagster keeps them"
            " in its event log, however the rules change later. 0 keeps row values out of Dagster's"
            " storage, but for the key of a row that makes a step fail."
        ),
    )
    c360_retries: int = Field(
        default=2,
        ge=0,
        le=10,
        description="How often an asset is tried again when a server cannot be reached just now.",
    )
    c360_source_timeout_seconds: float = Field(
        default=3600.0,
        ge=0,
        description=(
            "How long a source may send nothing, such as a query that waits for a lock, before its statement is"
            " ended and its table fails; 0 waits for ever. A source that does not answer at all is given up"
            " after half a minute."
        ),
    )
    c360_fresh_hours: int = Field(
        default=36,
        ge=0,
        description=(
            "Age at which Dagster calls an asset stale, with a warning from two thirds of it on;"
            " 0 sets no such policy."
        ),
    )
    c360_keep_reports: int = Field(
        default=3, ge=1, description="Reports kept, the newest always among them."
    )
    c360_queries_dir: Path | None = Field(
        default=None,
        description=(
            "Folder of questions of your own (*.cypher, pictures/*.cypher) beside the package's; a"
            " file of the same name takes the place of the package's."
        ),
    )
    c360_query_timeout_seconds: float = Field(
        default=300.0, gt=0, description="How long a question may run before the server ends it."
    )
    c360_strict: bool = Field(
        default=False,
        description="Turns control rows that cannot be honoured into an error at load (for CI).",
    )
    c360_hash_key: SecretStr | None = Field(
        default=None, description="Key of the `hash` treatment (HMAC-SHA256)."
    )
    c360_webserver_url: str | None = Field(
        default=None,
        description="Dagster webserver that the control-rows sensor asks to reload the definitions.",
    )
    c360_nightly_cron: str = Field(
        default="0 3 * * *", description="When the nightly schedule runs."
    )
    c360_time_zone: str = Field(default="UTC", description="Time zone of the nightly schedule.")
    c360_sandbox_neo4j: Literal["2026", "5.26"] = Field(
        default="2026", description="Line of Neo4j that the sandbox starts."
    )
    c360_load_sessions: int = Field(
        default=2, ge=1, le=16, description="Sessions that load node batches side by side."
    )


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        SettingsError: a variable has a value of the wrong kind; names it, never its value.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError(
            f"Settings cannot be used: {wrong}. Set them right in the environment or in .env."
        ) from None


def resolve_secret(reference: str | None, *, where: str) -> str | None:
    """The password a control row means: a literal, `env:NAME`, or nothing.

    Args:
        reference: what the row holds.
        where: table and row id, for the message.

    Raises:
        SettingsError: `env:NAME` names a variable that is set neither in the environment nor in `.env`.
    """
    if reference is None or not reference.startswith("env:"):
        return reference
    name = reference.removeprefix("env:")
    value = os.environ.get(name) or dotenv_values(ENV_FILE).get(name)
    if not value:
        raise SettingsError(
            f"{where} takes its password from {name}, which is not set. Set {name} in the environment or in .env."
        )
    return value
