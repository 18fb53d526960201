"""What a load tells catalogs by OpenLineage, to a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from c360_graph.assets.lineage import GraphPart, Name, graph_parts, told
from c360_graph.mapping.model import TableMapping
from c360_graph_tests.unit.mapping.given import Case, table

PEOPLE = table("people", "id int; name text?; password text?", key="id")
ORDERS = table("orders", "no int; person int?; state text?", key="no", referring=("person",))
RUN = str(uuid4())


def place(of: TableMapping) -> Name:
    return "postgres://db:5432", f"shop.public.{of.table_name}"


def parts() -> tuple[GraphPart, ...]:
    case = Case().source("one", PEOPLE, ORDERS).label("people", "Person").label("orders", "Order")
    joined = case.joining(
        "Person", "PLACED", "Order", "p.id = o.person", relationship_properties=("state",)
    )
    return graph_parts(joined.resolve(), place)


def test_each_label_and_relationship_type_is_made_from_its_own_tables_alone() -> None:
    found = {part.name: part for part in parts()}
    people, orders = place_of("people"), place_of("orders")
    assert [*found["Person"].inputs] == [people]
    assert found["Person"].columns["name"] == ((people, "name"),)
    placed = found["Person.PLACED.Order"]
    assert {*placed.inputs} == {people, orders}
    assert placed.columns == {"state": ((orders, "state"),)}


def place_of(name: str) -> Name:
    return "postgres://db:5432", f"shop.public.{name}"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "events.jsonl"
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(path))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    return path


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tell(warnings: list[str], *, fails: bool = False) -> None:
    with told(
        parts(),
        job_namespace="c360",
        graph=("neo4j://graph:7687", "neo4j"),
        run_id=RUN,
        warn=warnings.append,
    ):
        if fails:
            raise ValueError("it failed")


def test_a_load_tells_physical_names_columns_and_its_run(file: Path) -> None:
    warnings: list[str] = []
    tell(warnings)
    assert warnings == []
    found = events(file)
    assert [event["eventType"] for event in found] == ["START"] * 3 + ["COMPLETE"] * 3
    (done,) = [event for event in found[3:] if event["job"]["name"] == "neo4j_graph.Person"]
    assert done["job"]["namespace"] == "c360"
    assert done["run"]["facets"]["parent"]["run"]["runId"] == RUN
    (started,) = [e for e in found[:3] if e["job"]["name"] == "neo4j_graph.Person"]
    assert started["run"]["runId"] == done["run"]["runId"]
    assert [(i["namespace"], i["name"]) for i in done["inputs"]] == [place_of("people")]
    (made,) = done["outputs"]
    assert (made["namespace"], made["name"]) == ("neo4j://graph:7687", "neo4j.Person")
    lineage = made["facets"]["columnLineage"]["fields"]["name"]["inputFields"]
    assert [(one["name"], one["field"]) for one in lineage] == [("shop.public.people", "name")]
    types = {one["name"]: one["type"] for one in made["facets"]["schema"]["fields"]}
    assert types["id"] == "INTEGER"


def test_a_load_that_fails_says_so(file: Path) -> None:
    with pytest.raises(ValueError, match="it failed"):
        tell([], fails=True)
    assert {event["eventType"] for event in events(file)} == {"START", "FAIL"}


def test_a_catalog_that_is_away_costs_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "http")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__RETRY__TOTAL", "0")
    warnings: list[str] = []
    tell(warnings)
    (warning,) = warnings
    assert "not told" in warning
