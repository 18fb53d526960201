"""Dagster's storage in the schema `dagster` of the control database, reached as the settings say.

dagster.yaml names this class instead of Dagster's own `postgres`, which takes its values from an
environment that `.env` has overridden, and builds a URL that a socket's folder does not fit in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import DagsterInstance
from dagster._serdes import ConfigurableClassData
from sqlalchemy import URL

from c360_graph.command_errors import ending_with_its_message
from c360_graph.control.connection import (
    CONNECT_TIMEOUT_SECONDS,
    Credentials,
    control_credentials,
)
from c360_graph.patient_storage import PatientPostgresStorage
from c360_graph.settings import load_settings
from c360_graph.start_environment import restore_start_environment

SCHEMA = "dagster"

_KEPT_SECONDS = 1
_MOST_FURTHER = 20
"""Connections beside the one kept; Dagster's own webserver allows as many."""


class ControlDatabaseStorage(PatientPostgresStorage):
    """Runs, events and schedules beside the control tables; has no config of its own."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing: all of it is in the settings."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> ControlDatabaseStorage:
        """The storage that the settings of this process's start environment mean.

        Raises:
            SettingsError: a setting cannot be used.
            ControlDatabaseError: the database cannot be reached, or lacks the schema.
        """
        with ending_with_its_message():
            restore_start_environment()
            credentials = control_credentials(load_settings())
            return cls(inst_data=inst_data, postgres_url=storage_url(credentials))


def keep_connections(instance: DagsterInstance) -> None:
    """Let Dagster's storage use a connection for a second.

    Else dagster-postgres opens one for each statement (NullPool): 530 of 4 ms in a run of the sample,
    which took 9.5 s so and takes 7.3 s. Kept for long, one might be dead after an hour of loading.
    """
    instance.optimize_for_webserver(
        statement_timeout=0, pool_recycle=_KEPT_SECONDS, max_overflow=_MOST_FURTHER
    )


def storage_url(credentials: Credentials) -> str:
    """The address as dagster-postgres wants it.

    The host stands in the query, where a socket's folder and an IPv6 address need no escape of their
    own. Plain `postgresql` would pick psycopg 3, with which dagster-postgres cannot LISTEN.
    """
    # As many ports as libpq may have hosts to try.
    ports = [str(credentials.port)] * len((credentials.host or "").split(","))
    query = {
        "host": credentials.host,
        "port": ",".join(ports) if credentials.port else None,
        "sslmode": credentials.sslmode,
        "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
        "application_name": "c360_graph",
        "options": f"-c search_path={SCHEMA}",
    }
    url = URL.create(
        "postgresql+psycopg2",
        username=credentials.user,
        password=credentials.password,
        database=credentials.database,
        query={name: value for name, value in query.items() if value},
    )
    return url.render_as_string(hide_password=False)
