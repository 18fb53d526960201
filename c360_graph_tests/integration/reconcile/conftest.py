"""Loads that are meant to write much and fail at times are kept from filling the log."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR")
