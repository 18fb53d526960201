"""Pictures in metadata: the graph's schema, and the largest entities with the identifiers that their records share."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from c360_graph.identity.entities import Cluster
from c360_graph.text import plural

Edge = tuple[str, str, str]
"""(type, from label, to label)"""

MOST_LABELS, MOST_PAIRS, MOST_EDGES = 60, 100, 200
"""Labels, pairs of labels with something between them, and edges. Beyond that a picture tells nothing, and
the time to lay it out grows faster than it: 100 labels with 178 edges take half a minute."""

FONT = "Helvetica,Arial,sans-serif"


def schema_picture(
    *, labels: Mapping[str, int], edges: Sequence[Edge], counts: Mapping[str, int]
) -> str:
    """Markdown with an SVG in it; Dagster's UI shows no other kind of drawing.

    Args:
        labels: nodes by label.
        edges: what is drawn between them.
        counts: relationships by type.
    """
    pairs = {(start, end) for _, start, end in edges}
    if len(labels) > MOST_LABELS or len(pairs) > MOST_PAIRS or len(edges) > MOST_EDGES:
        return (
            f"{len(labels):,} labels and {len(edges):,} kinds of relationships: too many to draw."
        )
    svg = schema_svg(labels=labels, edges=edges, counts=counts)
    return f"![schema of the graph](data:image/svg+xml;base64,{b64encode(svg).decode()})"


def schema_svg(
    *, labels: Mapping[str, int], edges: Sequence[Edge], counts: Mapping[str, int]
) -> bytes:
    """The drawing, laid out by Graphviz."""
    # Loaded when a graph is drawn: it brings C libraries that nothing else needs.
    import pygraphviz

    graph: Any = pygraphviz.AGraph(
        directed=True, strict=False, bgcolor="transparent", nodesep="0.4", ranksep="0.9"
    )
    graph.node_attr.update(
        shape="box",
        style="rounded,filled",
        fillcolor="#e8f0fe",
        color="#3b5bdb",
        fontname=FONT,
        fontsize="12",
    )
    graph.edge_attr.update(color="#868e96", fontname=FONT, fontsize="10", fontcolor="#495057")
    names = {*labels, *(end for _, *ends in edges for end in ends)}
    numbers = {label: str(number) for number, label in enumerate(sorted(names))}
    for label, number in numbers.items():
        count = f"\\n{labels[label]:,}" if label in labels else ""
        graph.add_node(number, label=literal(label) + count)
    for index, (kind, start, end) in enumerate(edges):
        count = f"\\n{counts[kind]:,}" if kind in counts else ""
        text = literal(kind) + count
        graph.add_edge(numbers[start], numbers[end], key=str(index), label=text)
    drawn: bytes = graph.draw(format="svg", prog="dot")
    return drawn


def literal(name: str) -> str:
    """A name as it is: backslashes and angle brackets mean something to Graphviz."""
    text = name.replace("\\", "\\\\")
    return " " + text if text.startswith("<") else text


def cluster_pictures(label: str, clusters: Sequence[Cluster]) -> str:
    """Markdown with a picture of each."""
    return "\n\n".join(_captioned(label, cluster) for cluster in clusters)


def cluster_svg(cluster: Cluster) -> bytes:
    """The drawing of one entity, laid out by Graphviz."""
    # Loaded when a graph is drawn: it brings C libraries that nothing else needs.
    import pygraphviz

    graph: Any = pygraphviz.AGraph(
        directed=False, strict=False, bgcolor="transparent", rankdir="LR", nodesep="0.15"
    )
    graph.node_attr.update(fontname=FONT, fontsize="11", style="rounded,filled")
    graph.edge_attr.update(color="#868e96")
    for number, record in enumerate(cluster.shown):
        key = f"\\n{literal(record.key)}" if record.key is not None else ""
        graph.add_node(
            f"r{number}",
            label=literal(record.table) + key,
            shape="box",
            fillcolor="#e8f0fe",
            color="#3b5bdb",
        )
    for number, shared in enumerate(cluster.shared):
        graph.add_node(
            f"i{number}",
            label=literal(shared.kind),
            shape="box",
            fillcolor="#fff3bf",
            color="#e67700",
        )
        for record_number in shared.records:
            graph.add_edge(f"r{record_number}", f"i{number}")
    drawn: bytes = graph.draw(format="svg", prog="dot")
    return drawn


def _captioned(label: str, cluster: Cluster) -> str:
    more = cluster.records - len(cluster.shown)
    rest = f", the first {len(cluster.shown)} of which are drawn" if more else ""
    picture = b64encode(cluster_svg(cluster)).decode()
    return (
        f"{label} {cluster.id}: {plural(cluster.records, 'record')}{rest}\n\n"
        f"![records of {label} {cluster.id}](data:image/svg+xml;base64,{picture})"
    )
