"""PostgreSQL reached through a network that fails on purpose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from c360_graph_tests.conftest import Project, TestServers
from c360_graph_tests.integration.loader.proxy import FaultyProxy, faulty_proxy


@pytest.fixture
def proxy(servers: TestServers) -> Iterator[FaultyProxy]:
    """A proxy before PostgreSQL."""
    with faulty_proxy(servers.postgres.host, servers.postgres.port) as made:
        yield made


@pytest.fixture
def far_control(
    project: Project, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> FaultyProxy:
    """The proxy, with the control database and Dagster's storage behind it and the sources not."""
    server = project.servers.postgres
    project.execute(
        f"UPDATE source_databases SET db_host = '{server.host}', db_port = {server.port},"
        f" db_user = '{server.user}', db_password = 'env:C360_TEST_PASSWORD'"
    )
    monkeypatch.setenv("C360_TEST_PASSWORD", server.password or "")
    monkeypatch.setenv("ETL_DB_PORT", str(proxy.port))
    return proxy
