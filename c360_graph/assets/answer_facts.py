"""Metadata of an answer: its size and its first rows, for the Dagster UI."""

from __future__ import annotations

from typing import Any

import dagster as dg

from c360_graph.answers import Answer, shown

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
    lines = [
        f"| {' | '.join(_cell(column) for column in answer.columns)} |",
        f"| {' | '.join('---' for _ in answer.columns)} |",
        *(
            f"| {' | '.join(_cell(shown(value)) for value in row)} |"
            for row in answer.rows[:MOST_ROWS]
        ),
    ]
    more = answer.row_count - MOST_ROWS
    return "\n".join(lines) + (f"\n\nand {more:,} more rows" if more > 0 else "")


def _cell(text: str) -> str:
    # Dagster shows Markdown, where a tag or a link would be one.
    escaped = "".join(f"\\{c}" if c in "\\`*[]<>|" else c for c in text)
    return " ".join(escaped.split())
