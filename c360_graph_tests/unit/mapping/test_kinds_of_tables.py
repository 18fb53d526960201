"""A table whose rows become nodes has a label, a junction table has none; both are told apart in JSON."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from c360_graph.extract_files import ExtractManifest
from c360_graph.mapping.model import JunctionTable, NodeTable, TableMapping
from c360_graph_tests.integration.loader.scripts import PATIENT, REFERRAL, SOURCE
from c360_graph_tests.unit.mapping.given import Case, table

SOURCE_JSON = (
    '{"source_id":1,"source_name":"clinic","db_host":null,"db_port":null,"db_name":"clinic",'
    '"db_user":null,"db_schema":"public","db_sslmode":null,"time_zone":null,"owner":null,"tags":null}'
)
READ_COLUMNS = (
    '"properties":[],"excluded":[],"withheld":[],"key":[],"row_filter":[],"declared_key":[]'
)
REST = (
    '"label_is_shared":false,"extra":{"always":[],"by_property":null,"values":[]},"unique":[],'
    '"referring":[],"indexed":[],"identified_by":[],"identity":null'
)
NODES = NodeTable(source=SOURCE, table_name="patient", mapping_id=1, node_label="Patient")
JUNCTION = JunctionTable(source=SOURCE, table_name="referral", mapping_id=None)


def written(name: str, mapping_id: str, label: str) -> str:
    """The JSON of a table, as versions with one class for all tables wrote it, too."""
    return (
        f'{{"source":{SOURCE_JSON},"table_name":"{name}","mapping_id":{mapping_id},'
        f'"node_label":{label},{READ_COLUMNS},{REST}}}'
    )


def manifest_json(of_table: str) -> str:
    return (
        f'{{"table":{of_table},"rows":0,"values_absent":{{}},"file_bytes":0,"file_lines":0,'
        '"file_digest":"","longest_row_bytes":0,"log_id":1,"table_log_id":1,'
        '"start_time":"2026-01-01T00:00:00Z","end_time":"2026-01-01T00:00:00Z"}'
    )


KINDS = pytest.mark.parametrize(
    ("of", "text"),
    [
        (NODES, written("patient", "1", '"Patient"')),
        (JUNCTION, written("referral", "null", "null")),
    ],
)


@KINDS
def test_the_json_of_a_table_is_that_of_versions_with_one_class_for_all(
    of: TableMapping, text: str
) -> None:
    assert of.model_dump_json() == text


@KINDS
def test_the_manifest_of_an_extract_is_read_with_the_kind_of_table_that_its_label_says(
    of: TableMapping, text: str
) -> None:
    found = ExtractManifest.model_validate_json(manifest_json(text)).table
    assert type(found) is type(of)
    assert found == of


@pytest.mark.parametrize("of", [PATIENT, REFERRAL])
def test_the_manifest_of_an_extract_is_read_as_it_was_written(of: TableMapping) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    manifest = ExtractManifest(
        table=of,
        rows=0,
        values_absent={},
        file_bytes=0,
        file_lines=0,
        file_digest="",
        longest_row_bytes=0,
        log_id=1,
        table_log_id=1,
        start_time=moment,
        end_time=moment,
    )
    read = ExtractManifest.model_validate_json(manifest.model_dump_json())
    assert type(read.table) is type(of)
    assert read == manifest


@pytest.mark.parametrize(
    ("of", "label"),
    [(NODES, '"patient","node_label":"Patient"'), (JUNCTION, '"referral","node_label":null')],
)
def test_the_fingerprint_of_a_table_has_its_label_behind_its_name(
    of: TableMapping, label: str
) -> None:
    # Another text would load every graph anew.
    assert of.fingerprint_source == (
        '{"source":{"source_name":"clinic","db_name":"clinic","db_schema":"public","time_zone":null},'
        f'"table_name":{label},"properties":[],"excluded":[],"key":[],"label_is_shared":false}}'
    )


def test_a_table_with_nodes_needs_a_label_and_a_junction_table_takes_none() -> None:
    with pytest.raises(ValidationError, match="node_label"):
        NodeTable.model_validate(dict(JUNCTION))
    with pytest.raises(ValidationError, match="node_label"):
        JunctionTable.model_validate(dict(NODES))


def test_a_table_that_relationships_alone_name_is_a_junction_table() -> None:
    people = table("people", "id int", key="id")
    friends = table("friends", "one int; other int", key="one other")
    case = Case().source("crm", people, friends).label("people", "Person")
    case.joining(
        "Person",
        "KNOWS",
        "Person",
        "a.id = j.one AND b.id = j.other",
        junction_table="friends",
        from_alias="a",
        to_alias="b",
    )
    mapping = case.resolve()
    assert [(type(each), each.table_name) for each in mapping.tables] == [
        (NodeTable, "people"),
        (JunctionTable, "friends"),
    ]
    assert [each.table_name for each in mapping.node_tables] == ["people"]
