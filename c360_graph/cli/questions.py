"""`c360 ask`: the analytical questions, answered by the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from c360_graph.cli.output import (
    FAILED,
    Json,
    exit_on_error,
    out,
    print_json,
    print_written,
    rows_table,
    say,
)
from c360_graph.errors import ScriptError
from c360_graph.graph.connection import Graph, target_graph
from c360_graph.graph.manifest import KnownState, refuse_broken, refuse_changed
from c360_graph.mapping.names import did_you_mean
from c360_graph.new_project import write_missing
from c360_graph.questions import QuestionSet, Refused, Reply, ask_all, read_question_set, shown
from c360_graph.settings import Settings, load_settings
from c360_graph.text import plural

_Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="A value for a parameter of the questions. May be repeated.",
        show_default="as in the query files",
    ),
]
_Starter = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Write questions that fit this graph into a folder, instead of asking any.",
    ),
]


def ask(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="The questions to ask.", show_default="all of them"
        ),
    ] = None,
    parameters: _Parameters = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(help="The time that counts as now, in UTC.", show_default="now"),
    ] = None,
    email: Annotated[
        str | None,
        typer.Option(help="Short for --param email=EMAIL.", show_default="as in the query files"),
    ] = None,
    as_list: Annotated[
        bool, typer.Option("--list", help="List the questions instead of asking them.")
    ] = False,
    starter: _Starter = None,
    as_json: Json = False,
) -> None:
    """Ask the questions of the queries folder and print the answers.

    The sample's questions are asked only where the graph has the labels and relationship types that they name.

    Exits with 1 if a question is refused or its file cannot be read; all others are answered. Exits with
    1 if a control row was refused when the graph was built; questions that need the row are skipped.
    Exits with 1 without any answer if a load of the graph failed or is in progress.

    **Examples**

    - `c360 ask`

    - `c360 ask --list`

    - `c360 ask --starter queries` writes first questions of your own; no file is overwritten

    - `c360 ask churn_risk lifetime_value --as-of 2025-11-03` as if it were that day

    - `c360 ask customer_journey --param email=john.smith@email.com`

    - `c360 ask --json | jq '.[] | select(.name == "fraud_ring").rows'`
    """
    with exit_on_error():
        settings = load_settings()
        with target_graph(settings) as graph:
            given = _given(parameters or (), as_of, email)
            if starter is not None:
                _write_starter(graph, settings, starter, as_json=as_json)
                return
            if as_list:
                _list_questions(questions_for(graph, settings), as_json=as_json)
                return
            told = ask_questions(graph, settings, given, names=names or ())
    if as_json:
        print_json(answers_as_data(told))
    else:
        print_answers(told)
    fail_for_refused(told)


def _write_starter(graph: Graph, settings: Settings, folder: Path, *, as_json: bool) -> None:
    """Write questions about the labels, properties and relationships that the graph has."""
    # Here, as no other command needs them.
    from c360_graph.customer.lookup import CustomerGraph
    from c360_graph.starter_questions import shared_properties, starter_questions

    refuse_broken(graph)
    reading = CustomerGraph(graph, timeout_seconds=settings.c360_query_timeout_seconds)
    files = starter_questions(reading.schema, shared_properties(reading))
    print_written(folder, write_missing(folder, files), as_json=as_json)
    if settings.c360_queries_dir != folder:
        say(f"Set C360_QUERIES_DIR to {folder} to ask them.")


def _given(parameters: Sequence[str], as_of: datetime | None, email: str | None) -> dict[str, Any]:
    """Values by the parameters' names.

    Raises:
        ScriptError: one is not written as NAME=VALUE.
    """
    given: dict[str, Any] = {}
    if as_of is not None:
        given["as_of"] = as_of.replace(tzinfo=UTC)
    if email is not None:
        given["email"] = email
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not equals or not name.strip():
            raise ScriptError(f"--param {parameter!r} is not written as NAME=VALUE.")
        given[name.strip()] = value
    return given


def _list_questions(asked: QuestionSet, *, as_json: bool) -> None:
    listed = [
        {"name": q.name, "title": q.title, "parameters": dict(q.parameters)}
        for q in asked.questions
    ]
    if as_json:
        print_json(listed)
    else:
        rows = tuple(
            (q.name, q.title, ", ".join(f"{n}={shown(value)}" for n, value in q.parameters))
            for q in asked.questions
        )
        out.print(
            rows_table("Questions", ("name", "title", "parameters"), rows, row_count=len(rows))
        )
    _say_unfit(asked.unfit)
    for problem in asked.problems:
        say(problem)


def _say_unfit(unfit: Sequence[str]) -> None:
    if unfit:
        say(
            f"{plural(len(unfit), 'question')} about the sample left out: the graph does not have the"
            " labels and relationship types that they name."
        )


@dataclass(frozen=True, kw_only=True)
class Replies:
    """A reply to every question, and a sentence on each file that is none."""

    replies: tuple[Reply, ...]
    problems: tuple[str, ...]
    unknown: str | None = None
    """Why nothing is known of how the graph was made; None where its manifest says it."""
    refused_rows: tuple[str, ...] = ()
    """Control rows that the graph was made without, and why."""
    unfit: tuple[str, ...] = ()
    """The package's questions that were not asked, as the graph lacks what they name."""


def questions_for(graph: Graph, settings: Settings) -> QuestionSet:
    """The package's questions that fit a graph, and those of C360_QUERIES_DIR.

    Raises:
        GraphError: a load of the graph is in progress or did not end.
    """
    return _fitting(refuse_broken(graph), settings)


def _fitting(state: KnownState | None, settings: Settings) -> QuestionSet:
    asked = read_question_set(settings.c360_queries_dir)
    return asked if state is None else asked.fitting(state.manifest.names)


def ask_questions(
    graph: Graph, settings: Settings, given: dict[str, Any], *, names: Sequence[str] = ()
) -> Replies:
    """Ask the questions of these names, or all that fit the graph.

    Raises:
        GraphError: a load of the graph is in progress or did not end, or began meanwhile.
        ScriptError: there is no question of a name, or none has a parameter that is given.
    """
    state = refuse_broken(graph)
    asked = _fitting(state, settings).named(names)
    _refuse_unknown(given, asked)
    replies = ask_all(
        graph,
        asked.questions,
        given,
        timeout_seconds=settings.c360_query_timeout_seconds,
        manifest=state.manifest if state else None,
    )
    refuse_changed(graph, state)
    return Replies(
        replies=replies,
        problems=asked.problems,
        unknown=None if state else _unknown(graph),
        refused_rows=tuple(dict.fromkeys(state.manifest.refused.values())) if state else (),
        unfit=() if names else asked.unfit,
    )


def _refuse_unknown(given: dict[str, Any], asked: QuestionSet) -> None:
    known = dict.fromkeys(name for q in asked.questions for name, _ in q.parameters)
    for name in given:
        # The options for these two are for whichever questions have them.
        if name not in known and name not in ("as_of", "email"):
            raise ScriptError(
                f"No question that is asked has a parameter {name!r}{did_you_mean(name, known)}."
                " Run `c360 ask --list`."
            )


def _unknown(graph: Graph) -> str:
    return (
        f"The graph at {graph.server} was not loaded by this project, so its sources and exclusion rules"
        " are unknown. The questions are asked anyway."
    )


def print_answers(told: Replies) -> None:
    """Every answer as a table; what the graph lacks for one goes to standard error."""
    for number, reply in enumerate(told.replies, start=1):
        if isinstance(reply, Refused):
            continue
        title = f"{number}. {reply.question.title}"
        if reply.lacking:
            say(f"{title} is skipped: {' '.join(reply.lacking)}")
        else:
            out.print(rows_table(title, reply.columns, reply.rows, row_count=reply.row_count))


def answers_as_data(told: Replies) -> list[dict[str, Any]]:
    """Every question with its answer, for JSON: each row by the names of its columns.

    Where `skipped` is not empty it says what the graph lacks, where `refused` is a text it says why;
    then there are no rows.
    """
    return [
        {
            "name": reply.question.name,
            "title": reply.question.title,
            "refused": reply.reason if isinstance(reply, Refused) else None,
            **_answer_as_data(reply),
        }
        for reply in told.replies
    ]


def _answer_as_data(reply: Reply) -> dict[str, Any]:
    if isinstance(reply, Refused):
        return {"skipped": [], "row_count": 0, "rows": []}
    return {
        "skipped": list(reply.lacking),
        "row_count": reply.row_count,
        "rows": [dict(zip(reply.columns, row, strict=True)) for row in reply.rows],
    }


def fail_for_refused(told: Replies) -> None:
    """Say what was refused, of the questions and of the graph's control rows, if anything was.

    Raises:
        typer.Exit: something was.
    """
    if told.unknown:
        say(told.unknown)
    _say_unfit(told.unfit)
    refused = [reply for reply in told.replies if isinstance(reply, Refused)]
    for reply in refused:
        say(f"{reply.question.name} is refused: {reply.reason}")
    for problem in told.problems:
        say(problem)
    for reason in told.refused_rows:
        say(f"The graph was built without a refused control row: {reason}")
    if refused or told.problems or told.refused_rows:
        raise typer.Exit(FAILED)
