"""Analytical questions: `queries/*.cypher`, one statement each, with its title and parameters in comments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from c360_graph.errors import ScriptError
from c360_graph.neo4j_loader.graph import Graph

FOLDER = Path(__file__).parent / "queries"
NOW = "now"

_FACT = re.compile(r"^// (title|description|parameter): *(.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One file. `parameters` are the defaults as they stand there; `now` means the moment it is asked."""

    name: str
    title: str
    description: str
    parameters: tuple[tuple[str, str], ...]
    statement: str

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters to send: those given, else the defaults."""
        return {
            name: given.get(name, datetime.now(UTC) if default == NOW else default)
            for name, default in self.parameters
        }


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Column names (none where there are no rows) and rows.

    A list of values is a tuple, a moment a datetime in UTC.
    """

    question: Question
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def read_questions(folder: Path = FOLDER) -> tuple[Question, ...]:
    """All questions of a folder in order of file name.

    Raises:
        ScriptError: a file has no title.
    """
    return tuple(_read(path) for path in sorted(folder.glob("*.cypher")))


def ask(graph: Graph, question: Question, given: Mapping[str, Any]) -> Answer:
    """Ask one question.

    Args:
        graph: where.
        question: what.
        given: values for its parameters; names it has not are left out.

    Raises:
        GraphError: the server refuses it.
    """
    records = graph.rows(question.statement, **question.values(given))
    return Answer(
        question=question,
        columns=tuple(records[0]) if records else (),
        rows=tuple(tuple(_plain(value) for value in record.values()) for record in records),
    )


def _read(path: Path) -> Question:
    text = path.read_text(encoding="utf-8")
    facts: dict[str, list[str]] = {"title": [], "description": [], "parameter": []}
    for name, value in _FACT.findall(text):
        facts[name].append(value.strip())
    if not facts["title"]:
        raise ScriptError(f"{path} has no line `// title: ...`; add one.")
    return Question(
        name=path.stem,
        title=facts["title"][0],
        description=" ".join(facts["description"]),
        parameters=tuple(_parameter(line) for line in facts["parameter"]),
        statement=text.strip().rstrip(";"),
    )


def _parameter(line: str) -> tuple[str, str]:
    name, _, default = line.partition("=")
    return name.strip(), default.strip()


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_plain(item) for item in value)
    native = value.to_native() if hasattr(value, "to_native") else value
    is_moment = isinstance(native, datetime) and native.tzinfo is not None
    return native.astimezone(UTC) if is_moment else native
