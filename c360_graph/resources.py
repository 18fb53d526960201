"""Dagster resources: the control database and the target graph, configured by the environment."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from c360_graph.control.connection import (
    RUN_PATIENCE_SECONDS,
    ControlDatabase,
    Credentials,
    control_credentials,
)
from c360_graph.graph.connection import Graph, target_graph
from c360_graph.settings import load_settings


class PostgresResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The control database. A field that is not given comes from ETL_DB_* at the time of use."""

    host: str | None = Field(default=None, description="Instead of ETL_DB_HOST.")
    port: int | None = Field(default=None, description="Instead of ETL_DB_PORT.")
    database: str | None = Field(default=None, description="Instead of ETL_DB_NAME.")
    user: str | None = Field(default=None, description="Instead of ETL_DB_USER.")
    password: str | None = Field(
        default=None,
        description="Instead of ETL_DB_PASSWORD; give a dagster EnvVar, never the text.",
    )

    def control_database(
        self, *, patience_seconds: float = RUN_PATIENCE_SECONDS
    ) -> ControlDatabase:
        """The control database that these fields and the settings mean."""
        settings = load_settings()
        own = control_credentials(settings)
        return ControlDatabase(
            Credentials(
                host=self.host or own.host,
                port=self.port or own.port,
                database=self.database or own.database,
                user=self.user or own.user,
                password=self.password if self.password is not None else own.password,
            ),
            patience_seconds=patience_seconds,
        )


class Neo4jResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The target graph. A field that is not given comes from NEO4J_* at the time of use."""

    uri: str | None = Field(default=None, description="Instead of NEO4J_URI.")
    username: str | None = Field(default=None, description="Instead of NEO4J_USERNAME.")
    password: str | None = Field(
        default=None,
        description="Instead of NEO4J_PASSWORD; give a dagster EnvVar, never the text.",
    )
    database: str | None = Field(default=None, description="Instead of NEO4J_DATABASE.")

    @contextmanager
    def graph(self) -> Iterator[Graph]:
        """A connection to the target.

        Raises:
            SettingsError: a setting cannot be used.
            GraphError: it cannot be reached or refuses the login.
        """
        with target_graph(
            load_settings(),
            uri=self.uri,
            username=self.username,
            password=self.password,
            database=self.database,
        ) as graph:
            yield graph
