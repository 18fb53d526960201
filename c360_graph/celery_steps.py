"""Steps that Celery workers execute: what is sent to them, and how their end is noticed.

A message names a run, a step and how often that was tried: no rows, no settings, no control rows. A worker
reads everything else from Dagster's storage and writes its events there, so that nothing about the data is
in the broker, and there is no result for it to keep. A process that executes a step holds a lock in the
control database; when it is gone and the step has not ended, the step has failed.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
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

from c360_graph.control.step_lock import holding_step, is_step_held
from c360_graph.errors import SettingsError
from c360_graph.resources import PostgresResource
from c360_graph.settings import Settings

QUEUE = "c360"
TASK = "c360_graph.execute_step"

HEALTH_SECONDS = 5
"""How often steps are looked after."""
SENT_AGAIN_SECONDS = 30.0
"""After which a message that nobody took, and that the queue does not have, is sent again."""
NO_WORKER_SECONDS = 90.0
"""After which a step fails that no worker took, when no worker answers."""
GONE_SECONDS = 15.0
"""After which a lock that is not taken again means that its process is gone: it may only have lost its
connection."""
_ENDING_SECONDS = 15.0
"""How long a run that is cancelled waits for a step to end."""
_POLL_SECONDS = 0.25
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


class CelerySteps(StepHandler):
    """Sends steps to workers and looks after them."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._control = PostgresResource().control_database()
        self._sent: dict[str, _Sent] = {}
        self._gone: dict[str, float] = {}

    @property
    def name(self) -> str:
        """As Dagster's log names it."""
        return "CelerySteps"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Send a step to the queue."""
        step_key = _step_key(step_handler_context)
        now = time.monotonic()
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
        run_id = step_handler_context.execute_step_args.run_id
        begun, ended = _counts(step_handler_context, step_key)
        if is_step_held(self._control, run_id=run_id, step_key=step_key):
            self._gone.pop(step_key, None)
            return CheckStepHealthResult.healthy()
        if begun > _attempt(step_handler_context, step_key):
            # It may have ended between both looks.
            begun, ended = _counts(step_handler_context, step_key)
            now = time.monotonic()
            if ended >= begun or now - self._gone.setdefault(step_key, now) < GONE_SECONDS:
                return CheckStepHealthResult.healthy()
            return CheckStepHealthResult.unhealthy(
                "the worker's process that executed it is gone. It was killed, ran out of memory, or lost"
                " its host. Run the assets again."
            )
        return self._waiting(step_handler_context, step_key)

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Interrupt a step, or take it from the queue, and wait a moment for its end."""
        step_key = _step_key(step_handler_context)
        run_id = step_handler_context.execute_step_args.run_id
        sent = self._sent.get(step_key)
        if sent is not None:
            self._app.control.revoke(sent.task, terminate=True, signal="SIGTERM")
        deadline = time.monotonic() + _ENDING_SECONDS
        while time.monotonic() < deadline:
            if not is_step_held(self._control, run_id=run_id, step_key=step_key):
                break
            time.sleep(0.2)
        yield from ()

    def _waiting(self, context: StepHandlerContext, step_key: str) -> CheckStepHealthResult:
        sent, now = self._sent.get(step_key), time.monotonic()
        if sent is None or now - sent.last < SENT_AGAIN_SECONDS:
            return CheckStepHealthResult.healthy()
        if not self._app.control.ping(timeout=2.0):
            if now - sent.first < NO_WORKER_SECONDS:
                return CheckStepHealthResult.healthy()
            return CheckStepHealthResult.unhealthy(
                "no worker took it, and none answers. Start one with `c360 worker`, with the same"
                " C360_CELERY_BROKER."
            )
        if self._is_queue_empty():
            # The broker has lost it, or the worker that took it. Whoever is second does nothing.
            task = self._send(context)
            self._sent[step_key] = _Sent(task=task, first=sent.first, last=now)
        return CheckStepHealthResult.healthy()

    def _send(self, context: StepHandlerContext) -> str:
        arguments, task = context.execute_step_args, str(uuid4())
        assert arguments.retry_mode is not None
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
            retry_policy={"max_retries": 20, "interval_start": 0.5, "interval_max": 5.0},
        )
        return task

    def _is_queue_empty(self) -> bool:
        with self._app.connection_for_write() as connection:
            queue = connection.default_channel.queue_declare(queue=QUEUE, passive=True)
            return not queue.message_count


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


def _step_key(context: StepHandlerContext) -> str:
    (step_key,) = context.execute_step_args.step_keys_to_execute or ()
    return step_key


def _attempt(context: StepHandlerContext, step_key: str) -> int:
    """How often a step was tried before."""
    known = context.execute_step_args.known_state
    return known.get_retry_state().get_attempt_count(step_key) if known else 0


def _counts(context: StepHandlerContext, step_key: str) -> tuple[int, int]:
    """How often a step has begun, and how often it has ended."""
    records = context.instance.all_logs(context.execute_step_args.run_id, of_type=_BEGUN | _ENDED)
    kinds = [
        r.dagster_event.event_type for r in records if r.dagster_event and r.step_key == step_key
    ]
    return sum(kind in _BEGUN for kind in kinds), sum(kind in _ENDED for kind in kinds)
