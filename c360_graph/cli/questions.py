"""`c360 ask`: the analytical questions, answered by the graph."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from c360_graph.cli.output import Json, errors_in_one_sentence, out, print_json, rows_table
from c360_graph.neo4j_loader.graph import Graph, target_graph
from c360_graph.questions import ask, read_questions


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
    for number, question in enumerate(read_questions(), start=1):
        answer = ask(graph, question, given)
        out.print(rows_table(f"{number}. {question.title}", answer.columns, answer.rows))


def answers_as_data(graph: Graph, given: dict[str, Any]) -> list[dict[str, Any]]:
    """Every question with its answer, for JSON: each row by the names of its columns."""
    answers = (ask(graph, question, given) for question in read_questions())
    return [
        {
            "name": answer.question.name,
            "title": answer.question.title,
            "rows": [dict(zip(answer.columns, row, strict=True)) for row in answer.rows],
        }
        for answer in answers
    ]


def utc(moment: datetime) -> datetime:
    """A moment without zone, taken as UTC."""
    return moment.replace(tzinfo=UTC)
