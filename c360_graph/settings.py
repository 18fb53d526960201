"""Settings from the environment and from `.env`: one class, one field a variable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from c360_graph.addresses import address_problem, uri_problem
from c360_graph.errors import SettingsError

ENV_FILE = ".env"
_OF_LIBRARIES = ("PG", "AWS_", "AZURE_", "GOOGLE_")
SANDBOX_ENV_FILE = ".c360_sandbox.env"
"""How the servers of `c360 sandbox up` are reached: a link to a file in the sandbox's folder."""


Executor = Literal["in_process", "multiprocess", "celery", "k8s", "docker"]


class Settings(BaseSettings):
    """Every variable the project reads; the environment wins over `.env`, and that over the sandbox."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, extra="ignore", env_ignore_empty=True, frozen=True
    )

    etl_db_host: str = Field(
        default="localhost",
        description="Host of the control database, or the folder of its Unix socket.",
    )
    etl_db_port: int = Field(default=5432, description="Port of the control database.")
    etl_db_name: str = Field(default="etl_control_db", description="Name of the control database.")
    etl_db_user: str = Field(
        default="postgres", description="Role that reads and writes the control database."
    )
    etl_db_password: SecretStr | None = Field(
        default=None,
        description="Password of that role. Unset: the methods of libpq (.pgpass, peer, trust).",
    )
    neo4j_uri: str = Field(
        default="bolt://localhost:7687",
        description=(
            "Address of the target Neo4j: neo4j:// or bolt://, each also with +s or +ssc. For Aura"
            " use neo4j+s://..."
        ),
    )
    neo4j_username: str = Field(default="neo4j", description="User of the target Neo4j.")
    neo4j_password: SecretStr = Field(default=SecretStr(""), description="Password of that user.")
    neo4j_database: str = Field(default="neo4j", description="Database of the target Neo4j.")
    c360_neo4j_admin: str = Field(
        default="neo4j-admin",
        description="The program that `c360 export --run` imports with.",
    )
    c360_import_files: bool = Field(
        default=False,
        description=(
            "Adds the asset `import_files`, which writes what `c360 export` writes to `import_files` in the data"
            " folder."
        ),
    )
    c360_data_dir: Path = Field(
        default=Path("c360_data"),
        description="Folder of extracts, scripts and reports. It and its subfolders have mode 0700.",
    )
    c360_data_uri: str | None = Field(
        default=None,
        description=(
            "Where extracts, scripts, reports and the mapping snapshot are kept instead: `file:///path`,"
            " `s3://bucket/prefix`, `gs://...` or `az://...`. C360_DATA_DIR is then for what has to lie on a"
            " local disk for a while. Needs the extra `object-storage`. Keys come from the variables of the"
            " storage, such as AWS_ACCESS_KEY_ID."
        ),
    )
    c360_executor: Executor = Field(
        default="in_process",
        description=(
            "`in_process`: the steps of a run share one process. `multiprocess`: each has its own, in"
            " parallel. `celery`: workers execute them (`c360 worker`). `k8s`, `docker`: each in a pod or"
            " container of its own. The last three need the extra of that name, and C360_DATA_URI."
        ),
    )
    c360_celery_broker: SecretStr = Field(
        default=SecretStr("redis://localhost:6379/0"),
        description="URL of the broker of `celery`, such as `redis://:password@host:6379/0`. Treated as a secret.",
    )
    c360_keep_extracts: int = Field(
        default=3,
        ge=1,
        description="Extracts to keep for each table, always including the last good one.",
    )
    c360_keep_scripts: int = Field(
        default=3,
        ge=1,
        description="Scripts to keep, always including the newest and the last one loaded.",
    )
    c360_compress_scripts: bool = Field(
        default=False, description="Write compressed scripts, `.cypher.zst`."
    )
    c360_new_columns: Literal["withhold", "load"] = Field(
        default="withhold",
        description=(
            "How to handle a column that is new to a table with exclusion rules. `withhold`: read it"
            " only after a row of `field_exclusion_rules` decides on it. `load`: read it unchanged."
            " All columns of tables without rules are read."
        ),
    )
    c360_preview_rows: int = Field(
        default=5,
        ge=0,
        le=50,
        description=(
            "Rows of each extract that its asset shows. Answers show their first 20 rows, and failed"
            " checks the keys of up to this many rows, at most 5. Dagster keeps these values in its"
            " event log even if you change the rules later. 0 keeps row values out of Dagster's"
            " storage, except the key of a row that makes a step fail."
        ),
    )
    c360_retries: int = Field(
        default=2,
        ge=0,
        le=10,
        description="How often an asset is retried if a server is temporarily unreachable.",
    )
    c360_source_timeout_seconds: float = Field(
        default=3600.0,
        ge=0,
        description=(
            "How long a source may send nothing, for example while a query waits for a lock, before its"
            " statement is ended and the table fails. 0 waits forever. A source that does not answer at"
            " all fails after half a minute."
        ),
    )
    c360_most_sharing_records: int = Field(
        default=20,
        ge=2,
        description=(
            "The most records that may share an identifier of `identity_rules`. An identifier that more"
            " records share, such as `info@example.com`, is ignored and listed."
        ),
    )
    c360_least_score: float = Field(
        default=0.95,
        gt=0,
        lt=1,
        description="The least score of two entities of `identity_rules` that may be the same.",
    )
    c360_fresh_hours: int = Field(
        default=36,
        ge=0,
        description=(
            "Age at which Dagster reports an asset as stale, with a warning after two thirds of that"
            " time. 0 sets no freshness policy."
        ),
    )
    c360_keep_reports: int = Field(
        default=3, ge=1, description="Reports to keep, always including the newest."
    )
    c360_queries_dir: Path | None = Field(
        default=None,
        description=(
            "Folder of your own questions (*.cypher, pictures/*.cypher), in addition to the package's."
            " A file with the same name as one of the package replaces it."
        ),
    )
    c360_query_timeout_seconds: float = Field(
        default=300.0, gt=0, description="How long a question may run before the server ends it."
    )
    c360_fail_on: Literal["error", "warning", "never"] = Field(
        default="error",
        description=(
            "The run fails if an asset check of this severity or higher fails: `error`, `warning` or"
            " `never`. A failed step always fails the run."
        ),
    )
    c360_strict: bool = Field(
        default=False,
        description="Raise an error when the definitions are loaded if a control row is refused. For CI.",
    )
    c360_hash_key: SecretStr | None = Field(
        default=None, description="Key of the `hash` treatment (HMAC-SHA256)."
    )
    c360_webserver_url: str | None = Field(
        default=None,
        description="URL of the Dagster webserver that the sensor `control_rows` asks to reload the definitions.",
    )
    c360_failure_webhook: SecretStr | None = Field(
        default=None,
        description=(
            "URL that is told of each failed run by a POST with JSON, such as an incoming webhook of Slack."
            " Treated as a secret."
        ),
    )
    c360_failure_email_to: str | None = Field(
        default=None,
        description=(
            "E-mail addresses, separated by commas, that are told of each failed run: its job, its id and the"
            " failed steps, no reasons."
        ),
    )
    c360_smtp_host: str = Field(
        default="localhost", description="Mail server that sends this e-mail."
    )
    c360_smtp_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Its port. Unset: 587 with `starttls`, 465 with `tls`, 25 with `none`.",
    )
    c360_smtp_tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description=(
            "`starttls`: the connection is encrypted before anything is sent. `tls`: from its start. `none`:"
            " never, for a server on the same machine."
        ),
    )
    c360_smtp_user: str | None = Field(
        default=None, description="User to log in as. Unset: no login."
    )
    c360_smtp_password: SecretStr | None = Field(default=None, description="Password of that user.")
    c360_smtp_from: str | None = Field(
        default=None, description="Sender of the e-mail. Unset: its first recipient."
    )
    c360_openlineage_namespace: str | None = Field(
        default=None,
        description=(
            "Namespace of the jobs by which each load tells a catalog, by OpenLineage, which tables labels and"
            " relationships are made from. Unset: nothing is told. OPENLINEAGE_URL or openlineage.yml says"
            " where the catalog is. Needs the extra `openlineage`."
        ),
    )
    c360_nightly_cron: str = Field(
        default="0 3 * * *", description="Cron expression of the nightly schedule."
    )
    c360_time_zone: str = Field(
        default="UTC",
        description="Time zone of the nightly schedule, an IANA name such as `Europe/Berlin`.",
    )
    c360_sandbox_neo4j: Literal["2026", "5.26"] = Field(
        default="2026", description="Neo4j version line that the sandbox starts."
    )
    c360_source_count_seconds: float = Field(
        default=60.0,
        ge=0,
        description=(
            "How long a check may let each source count its own joins, each for at most 10 seconds, to"
            " compare them with the graph. 0 skips this comparison."
        ),
    )
    c360_load_sessions: int = Field(
        default=2,
        ge=1,
        le=16,
        description=(
            "Sessions that load batches of nodes in parallel, and share the relationships of a statement if the"
            " server has as many processors."
        ),
    )

    c360_follow_metrics: str | None = Field(
        default=None,
        description=(
            "Address `host:port` at which `c360 follow` answers `/metrics` for Prometheus and `/healthz`."
            " Unset: nowhere."
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

    @field_validator("c360_time_zone")
    @classmethod
    def _is_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not an IANA time zone name, such as Europe/Berlin") from None
        return name

    @field_validator("neo4j_uri")
    @classmethod
    def _of_a_known_scheme(cls, uri: str) -> str:
        problem = address_problem(uri)
        if problem:
            raise ValueError(problem)
        return uri

    @field_validator("c360_data_uri")
    @classmethod
    def _of_a_known_storage(cls, uri: str | None) -> str | None:
        problem = uri_problem(uri) if uri is not None else None
        if problem:
            raise ValueError(problem)
        return uri

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
