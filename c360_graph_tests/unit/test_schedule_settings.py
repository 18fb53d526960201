"""The nightly schedule's settings are refused by name where Dagster would not take them."""

from __future__ import annotations

import pytest

from c360_graph.automation import nightly_schedule
from c360_graph.errors import SettingsError
from c360_graph.settings import load_settings


@pytest.mark.parametrize("name", ["UTC+2", "+02:00", "Berlin2", "CEST", "../etc/passwd", "europe"])
def test_only_the_name_of_a_time_zone_is_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("C360_TIME_ZONE", name)
    with pytest.raises(SettingsError, match=r"C360_TIME_ZONE: .* not an IANA time zone name"):
        load_settings()


@pytest.mark.parametrize("cron", ["61 3 * * *", "nightly", "0 3 * *", "0 0 31 2 *"])
def test_a_cron_expression_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, cron: str
) -> None:
    monkeypatch.setenv("C360_NIGHTLY_CRON", cron)
    monkeypatch.setenv("C360_TIME_ZONE", "Europe/Berlin")
    with pytest.raises(SettingsError, match=r"C360_NIGHTLY_CRON .* is not a cron expression"):
        nightly_schedule(load_settings())


def test_a_time_zone_and_a_cron_expression_that_are_right_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("C360_NIGHTLY_CRON", "30 2 * * 1-5")
    monkeypatch.setenv("C360_TIME_ZONE", "America/New_York")
    schedule = nightly_schedule(load_settings())
    assert (schedule.cron_schedule, schedule.execution_timezone) == (
        "30 2 * * 1-5",
        "America/New_York",
    )


def test_the_schedule_updates_the_graph_in_place_of_emptying_it() -> None:
    assert nightly_schedule(load_settings()).tags["c360/load"] == "reconcile"
