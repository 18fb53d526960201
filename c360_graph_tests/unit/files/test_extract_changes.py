"""Two versions of extracts are compared, and what cannot be is left to the graph."""

from __future__ import annotations

from pathlib import Path

from c360_graph.extracts import ExtractStore
from c360_graph.join_engine import join_engine
from c360_graph.phases.extract_changes import ExtractChanges
from c360_graph.phases.extract_versions import Versions
from c360_graph_tests.unit.files.extracted import extract, table

PATIENT = table("patient", "Patient", ["id", "name?"], "id")


def test_where_the_disk_takes_no_more_the_graph_is_compared(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    old, new = (extract(store, PATIENT, [f"1\t{name}", "2\tx"]) for name in "ab")
    versions = {PATIENT.place: Versions(number=0, old=old, new=new)}
    written = tmp_path / "written"
    # Nothing can be written where a folder is.
    (written / "rows_1.tsv").mkdir(parents=True)
    warnings: list[str] = []
    with join_engine() as engine:
        changes = ExtractChanges(engine, written, versions, warn=warnings.append)
        assert changes.of_table(PATIENT.place) is None
    assert len(warnings) == 1
    assert "The extracts of clinic/patient cannot be compared with those before" in warnings[0]


def test_a_former_extract_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    first, second, last = (extract(store, PATIENT, [f"1\t{name}", "2\tx"]) for name in "abc")
    assert [e.folder for e in store.kept(PATIENT.asset_key)] == [
        last.folder,
        second.folder,
        first.folder,
    ]
    second.rows_path.write_bytes(second.rows_path.read_bytes()[:-4])
    assert [e.folder for e in store.kept(PATIENT.asset_key)] == [last.folder, first.folder]
    first.rows_path.unlink()
    assert [e.folder for e in store.kept(PATIENT.asset_key)] == [last.folder]
    assert store.former(PATIENT.asset_key) is None
