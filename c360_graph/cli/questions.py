"""`c360 ask`: the analytical questions, answered by the graph."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from c360_graph.answers import Refused, Reply, ask_all
from c360_graph.cli.exit_codes import FAILED
from c360_graph.cli.output import (
    Json,
    exit_on_error,
    out,
    print_json,
    rows_table,
    say,
)
from c360_graph.graph.connection import Graph, target_graph
from c360_graph.graph.manifest import refuse_broken, refuse_changed
from c360_graph.questions import read_question_set
from c360_graph.settings import load_settings


def ask(
    as_of: Annotated[
        datetime | None,
        typer.Option(help="The time that counts as now, in UTC.", show_default="now"),
    ] = None,
    email: Annotated[
        str | None,
        typer.Option(
            help="The customer of the journey question.", show_default="as in the query file"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask every question of the queries folder and print the answers.

    Exits with 1 if a question is refused or its file cannot be read; all others are answered. Exits with
    1 if a control row was refused when the graph was built; questions that need the row are skipped.
    Exits with 1 without any answer if a load of the graph failed or is in progress.

    **Examples**

    - `c360 ask`

    - `c360 ask --as-of 2025-11-03` as if it were that day

    - `c360 ask --email john.smith@email.com` for this customer's journey

    - `c360 ask --json | jq '.[] | select(.name == "11_fraud_ring").rows'`
    """
    given: dict[str, Any] = {}
    if as_of is not None:
        given["as_of"] = as_of.replace(tzinfo=UTC)
    if email is not None:
        given["email"] = email
    with exit_on_error(), target_graph() as graph:
        told = ask_questions(graph, given)
    if as_json:
        print_json(answers_as_data(told))
    else:
        print_answers(told)
    fail_for_refused(told)


@dataclass(frozen=True, kw_only=True)
class Replies:
    """A reply to every question, and a sentence on each file that is none."""

    replies: tuple[Reply, ...]
    problems: tuple[str, ...]
    unknown: str | None = None
    """Why nothing is known of how the graph was made; None where its manifest says it."""
    refused_rows: tuple[str, ...] = ()
    """Control rows that the graph was made without, and why."""


def ask_questions(graph: Graph, given: dict[str, Any]) -> Replies:
    """Ask the package's questions and those of C360_QUERIES_DIR.

    Raises:
        GraphError: a load of the graph is under way or did not end, or began meanwhile.
    """
    settings = load_settings()
    state = refuse_broken(graph)
    asked = read_question_set(settings.c360_queries_dir)
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
    )


def _unknown(graph: Graph) -> str:
    return (
        f"The graph at {graph.place} was not loaded by this project, so its sources and exclusion rules"
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
    refused = [reply for reply in told.replies if isinstance(reply, Refused)]
    for reply in refused:
        say(f"{reply.question.name} is refused: {reply.reason}")
    for problem in told.problems:
        say(problem)
    for reason in told.refused_rows:
        say(f"The graph was built without a refused control row: {reason}")
    if refused or told.problems or told.refused_rows:
        raise typer.Exit(FAILED)
