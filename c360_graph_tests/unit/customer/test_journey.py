"""A neighbourhood told in order of time."""

from __future__ import annotations

from datetime import UTC, date, datetime

from c360_graph.customer.journey import Repeat, Step, caption, group_table, repeats, steps
from c360_graph.customer.lookup import hashed
from c360_graph.customer.neighbourhood import Group, Item, Neighbourhood, Thing
from c360_graph.report.contents import neighbourhood_picture


def test_steps_come_in_order_of_time_whatever_the_type_of_the_moment() -> None:
    assert steps(AROUND) == [
        Step(
            moment=date(2025, 1, 1),
            what="Patient born on",
            item="P1",
            detail="full name Ann",
            related="",
        ),
        Step(
            moment=datetime(2025, 1, 2, 1),
            what="Visit at",
            item="1",
            detail="room R7",
            related="Ward North",
        ),
        Step(
            moment=datetime(2025, 1, 2, 2, tzinfo=UTC),
            what="Visit at",
            item="2",
            detail="room R7",
            related="",
        ),
    ]


def test_what_repeats_is_told_with_its_first_and_last_moment() -> None:
    assert repeats(AROUND) == [
        Repeat(
            label="Visit",
            property="room",
            value="R7",
            times=2,
            first=datetime(2025, 1, 2, 1),
            last=datetime(2025, 1, 2, 2, tzinfo=UTC),
        )
    ]


def test_a_group_shows_what_its_items_name_and_no_reference_to_the_centre() -> None:
    assert group_table(VISITS, AROUND) == (
        ("visit_id", "at", "room", "related"),
        (
            (1, datetime(2025, 1, 2, 1), "R7", "Ward North"),
            (2, datetime(2025, 1, 2, 2, tzinfo=UTC), "R7", ""),
        ),
    )


def test_a_thing_is_known_by_a_name_else_by_its_key() -> None:
    assert caption(PATIENT) == "Ann"
    assert caption(VISITS.items[0].thing) == "1"
    assert caption(Thing(id="x", label="Ward", key=(), properties={})) == "Ward"


def test_what_several_share_is_drawn_once() -> None:
    picture = neighbourhood_picture(AROUND)
    assert [node.caption for node in picture.nodes] == ["Ann", "1", "North", "2"]
    assert [(e.source, e.kind, e.target) for e in picture.edges] == [
        ("p", "HAD", "v1"),
        ("v1", "IN", "w"),
        ("p", "HAD", "v2"),
    ]


def test_a_hash_is_that_of_hmac_sha256() -> None:
    # The second test case of RFC 4231.
    assert hashed("what do ya want for nothing?", "Jefe") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


PATIENT = Thing(
    id="p",
    label="Patient",
    key=("patient_id",),
    properties={"patient_id": "P1", "full_name": "Ann", "born_on": date(2025, 1, 1)},
)
VISITS = Group(
    relationship_type="HAD",
    label="Visit",
    start="Patient",
    properties=("visit_id", "patient_id", "at", "room"),
    items=(
        Item(
            thing=Thing(
                id="v1",
                label="Visit",
                key=("visit_id",),
                properties={
                    "visit_id": 1,
                    "patient_id": "P1",
                    "at": datetime(2025, 1, 2, 1),
                    "room": "R7",
                },
            ),
            related=(
                ("IN", Thing(id="w", label="Ward", key=(), properties={"ward_name": "North"})),
            ),
        ),
        Item(
            thing=Thing(
                id="v2",
                label="Visit",
                key=("visit_id",),
                properties={
                    "visit_id": 2,
                    "patient_id": "P1",
                    "at": datetime(2025, 1, 2, 2, tzinfo=UTC),
                    "room": "R7",
                },
            )
        ),
    ),
    total=2,
)
AROUND = Neighbourhood(centre=PATIENT, groups=(VISITS,))
