"""When a step of a Celery worker counts as gone, as waiting, or as lost by the broker."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest
from kombu.exceptions import OperationalError

from c360_graph import celery_steps
from c360_graph.celery_steps import CelerySteps
from c360_graph.control.locks import step_number
from c360_graph.errors import BrokerError


@dataclass
class World:
    """What the handler sees, by the second."""

    now: float = 0.0
    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    held: set[int] = field(default_factory=set)
    workers: bool = True
    waiting: int = 0
    broker: bool = True
    sent: list[str] = field(default_factory=list)

    def app(self) -> Any:
        channel = SimpleNamespace(
            queue_declare=lambda **_: SimpleNamespace(message_count=self.waiting)
        )

        class Connection:
            default_channel = channel

            def __enter__(self) -> Connection:
                return self

            def __exit__(self, *_: object) -> None: ...

        ping = SimpleNamespace(ping=self._ping)
        return SimpleNamespace(
            control=SimpleNamespace(inspect=lambda **_: ping, revoke=lambda *_, **__: self._ask()),
            connection_for_write=Connection,
            send_task=self._send,
        )

    def _ask(self) -> None:
        if not self.broker:
            raise OperationalError("Connection refused")

    def _ping(self) -> dict[str, str] | None:
        self._ask()
        return {"c360@host": "pong"} if self.workers else None

    def _send(self, name: str, **given: Any) -> None:
        self._ask()
        self.sent.append(given["kwargs"]["step_key"])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which nothing has happened."""
    made = World()
    monkeypatch.setattr(celery_steps, "monotonic", lambda: made.now)
    monkeypatch.setattr(celery_steps, "_counts", lambda _: (made.begun.copy(), made.ended.copy()))
    monkeypatch.setattr(celery_steps, "held_steps", lambda _: frozenset(made.held))
    monkeypatch.setattr(celery_steps, "serialize_value", lambda _: "{}")
    return made


CONTEXT = cast(
    Any,
    SimpleNamespace(
        execute_step_args=SimpleNamespace(
            run_id="run",
            step_keys_to_execute=["plans"],
            known_state=None,
            retry_mode=SimpleNamespace(value="deferred"),
        ),
        get_step_context=lambda _: None,
    ),
)
HELD = step_number("run", "plans")


@pytest.fixture
def steps(world: World, monkeypatch: pytest.MonkeyPatch) -> CelerySteps:
    """A handler that has sent one step at second 0."""
    monkeypatch.setattr(dg.DagsterEvent, "step_worker_starting", lambda *_, **__: None)
    made = CelerySteps(world.app())
    list(made.launch_step(CONTEXT))
    return made


def reason(steps: CelerySteps, world: World, second: float) -> str | None:
    """What is said of the step then; None while it is well."""
    world.now = second
    return steps.check_step_health(CONTEXT).unhealthy_reason


def test_a_step_whose_lock_is_gone_for_a_while_is_gone(steps: CelerySteps, world: World) -> None:
    world.begun["plans"] += 1
    world.held = {HELD}
    assert reason(steps, world, 1000) is None
    world.held = set()
    assert reason(steps, world, 1005) is None
    # Its connection was lost, and is there again.
    world.held = {HELD}
    assert reason(steps, world, 1010) is None
    world.held = set()
    assert reason(steps, world, 1015) is None
    assert reason(steps, world, 1029) is None
    assert "is gone" in str(reason(steps, world, 1031))


def test_a_step_that_has_ended_needs_no_lock(steps: CelerySteps, world: World) -> None:
    world.begun["plans"] += 1
    world.ended["plans"] += 1
    assert [reason(steps, world, second) for second in (100, 200)] == [None, None]


def test_a_step_waits_for_workers_that_are_busy(steps: CelerySteps, world: World) -> None:
    world.waiting = 1
    assert reason(steps, world, 36_000) is None
    assert world.sent == ["plans"]


def test_a_step_that_the_broker_lost_is_sent_again(steps: CelerySteps, world: World) -> None:
    assert reason(steps, world, 29) is None
    assert world.sent == ["plans"]
    assert reason(steps, world, 31) is None
    assert world.sent == ["plans", "plans"]
    assert reason(steps, world, 60) is None
    assert world.sent == ["plans", "plans"]


def test_without_workers_a_step_fails_and_says_so(steps: CelerySteps, world: World) -> None:
    world.workers = False
    assert reason(steps, world, 60) is None
    assert "Start one with `c360 worker`" in str(reason(steps, world, 95))
    assert world.sent == ["plans"]


def test_a_broker_or_workers_away_for_a_moment_end_no_step_however_long_it_has_waited(
    steps: CelerySteps, world: World
) -> None:
    world.waiting = 1
    assert reason(steps, world, 3_600) is None
    world.broker = False
    assert reason(steps, world, 3_620) is None
    world.broker, world.workers = True, False
    assert reason(steps, world, 3_640) is None
    world.workers = True
    assert reason(steps, world, 3_660) is None
    world.broker = False
    assert reason(steps, world, 3_680) is None
    assert "the broker cannot be reached: Connection refused" in str(reason(steps, world, 3_771))
    assert world.sent == ["plans"]


def test_a_step_that_cannot_be_sent_says_which_setting_names_the_broker(
    steps: CelerySteps, world: World
) -> None:
    world.broker = False
    with pytest.raises(BrokerError, match="the broker that C360_CELERY_BROKER names"):
        list(steps.launch_step(CONTEXT))


def test_a_run_is_cancelled_without_its_broker_too(steps: CelerySteps, world: World) -> None:
    world.broker = False
    assert list(steps.terminate_step(CONTEXT)) == []
