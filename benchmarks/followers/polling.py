"""`python -m benchmarks.followers.polling`: asks each second for the rows that are newer than the last ones.

Sees no deletes, and needs a column that grows. Here that is the key, which is the fairest case for it.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import psycopg
from psycopg.rows import dict_row

from benchmarks.followers.events_to_graph import connect, merge_many

SECONDS = 1.0
_ROWS = (
    "SELECT event_id, session_id, account_id_from_token::text, media_id,"
    " to_char(event_timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS event_timestamp,"
    " action, host(ip_address) AS ip_address, device_fingerprint FROM play_events WHERE event_id > %s"
    " ORDER BY event_id LIMIT 20000"
)


def main() -> None:
    """Follow the play events of the database named first."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with (
        connect() as driver,
        psycopg.connect(
            host=os.environ["ETL_DB_HOST"],
            port=os.environ["ETL_DB_PORT"],
            user=os.environ["ETL_DB_USER"],
            password=os.environ["ETL_DB_PASSWORD"],
            dbname=sys.argv[1],
            autocommit=True,
            row_factory=dict_row,
        ) as source,
    ):
        newest = source.execute(
            "SELECT coalesce(max(event_id), 0) AS id FROM play_events"
        ).fetchone()
        assert newest is not None
        last = newest["id"]
        print("Following.", flush=True)  # noqa: T201
        while True:
            begun = time.monotonic()
            rows = source.execute(_ROWS, (last,)).fetchall()
            if rows:
                merge_many(driver, rows)
                last = rows[-1]["event_id"]
            time.sleep(max(0.0, SECONDS - (time.monotonic() - begun)))


if __name__ == "__main__":
    main()
