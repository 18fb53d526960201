"""What a load does with labels and relationships, decided once for the plan and for the load."""

from __future__ import annotations

import pytest

from c360_graph.mapping.graph_manifest import Edges, GraphManifest
from c360_graph.plan.decisions import GraphFacts, decide

KNOWS: Edges = ("KNOWS", "Vip", "Vip")
VIP = GraphManifest(
    labels={"Vip": ("vip_id", "name")},
    keys={"Vip": ("vip_id",)},
    key_types={"Vip": ("INTEGER",)},
    edges=(KNOWS,),
    digests={"KNOWS\tVip\tVip": "1"},
)
NOTHING = GraphManifest()
OLD = VIP.model_copy(update={"key_types": {}})
OTHER_KEY = VIP.model_copy(update={"keys": {"Vip": ("name",)}})
OTHER_TYPE = VIP.model_copy(update={"key_types": {"Vip": ("STRING",)}})
ONLY_KEPT = GraphManifest(labels={"Vip": ()})


@pytest.mark.parametrize(
    ("desired", "kept", "listed", "nodes", "change"),
    [
        (VIP, NOTHING, NOTHING, 0, "new"),
        (VIP, NOTHING, NOTHING, 3, "taken over"),
        (VIP, NOTHING, ONLY_KEPT, 3, "taken over"),
        (VIP, NOTHING, ONLY_KEPT, 0, "new"),
        (VIP, NOTHING, VIP, 3, "unchanged"),
        (VIP, NOTHING, OLD, 3, "unchanged"),
        (VIP, NOTHING, OTHER_KEY, 3, "made anew"),
        (VIP, NOTHING, OTHER_TYPE, 3, "made anew"),
        (VIP, NOTHING, OTHER_TYPE, 0, "unchanged"),
        (NOTHING, VIP, VIP, 3, "kept"),
        (NOTHING, NOTHING, VIP, 3, "removed"),
        (NOTHING, NOTHING, ONLY_KEPT, 3, "foreign"),
        (NOTHING, VIP, NOTHING, 3, None),
    ],
)
def test_a_label_is_ours_only_where_a_load_of_ours_wrote_it(
    desired: GraphManifest,
    kept: GraphManifest,
    listed: GraphManifest,
    nodes: int,
    change: str | None,
) -> None:
    facts = GraphFacts(listed=listed, nodes={"Vip": nodes})
    assert decide(desired=desired, kept=kept, facts=facts).labels.get("Vip") == change


@pytest.mark.parametrize(
    ("desired", "kept", "listed", "count", "change"),
    [
        (VIP, NOTHING, NOTHING, 0, "new"),
        (VIP, NOTHING, NOTHING, 2, "taken over"),
        (VIP, NOTHING, VIP, 2, "unchanged"),
        (VIP, NOTHING, VIP.model_copy(update={"digests": {"KNOWS\tVip\tVip": "2"}}), 2, "changed"),
        (NOTHING, VIP, VIP, 2, "kept"),
        (NOTHING, NOTHING, VIP, 2, "removed"),
        (NOTHING, VIP, NOTHING, 2, None),
    ],
)
def test_relationships_are_ours_only_where_a_load_of_ours_made_them(
    desired: GraphManifest,
    kept: GraphManifest,
    listed: GraphManifest,
    count: int,
    change: str | None,
) -> None:
    facts = GraphFacts(listed=listed, nodes={"Vip": 3}, relationships={KNOWS: count})
    assert decide(desired=desired, kept=kept, facts=facts).relationships.get(KNOWS) == change


def test_what_refused_rows_name_is_kept_in_the_manifest_only_where_it_was_loaded() -> None:
    kept = GraphManifest(labels={"Vip": (), "Guest": ()}, edges=(KNOWS, ("MET", "Vip", "Guest")))
    assert VIP.known_of(kept) == VIP.model_copy(update={"digests": {}})


def test_a_property_that_is_read_no_longer_is_purged_where_it_was_ours() -> None:
    now = VIP.model_copy(update={"labels": {"Vip": ("vip_id",)}})
    facts = GraphFacts(listed=VIP, nodes={"Vip": 3})
    assert decide(desired=now, kept=NOTHING, facts=facts).purged == (("Vip", "name"),)
