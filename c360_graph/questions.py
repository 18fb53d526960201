"""Analytical questions, one Cypher statement a file, and their answers from the graph, which they may only read.

::

    // title: Revenue by plan
    // description: One row for each plan.
    // parameter: days = 30               a default: text, a number, a list, or `now`
    // chart: bar of monthly_revenue by plan_name      (or: column, line; `rows` counts rows)
    // headline: users = users share a card            a column of the first row, and the words after it
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Semaphore
from typing import Any, Literal, get_args

from c360_graph.cypher.quoting import used_names
from c360_graph.errors import GraphError, ScriptError
from c360_graph.graph.connection import Graph
from c360_graph.graph.read_only import read, refuse_beyond_reading
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.mapping.missing import missing_for
from c360_graph.mapping.names import did_you_mean

FOLDER = Path(__file__).parent / "queries"
PICTURES = "pictures"
"""Folder beside the questions whose statements return what is drawn; see `report.pictures`."""
NOW = "now"
COUNTED = "rows"
"""In a chart the number of rows, not a column."""

ChartKind = Literal["bar", "column", "line"]
Default = str | int | float | bool | tuple[str | int | float | bool, ...]

_FACT = re.compile(r"^// (title|description|parameter|chart|headline): *(.*)$", re.MULTILINE)
_NUMBER = re.compile(r"^\d+_(?=.)")
"""Orders the files of a folder and is no part of a question's name."""
_CHART = re.compile(rf"({'|'.join(get_args(ChartKind))}) of (\S+) by (\S+)")

KEPT_ROWS = 1000
"""Rows of an answer that are kept; further ones are counted."""

_COMPUTED_AT_A_TIME = 2
_READ_AT_A_TIME = 4
"""Most of a large answer's time is spent on reading its rows, while the server has little to do."""


class ChartFact(Frozen):
    """How an answer is drawn: `value` (a column, or `rows`) for each value of the column `by`."""

    kind: ChartKind
    value: str
    by: str


class HeadlineFact(Frozen):
    """The column of the first row that is shown large, and the words that follow the number."""

    column: str
    words: str


class Question(Frozen):
    """One file. `parameters` are the defaults as they stand there; `now` means the moment it is asked."""

    name: str
    title: str
    description: str = ""
    parameters: tuple[tuple[str, Default], ...] = ()
    chart: ChartFact | None = None
    headline: HeadlineFact | None = None
    statement: str
    is_of_package: bool = False

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters to send: those given, else the defaults.

        A text that is given becomes a number, a list or the like where the default is one.

        Raises:
            ScriptError: it cannot.
        """
        return {
            name: _sent(_as_default(name, given.get(name, default), default), default)
            for name, default in self.parameters
        }

    def fits(self, names: Collection[str]) -> bool:
        """Whether it is the user's own, or names nothing but these labels and relationship types."""
        used = used_names(self.statement) if self.is_of_package else ()
        return all(word[1:] in names for word in used if word[0] == ":")


class QuestionSet(Frozen):
    """All that is asked, what is drawn, and what could not be read; runs pin it, as they do the mapping."""

    questions: tuple[Question, ...]
    pictures: tuple[Question, ...]
    problems: tuple[str, ...]
    unfit: tuple[str, ...] = ()
    """Names of the package's questions that were left out, as the graph lacks what they name."""

    def fitting(self, names: Collection[str]) -> QuestionSet:
        """Without the package's questions and pictures that name other labels and types than these.

        They are about the sample, so for most graphs of a user they are noise. Questions of the user's own
        are always kept: what they lack is told.
        """
        unfit = tuple(q for q in self.questions if not q.fits(names))
        return self.model_copy(
            update={
                "questions": tuple(q for q in self.questions if q not in unfit),
                "pictures": tuple(q for q in self.pictures if q.fits(names)),
                "unfit": tuple(q.name for q in unfit),
            }
        )

    def named(self, names: Collection[str]) -> QuestionSet:
        """The questions of these names, in the set's order; all of them for no name.

        Raises:
            ScriptError: there is no question of a name.
        """
        known = [question.name for question in self.questions]
        for name in names:
            if name not in known:
                why = (
                    " is about labels or relationship types that the graph does not have."
                    if name in self.unfit
                    else f" is not a question{did_you_mean(name, known)}. Run `c360 ask --list`."
                )
                raise ScriptError(f"{name!r}{why}")
        chosen = tuple(q for q in self.questions if q.name in names) if names else self.questions
        return self.model_copy(update={"questions": chosen})


def read_question_set(own: Path | None) -> QuestionSet:
    """The package's questions and those of a folder of the user's."""
    folders = [FOLDER, *([own] if own else [])]
    questions, problems = sound_questions(*folders)
    drawn = [folder / PICTURES for folder in folders if (folder / PICTURES).is_dir()]
    pictures, further = sound_questions(*drawn)
    return QuestionSet(questions=questions, pictures=pictures, problems=(*problems, *further))


def sound_questions(*folders: Path) -> tuple[tuple[Question, ...], tuple[str, ...]]:
    """The questions that can be read, in order of file name, and a sentence on each file that cannot.

    A number that a file's name begins with, as in `05_revenue_by_plan.cypher`, is only for the order. Of equal
    names the last file's counts. A folder that is not there has a sentence too.
    """
    found: dict[str, tuple[str, Question]] = {}
    problems: list[str] = []
    for folder in folders:
        if not folder.is_dir():
            problems.append(f"{folder} is no folder of queries. Set C360_QUERIES_DIR right.")
        for path in sorted(folder.glob("*.cypher")):
            try:
                question = _read(path)
            except ScriptError as error:
                problems.append(str(error))
            else:
                found[question.name] = (path.stem, question)
    in_order = sorted(found.values(), key=lambda one: one[0])
    return tuple(question for _, question in in_order), tuple(problems)


def _read(path: Path) -> Question:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path} cannot be read as text: {error}") from None
    facts: dict[str, list[str]] = {}
    for name, value in _FACT.findall(text):
        facts.setdefault(name, []).append(value.strip())
    name = _NUMBER.sub("", path.stem)
    return Question(
        name=name,
        title=facts.get("title", [name.replace("_", " ").capitalize()])[0],
        description=" ".join(facts.get("description", [])),
        parameters=tuple(_parameter(line, path) for line in facts.get("parameter", [])),
        chart=next((_chart(line, path) for line in facts.get("chart", [])), None),
        headline=next((_headline(line) for line in facts.get("headline", [])), None),
        statement=text.strip().rstrip(";"),
        is_of_package=path.is_relative_to(FOLDER),
    )


def _parameter(line: str, path: Path) -> tuple[str, Default]:
    name, _, text = line.partition("=")
    try:
        return name.strip(), _read_value(text)
    except ScriptError as error:
        raise ScriptError(f"{path}: `// parameter: {line}`: {error}") from None


def _read_value(text: str) -> Default:
    """What a text stands for: a number, true, false, a list of those and of texts, else itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text.strip()
    if isinstance(value, list):
        if not all(isinstance(item, str | int | float) for item in value):
            raise ScriptError(
                f"{text.strip()} is a list of more than texts, numbers, true and false."
            )
        return tuple(value)
    return value if isinstance(value, str | int | float) else text.strip()


def _as_default(name: str, value: Any, default: Default) -> Any:
    """A value as given; a text, which is all that some can give, as what the default is."""
    if not isinstance(value, str) or isinstance(default, str):
        return value
    read = _read_value(value)
    if _kind(read) != _kind(default):
        raise ScriptError(
            f"{value!r} is not {_kind(default)}, as the parameter {name} is; write it like"
            f" {json.dumps(default)}."
        )
    return read


def _kind(value: Default) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, tuple) else "a text"


def _sent(value: Any, default: Default) -> Any:
    """What is sent; a moment given as text is read, and is in UTC where it names no zone."""
    if default == NOW and value == NOW:
        return datetime.now(UTC)
    if default == NOW and isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ScriptError(
                f"{value!r} is no moment; write it like 2025-11-03T00:00:00."
            ) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return list(value) if isinstance(value, tuple) else value


def _chart(line: str, path: Path) -> ChartFact:
    match = _CHART.fullmatch(line)
    if not match:
        raise ScriptError(
            f"{path}: `// chart: {line}` is not of the form `bar of COLUMN by COLUMN` (or column, line)."
        )
    return ChartFact.model_validate(dict(zip(("kind", "value", "by"), match.groups(), strict=True)))


def _headline(line: str) -> HeadlineFact:
    column, _, words = line.partition("=")
    return HeadlineFact(column=column.strip(), words=words.strip())


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
    at_first_row: Callable[[], None] = lambda: None,
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
        at_first_row: is called when the first row is here.

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
        at_first_row=at_first_row,
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
    """Ask several; one that is refused does not keep the others back.

    The server computes two at a time. A question lets the next one begin when its own first row is here.
    """
    turns = Semaphore(_COMPUTED_AT_A_TIME)

    def reply(question: Question) -> Reply:
        # Closed when the first row is here, and in any case at the end.
        with ExitStack() as turn:
            turn.enter_context(turns)
            try:
                return ask(
                    graph,
                    question,
                    given,
                    timeout_seconds=timeout_seconds,
                    manifest=manifest,
                    at_first_row=turn.close,
                )
            except (GraphError, ScriptError) as error:
                return Refused(question=question, reason=str(error))

    with ThreadPoolExecutor(max_workers=_READ_AT_A_TIME) as pool:
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
