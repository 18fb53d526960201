"""Metadata of an answer: its size and its first rows, for the Dagster UI."""

from __future__ import annotations

from typing import Any

import dagster as dg

from c360_graph.answers import Answer, shown
from c360_graph.assets.markdown import code, table

MOST_ROWS = 20
"""Rows of an answer in its metadata."""


def answer_facts(answer: Answer, *, preview_rows: int) -> dict[str, Any]:
    """Metadata of an answer; without its rows where `preview_rows` is 0."""
    facts: dict[str, Any] = {
        "title": answer.question.title,
        "dagster/row_count": answer.row_count,
    }
    if preview_rows:
        facts["answer"] = dg.MetadataValue.md(answer_table(answer))
    return facts


def answer_table(answer: Answer) -> str:
    """The first rows as a Markdown table."""
    if not answer.columns:
        return "No columns."
    text = table(
        [code(column) for column in answer.columns],
        [
            ["" if value is None else code(shown(value)) for value in row]
            for row in answer.rows[:MOST_ROWS]
        ],
        right=frozenset(),
    )
    more = answer.row_count - MOST_ROWS
    return text + (f"\nand {more:,} more rows\n" if more > 0 else "")
