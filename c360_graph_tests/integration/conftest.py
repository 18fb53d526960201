"""Dagster's storage in memory, which each run inside a test's process makes anew, without what takes long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _no_stamp_in_memory() -> Iterator[None]:
    """To stamp a storage with its version, Dagster imports all of its migrations, in a fifth of a small load."""
    with pytest.MonkeyPatch.context() as patch:
        for storage in ("runs", "event_log"):
            patch.setattr(
                f"dagster._core.storage.{storage}.in_memory.stamp_alembic_rev", lambda *_: None
            )
        yield
