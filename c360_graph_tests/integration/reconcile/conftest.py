"""Loads that are meant to write much and fail at times are kept from filling the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.reconcile.analysts import load, reset
from c360_graph_tests.integration.schemas.world import World, built


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR")


@pytest.fixture(scope="module")
def shared(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with built("analysts", servers, tmp_path_factory.mktemp("analysts")) as made:
        yield made


@pytest.fixture
def world(shared: World) -> World:
    """The source, the control rows and the graph as they were at first."""
    reset(shared)
    assert load()
    return shared
