"""`c360 ask`: the analytical questions, answered by the graph."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from c360_graph.answers import ask
from c360_graph.cli.output import errors_in_one_sentence, out, rows_table, say
from c360_graph.neo4j_loader.graph import Graph
from c360_graph.questions import FOLDER, read_questions
from c360_graph.resources import Neo4jResource
from c360_graph.settings import load_settings


def ask_all(
    as_of: Annotated[
        datetime | None,
        typer.Option(help="The moment the questions mean by now, in UTC.", show_default="now"),
    ] = None,
    email: Annotated[
        str | None, typer.Option(help="Whose journey.", show_default="as in the query's file")
    ] = None,
) -> None:
    """Ask every question of the queries folder and print the answers."""
    given: dict[str, Any] = {}
    if as_of is not None:
        given["as_of"] = as_of.astimezone() if as_of.tzinfo else utc(as_of)
    if email is not None:
        given["email"] = email
    with errors_in_one_sentence(), Neo4jResource().graph() as graph:
        print_answers(graph, given)


def print_answers(graph: Graph, given: dict[str, Any]) -> None:
    """Every question with its answer as a table."""
    settings = load_settings()
    own = [settings.c360_queries_dir] if settings.c360_queries_dir else []
    for number, question in enumerate(read_questions(FOLDER, *own), start=1):
        answer = ask(graph, question, given, timeout_seconds=settings.c360_query_timeout_seconds)
        if answer.lacking:
            say(f"{number}. {question.title} is skipped: {' '.join(answer.lacking)}")
            continue
        out.print(rows_table(f"{number}. {question.title}", answer.columns, answer.rows))


def utc(moment: datetime) -> datetime:
    """A moment without zone, taken as UTC."""
    return moment.replace(tzinfo=UTC)
