"""The table `plans` of the sample with so many rows that several steps read it."""

from __future__ import annotations

import pytest

from c360_graph_tests.conftest import Project

ROWS = 20_000


def add_plans(project: Project) -> None:
    """Make some 20 ranges, whose rows are not in the order of their keys."""
    with project.connect("profiles_db") as connection:
        connection.execute(
            "INSERT INTO plans (plan_id, plan_name, monthly_fee, max_devices)"
            f" SELECT n, E'tab\\t' || n, 1, 1 FROM generate_series(100, {ROWS + 99}) AS n"
        )
        connection.execute("UPDATE plans SET plan_name = 'new ' || plan_id WHERE plan_id % 3 = 0")
        connection.execute("VACUUM ANALYZE plans")


def read_plans_in_ranges(patch: pytest.MonkeyPatch) -> None:
    """Two steps read it, some 1,000 rows at a time."""
    patch.setenv("C360_READERS_OF_A_TABLE", "2")
    patch.setenv("C360_RANGE_ROWS", "1000")


def wait_for_another_reader(project: Project, *, before: int) -> None:
    """From now on nobody gets a range from this one on until two readers have got one."""
    _when_claimed(
        project,
        f"NEW.range_number >= {before} AND NOT EXISTS (SELECT FROM etl_table_ranges"
        " WHERE table_log_id = NEW.table_log_id AND reader <> NEW.reader)",
    )


def hold_readers(project: Project) -> None:
    """Each reader gets one range, and another one after `let_readers_go`."""
    project.execute("CREATE TABLE held AS SELECT true AS is_held")
    _when_claimed(
        project,
        "EXISTS (SELECT FROM held) AND EXISTS (SELECT FROM etl_table_ranges"
        " WHERE table_log_id = NEW.table_log_id AND reader = NEW.reader)",
    )


def let_readers_go(project: Project) -> None:
    """End what `hold_readers` has begun."""
    project.execute("DELETE FROM held")


def _when_claimed(project: Project, waits: str) -> None:
    project.execute(
        "CREATE OR REPLACE FUNCTION wait_to_claim() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN WHILE {waits} LOOP PERFORM pg_sleep(0.05); END LOOP; RETURN NEW; END $$"
    )
    project.execute(
        "CREATE OR REPLACE TRIGGER wait_to_claim BEFORE UPDATE ON etl_table_ranges FOR EACH ROW"
        " WHEN (NEW.status = 'running' AND OLD.attempts < NEW.attempts)"
        " EXECUTE FUNCTION wait_to_claim()"
    )


def ranges(project: Project) -> list[tuple[str, str, int]]:
    """Status, reader and attempts of each range of the table that was read last."""
    with project.connect() as connection:
        return connection.execute(
            "SELECT status, reader, attempts FROM etl_table_ranges WHERE table_log_id ="
            " (SELECT max(table_log_id) FROM etl_table_ranges) ORDER BY range_number"
        ).fetchall()


def count(project: Project) -> int:
    """How many plans there are."""
    with project.connect("profiles_db") as connection:
        row = connection.execute("SELECT count(*) FROM plans").fetchone()
    return int(row[0]) if row else 0
