"""Answers: a question put to the graph, which it may only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from c360_graph.cypher.quoting import used_names
from c360_graph.errors import GraphError, ScriptError
from c360_graph.graph.connection import Graph
from c360_graph.graph.read_only import read, refuse_beyond_reading
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.mapping.missing import missing_for
from c360_graph.questions import COUNTED, Question

KEPT_ROWS = 1000
"""Rows of an answer that are kept; further ones are counted."""

_SIDE_BY_SIDE = 2


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Column names and the first rows of all `row_count`.

    A list of values is a tuple, a moment a datetime in UTC. `tally` counts all rows by the value that
    the question's chart counts by. Where `lacking` says what the graph
    lacks of the question's labels, types and properties, it has no answer.
    """

    question: Question
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    row_count: int
    tally: tuple[tuple[Any, int], ...] = ()
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A question that was not answered, and why."""

    question: Question
    reason: str


Reply = Answer | Refused


def ask(
    graph: Graph,
    question: Question,
    given: Mapping[str, Any],
    *,
    timeout_seconds: float,
    manifest: GraphManifest | None = None,
) -> Answer:
    """Ask one question; the server lets it read only.

    A question that needs what a refused control row should have made, or a column that a rule
    excludes, is not asked: the answer would be wrong without a word.

    Args:
        graph: where.
        question: what.
        given: values for its parameters; names it has not are left out.
        timeout_seconds: how long it may take.
        manifest: what the graph was made from, where that is known.

    Raises:
        ScriptError: a value given is none that a parameter can have.
        GraphError: the server refuses it, or it took too long.
    """
    missing = _missing(question, manifest) if manifest is not None else ()
    if missing:
        return Answer(question=question, columns=(), rows=(), row_count=0, lacking=missing)
    parameters = question.values(given)
    refuse_beyond_reading(graph, question.statement, parameters, timeout_seconds=timeout_seconds)
    reading = read(
        graph,
        question.statement,
        parameters,
        timeout_seconds=timeout_seconds,
        keep=KEPT_ROWS,
        tally_by=question.chart.by if question.chart and question.chart.value == COUNTED else None,
    )
    return Answer(
        question=question,
        columns=reading.columns,
        rows=reading.rows,
        row_count=reading.row_count,
        tally=reading.tally,
        lacking=reading.unknown,
    )


def ask_all(
    graph: Graph,
    questions: Sequence[Question],
    given: Mapping[str, Any],
    *,
    timeout_seconds: float,
    manifest: GraphManifest | None = None,
) -> tuple[Reply, ...]:
    """Ask several, two at a time; one that is refused does not keep the others back."""

    def reply(question: Question) -> Reply:
        try:
            return ask(graph, question, given, timeout_seconds=timeout_seconds, manifest=manifest)
        except (GraphError, ScriptError) as error:
            return Refused(question=question, reason=str(error))

    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        return tuple(pool.map(reply, questions))


def _missing(question: Question, manifest: GraphManifest) -> tuple[str, ...]:
    reasons = missing_for(
        used_names(question.statement), names=manifest.refused, properties=manifest.excluded
    )
    return tuple(dict.fromkeys(reasons))


def shown(value: Any) -> str:
    """A value of an answer as text.

    >>> from datetime import date
    >>> shown(date(2025, 11, 3)), shown(None), shown([1, 2])
    ('2025-11-03', '', '[1, 2]')
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, tuple):
        return ", ".join(shown(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {shown(item)}" for key, item in value.items())
    return str(value)
