"""Play events into the graph as pipelines of change events commonly do: a MERGE each."""

from __future__ import annotations

import os
from typing import Any

from neo4j import Driver, GraphDatabase

MERGE_ROW = (
    "MERGE (e:PlayEvent {event_id: row.event_id})"
    " SET e += row, e.event_timestamp = datetime(row.event_timestamp)"
    " WITH e, row OPTIONAL MATCH (a:Account {account_id: row.account_id_from_token})"
    " FOREACH (_ IN CASE WHEN a IS NULL THEN [] ELSE [1] END | MERGE (a)-[:WATCHED]->(e))"
    " WITH e, row OPTIONAL MATCH (m:Media {media_id: row.media_id})"
    " FOREACH (_ IN CASE WHEN m IS NULL THEN [] ELSE [1] END | MERGE (e)-[:PLAYED]->(m))"
)
"""Of one row; a relationship that no longer holds stays, as it does in such pipelines."""


def connect() -> Driver:
    """The target of the project's settings."""
    return GraphDatabase.driver(
        os.environ["NEO4J_URI"],
        auth=(os.environ["NEO4J_USERNAME"], os.environ["NEO4J_PASSWORD"]),
        notifications_min_severity="OFF",
    )


def merge_one(driver: Driver, row: dict[str, Any]) -> None:
    """One event in a transaction of its own."""
    driver.execute_query("WITH $row AS row " + MERGE_ROW, row=row, database_="neo4j")


def merge_many(driver: Driver, rows: list[dict[str, Any]]) -> None:
    """A batch in one transaction."""
    driver.execute_query("UNWIND $rows AS row " + MERGE_ROW, rows=rows, database_="neo4j")
