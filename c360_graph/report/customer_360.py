"""The report of all answers as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeGuard

from c360_graph.questions import Answer, Refused, Reply, shown
from c360_graph.report.charts import chart_of
from c360_graph.report.page import Headline, Page, Section, table_of
from c360_graph.report.pictures import picture_of

TITLE = "Customer 360"


def customer_360_page(
    *,
    replies: Sequence[Reply],
    pictures: Sequence[Reply],
    nodes: Mapping[str, int],
    relationships: Mapping[str, int],
    made_at: datetime,
    as_of: str | None = None,
    rules: str = "",
    refused: Sequence[str] = (),
) -> Page:
    """Headline, pictures, charts and a section for each question, answered or not.

    Args:
        replies: to the questions.
        pictures: to the questions whose answer is drawn; one that is not answered becomes a section.
        nodes: how many there are by label.
        relationships: how many by type.
        made_at: when the graph was asked, in UTC.
        as_of: the moment that questions with a parameter `as_of` were given; None for now.
        rules: fingerprint of the exclusion rules that the graph follows.
        refused: why control rows were refused, without which the graph was made.
    """
    answers = [reply for reply in replies if is_answered(reply)]
    drawn = [picture for reply in pictures if is_answered(reply) if (picture := picture_of(reply))]
    undrawn = [reply for reply in pictures if not is_answered(reply)]
    return Page(
        title=TITLE,
        subtitle=f"{len(answers)} of {len(replies)} questions answered by the graph",
        made_at=made_at,
        as_of=_as_of(replies, given=as_of),
        rules=rules,
        warnings=tuple(f"Not in the graph: {reason}" for reason in refused),
        headlines=tuple(h for answer in answers if (h := headline_of(answer))),
        figures=(
            ("Nodes", f"{sum(nodes.values()):,}"),
            ("Relationships", f"{sum(relationships.values()):,}"),
            ("Labels", f"{len(nodes):,}"),
            ("Relationship types", f"{len(relationships):,}"),
        ),
        pictures=tuple(drawn),
        charts=tuple(chart for answer in answers if (chart := chart_of(answer))),
        sections=tuple(_section(reply) for reply in (*replies, *undrawn)),
    )


def _as_of(replies: Sequence[Reply], *, given: str | None) -> str:
    """The moment that the answers are true for, where questions ask for one."""
    asked = any(name == "as_of" for reply in replies for name, _ in reply.question.parameters)
    return (given or "now").replace("T", " ") if asked else ""


def is_answered(reply: Reply) -> TypeGuard[Answer]:
    """Whether the graph answered: it knew every name of the question and did not refuse it."""
    return isinstance(reply, Answer) and not reply.lacking


def headline_of(answer: Answer) -> Headline | None:
    """The number that the question's file wants to be shown large."""
    fact = answer.question.headline
    if fact is None or not answer.rows or fact.column not in answer.columns:
        return None
    number = answer.rows[0][answer.columns.index(fact.column)]
    text = f"{number:,}" if isinstance(number, int | float) else shown(number)
    return Headline(number=text, words=fact.words)


def why_unanswered(reply: Reply) -> str:
    """Why a question has no answer."""
    if isinstance(reply, Refused):
        return f"Not answered: {reply.reason}"
    return f"Skipped, because data that it needs is not in the graph: {' '.join(reply.lacking)}"


def _section(reply: Reply) -> Section:
    question = reply.question
    if not is_answered(reply):
        return Section(
            name=question.name,
            title=question.title,
            description=question.description,
            note=why_unanswered(reply),
        )
    return Section(
        name=question.name,
        title=question.title,
        description=question.description,
        table=table_of(reply.columns, reply.rows, row_count=reply.row_count)
        if reply.rows
        else None,
        note="" if reply.rows else "No rows.",
    )
