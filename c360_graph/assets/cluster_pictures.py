"""The largest entities as pictures: records, and the identifiers that they share."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from c360_graph.assets.schema_picture import FONT, literal
from c360_graph.identity.entities import Cluster
from c360_graph.text import plural


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
