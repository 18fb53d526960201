"""Executors that keep a run's row in etl_run_logs: opened before the first step, closed whatever happens."""

import atexit
import sys
from collections.abc import Iterator
from typing import Any

import dagster as dg

from c360_graph.control.audit import Ending, RunLog
from c360_graph.control.connection import ControlDatabase
from c360_graph.dagster_failures import failures_of
from c360_graph.dagster_storage import keep_connections
from c360_graph.errors import C360Error, FailedChecksError, SettingsError
from c360_graph.faults import log_warning
from c360_graph.object_storage import data_location
from c360_graph.pipeline.cleaning import clean_data_folder
from c360_graph.pipeline_settings import Executor as Kind
from c360_graph.resources import PostgresResource
from c360_graph.settings import load_settings
from c360_graph.start_environment import refuse_storage_of_env_file
from c360_graph.text import plural, visible

LOG_ID_TAG = "c360/log_id"
"""Tag of a run: its row in etl_run_logs."""

_INTERRUPTIONS = (dg.DagsterExecutionInterruptedError, KeyboardInterrupt, GeneratorExit)
_ENDINGS: dict[dg.DagsterRunStatus, Ending] = {
    dg.DagsterRunStatus.SUCCESS: "completed",
    dg.DagsterRunStatus.CANCELED: "cancelled",
}
# What Dagster fills in where the run says nothing.
_SPAWNED: dict[str, dict[str, object]] = {"spawn": {}}
UNFINISHED = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
)


class AuditedExecutor(dg.Executor):
    """Another executor, with the run's audit row around it."""

    def __init__(self, inner: dg.Executor) -> None:
        self._inner = inner

    @property
    def retries(self) -> Any:
        """As the inner executor has them."""
        return self._inner.retries

    @property
    def step_dependency_config(self) -> Any:
        """As the inner executor has it."""
        return self._inner.step_dependency_config

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        """Execute the plan; the audit row is held by a session lock as long as this process lives."""
        failures: dict[str, str] = {}
        try:
            yield from self._audited(plan_context, execution_plan, failures)
        except (*_INTERRUPTIONS, FailedChecksError):
            raise
        except BaseException as error:
            failures.setdefault("run", str(error) or type(error).__name__)
            _tell_at_exit(failures)
            raise

    def _audited(
        self, plan_context: Any, execution_plan: Any, failures: dict[str, str]
    ) -> Iterator[dg.DagsterEvent]:
        _refuse_storage_of_env_file(plan_context.instance)
        keep_connections(plan_context.instance)
        control = PostgresResource().control_database()
        run_log = RunLog(control)
        close_abandoned_runs(run_log, plan_context.instance)
        _clean(plan_context, control)
        # Once: reading the settings takes longer than most events do.
        fail_on = load_settings().c360_fail_on
        ending: Ending = "failed"
        with run_log.running(plan_context.run_id) as log_id:
            try:
                plan_context.instance.add_run_tags(plan_context.run_id, {LOG_ID_TAG: str(log_id)})
                checks: dict[str, str] = {}
                for event in self._inner.execute(plan_context, execution_plan):
                    if event.is_step_failure:
                        failures |= failures_of(event)
                    _note_check(checks, event, fail_on)
                    yield event
                ending = "failed" if failures or checks else "completed"
                _tell(plan_context, failures | checks)
                if checks and not failures:
                    failures |= checks
                    # Raised here, since Dagster calls a run with failed checks a success.
                    raise FailedChecksError(
                        f"Everything ran, and {plural(len(checks), 'check')} failed:"
                        f" {', '.join(checks)}. C360_FAIL_ON says which checks fail a run."
                    )
            except _INTERRUPTIONS:
                ending = "cancelled"
                raise
            except FailedChecksError:
                raise
            except BaseException as error:
                failures.setdefault("run", str(error) or type(error).__name__)
                raise
            finally:
                said = "; ".join(f"{step}: {why}" for step, why in failures.items())
                run_log.close_run(log_id, ending, said or None)
                _free_pools_of_ended(plan_context)


def _free_pools_of_ended(plan_context: Any) -> None:
    """Free what Dagster keeps of steps that were interrupted on another host; a failure hides no other."""
    try:
        _free_pools(plan_context.instance, plan_context.run_id)
    except Exception as error:  # noqa: BLE001, whatever the storage raises
        log_warning(f"The pools of run {plan_context.run_id} were not freed: {error}")


def _clean(plan_context: Any, control: ControlDatabase) -> None:
    """Remove what the data folder may not hold any more, before anything is read.

    Here and not in an asset: it is due as well where every source fails.
    """
    settings = load_settings()
    location = settings.c360_data_uri or settings.c360_data_dir
    try:
        cleaned = str(clean_data_folder(data_location(settings), control.read_rows()))
    except (C360Error, OSError) as error:
        plan_context.log.warning(f"{location} was not cleaned before the run: {error}")
        return
    if cleaned:
        plan_context.log.info(f"Removed from {location}: {cleaned}")


def _refuse_storage_of_env_file(instance: object) -> None:
    """A dagster.yaml that names variables itself was read by Dagster before anything could be set back."""
    if isinstance(instance, dg.DagsterInstance) and instance.is_persistent:
        storage = instance.get_ref().storage_data
        if storage is not None:
            refuse_storage_of_env_file(storage.config_dict)


def close_abandoned_runs(run_log: RunLog, instance: dg.DagsterInstance) -> int:
    """Close the rows of runs whose process is gone, as Dagster's own storage says they ended."""
    runs = run_log.abandoned_runs()
    for run in runs:
        known = instance.get_run_by_id(run.dagster_run_id) if run.dagster_run_id else None
        if known is not None and known.status in UNFINISHED:
            continue
        ending = _ENDINGS.get(known.status, "failed") if known else "failed"
        error = (
            None if ending == "completed" else "The run's process ended without closing this row."
        )
        run_log.close_run(run.log_id, ending, error)
        if run.dagster_run_id:
            _free_pools(instance, run.dagster_run_id)
    return len(runs)


def _free_pools(instance: dg.DagsterInstance, run_id: str) -> None:
    """Give back what a killed process held: without a daemon nobody else would, and the next waits."""
    storage = instance.event_log_storage
    if storage.supports_global_concurrency_limits:
        storage.free_concurrency_slots_for_run(run_id)


def audited_executor(kind: Kind) -> dg.ExecutorDefinition:
    """One of Dagster's executors, with the audit row.

    Processes of `multiprocess` are forked from one that has this package loaded unless the run's config says
    otherwise: ten assets took 39 s spawned and 15 s so on two busy cores.

    Raises:
        SettingsError: a package that it needs is not installed.
    """
    inner = _inner(kind)
    requirements = None if kind == "in_process" else dg.multiple_process_executor_requirements()

    @dg.executor(
        name=f"audited_{kind}",
        config_schema=inner.config_schema.as_field(),
        requirements=requirements,
    )
    def audited(init_context: dg.InitExecutorContext) -> dg.Executor:
        create = inner.executor_creation_fn
        assert create is not None
        given = init_context.executor_config
        if kind == "multiprocess" and given.get("start_method", _SPAWNED) == _SPAWNED:
            preload = {"forkserver": {"preload_modules": ["c360_graph.definitions"]}}
            init_context = init_context._replace(executor_config={**given, "start_method": preload})
        return AuditedExecutor(create(init_context))

    return audited


def _inner(kind: Kind) -> dg.ExecutorDefinition:
    try:
        match kind:
            case "in_process":
                return dg.in_process_executor
            case "multiprocess":
                return dg.multiprocess_executor
            case "celery":
                from c360_graph.celery_steps import celery_executor

                return celery_executor(load_settings())
            case "docker":
                from dagster_docker import docker_executor

                return docker_executor
            case "k8s":
                from dagster_k8s import k8s_job_executor

                return k8s_job_executor
    except ImportError:
        raise SettingsError(
            f"C360_EXECUTOR={kind} needs a package that is not installed: pip install"
            f" 'c360-graph[{kind}]'."
        ) from None


def _note_check(checks: dict[str, str], event: dg.DagsterEvent, fail_on: str) -> None:
    if event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION or fail_on == "never":
        return
    found = event.asset_check_evaluation_data
    counts = fail_on == "warning" or found.severity is dg.AssetCheckSeverity.ERROR
    if not found.passed and counts:
        name = f"{found.asset_key.to_user_string()}:{found.check_name}"
        checks[name] = " ".join((found.description or "").split())


def _tell(plan_context: Any, failures: dict[str, str]) -> None:
    """Which asset failed and why: in the run's log, and as the last lines of the process.

    Dagster's own last lines are pages of stack; at exit comes after them.
    """
    failures = {step: visible(why) for step, why in failures.items()}
    for step, why in failures.items():
        plan_context.log.error(f"{step} failed: {why}")
    _tell_at_exit(failures)


def _tell_at_exit(failures: dict[str, str]) -> None:
    if failures:
        lines = "\n".join(f"{step} failed: {why}" for step, why in failures.items())
        atexit.register(sys.stderr.write, f"\n{lines}\n")
