"""The ids of the load before are read from its extracts."""

from __future__ import annotations

from pathlib import Path

from c360_graph.extracts import ExtractStore
from c360_graph.pipeline.resolve_identity import former_load
from c360_graph_tests.unit.files.extracted import extract
from c360_graph_tests.unit.identity.resolved import mapped


def test_where_the_latest_extract_is_damaged_the_one_before_has_the_ids(tmp_path: Path) -> None:
    (identity,) = mapped(("people",), {"email": 1}).identities
    store = ExtractStore(tmp_path)
    links = identity.records[0].links
    assert former_load(identity, store).links == {}
    before, latest = (extract(store, links, [f"{n}\ta"]) for n in (1, 2))
    assert former_load(identity, store).links["s/people"].name == latest.name
    latest.rows_paths[0].write_text("1", encoding="utf-8")
    assert former_load(identity, store).links["s/people"].name == before.name


def test_links_with_another_key_say_nothing_of_the_records_of_now(tmp_path: Path) -> None:
    (identity,) = mapped(("people",), {"email": 1}).identities
    store = ExtractStore(tmp_path)
    links = identity.records[0].links
    key = links.properties[1].model_copy(update={"column": "key_other"})
    extract(store, links.model_copy(update={"properties": (links.properties[0], key)}), ["1\ta"])
    assert former_load(identity, store).links == {}
