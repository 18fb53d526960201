"""Steps that Celery workers execute: what is sent to them, and how their end is noticed.

A message names a run, a step and how often that was tried: no rows, no settings, no control rows. A worker
reads everything else from Dagster's storage and writes its events there, so that nothing about the data is
in the broker, and there is no result for it to keep. A process that executes a step holds a lock in the
control database; when it is gone and the step has not ended, the step has failed.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, cast
from uuid import uuid4

import dagster as dg
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.retries import RetryMode, get_retries_config
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)
from dagster._grpc.types import ExecuteStepArgs
from dagster._serdes import deserialize_value, serialize_value
from dagster._utils.interrupts import capture_interrupts

from c360_graph.control.locks import held_steps, holding_step, step_number
from c360_graph.errors import BrokerError, SettingsError
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings

QUEUE = "c360"
TASK = "c360_graph.execute_step"

HEALTH_SECONDS = 5
"""How often steps are looked after."""
SENT_AGAIN_SECONDS = 30.0
"""After which a message that nobody took, and that the queue does not have, is sent again."""
NO_WORKER_SECONDS = 90.0
"""After which a step fails that no worker took, when for as long no worker has answered."""
GONE_SECONDS = 15.0
"""After which a lock that is not taken again means that its process is gone: it may only have lost its
connection."""
_ENDING_SECONDS = 15.0
"""How long a run that is cancelled waits for a step to end."""
SENDING = {"max_retries": 20, "interval_start": 0.5, "interval_max": 5.0}
"""How often, and at which intervals in seconds, a message is sent to a broker that is not there."""
_POLL_SECONDS = 0.25
_LOOK_SECONDS = 1.0
_BROKER_SECONDS = 10.0
_REDELIVERED_SECONDS = 12 * 3600
"""After which Redis gives a message to another worker; that one sees that the step has begun."""

_BEGUN = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_RESTARTED}
_ENDED = {
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_UP_FOR_RETRY,
}


def celery_app(settings: Settings) -> Any:
    """The Celery application of the workers, and of those that send them steps.

    Raises:
        SettingsError: Celery is not installed.
    """
    try:
        from celery import Celery
    except ImportError:
        raise SettingsError(
            "C360_EXECUTOR=celery and c360 worker need a package that is not installed:"
            " pip install 'c360-graph[celery]'."
        ) from None
    app = Celery("c360_graph", broker=settings.c360_celery_broker.get_secret_value())
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        # A worker holds no second message back while it executes one.
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        task_reject_on_worker_lost=False,
        broker_transport_options={"visibility_timeout": _REDELIVERED_SECONDS},
        broker_connection_retry_on_startup=True,
        # A broker that is away for a moment ends no step.
        broker_connection_max_retries=None,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # As Dagster's own multiprocess executor: memory and connections of a step end with it.
        worker_max_tasks_per_child=1,
        worker_send_task_events=False,
    )
    app.task(name=TASK)(execute_step)
    return app


def execute_step(run_id: str, step_key: str, known_state: str, retry_mode: str) -> None:
    """Execute a step of a run in this process; nothing where it has begun already."""
    from dagster._cli.api import _execute_step_command_body

    control = PostgresResource().control_database()
    with (
        capture_interrupts(),
        dg.DagsterInstance.get() as instance,
        holding_step(control, run_id=run_id, step_key=step_key) as is_ours,
    ):
        run = instance.get_run_by_id(run_id)
        if not is_ours or run is None or run.job_code_origin is None:
            return
        arguments = ExecuteStepArgs(
            job_origin=run.job_code_origin,
            run_id=run_id,
            step_keys_to_execute=[step_key],
            retry_mode=RetryMode(retry_mode),
            known_state=deserialize_value(known_state, KnownExecutionState),
            should_verify_step=True,
        )
        for _ in _execute_step_command_body(arguments, instance, run):
            pass


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """A message of a step; `task` is known to the worker that executes it."""

    task: str
    first: float
    last: float


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What was seen of all steps at one moment; of events first, so that a step that begins in between is held."""

    at: float
    begun: Counter[str]
    ended: Counter[str]
    held: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class _Queue:
    """What was seen of the broker at one moment."""

    at: float
    absent_since: float | None
    """Since when no worker answers; None where one does."""
    is_empty: bool
    problem: str = "none answers. Start one with `c360 worker`, with the same C360_CELERY_BROKER."
    """Why no worker is there."""


class CelerySteps(StepHandler):
    """Sends steps to workers and looks after them."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._control = PostgresResource().control_database()
        self._sent: dict[str, _Sent] = {}
        self._gone: dict[str, float] = {}
        self._seen: _Look | None = None
        self._queue: _Queue | None = None

    @property
    def name(self) -> str:
        """As Dagster's log names it."""
        return "CelerySteps"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Send a step to the queue."""
        step_key = _step_key(step_handler_context)
        now = monotonic()
        task = self._send(step_handler_context)
        self._sent[step_key] = _Sent(task=task, first=now, last=now)
        self._gone.pop(step_key, None)
        yield dg.DagsterEvent.step_worker_starting(
            step_handler_context.get_step_context(step_key),
            message=f'Sent step "{step_key}" to the queue {QUEUE}.',
            metadata={},
        )

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Whether a step still runs, or waits for a worker that may come."""
        step_key = _step_key(step_handler_context)
        seen = self._look(step_handler_context)
        if step_number(step_handler_context.execute_step_args.run_id, step_key) in seen.held:
            self._gone.pop(step_key, None)
            return CheckStepHealthResult.healthy()
        if seen.begun[step_key] <= _attempt(step_handler_context, step_key):
            return self._waiting(step_handler_context, step_key)
        # It may have ended between both looks, or have lost its connection for a moment.
        begun, ended = _counts(step_handler_context)
        now = monotonic()
        since = self._gone.setdefault(step_key, now)
        if ended[step_key] >= begun[step_key] or now - since < GONE_SECONDS:
            return CheckStepHealthResult.healthy()
        return CheckStepHealthResult.unhealthy(
            "the worker's process that executed it is gone. It was killed, ran out of memory, or lost its"
            " host. Run the assets again."
        )

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Interrupt a step, or take it from the queue, and wait a moment for its end."""
        step_key = _step_key(step_handler_context)
        number = step_number(step_handler_context.execute_step_args.run_id, step_key)
        sent = self._sent.get(step_key)
        if sent is not None:
            # Without a broker the step is not told; the run ends all the same.
            with suppress(_broker_errors()):
                self._app.control.revoke(sent.task, terminate=True, signal="SIGTERM")
        deadline = monotonic() + _ENDING_SECONDS
        while monotonic() < deadline and number in held_steps(self._control):
            sleep(0.2)
        yield from ()

    def _look(self, context: StepHandlerContext) -> _Look:
        """At all steps, at most once a second however many there are."""
        now = monotonic()
        if self._seen is None or now - self._seen.at > _LOOK_SECONDS:
            begun, ended = _counts(context)
            held = held_steps(self._control)
            self._seen = _Look(at=now, begun=begun, ended=ended, held=held)
        return self._seen

    def _waiting(self, context: StepHandlerContext, step_key: str) -> CheckStepHealthResult:
        sent, now = self._sent.get(step_key), monotonic()
        if sent is None or now - sent.last < SENT_AGAIN_SECONDS:
            return CheckStepHealthResult.healthy()
        queue = self._ask_broker()
        if queue.absent_since is not None:
            if now - max(sent.first, queue.absent_since) < NO_WORKER_SECONDS:
                return CheckStepHealthResult.healthy()
            return CheckStepHealthResult.unhealthy(f"no worker took it, and {queue.problem}")
        if queue.is_empty:
            # The broker has lost it, or the worker that took it. Whoever is second does nothing.
            task = self._send(context)
            self._sent[step_key] = _Sent(task=task, first=sent.first, last=now)
        return CheckStepHealthResult.healthy()

    def _ask_broker(self) -> _Queue:
        """Which workers answer and whether steps wait, asked now and then however many steps wait."""
        now = monotonic()
        if self._queue is None or now - self._queue.at > _BROKER_SECONDS:
            # From the beginning, until one answers.
            before = self._queue.absent_since if self._queue is not None else 0.0
            since = now if before is None else before
            try:
                self._queue = self._asked(now, since)
            except _broker_errors() as error:
                problem = f"the broker cannot be reached: {error}"
                self._queue = _Queue(at=now, absent_since=since, is_empty=False, problem=problem)
        return self._queue

    def _asked(self, now: float, since: float) -> _Queue:
        answers = self._app.control.inspect(timeout=2.0, limit=1).ping()
        with self._app.connection_for_write() as connection:
            queue = connection.default_channel.queue_declare(queue=QUEUE, passive=True)
            absent_since = None if answers else since
            return _Queue(at=now, absent_since=absent_since, is_empty=not queue.message_count)

    def _send(self, context: StepHandlerContext) -> str:
        arguments, task = context.execute_step_args, str(uuid4())
        assert arguments.retry_mode is not None
        try:
            self._app.send_task(
                TASK,
                task_id=task,
                queue=QUEUE,
                kwargs={
                    "run_id": arguments.run_id,
                    "step_key": _step_key(context),
                    "known_state": serialize_value(arguments.known_state),
                    "retry_mode": arguments.retry_mode.value,
                },
                retry=True,
                retry_policy=SENDING,
            )
        except _broker_errors() as error:
            raise BrokerError(
                f"Step {_step_key(context)} cannot be sent: the broker that C360_CELERY_BROKER names cannot be"
                f" reached: {error}"
            ) from None
        return task


def celery_executor(settings: Settings) -> dg.ExecutorDefinition:
    """The executor whose steps Celery workers execute.

    Raises:
        SettingsError: Celery is not installed.
    """
    app = celery_app(settings)

    @dg.executor(
        name="celery",
        config_schema={
            "retries": get_retries_config(),  # type: ignore[no-untyped-call]
            "max_concurrent": dg.Field(
                int, is_required=False, description="Steps that are sent at a time, at most."
            ),
        },
        requirements=dg.multiple_process_executor_requirements(),
    )
    def celery(init_context: dg.InitExecutorContext) -> dg.Executor:
        given = cast("dict[str, Any]", init_context.executor_config)
        return StepDelegatingExecutor(
            CelerySteps(app),
            retries=RetryMode.from_config(given["retries"]) or RetryMode.ENABLED,
            sleep_seconds=_POLL_SECONDS,
            check_step_health_interval_seconds=HEALTH_SECONDS,
            max_concurrent=given.get("max_concurrent"),
            should_verify_step=True,
        )

    return celery


def _broker_errors() -> type[Exception]:
    from kombu.exceptions import OperationalError

    return cast("type[Exception]", OperationalError)


def _step_key(context: StepHandlerContext) -> str:
    (step_key,) = context.execute_step_args.step_keys_to_execute or ()
    return step_key


def _attempt(context: StepHandlerContext, step_key: str) -> int:
    """How often a step was tried before."""
    known = context.execute_step_args.known_state
    return known.get_retry_state().get_attempt_count(step_key) if known else 0


def _counts(context: StepHandlerContext) -> tuple[Counter[str], Counter[str]]:
    """How often each step of the run has begun, and how often it has ended."""
    begun: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for record in context.instance.all_logs(
        context.execute_step_args.run_id, of_type=_BEGUN | _ENDED
    ):
        if record.dagster_event is not None and record.step_key is not None:
            counter = begun if record.dagster_event.event_type in _BEGUN else ended
            counter[record.step_key] += 1
    return begun, ended
