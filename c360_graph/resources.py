"""Dagster resources: the control database and the target graph, configured by the environment."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg
from pydantic import Field, PrivateAttr

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

    _uses: ExitStack | None = PrivateAttr(default=None)
    _shared: ControlDatabase | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["PostgresResource"]:
        """The resource of a run or a step, all of whose uses share a connection."""
        del context
        with ExitStack() as self._uses:
            try:
                yield self
            finally:
                self._uses = self._shared = None

    def control_database(self) -> ControlDatabase:
        """The control database that these fields and the settings mean."""
        if self._shared is not None:
            return self._shared
        own = self.own_control_database()
        if self._uses is not None:
            # Not before it is asked for: what is wrong with the settings is a failure of the step.
            self._shared = own = self._uses.enter_context(own.kept_connected())
        return own

    def own_control_database(
        self, *, patience_seconds: float = RUN_PATIENCE_SECONDS
    ) -> ControlDatabase:
        """The same, with a connection of its own for each use."""
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
