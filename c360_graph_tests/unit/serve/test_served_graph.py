"""What of a graph is served, and what is personal."""

from __future__ import annotations

from typing import cast

import pytest

from c360_graph.graph.read_only import AsyncGraph
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.serve.clients import Client
from c360_graph.serve.customers import identifier_names, search
from c360_graph.serve.reading import Reader
from c360_graph.serve.schema import ServedGraph, ServedRule, served_graph
from c360_graph.serve.values import INTEGERS, key_text, read_key, split_path, whole_segment

FORM = "_c360_join_unicode_email__email"
MANIFEST = GraphManifest(
    labels={
        "Customer": ("customer_id", "records"),
        "Person": ("person_id", "email", FORM, "name", "note"),
        "odd /`name": ("id",),
        "answers": ("id",),
        "Plan": ("name",),
    },
    keys={"Customer": ("customer_id",), "Person": ("person_id",), "Plan": ("name",)},
    key_types={"Customer": ("INTEGER",), "Person": ("INTEGER",), "Plan": ("STRING",)},
    table_keys={
        "Customer": {"customer_identity/customer": ()},
        "Person": {"crm/people": ()},
        "Plan": {"crm/plans": ()},
    },
    property_types={
        "Customer": {"customer_id": "INTEGER"},
        "Person": {"person_id": "INTEGER", "email": "STRING", "name": "STRING"},
        "Plan": {"name": "STRING"},
    },
    edges=(("IS", "Customer", "Person"), ("HAS", "Person", "Plan")),
)


def rule(column: str, treatment: str = "exclude", *, is_excluded: bool = True) -> ServedRule:
    return ServedRule(
        source_name="crm",
        table_name="People",
        column_name=column,
        is_excluded=is_excluded,
        treatment=treatment,
    )


def made(*rules: ServedRule) -> ServedGraph:
    counts = dict.fromkeys(MANIFEST.labels, 1_000_000)
    return served_graph(MANIFEST, rules, indexed=[("Person", FORM)], counts=counts)


def test_paths_of_labels_are_plain_and_different_and_no_words_of_the_api() -> None:
    paths = {label.label: label.path for label in made().labels.values()}
    assert paths["odd /`name"] == "odd___name"
    assert paths["answers"] == "answers-2"
    assert paths["Person"] == "Person"


@pytest.mark.parametrize(
    ("rules", "personal", "gone"),
    [
        ((), {"email", "name"}, set()),
        ((rule("NOTE"),), {"email", "name"}, {"note"}),
        ((rule("note", "hash"), rule("name", is_excluded=False)), {"email", "note"}, set()),
        # The form of a column that a rule excludes now would show it, too.
        ((rule("email"),), {"name"}, {"email"}),
    ],
)
def test_rules_and_names_say_what_is_personal_and_what_is_served_no_more(
    rules: tuple[ServedRule, ...], personal: set[str], gone: set[str]
) -> None:
    person = made(*rules).labels["Person"]
    assert {p.name for p in person.properties if p.is_personal} == personal
    assert {"person_id", "email", "name", "note"} - person.by_name.keys() == gone
    assert "email" not in gone or person.forms == ()
    assert FORM not in person.by_name
    assert "email" not in person.names(unmasked=False)


def test_a_property_of_another_name_is_what_its_column_is() -> None:
    renamed = MANIFEST.model_copy(
        update={
            "labels": {"Person": ("person_id", "contact", "remark")},
            "origins": {"Person": {"contact": ("email",), "remark": ("note",)}},
        }
    )
    person = served_graph(renamed, (rule("note"),)).labels["Person"]
    assert [(p.name, p.is_personal) for p in person.properties] == [
        ("person_id", False),
        ("contact", True),
    ]


def test_customers_are_the_entities_and_are_found_by_what_their_records_have() -> None:
    graph = made()
    assert (graph.customer, graph.records) == ("Customer", ("Person",))
    # A label of a million nodes is not looked through: only the form has an index.
    assert identifier_names(graph) == ("email",)
    found = search(graph, "email", " Ann@X.example", hash_key=None)
    (seek,) = found.seeks
    assert (seek.property, seek.through) == (FORM, ("IS", "Customer"))
    assert found.parameters == {"values0": ["ann@x.example"]}
    assert search(graph, "q", "ann@x.example", hash_key=None).seeks == found.seeks
    hidden = search(graph, "q", "x", hash_key=None, sees=lambda label: label == "Customer")
    assert hidden.seeks == ()


def test_another_customer_that_may_be_the_same_is_no_record_and_no_activity() -> None:
    similar = ("POSSIBLY_SAME_AS", "Customer", "Customer")
    edges = (("IS", "Customer", "Person"), similar, ("HAS", "Person", "Plan"))
    graph = served_graph(MANIFEST.model_copy(update={"edges": edges}), ())
    assert (graph.records, graph.similar) == (("Person",), similar)
    assert made().similar is None
    reader = Reader(
        graph=cast(AsyncGraph, None),
        served=graph,
        client=Client(name="all"),
        timeout_seconds=1.0,
        max_degree=1,
    )
    branches, arms = reader.customer_arms()
    assert [(branch.at, *branch.pattern) for branch in branches] == [
        ("Customer", "IS", "Customer", "Person"),
        ("Person", "HAS", "Person", "Plan"),
    ]
    assert [arm.relationship_type for arm in arms] == ["IS", "HAS"]


def test_a_hashed_identifier_is_found_by_its_plain_value() -> None:
    found = search(made(rule("email", "hash")), "email", "Ann@x.example", hash_key="key")
    ((plain, hashed),) = found.parameters.values()
    assert plain == "ann@x.example"
    assert len(hashed) == 64


@pytest.mark.parametrize("values", [("a/b",), ("",), ("%2F",), (-(2**63),), ("ö", 1), ("[", True)])
def test_a_key_survives_the_way_through_a_url(values: tuple[object, ...]) -> None:
    types = tuple({str: "STRING", int: "INTEGER", bool: "BOOLEAN"}[type(value)] for value in values)
    assert tuple(read_key(key_text(values), types).values()) == values


@pytest.mark.parametrize("text", ["1_0", " 1", "٣", "1.0", str(INTEGERS.stop), "--1", "", "1e3"])
def test_a_number_is_written_in_digits_and_fits_into_the_graph(text: str) -> None:
    with pytest.raises(ValueError, match="INTEGER"):
        read_key(text, ("INTEGER",))


@pytest.mark.parametrize("raw", [b"/a%2Fb", b"/%25", b"/%252F", b"/%ff", b"/a%00"])
def test_a_part_of_a_path_keeps_its_slashes_apart(raw: bytes) -> None:
    path = split_path(raw)
    assert path.count("/") == 1
    assert whole_segment(path[1:]) in ("a/b", "%", "%2F", "\ufffd", "a\x00")
