"""What a load does with labels and relationships, decided once for the plan and for the load."""

from __future__ import annotations

import pytest

from c360_graph.mapping.graph_manifest import (
    GraphManifest,
    OthersFound,
    RelationshipPattern,
    TableKey,
)
from c360_graph.plan.decisions import GraphFacts, decide

KNOWS: RelationshipPattern = ("KNOWS", "Vip", "Vip")
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


def test_a_property_that_others_wrote_is_taken_over_until_a_load_of_ours_has_ended() -> None:
    before = VIP.model_copy(update={"labels": {"Vip": ("vip_id",)}})
    facts = GraphFacts(listed=before, nodes={"Vip": 3}, holders={("Vip", "name"): 2})
    decision = decide(desired=VIP, kept=NOTHING, facts=facts)
    assert decision.taken_properties == {("Vip", "name"): 2}

    broken = before.joined(VIP).model_copy(update={"others": decision.others(before)})
    facts = GraphFacts(listed=broken, nodes={"Vip": 3}, holders={("Vip", "name"): 3})
    assert decide(desired=VIP, kept=NOTHING, facts=facts).taken_properties == {("Vip", "name"): 3}

    facts = GraphFacts(listed=VIP, nodes={"Vip": 3}, holders={("Vip", "name"): 3})
    assert decide(desired=VIP, kept=NOTHING, facts=facts).taken_properties == {}


@pytest.mark.parametrize(
    ("left", "told", "there", "surplus"),
    [(3, 0, 3, 0), (3, 0, 5, 2), (3, 0, 2, 0), (None, 0, 5, 0), (None, 2, 5, 2), (5, 2, 6, 3)],
)
def test_what_is_beyond_what_the_last_load_left_is_of_others(
    left: int | None, told: int, there: int, surplus: int
) -> None:
    name = "KNOWS\tVip\tVip"
    listed = VIP.model_copy(
        update={
            "nodes": {} if left is None else {"Vip": left},
            "between": {} if left is None else {name: left},
            "others": OthersFound(surplus_nodes={"Vip": told}, surplus_relationships={name: told}),
        }
    )
    facts = GraphFacts(listed=listed, nodes={"Vip": there}, relationships={KNOWS: there})
    decision = decide(desired=VIP, kept=NOTHING, facts=facts)
    assert decision.surplus_nodes == ({"Vip": surplus} if surplus else {})
    assert decision.surplus_relationships == ({KNOWS: surplus} if surplus else {})


def test_what_a_load_that_broke_off_took_over_is_not_ours_yet() -> None:
    broken = VIP.model_copy(update={"others": OthersFound(labels=("Vip",), edges=(KNOWS,))})
    facts = GraphFacts(listed=broken, nodes={"Vip": 3}, relationships={KNOWS: 2})
    decision = decide(desired=VIP, kept=NOTHING, facts=facts)
    assert (decision.labels["Vip"], decision.relationships[KNOWS]) == ("taken over", "taken over")
    kept = decide(desired=NOTHING, kept=VIP, facts=facts)
    assert kept.others(broken) == broken.others


ID: TableKey = (("vip_id", "INTEGER"),)
TEXT: TableKey = (("vip_id", "STRING"),)


def shared(key: TableKey) -> TableKey:
    return (("_c360_table", "STRING"), *key)


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        ({"a/v": ID}, {"a/v": ID}, "unchanged"),
        ({"a/v": ID}, {"a/moved": ID}, "unchanged"),
        ({"a/v": ID}, {"a/moved": TEXT}, "made anew"),
        ({"a/v": ID}, {"a/v": ()}, "made anew"),
        ({"a/v": ()}, {"a/v": ()}, "made anew"),
        ({"a/v": ()}, {"a/v": ID}, "made anew"),
        ({"a/v": ID}, {"a/v": shared(ID), "b/v": shared(TEXT)}, "made anew"),
        (
            {"a/v": shared(ID), "b/v": shared(TEXT)},
            {"a/v": shared(ID), "b/v": shared(TEXT)},
            "unchanged",
        ),
        # The last table is as it was; the first is not.
        (
            {"a/v": shared(ID), "b/v": shared(TEXT)},
            {"a/v": shared(TEXT), "b/v": shared(TEXT)},
            "made anew",
        ),
        (
            {"a/v": shared(ID), "b/v": shared(TEXT)},
            {"b/v": shared(TEXT), "c/v": shared(ID)},
            "unchanged",
        ),
    ],
)
def test_the_key_of_each_table_of_a_label_counts(
    before: dict[str, TableKey], now: dict[str, TableKey], change: str
) -> None:
    listed, desired = (VIP.model_copy(update={"table_keys": {"Vip": k}}) for k in (before, now))
    facts = GraphFacts(listed=listed, nodes={"Vip": 3})
    assert decide(desired=desired, kept=NOTHING, facts=facts).labels["Vip"] == change
