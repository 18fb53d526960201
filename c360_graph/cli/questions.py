"""`c360 ask`: the analytical questions, answered by the graph."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from c360_graph.answers import Answer, ask
from c360_graph.cli.output import (
    Json,
    errors_in_one_sentence,
    out,
    print_json,
    rows_table,
    say,
)
from c360_graph.neo4j_loader.graph import Graph, target_graph
from c360_graph.questions import FOLDER, read_questions
from c360_graph.settings import load_settings


def ask_all(
    as_of: Annotated[
        datetime | None,
        typer.Option(help="The moment the questions mean by now, in UTC.", show_default="now"),
    ] = None,
    email: Annotated[
        str | None, typer.Option(help="Whose journey.", show_default="as in the query's file")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask every question of the queries folder and print the answers.

    **Examples**

    - `c360 ask`

    - `c360 ask --as-of 2025-11-03` as if it were that day

    - `c360 ask --email john.smith@email.com` for this customer's journey

    - `c360 ask --json | jq '.[] | select(.name == "11_fraud_ring").rows'`
    """
    given: dict[str, Any] = {}
    if as_of is not None:
        given["as_of"] = as_of.astimezone() if as_of.tzinfo else utc(as_of)
    if email is not None:
        given["email"] = email
    with errors_in_one_sentence(), target_graph() as graph:
        if as_json:
            print_json(answers_as_data(graph, given))
        else:
            print_answers(graph, given)


def print_answers(graph: Graph, given: dict[str, Any]) -> None:
    """Every question with its answer as a table."""
    for number, answer in enumerate(_answers(graph, given), start=1):
        title = f"{number}. {answer.question.title}"
        if answer.lacking:
            say(f"{title} is skipped: {' '.join(answer.lacking)}")
        else:
            out.print(rows_table(title, answer.columns, answer.rows))


def answers_as_data(graph: Graph, given: dict[str, Any]) -> list[dict[str, Any]]:
    """Every question with its answer, for JSON: each row by the names of its columns.

    Where `skipped` is not empty it says what the graph lacks, and there are no rows.
    """
    return [
        {
            "name": answer.question.name,
            "title": answer.question.title,
            "skipped": list(answer.lacking),
            "row_count": answer.row_count,
            "rows": [dict(zip(answer.columns, row, strict=True)) for row in answer.rows],
        }
        for answer in _answers(graph, given)
    ]


def _answers(graph: Graph, given: dict[str, Any]) -> Iterator[Answer]:
    """One after the other, the package's questions and those of C360_QUERIES_DIR."""
    settings = load_settings()
    own = [settings.c360_queries_dir] if settings.c360_queries_dir else []
    for question in read_questions(FOLDER, *own):
        yield ask(graph, question, given, timeout_seconds=settings.c360_query_timeout_seconds)


def utc(moment: datetime) -> datetime:
    """A moment without zone, taken as UTC."""
    return moment.replace(tzinfo=UTC)
