"""Settings of the pipeline, one field a variable, and why an address cannot be one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

NEO4J_SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")
STORAGE_SCHEMES = ("s3", "gs", "az")

Executor = Literal["in_process", "multiprocess", "celery", "k8s", "docker"]


def address_problem(uri: str) -> str | None:
    """Why Neo4j's driver cannot use an address, None where it can; the address is not repeated.

    >>> address_problem("bolt://localhost:x")
    'its port is not a number'
    """
    scheme, separator, server = uri.partition("://")
    known = ", ".join(f"{name}://" for name in NEO4J_SCHEMES)
    if not separator:
        return f"it has no scheme; it has to begin with one of {known}"
    if scheme.lower() not in NEO4J_SCHEMES:
        return f"the scheme {scheme}:// is not Neo4j's; it has to begin with one of {known}"
    if "@" in urlsplit(f"//{server}").netloc:
        return (
            "it holds a user; that and the password belong into NEO4J_USERNAME and NEO4J_PASSWORD"
        )
    try:
        _ = urlsplit(f"//{server}").port
    except ValueError:
        return "its port is not a number"
    return None


def uri_problem(uri: str) -> str | None:
    """Why an address cannot be C360_DATA_URI, None where it can; the address is not repeated.

    >>> uri_problem("ftp://somewhere")
    'it has to begin with one of file:///, s3://, gs://, az://'
    >>> uri_problem("s3://bucket/prefix")
    """
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return None if parts.path and not parts.netloc else "a file:// URI has to be file:///path"
    if parts.scheme not in STORAGE_SCHEMES:
        schemes = ", ".join(("file:///", *(f"{scheme}://" for scheme in STORAGE_SCHEMES)))
        return f"it has to begin with one of {schemes}"
    if not parts.netloc:
        return "it names no bucket"
    if "@" in parts.netloc or parts.query:
        return "it may hold no keys; they belong into the environment"
    return None


class PipelineSettings(BaseSettings):
    """What a run reads; `Settings` adds what commands that keep running read, and where values are looked for."""

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
    c360_tables_in_a_step: int = Field(
        default=50,
        ge=1,
        le=1000,
        description=(
            "The most tables that one step reads. A source with more mapped tables than this has its small tables,"
            " of up to 100,000 rows, read by shared steps; each is still an asset of its own. 1 gives every table"
            " a step."
        ),
    )
    c360_readers_of_a_table: int = Field(
        default=1,
        ge=1,
        le=64,
        description=(
            "The most steps that read one big table together, each a part of it, over one snapshot. Not used by the"
            " executor `in_process`."
        ),
    )
    c360_range_rows: int = Field(
        default=2_000_000,
        ge=1_000,
        description=(
            "About how many rows of a table one of these steps reads at a time. Smaller tables are read by one step."
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

    @property
    def lets_in_new_columns(self) -> bool:
        """Whether columns that are new to a table with rules are read."""
        return self.c360_new_columns == "load"

    @property
    def table_readers(self) -> int:
        """The most steps that read one table together with this executor."""
        return 1 if self.c360_executor == "in_process" else self.c360_readers_of_a_table

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
