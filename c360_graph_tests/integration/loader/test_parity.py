"""One script over two roads, this loader and cypher-shell: the same graph, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360_graph.graph.connection import Graph
from c360_graph.graph.load import load_into_empty
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph_tests.conftest import TestServers, empty
from c360_graph_tests.integration.cypher_shell import load_by_cypher_shell
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    VISIT,
    Row,
    joined,
    write,
)

CONTROL_CHARACTERS = "".join(map(chr, range(1, 0x20)))
NASTY = (
    "it's", '"quoted"', "back\\slash", "trailing\\", "two\\\\", "\\", "\\N", "\\\\N", "a\\Nb", "\\n",
    "\\u0041", "\\\\u0041", "\\u0027 + 'x", "'; MATCH (n) DETACH DELETE n; //", "line\nfeed", "\n", "\r",
    "CR\r\nLF", "tab\ttab", "\t", "a;\nb;", "// no comment", "/* nor this */", ":begin", ":exit\n:exit;\n",
    "$rows", "`tick`", "{a: 1}", "", " ", "  padded  ", "emoji 🎬👩‍👩‍👧", "nul-free " + CONTROL_CHARACTERS,
    "\u2028\u2029\u0085\u00a0\ufeff", "שלום \u202eעולם", "\ue000\ue001\uffff", "\U0010ffff", "e\u0301é", "x" * 5_000,
)  # fmt: skip
"""Values that some road might change."""

Contents = tuple[list[dict[str, object]], list[dict[str, object]], tuple[str, GraphManifest]]


def contents(graph: Graph) -> Contents:
    """All nodes and relationships with all their properties, in one order, and the manifest.

    How many there are is left out of the manifest: the loader counts, a script alone cannot.
    """
    nodes = graph.rows(
        "MATCH (n) WHERE NOT n:_C360Load RETURN labels(n) AS labels, properties(n) AS properties"
        " ORDER BY labels, n.id, n.patient, n.note"
    )
    relationships = graph.rows(
        "MATCH (a)-[r]->(b) RETURN type(r) AS type, a.id AS id, b.note AS note ORDER BY type, id, note"
    )
    (own,) = graph.rows("MATCH (n:_C360Load) RETURN n.state AS state, n.content AS content")
    manifest = GraphManifest.model_validate_json(own["content"])
    uncounted = manifest.model_copy(update={"nodes": {}, "relationships": {}, "between": {}})
    return nodes, relationships, (own["state"], uncounted)


@pytest.mark.parametrize("road", ["bytes as they are", "decoded"])
def test_cypher_shell_and_this_loader_make_the_same_graph_of_any_value(
    servers: TestServers, graph: Graph, tmp_path: Path, road: str
) -> None:
    # A block with no backslash but those of NULLs takes the one road, any other block the other.
    plain = [text for text in NASTY if not set(text) & set("\\\n\r\t\b\f\v")]
    people: list[Row] = list(enumerate(NASTY if road == "decoded" else plain))
    people.append((len(people), None))
    notes: list[Row] = [(number, name) for number, name in people]
    script = write(
        tmp_path / "s.cypher", [(PATIENT, people), (VISIT, [*notes, *notes])], (joined(1),)
    )
    load_into_empty(graph, script)
    ours = contents(graph)
    empty(graph)
    load_by_cypher_shell(servers, script)
    assert contents(graph) == ours
    held = graph.rows("MATCH (n:Patient) RETURN n.id AS id, n.name AS name ORDER BY id")
    assert [(row["id"], row["name"]) for row in held] == people
    assert len(ours[1]) == 2 * len(people)
