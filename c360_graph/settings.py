"""Settings from the environment and from `.env`: one class, one field a variable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from dotenv import dotenv_values
from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from c360_graph.errors import SettingsError
from c360_graph.pipeline_settings import PipelineSettings

ENV_FILE = ".env"
_OF_LIBRARIES = ("PG", "AWS_", "AZURE_", "GOOGLE_")
SANDBOX_ENV_FILE = ".c360_sandbox.env"
"""How the servers of `c360 sandbox up` are reached: a link to a file in the sandbox's folder."""


class Settings(PipelineSettings):
    """Every variable the project reads; the environment wins over `.env`, and that over the sandbox."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, extra="ignore", env_ignore_empty=True, frozen=True
    )

    c360_follow_metrics: str | None = Field(
        default=None,
        description=(
            "Address `host:port` at which `c360 follow` answers `/metrics` for Prometheus and `/healthz`."
            " Unset: nowhere."
        ),
    )

    c360_follow_telemetry: bool = Field(
        default=False,
        description=(
            "Whether `c360 follow` sends its metrics, and a span for each transaction, by OpenTelemetry (extra"
            " `opentelemetry`), to where `OTEL_EXPORTER_OTLP_ENDPOINT` says."
        ),
    )

    c360_serve_customer_label: str | None = Field(
        default=None,
        description=(
            "Label of the customers that `c360 serve` serves. Unset: that of `identity_rules`, or else the label"
            " with most kinds of relationships."
        ),
    )
    c360_serve_while_loading: Literal["refuse", "stale"] = Field(
        default="refuse",
        description=(
            "What `c360 serve` does while a load is in progress or Neo4j is away. `refuse`: it answers 503."
            " `stale`: it answers with what it last answered to the same request, marked as stale, or 503."
        ),
    )
    c360_serve_rate_per_minute: int = Field(
        default=6000, ge=1, description="Requests a minute of each client."
    )
    c360_serve_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long a request to `c360 serve` may keep Neo4j busy."
    )
    c360_serve_max_degree: int = Field(
        default=20_000,
        ge=1,
        description="Relationships of one kind at a node beyond which `c360 serve` counts them and follows none.",
    )
    c360_serve_origins: str | None = Field(
        default=None,
        description=(
            "Origins whose pages may ask `c360 serve` from a browser (CORS), separated by commas:"
            " `https://crm.example.com`. Unset: none."
        ),
    )
    c360_serve_oidc_issuer: str | None = Field(
        default=None,
        description="URL of an OpenID Connect issuer whose access tokens (JWT) `c360 serve` accepts. Unset: keys only.",
    )
    c360_serve_oidc_audience: str | None = Field(
        default=None, description="The `aud` that these tokens must have. Required with an issuer."
    )
    c360_serve_oidc_scope_claim: str = Field(
        default="scope",
        description="The claim with the scopes: `label:Account`, `label:*`, `answer:churn_risk`, `answer:*`, `unmasked`.",
    )

    c360_most_lag_seconds: float = Field(
        default=60.0,
        gt=0,
        description=(
            "Seconds that a graph which `c360 follow` keeps may be behind its sources before the check"
            " `is_followed` fails and the sensor `following` says so."
        ),
    )

    c360_ask_again_minutes: int | None = Field(
        default=None,
        ge=1,
        le=30,
        description=(
            "Answers whose tables have changed, as by `c360 follow`, are asked again after so many minutes,"
            " by the sensor `ask_again`. Unset: only when you or a run asks."
        ),
    )

    c360_clear_database: bool | None = Field(
        default=None,
        description=(
            "Whether a load empties the graph first (`true`) or updates it while it stays readable"
            " (`false`). Unset: a run that you start empties it, and a run that the schedule or a sensor"
            " starts updates it. The config `clear_database` of a run takes precedence."
        ),
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order in which a value is looked for."""
        return (init_settings, env_settings, dotenv_settings, _SandboxSource(settings_cls))


class _SandboxSource(PydanticBaseSettingsSource):
    """What `c360 sandbox up` wrote, server by server.

    A server that the environment or `.env` names by its address gets nothing from here, so that no
    password or port of the sandbox is tried on it.
    """

    _ADDRESSES: Mapping[str, tuple[str, ...]] = {
        "etl_db_": ("etl_db_host", "etl_db_port"),
        "neo4j_": ("neo4j_uri",),
    }

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Unused: `__call__` gives all values at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The values by the names of the fields."""
        if not Path(SANDBOX_ENV_FILE).is_file():
            return {}
        lines = {name.lower(): value for name, value in dotenv_values(SANDBOX_ENV_FILE).items()}
        named = {
            prefix
            for prefix, addresses in self._ADDRESSES.items()
            if any(address in self.current_state for address in addresses)
        }
        if os.environ.get("PGSERVICE"):
            named.add("etl_db_")
        return {
            name: value
            for name, value in lines.items()
            if value and not any(name.startswith(prefix) for prefix in named)
        }


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        SettingsError: a variable has a value of the wrong kind; names it, never its value.
    """
    files = (_content(ENV_FILE), _content(SANDBOX_ENV_FILE))
    return _settings_of(frozenset(os.environ.items()), files)


def _content(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


@lru_cache(maxsize=1)
def _settings_of(
    _environment: frozenset[tuple[str, str]], _files: tuple[bytes | None, ...]
) -> Settings:
    """The settings that pydantic reads from just these, which takes it a hundred times as long as to compare them."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"{str(e['loc'][0]).upper()}: {_reason(e['msg'])}" for e in error.errors()
        )
        raise SettingsError(
            f"Settings cannot be used: {wrong}. Set them right in the environment or in .env."
        ) from None


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")


def use_env_file_variables() -> None:
    """Take the variables that libraries read themselves from `.env` where they are not set: libpq's own
    (PGSERVICE, PGSSLMODE and so on), and those of object storages.

    Dagster's commands do so with every line of `.env`; this way the others mean the same.
    """
    if Path(ENV_FILE).is_file():
        for name, value in dotenv_values(ENV_FILE).items():
            if name.startswith(_OF_LIBRARIES) and value and not os.environ.get(name):
                os.environ[name] = value


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
