"""A big table that several steps read together: the same extract, whoever reads which range, and whoever dies."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from c360_graph.control.audit import RunLog
from c360_graph.control.table_reads import (
    GONE_AFTER_SECONDS,
    RangeLedger,
    ReadPart,
    SharedReading,
)
from c360_graph.errors import SourceUnavailableError
from c360_graph.extract_files import Extract, RowsPart
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph.mapping.model import TableMapping
from c360_graph.mapping.table_steps import page_ranges
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import data_location
from c360_graph.pipeline import table_reading
from c360_graph.pipeline.extract import extract_table
from c360_graph.pipeline.read_mapping import MappingState, read_mapping_state
from c360_graph.pipeline.table_reading import join_reading
from c360_graph.settings import load_settings
from c360_graph.source.snapshot import SourceSnapshot
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.big_plans import (
    add_plans,
    count,
    ranges,
    read_plans_in_ranges,
    wait_for_another_reader,
)
from c360_graph_tests.integration.runs import (
    hold_back_plans,
    load_graph,
    materialize_by_command,
    source_behind_proxy,
)
from c360_graph_tests.integration.test_pipeline import nodes_of

PLANS = ("profiles_db", "plans")


@pytest.fixture(autouse=True)
def _many_plans(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    add_plans(project)
    read_plans_in_ranges(monkeypatch)
    monkeypatch.setenv("C360_EXECUTOR", "multiprocess")


class Run:
    """A run in which a table is read, by threads of this process."""

    def __init__(self, project: Project, name: str = "r") -> None:
        self.project = project
        self.settings = load_settings()
        self.state: MappingState = read_mapping_state(project.control, self.settings)
        (self.table,) = (t for t in self.state.mapping().tables if t.asset_key == PLANS)
        self.log_id = RunLog(project.control).open_run(name)

    def read(self, **options: Any) -> Extract:
        """What the step `read` does."""
        return extract_table(**self._arguments() | options).extract

    def join(self, **options: Any) -> int | None:
        """What a step `join` does."""
        return join_reading(**self._arguments() | options)

    def _arguments(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "rows": self.state.rows,
            "log_id": self.log_id,
            "control": self.project.control,
            "settings": self.settings,
        }


def audited(project: Project) -> list[tuple[str, int]]:
    with project.connect() as connection:
        return connection.execute(
            "SELECT status, rows_processed FROM etl_table_logs ORDER BY table_log_id"
        ).fetchall()


def lines(extract: Extract) -> bytes:
    with extract.open() as rows:
        return rows.read()


def read_by_one_step(project: Project) -> Extract:
    run = Run(project, "alone")
    return run.read(settings=run.settings.model_copy(update={"c360_readers_of_a_table": 1}))


def test_two_readers_write_what_one_would_have_written(project: Project) -> None:
    alone = lines(read_by_one_step(project))
    assert ranges(project) == []
    run = Run(project)
    with ThreadPoolExecutor() as threads:
        joined = threads.submit(run.join)
        extract = run.read()
    found = ranges(project)
    assert len(found) == len(extract.manifest.parts) > 10
    assert {(status, attempts) for status, _, attempts in found} == {("completed", 1)}
    assert 0 < (joined.result() or 0) < len(found)
    assert lines(extract) == alone
    assert extract.manifest.rows == count(project)
    assert audited(project)[-1] == ("completed", count(project))
    kept = extract_store(data_location(run.settings)).latest(PLANS)
    assert kept is not None
    assert lines(kept) == alone


def test_rows_that_change_while_ranges_are_read_are_read_as_they_were(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = lines(read_by_one_step(project))
    run = Run(project)
    whole_losses = SourceSnapshot.losses

    def changed_meanwhile(snapshot: SourceSnapshot, table: TableMapping) -> Any:
        with project.connect("profiles_db") as connection:
            connection.execute("UPDATE plans SET plan_name = 'too late ' || plan_id")
            connection.execute("DELETE FROM plans WHERE plan_id > 10000")
            connection.execute("INSERT INTO plans VALUES (1000000, 'too late', 1, 1)")
        return whole_losses(snapshot, table)

    monkeypatch.setattr(SourceSnapshot, "losses", changed_meanwhile)
    with ThreadPoolExecutor() as threads:
        joined = threads.submit(run.join)
        extract = run.read()
    assert joined.result()
    assert lines(extract) == alone


def test_without_a_second_step_the_table_is_read_all_the_same(project: Project) -> None:
    alone = lines(read_by_one_step(project))
    run = Run(project)
    assert lines(run.read()) == alone
    # A step that begins after the reading has ended has nothing to do, and waits for nobody.
    assert run.join() == 0


def test_a_step_whose_reading_never_begins_gives_its_place_up(project: Project) -> None:
    assert Run(project).join(waiting_seconds=1.0) is None


def test_the_range_of_a_reader_that_is_gone_is_read_again_and_what_it_left_is_removed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = lines(read_by_one_step(project))
    run = Run(project)
    claimed = threading.Event()
    whole_losses = SourceSnapshot.losses

    def claim_and_vanish(snapshot: SourceSnapshot, table: TableMapping) -> Any:
        gone = RangeLedger(project.control, reader="gone 1")
        reading = gone.find(
            log_id=run.log_id, source_id=table.source.source_id, table_name=table.table_name
        )
        assert reading is not None
        assert reading.shared is not None
        range_ = gone.claim(reading.table_log_id)
        assert range_ is not None
        assert range_.pages.number == 0
        store = extract_store(data_location(run.settings))
        with store.join_draft(PLANS, reading.shared.draft).open_part("rows_0000_1.tsv") as (out, _):
            out.write(b"half a row")
        project.execute(
            "UPDATE etl_table_ranges SET changed_at = now() -"
            f" interval '{GONE_AFTER_SECONDS + 1} seconds' WHERE range_number = 0"
        )
        claimed.set()
        return whole_losses(snapshot, table)

    monkeypatch.setattr(SourceSnapshot, "losses", claim_and_vanish)
    extract = run.read()
    assert claimed.is_set()
    assert [attempts for _, _, attempts in ranges(project)][:2] == [2, 1]
    assert "gone 1" not in {reader for _, reader, _ in ranges(project)}
    assert lines(extract) == alone
    assert not list(project.data_dir.rglob("rows_0000_1.tsv"))


def test_the_first_reader_that_ends_counts_however_often_it_says_so(project: Project) -> None:
    runs = RunLog(project.control)
    table_log_id = runs.open_table(log_id=runs.open_run("r"), source_id=1, table_name="plans")
    first, second = (RangeLedger(project.control, reader=name) for name in ("one 1", "two 2"))
    reading = SharedReading(snapshot="s", draft="d", description="x")
    first.announce(table_log_id, reading, page_ranges(pages=1, rows=1, range_rows=1))
    claimed = first.claim(table_log_id)
    assert claimed is not None
    assert second.claim(table_log_id) is None
    assert [first.complete(table_log_id, claimed, part("rows_0000_1.tsv")) for _ in "ab"] == [
        True,
        True,
    ]
    later = replace(claimed, attempt=2)
    assert not second.complete(table_log_id, later, part("rows_0000_2.tsv"))
    found = first.ranges_read(table_log_id)
    assert found.parts == (part("rows_0000_1.tsv"),)
    assert (found.rows, found.readers) == (3, 1)


def part(name: str) -> ReadPart:
    file = RowsPart(name=name, file_bytes=6, file_lines=3, file_digest="")
    return ReadPart(file=file, rows=3, longest_row_bytes=2, lost={})


def test_a_range_whose_connection_is_cut_is_read_again_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = lines(read_by_one_step(project))
    run = Run(project)
    main = threading.main_thread()
    whole_copy = SourceSnapshot.copy
    cut: list[int] = []

    def cut_once(snapshot: SourceSnapshot, *arguments: Any, **options: Any) -> Any:
        if threading.current_thread() is not main and not cut:
            cut.append(options["pages"].number)
            with project.connect("profiles_db") as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(%s)", (snapshot._connection.info.backend_pid,)
                )
        return whole_copy(snapshot, *arguments, **options)

    monkeypatch.setattr(SourceSnapshot, "copy", cut_once)
    said: list[str] = []
    with ThreadPoolExecutor() as threads:
        joined = threads.submit(
            run.join,
            warn=said.append,
            settings=run.settings.model_copy(update={"c360_retries": 1}),
        )
        extract = run.read()
    assert joined.result()
    assert lines(extract) == alone
    found = ranges(project)
    assert [number for number, (_, _, attempts) in enumerate(found) if attempts == 2] == cut
    assert len(said) == 1
    assert "could not read a range of profiles_db/plans" in said[0]


def test_when_the_step_that_keeps_the_snapshot_fails_nothing_is_kept_and_others_end(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_reading, "POLL_SECONDS", 0.05)
    kept = lines(read_by_one_step(project))
    run = Run(project)
    with (
        source_behind_proxy(project, "profiles_db", monkeypatch) as proxy,
        ThreadPoolExecutor() as threads,
    ):
        behind = Run(project)
        joined = threads.submit(run.join, waiting_seconds=3.0, warn=lambda _: None)
        whole_copy = SourceSnapshot.copy

        def cut_in_the_middle(snapshot: SourceSnapshot, *arguments: Any, **options: Any) -> Any:
            if threading.current_thread() is threading.main_thread():
                proxy.cut()
            return whole_copy(snapshot, *arguments, **options)

        monkeypatch.setattr(SourceSnapshot, "copy", cut_in_the_middle)
        with pytest.raises(SourceUnavailableError):
            behind.read()
        assert (joined.result(timeout=60) or 0) < len(ranges(project))
    assert audited(project)[-1][0] == "failed"
    latest = extract_store(data_location(run.settings)).latest(PLANS)
    assert latest is not None
    assert lines(latest) == kept
    assert list(project.data_dir.rglob("rows_*.tsv")) == []


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(
            "CREATE TABLE parts (LIKE plans, PRIMARY KEY (plan_id)) PARTITION BY RANGE (plan_id);"
            " CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (9000);"
            " CREATE TABLE parts_2 PARTITION OF parts DEFAULT;"
            " INSERT INTO parts SELECT * FROM plans; DROP TABLE plans CASCADE;"
            " ALTER TABLE parts RENAME TO plans; ANALYZE plans",
            id="partitioned",
        ),
        pytest.param(
            "CREATE TABLE more () INHERITS (plans);"
            " INSERT INTO more SELECT plan_id + 100000, plan_name, monthly_fee, max_devices FROM plans",
            id="inherited",
        ),
        pytest.param(
            "ALTER TABLE plans RENAME TO plans_table; CREATE MATERIALIZED VIEW plans AS"
            " SELECT * FROM plans_table; ANALYZE plans",
            id="materialized_view",
        ),
    ],
)
def test_whatever_has_pages_is_read_whole(project: Project, prepare: str) -> None:
    with project.connect("profiles_db") as connection:
        connection.execute(prepare)
    project.execute(
        "UPDATE node_label_mappings SET key_columns = '{plan_id}' WHERE node_label = 'Plan'"
    )
    alone = sorted(lines(read_by_one_step(project)).splitlines())
    extract = Run(project).read()
    assert len(extract.manifest.parts) > 1
    assert sorted(lines(extract).splitlines()) == alone
    assert extract.manifest.rows == count(project)


def test_a_role_that_was_granted_columns_reads_the_table_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"{project.prefix}reader"
    monkeypatch.setenv("C360_TEST_READER", "x")
    with project.connect("profiles_db") as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        columns = "plan_id, plan_name, monthly_fee, max_devices"
        connection.execute(f"GRANT SELECT ({columns}) ON plans TO {role}")
    try:
        project.execute(
            f"UPDATE source_databases SET db_user = '{role}', db_password = 'env:C360_TEST_READER'"
            " WHERE source_name = 'profiles_db'"
        )
        extract = Run(project).read()
    finally:
        with project.connect("profiles_db") as connection:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")
    assert extract.manifest.parts == ()
    assert extract.manifest.rows == count(project)


def test_a_control_database_of_an_older_schema_has_each_table_read_by_one_step(
    project: Project,
) -> None:
    project.execute("DROP TABLE etl_table_ranges")
    extract = Run(project).read()
    assert extract.manifest.parts == ()


def ended_steps(project: Project) -> set[str]:
    """The steps that succeeded, from Dagster's storage: its console loses the last lines of a step at times."""
    with project.connect() as connection:
        rows = connection.execute(
            "SELECT step_key FROM dagster.event_logs WHERE dagster_event_type = 'STEP_SUCCESS'"
        ).fetchall()
    return {key for (key,) in rows}


def test_a_run_of_several_processes_loads_every_row_and_the_next_one_finds_what_changed(
    project: Project, graph: Graph, tmp_path: Path
) -> None:
    project.map_only("Plan")
    wait_for_another_reader(project, before=1)
    done = materialize_by_command(select="+key:neo4j_graph")
    assert done.returncode == 0, done.stderr[-3000:]
    assert graph_counts(graph)[0] == {"Plan": count(project)}
    assert {status for status, _, _ in ranges(project)} == {"completed"}
    assert len({reader for _, reader, _ in ranges(project)}) == 2
    assert {"profiles_db__plans.read", "profiles_db__plans.join_2"} <= ended_steps(project)

    with project.connect("profiles_db") as connection:
        connection.execute("UPDATE plans SET plan_name = 'newest' WHERE plan_id = 150")
        connection.execute("DELETE FROM plans WHERE plan_id = 151")
    done = materialize_by_command(select="+key:neo4j_graph", C360_CLEAR_DATABASE="false")
    assert done.returncode == 0, done.stderr[-3000:]
    assert graph_counts(graph)[0] == {"Plan": count(project)}
    named = graph.rows("MATCH (p:Plan {plan_name: 'newest'}) RETURN p.plan_id AS id")
    assert [row["id"] for row in named] == [150]


def checks(result: dg.ExecuteInProcessResult) -> list[tuple[bool, str | None]]:
    """Outcome and description of the check of the ranges."""
    return [
        (found.passed, found.description)
        for found in result.get_asset_check_evaluations()
        if found.check_name == "ranges_add_up"
    ]


def test_in_one_process_the_steps_follow_each_other_and_none_waits(
    project: Project, graph: Graph
) -> None:
    project.map_only("Plan")
    result = load_graph()
    assert result.success
    assert graph_counts(graph)[0] == {"Plan": count(project)}
    rows = f"{count(project):,}"
    assert checks(result) == [(True, f"1 step read {rows} rows. The extract has {rows}.")]
    (made,) = result.asset_materializations_for_node("profiles_db__plans.read")
    assert made.metadata["rows"].value == count(project)


def test_a_table_in_ranges_that_cannot_be_read_fails_and_stops_what_is_behind_as_any_other(
    project: Project, graph: Graph
) -> None:
    project.map_only("Plan", "Account")
    hold_back_plans(project, is_active=True)
    first = load_graph()
    assert not first.success
    assert failed(first) == ["profiles_db__plans.read"]
    assert checks(first) == [(False, "The table was not read.")]
    # Nobody has ever read it: everything else is loaded.
    assert graph_counts(graph)[0] == nodes_of("Account")

    hold_back_plans(project, is_active=False)
    assert load_graph().success
    hold_back_plans(project, is_active=True)
    third = load_graph()
    assert failed(third) == ["profiles_db__plans.read"]
    assert not third.asset_materializations_for_node("cypher_script")
    assert graph_counts(graph)[0] == {"Plan": count(project)} | nodes_of("Account")


def failed(result: dg.ExecuteInProcessResult) -> list[str | None]:
    return [event.step_key for event in result.all_events if event.is_step_failure]
