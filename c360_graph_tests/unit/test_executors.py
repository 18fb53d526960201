"""Which executor a setting means, and what is told where its package is missing."""

from __future__ import annotations

import sys
from typing import Any, get_args

import dagster as dg
import pytest

from c360_graph.celery_steps import TASK, celery_app
from c360_graph.errors import SettingsError
from c360_graph.executor import audited_executor
from c360_graph.pipeline_settings import Executor
from c360_graph.settings import load_settings


@pytest.mark.parametrize("kind", get_args(Executor))
def test_each_executor_has_the_audit_row_around_it(kind: Executor) -> None:
    executor = audited_executor(kind)
    assert executor.name == f"audited_{kind}"
    assert isinstance(executor, dg.ExecutorDefinition)


@pytest.mark.parametrize(
    ("kind", "module"), [("celery", "celery"), ("docker", "dagster_docker"), ("k8s", "dagster_k8s")]
)
def test_a_missing_package_is_named_with_its_extra(
    kind: Executor, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError) as refused:
        audited_executor(kind)
    assert f"pip install 'c360-graph[{kind}]'" in str(refused.value)


def test_workers_keep_no_results_and_take_one_step_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("C360_CELERY_BROKER", "redis://:secret@host:6379/0")
    settings = load_settings()
    assert "secret" not in repr(settings)
    app: Any = celery_app(settings)
    assert app.conf.task_ignore_result
    assert app.conf.result_backend is None
    assert app.conf.worker_prefetch_multiplier == 1
    assert TASK in app.tasks
