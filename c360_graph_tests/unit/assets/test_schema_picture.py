"""The picture of the graph's schema, as a reader of SVG finds it."""

from __future__ import annotations

import re
from base64 import b64decode
from xml.etree import ElementTree

from c360_graph.assets.pictures import (
    MOST_EDGES,
    MOST_LABELS,
    MOST_PAIRS,
    schema_picture,
    schema_svg,
)

EDGES = [("OWNS", "Person", "Item"), ("KNOWS", "Person", "Person")]


def texts(svg: bytes) -> list[str]:
    root = ElementTree.fromstring(svg)  # noqa: S314 - of our own making
    return sorted(t.text.strip() for t in root.iter("{http://www.w3.org/2000/svg}text") if t.text)


def test_every_label_and_type_is_drawn_with_its_count() -> None:
    svg = schema_svg(
        labels={"Person": 1200, "Item": 3}, edges=EDGES, counts={"OWNS": 7, "KNOWS": 0}
    )
    assert texts(svg) == ["0", "1,200", "3", "7", "Item", "KNOWS", "OWNS", "Person"]


def test_a_label_that_the_graph_lacks_is_drawn_without_a_count() -> None:
    assert texts(schema_svg(labels={}, edges=[("R", "A", "B")], counts={})) == ["A", "B", "R"]


def test_names_that_mean_something_to_the_layout_are_drawn_as_they_are() -> None:
    names = ["<b>bold</b>", "back\\nslash", 'quo"te', "naïve 名", "a&b"]
    svg = schema_svg(labels=dict.fromkeys(names, 1), edges=[], counts={})
    assert texts(svg) == sorted([*names, *["1"] * len(names)])


def test_the_picture_is_markdown_that_carries_its_svg() -> None:
    text = schema_picture(labels={"Person": 1}, edges=[], counts={})
    found = re.fullmatch(r"!\[[a-z ]+\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", text)
    assert found
    assert b"Person" in b64decode(found[1])


def test_a_schema_beyond_any_picture_is_put_in_words() -> None:
    edges = [(f"R{n}", "A", "B") for n in range(MOST_EDGES + 1)]
    assert schema_picture(labels={"A": 1, "B": 1}, edges=edges, counts={}) == (
        "2 labels and 201 kinds of relationships: too many to draw."
    )


def test_a_schema_whose_layout_takes_long_is_not_drawn_either() -> None:
    labels = {f"L{n}": 1 for n in range(MOST_LABELS + 1)}
    assert schema_picture(labels=labels, edges=[], counts={}).startswith("61 labels and 0 kinds")
    few = [f"L{n}" for n in range(12)]
    pairs = [(f"R{a}{b}", a, b) for a in few for b in few][: MOST_PAIRS + 1]
    assert "too many to draw" in schema_picture(labels={}, edges=pairs, counts={})
