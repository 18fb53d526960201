"""Two versions of extracts are compared, and what cannot be is left to the graph."""

from __future__ import annotations

from pathlib import Path

from c360_graph.extract_joins.changes import ExtractChanges
from c360_graph.extract_joins.engine import join_engine
from c360_graph.extract_joins.relationship_changes import link_queries, taking_part
from c360_graph.extract_joins.versions import Versions
from c360_graph.extracts import ExtractStore
from c360_graph.mapping.model import Junction, RelationshipMapping, TableIndex
from c360_graph_tests.unit.files.extracted import extract
from c360_graph_tests.unit.mapping.given import Case, table

CLINIC = (
    Case()
    .source(
        "clinic",
        table("patient", "id bigint; name text?", key="id"),
        table("referral", "no bigint; sender bigint; receiver bigint; note text?", key="no"),
    )
    .label("patient", "Patient")
    .joining(
        "Patient",
        "REFERRED",
        "Patient",
        "a.id = j.sender AND b.id = j.receiver",
        junction_table="referral",
        from_alias="a",
        to_alias="b",
    )
    .resolve()
)
(PATIENT,) = CLINIC.node_tables
REFERRAL = CLINIC.tables[1]
REFERRED = RelationshipMapping(
    relationship_id=1,
    relationship_type="REFERRED",
    from_label="Patient",
    to_label="Patient",
    junction=Junction(
        table=REFERRAL.asset_key,
        node_label=None,
        from_pairs=(("id", "sender"),),
        to_pairs=(("id", "receiver"),),
        properties=("note",),
    ),
)


def test_where_the_disk_takes_no_more_the_graph_is_compared(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    old, new = (extract(store, PATIENT, [f"1\t{name}", "2\tx"]) for name in "ab")
    versions = {PATIENT.qualified_name: Versions(number=0, old=old, new=new)}
    written = tmp_path / "written"
    # Nothing can be written where a folder is.
    (written / "rows_1.tsv").mkdir(parents=True)
    warnings: list[str] = []
    with join_engine(tmp_path / "spilled") as engine:
        changes = ExtractChanges(engine, written, versions, warn=warnings.append)
        assert changes.of_table(PATIENT) is None
    assert len(warnings) == 1
    assert "The extracts of clinic/patient cannot be compared with those before" in warnings[0]


def test_links_that_came_and_went_are_told_from_one_reading_of_each_end(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    before = extract(store, PATIENT, ["1\ta", "2\tb", "3\tc"])
    after = extract(store, PATIENT, ["1\ta", "2\tB", "4\td"])
    # Two alike, one whose end goes, one whose end comes, one that stays.
    rows = ["1\t1\t2\tx", "2\t1\t2\tx", "3\t3\t1\t\\N", "4\t4\t1\ty", "5\t2\t1\tz"]
    referrals = [extract(store, REFERRAL, lines) for lines in (rows, [*rows[2:], "6\t1\t2\tx"])]
    versions = {
        PATIENT.qualified_name: Versions(number=0, old=before, new=after),
        REFERRAL.qualified_name: Versions(number=1, old=referrals[0], new=referrals[1]),
    }
    parts = taking_part(REFERRED, versions, TableIndex((PATIENT, REFERRAL)))
    assert parts is not None
    links = [text for text in link_queries(parts, name="m").preparing if " JOIN (" in text]
    assert sum(text.count(f"{before.rows_paths[0]}'") for text in links) == 2
    assert sum(text.count(f"{after.rows_paths[0]}'") for text in links) == 2
    written = tmp_path / "written"
    written.mkdir()
    with join_engine(tmp_path / "spilled") as engine:
        changes = ExtractChanges(engine, written, versions, warn=print).of_mapping(REFERRED)
        assert changes is not None
        with changes.added.open() as added, changes.removed.open() as removed:
            assert (changes.added.count, added.read()) == (1, b"4\t1\ty\n")
            assert changes.removed.count == 2
            assert sorted(removed) == [b"1\t2\tx\t1\n", b"3\t1\t\\N\t1\n"]


def test_a_former_extract_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path)
    first, second, last = (extract(store, PATIENT, [f"1\t{name}", "2\tx"]) for name in "abc")
    assert [e.folder for e in store.kept(PATIENT.asset_key)] == [
        last.folder,
        second.folder,
        first.folder,
    ]
    second.rows_paths[0].write_bytes(second.rows_paths[0].read_bytes()[:-4])
    assert [e.folder for e in store.kept(PATIENT.asset_key)] == [last.folder, first.folder]
    first.rows_paths[0].unlink()
    assert [e.folder for e in store.kept(PATIENT.asset_key)] == [last.folder]
    assert store.former(PATIENT.asset_key) is None
