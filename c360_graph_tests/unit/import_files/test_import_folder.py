"""The folder of an import is whole or absent, and nobody else may look into it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from c360_graph.cypher.script_writer import TableExtract
from c360_graph.errors import ExtractError, ImportFilesError
from c360_graph.extract_joins.graph_input import GraphParts, digest_of
from c360_graph.extracts import Extract, ExtractStore, FolderExtract
from c360_graph.import_files.import_folder import LateProperty, end_script
from c360_graph.mapping.model import GraphMapping
from c360_graph.pipeline.offline_import import run_import
from c360_graph.pipeline.write_import_files import WrittenImport, write_import_files
from c360_graph_tests.unit.files.extracted import extract
from c360_graph_tests.unit.mapping.given import Case, table

PATIENT = table("patient", "id bigint; name text?; tags text[]?", key="id")
VISIT = table("visit", "no bigint; patient bigint?; note text?", key="no")
MAPPED = (
    Case()
    .source(
        "clinic",
        PATIENT,
        VISIT,
    )
    .label("patient", "Patient")
    .label("visit", "Visit")
    .joining("Patient", "HAD", "Visit", "p.id = v.patient")
    .resolve()
)
CARED = (
    Case()
    .source(
        "clinic",
        table("care", "patient bigint; visit bigint", key="patient, visit"),
        PATIENT,
        VISIT,
    )
    .label("patient", "Patient")
    .label("visit", "Visit")
    .joining(
        "Patient", "CARED", "Visit", "p.id = c.patient AND c.visit = v.no", junction_table="care"
    )
    .resolve()
)
PATIENTS = ['1\tA "b", c\tx\x1f', "2\t\t\\N", "3\t\\N\t", "4\ttwo\\nlines\t\x1f"]
VISITS = ["10\t1\ta", "11\t1\t\\N", "12\t9\tnobody", "13\t\\N\t"]


def parts(*extracts: Extract, mapped: GraphMapping = MAPPED) -> GraphParts:
    """All of a graph of these extracts."""
    tables = tuple(
        TableExtract(table=e.manifest.table, rows=e.manifest.rows, open=e.open, digest=digest_of(e))
        for e in extracts
    )
    return GraphParts(
        extracts=extracts,
        tables=tables,
        relationships=mapped.relationships,
        refusals=(),
        rules="",
        refused={},
        excluded={},
    )


def written(tmp_path: Path, folder: Path) -> WrittenImport:
    store = ExtractStore(tmp_path / "data")
    clinic = {mapped.table_name: mapped for mapped in MAPPED.tables}
    of = parts(extract(store, clinic["patient"], PATIENTS), extract(store, clinic["visit"], VISITS))
    return write(of, folder)


def write(of: GraphParts, folder: Path) -> WrittenImport:
    return write_import_files(
        of,
        header=of.header(created="now", log_id=None),
        folder=folder,
        memory="128MB",
        report=lambda _: None,
    )


def test_values_relationships_and_arguments_are_written_in_a_private_folder(tmp_path: Path) -> None:
    folder = tmp_path / "import"
    made = written(tmp_path, folder)
    assert (made.nodes, made.relationships) == ({"Patient": 4, "Visit": 4}, {"HAD": 2})
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert texts["nodes_0000_header.csv"] == (
        '":ID",":LABEL","id:long","name:string","tags:string[]","_c360_import_LIST<STRING>_tags:string"\n'
    )
    assert {*texts["nodes_0000.csv"].splitlines(keepends=True)} == {
        '1,"Patient",1,"A ""b"", c","x",\n',
        '2,"Patient",2,"",,\n',
        '3,"Patient\x1f_C360Import",3,,,""\n',
        '4,"Patient\x1f_C360Import",4,"two\n',
        'lines",,"\x1f"\n',
    }
    assert texts["relationships_0002_header.csv"] == '":START_ID",":END_ID"\n'
    assert sorted(texts["relationships_0002.csv"].split()) == ["1,5", "1,6"]
    assert texts["arguments.txt"].splitlines()[2:] == [
        '"--array-delimiter=U+001F"',
        '"--multiline-fields=true"',
        '"--read-buffer-size=4194304"',
        f'"--nodes={folder}/nodes_0000_header.csv,{folder}/nodes_0000.csv"',
        f'"--nodes=Visit={folder}/nodes_0001_header.csv,{folder}/nodes_0001.csv"',
        f'"--relationships=HAD={folder}/relationships_0002_header.csv,{folder}/relationships_0002.csv"',
        f'"--nodes=_C360Load={folder}/manifest_header.csv,{folder}/manifest.csv"',
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_nodes_have_numbers_without_gaps_whatever_tables_are_no_nodes(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path / "data")
    clinic = {mapped.table_name: mapped for mapped in CARED.tables}
    lines = {"care": ["1\t10", "2\t10"], "patient": PATIENTS, "visit": VISITS}
    read = [extract(store, clinic[name], lines[name]) for name in lines]
    made = write(parts(*read, mapped=CARED), tmp_path / "import")
    assert made.relationships == {"CARED": 2}
    found = [
        int(line.partition(",")[0])
        for file in ("nodes_0000.csv", "nodes_0001.csv")
        for line in (tmp_path / "import" / file).read_text(encoding="utf-8").splitlines()
        if line[0].isdigit()
    ]
    assert sorted(found) == list(range(1, 9))
    relationships = tmp_path / "import" / "relationships_0002.csv"
    assert sorted(relationships.read_text(encoding="utf-8").split()) == ["1,5", "2,5"]


def test_a_folder_with_anything_in_it_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "import"
    folder.mkdir()
    written(tmp_path, folder)
    with pytest.raises(ImportFilesError, match="exists and is not an empty folder"):
        written(tmp_path, folder)
    with pytest.raises(ImportFilesError, match="',' in its path"):
        written(tmp_path, tmp_path / "a,b")


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = ExtractStore(tmp_path / "data")
    (patient, _) = MAPPED.tables
    made = extract(store, patient, PATIENTS)
    fewer = made.manifest.model_copy(update={"rows": 5})
    with pytest.raises(ExtractError, match="holds 4 rows where 5 were read"):
        write(parts(FolderExtract(made.folder, fewer)), tmp_path / "import")
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_a_label_that_the_importer_would_cut_apart_is_refused(tmp_path: Path) -> None:
    (patient, _) = MAPPED.tables
    odd = patient.model_copy(update={"node_label": "Pa\x1ftient"})
    made = extract(ExtractStore(tmp_path / "data"), odd, PATIENTS)
    with pytest.raises(ImportFilesError, match=r"holds U\+001F"):
        write(parts(made), tmp_path / "import")


def test_the_script_behind_the_import_converts_lists_before_it_constrains_keys() -> None:
    late = (
        LateProperty(
            column="tags",
            held_in="_late",
            convert=lambda t: f"split({t}, ';')",
            label="A",
            is_marked=True,
        ),
        LateProperty(
            column="tags",
            held_in="_late",
            convert=lambda t: f"split({t}, ';')",
            relationship_type="T",
        ),
    )
    script = end_script(MAPPED.node_tables, MAPPED.relationships, late).decode()
    begin = (
        "CYPHER 5 MATCH (x:`_C360Import`:`A`) WHERE x.`_late` IS NOT NULL\n"
        "CALL (x) { SET x.`tags` = split(x.`_late`, ';') REMOVE x.`_late` } IN TRANSACTIONS OF 2000 ROWS;\n"
        "CYPHER 5 MATCH ()-[x:`T`]->() WHERE x.`_late` IS NOT NULL\n"
        "CALL (x) { SET x.`tags` = split(x.`_late`, ';') REMOVE x.`_late` } IN TRANSACTIONS OF 2000 ROWS;\n"
        "CYPHER 5 MATCH (x:`_C360Import`)\n"
        "CALL (x) { REMOVE x:`_C360Import` } IN TRANSACTIONS OF 2000 ROWS;\n"
        "CYPHER 5 CREATE CONSTRAINT"
    )
    assert script.startswith(begin)
    assert script.endswith(
        "CYPHER 5 MATCH (m:`_C360Load`) SET m.state = 'whole', m.loaded_at = datetime();\n"
    )


def test_the_importers_failure_is_told_and_it_gets_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "neo4j-admin"
    program.write_text("#!/bin/sh\nenv\nexit 3\n")
    program.chmod(0o700)
    for name in ("ETL_DB_PASSWORD", "NEO4J_PASSWORD", "C360_HASH_KEY", "PGPASSWORD"):
        monkeypatch.setenv(name, "secret")
    with pytest.raises(ImportFilesError, match="exit code 3"):
        run_import([str(program), "database"])
    said = capfd.readouterr()
    assert said.out == ""
    assert "PATH=" in said.err
    assert "secret" not in said.err
    with pytest.raises(ImportFilesError, match="is not a program"):
        run_import([str(tmp_path / "no_such")])
