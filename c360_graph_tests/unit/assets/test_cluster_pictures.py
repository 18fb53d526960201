"""Pictures of entities."""

from __future__ import annotations

from c360_graph.assets.pictures import cluster_pictures, cluster_svg
from c360_graph.identity.entities import Cluster, ClusterRecord, SharedIdentifier

CLUSTER = Cluster(
    id=7,
    records=14,
    shown=(ClusterRecord(table="crm/people", key="<1>"), ClusterRecord(table="shop/a", key=None)),
    shared=(SharedIdentifier(kind="email", records=(0, 1)),),
)


def test_records_and_what_they_share_are_drawn() -> None:
    drawn = cluster_svg(CLUSTER).decode()
    for text in ("crm/people", "&lt;1&gt;", "shop/a", "email"):
        assert text in drawn
    assert drawn.count('class="edge"') == 2


def test_a_caption_says_how_many_records_there_are() -> None:
    assert cluster_pictures("Customer", [CLUSTER]).startswith(
        "Customer 7: 14 records, the first 2 of which are drawn\n\n![records of Customer 7](data:"
    )
