"""Which quality rules the latest extracts break, and by how many rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from c360_graph.errors import ExtractError
from c360_graph.extract_joins.engine import JoinEngine, join_engine
from c360_graph.extract_joins.extract_sql import file_rows
from c360_graph.extracts import Extract
from c360_graph.mapping.model import QualityRule
from c360_graph.object_extracts import Extracts
from c360_graph.source.copy_query import copied_text
from c360_graph.sql_quoting import sql_literal
from c360_graph.text import plural


def count_breaks(rules: Sequence[QualityRule], *, store: Extracts) -> list[str | None]:
    """What breaks each rule, in words; None where it holds. No value of a row is told.

    Raises:
        ExtractError: a table was never read, or its extract cannot be.
    """
    found: list[str | None] = []
    # A table may have several rules.
    latest = cache(store.latest)
    with store.work_folder() as work, join_engine(work) as engine:
        for rule in rules:
            assert rule.table is not None
            extract = latest(rule.table)
            if extract is None:
                raise ExtractError(
                    f"{'/'.join(rule.table)} was never read, so it cannot be checked."
                )
            found.append(_break(rule, extract, engine))
    return found


def _break(rule: QualityRule, extract: Extract, engine: JoinEngine) -> str | None:
    rows = extract.manifest.rows
    if rule.kind == "row_count":
        if rule.least <= rows and (rule.most is None or rows <= rule.most):
            return None
        most = "" if rule.most is None else f"{rule.most:,}"
        return f"{plural(rows, 'row')}; allowed are {rule.least:,}..{most}."
    ((broken,),) = engine.rows(_statement(rule, extract))
    if not broken:
        return None
    return (
        f"{broken:,} of {plural(rows, 'row')} {_SAID[rule.kind].format(', '.join(rule.columns))}."
    )


_SAID = {
    "not_null": "have no {}",
    "unique": "have a value of {} that another row has",
    "accepted_values": "have a value of {} that is not accepted",
}


def _statement(rule: QualityRule, extract: Extract) -> str:
    """SQL for the number of rows that break a rule."""
    names = [prop.column for prop in extract.manifest.table.properties]
    missing = [column for column in rule.columns if column not in names]
    if missing:
        raise ExtractError(
            f"The latest extract of {extract.manifest.table.qualified_name} has no column {missing[0]}."
            " Materialize the table again."
        )
    columns = [f"c{names.index(column)}" for column in rule.columns]
    rows = file_rows(extract)
    match rule.kind:
        case "not_null":
            return f"SELECT count(*) FROM {rows} WHERE {columns[0]} IS NULL"
        case "unique":
            listed = ", ".join(columns)
            present = " AND ".join(f"{column} IS NOT NULL" for column in columns)
            return (
                f"SELECT coalesce(sum(n), 0)::bigint FROM (SELECT count(*) AS n FROM {rows}"
                f" WHERE {present} GROUP BY {listed} HAVING count(*) > 1)"
            )
        case _:
            accepted = ", ".join(sql_literal(copied_text(v).decode()) for v in rule.accepted)
            return (
                f"SELECT count(*) FROM {rows} WHERE {columns[0]} IS NOT NULL"
                f" AND {columns[0]} NOT IN ({accepted})"
            )
