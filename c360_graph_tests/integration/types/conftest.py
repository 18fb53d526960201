"""A database as a source, and both ways to load a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.types.pieces import SourceDatabase


@pytest.fixture
def source(servers: TestServers, scratch_db: str, tmp_path: Path) -> SourceDatabase:
    """An empty database as a source."""
    return SourceDatabase(servers=servers, database=scratch_db, folder=tmp_path)
