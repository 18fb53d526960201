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
def unloaded(shared: World) -> World:
    """The source and the control rows as they were at first, and an empty graph."""
    reset(shared)
    return shared


@pytest.fixture
def world(unloaded: World) -> World:
    """The same with its graph loaded."""
    assert load()
    return unloaded
