"""Answers of the questions: asked as `c360 ask` does, over a connection that is opened for the first one, and written as JSON, CSV or Arrow."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, TypeVar

from c360_graph.cypher.quoting import used_names
from c360_graph.errors import GraphUnavailableError, ScriptError
from c360_graph.graph.connection import Graph, open_graph
from c360_graph.graph.read_only import CONNECT_SECONDS, LEFT_SECONDS
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.questions import NOW, Answer, Question, ask, shown
from c360_graph.serve.clients import Client
from c360_graph.serve.schema import ServedGraph
from c360_graph.serve.values import Problem, json_bytes, json_value
from c360_graph.settings import Settings

_T = TypeVar("_T")

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
FORMATS = (JSON, CSV, ARROW)


class QuestionGraph:
    """For threads, since a question may take seconds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._graph: Graph | None = None

    def use(self, work: Callable[[Graph], _T]) -> _T:
        """What `work` returns.

        Raises:
            GraphUnavailableError: the server cannot be reached; the next use connects anew.
            GraphError: it refuses.
        """
        graph = self._opened()
        try:
            return work(graph)
        except GraphUnavailableError:
            self._drop(graph)
            raise

    def _opened(self) -> Graph:
        with self._lock:
            if self._graph is None:
                settings = self._settings
                self._graph = self._stack.enter_context(
                    open_graph(
                        uri=settings.neo4j_uri,
                        username=settings.neo4j_username,
                        password=settings.neo4j_password.get_secret_value(),
                        database=settings.neo4j_database,
                        connect_seconds=CONNECT_SECONDS,
                    )
                )
            return self._graph

    def renew(self) -> None:
        """Connect anew at the next use; what is asked over the connection of now may still be answered."""
        with self._lock:
            if self._graph is None:
                return
            left, self._stack, self._graph = self._stack, ExitStack(), None
        closing = threading.Timer(LEFT_SECONDS, left.close)
        closing.daemon = True
        closing.start()

    def _drop(self, graph: Graph) -> None:
        with self._lock:
            if self._graph is graph:
                self._graph = None
                self._stack.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._lock:
            self._graph = None
            self._stack.close()


def refuse_for(client: Client, question: Question, served: ServedGraph) -> None:
    """Make sure that a client may have an answer.

    Raises:
        Problem: 403, the question is about labels or personal properties that are not served to it.
    """
    if not client.may_ask(question.name):
        raise Problem(403, f"The key does not permit the answer {question.name}.")
    used = used_names(question.statement)
    hidden = [label for label in served.labels if f":{label}" in used and not client.sees(label)]
    if hidden:
        raise Problem(403, f"The answer needs the labels {', '.join(hidden)}.")
    personal = sorted(personal_names(served) & {name[1:] for name in used if name[0] == "."})
    if personal and not client.unmasked:
        raise Problem(
            403,
            f"The answer uses the personal properties {', '.join(personal)}; it needs the scope unmasked.",
        )


def personal_names(served: ServedGraph) -> set[str]:
    """The names of personal properties of any label."""
    return {p.name for label in served.labels.values() for p in label.properties if p.is_personal}


def depends_on_the_time(question: Question, given: Mapping[str, str]) -> bool:
    """Whether the answer changes by the hour, though the graph does not."""
    return any(
        default == NOW and given.get(name, NOW) == NOW for name, default in question.parameters
    )


def answer(
    graph: Graph,
    question: Question,
    given: Mapping[str, str],
    *,
    timeout_seconds: float,
    manifest: GraphManifest,
    hidden: set[str],
) -> Answer:
    """Ask; within whole nodes that are returned, the properties `hidden` are left out.

    Raises:
        Problem: 422, a parameter is unknown or wrong; 404, the graph lacks what the question needs.
        GraphError: the server refuses, is away, or took too long.
    """
    known = dict(question.parameters)
    for name in given:
        if name not in known:
            raise Problem(
                422,
                "A parameter is unknown.",
                errors=({"parameter": name, "detail": f"known are {', '.join(known) or 'none'}"},),
            )
    try:
        found = ask(graph, question, given, timeout_seconds=timeout_seconds, manifest=manifest)
    except ScriptError as error:
        # It repeats what was given.
        raise Problem(422, "A parameter is wrong: write it as its default is written.") from error
    if found.lacking and not found.columns:
        raise Problem(404, f"The graph has no such answer. {' '.join(found.lacking)}")
    if not hidden:
        return found
    rows = tuple(tuple(_without(value, hidden) for value in row) for row in found.rows)
    return Answer(
        question=question,
        columns=found.columns,
        rows=rows,
        row_count=found.row_count,
        tally=found.tally,
    )


def _without(value: Any, hidden: set[str]) -> Any:
    if isinstance(value, dict):
        return {k: _without(item, hidden) for k, item in value.items() if k not in hidden}
    if isinstance(value, tuple):
        return tuple(_without(item, hidden) for item in value)
    return value


def chosen_format(accept: str | None) -> str:
    """The format that a client wants most.

    Raises:
        Problem: 406, there is none of those.

    >>> chosen_format("text/csv;q=0.5, application/*"), chosen_format(None)
    ('application/json', 'application/json')
    """
    wanted = [_range(part) for part in (accept or "*/*").split(",") if part.strip()]
    best, best_weight = "", 0.0
    for media in FORMATS:
        kind = media.partition("/")[0]
        for pattern in (media, f"{kind}/*", "*/*"):
            weights = [weight for name, weight in wanted if name == pattern]
            if weights:
                if weights[0] > best_weight:
                    best, best_weight = media, weights[0]
                break
    if not best:
        raise Problem(406, f"An answer is served as {', '.join(FORMATS)}.")
    return best


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


def written(found: Answer, media: str) -> bytes:
    """An answer in one of the formats."""
    if media == CSV:
        return _csv(found)
    if media == ARROW:
        return _arrow(found)
    return json_bytes(
        {
            "name": found.question.name,
            "title": found.question.title,
            "columns": found.columns,
            "row_count": found.row_count,
            "rows": [dict(zip(found.columns, row, strict=True)) for row in found.rows],
        }
    )


def _csv(found: Answer) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(found.columns)
    for row in found.rows:
        writer.writerow(_cell(value) for value in row)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    # A spreadsheet runs what begins like a formula.
    told = shown(json_value(value)) if isinstance(value, dict) else json_value(value)
    if isinstance(told, list):
        told = shown(tuple(told))
    is_formula = isinstance(told, str) and told.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{told}" if is_formula else told


def _arrow(found: Answer) -> bytes:
    # Here, as it takes 50 MB, which other formats do without.
    import pyarrow as pa

    columns = [
        _column(pa, [row[index] for row in found.rows]) for index in range(len(found.columns))
    ]
    table = pa.table(dict(zip(found.columns, columns, strict=True)))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _column(pa: Any, values: list[Any]) -> Any:
    try:
        return pa.array([list(v) if isinstance(v, tuple) else v for v in values])
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        # Values of several types in a column, or of one that Arrow lacks.
        return pa.array([None if v is None else shown(json_value(v)) for v in values], pa.string())
