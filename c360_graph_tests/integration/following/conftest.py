"""The sample, followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import SAMPLE_SCHEMA, Project, TestServers, empty, sample_project
from c360_graph_tests.integration.following.followed import drop_slots


@pytest.fixture
def followed(servers: TestServers, tmp_path: Path) -> Iterator[Project]:
    """The sample project; its replication slots are dropped at the end."""
    with sample_project(servers, tmp_path) as made:
        try:
            yield made
        finally:
            drop_slots(servers.postgres, made.prefix)


@pytest.fixture
def target(servers: TestServers) -> Iterator[Graph]:
    """The target, empty at first and in the end but for the constraints and indexes of the sample."""
    with servers.open_graph() as opened:
        empty(opened, kept=SAMPLE_SCHEMA)
        yield opened
        empty(opened, kept=SAMPLE_SCHEMA)
