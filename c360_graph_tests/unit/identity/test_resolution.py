"""Which records are of one entity, and under which id."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from c360_graph_tests.unit.identity.resolved import Loads, Rows, decision


def test_records_are_joined_through_others(tmp_path: Path) -> None:
    loads = Loads(tmp_path, {"email": 1, "phone": 1})
    rows: Rows = {
        "people": [("1", "a", None), ("2", "b", "9"), ("3", None, None)],
        "users": [("1", "a", "9"), ("2", "", ""), ("3", "", None)],
    }
    found, ids = loads.resolve(rows)
    assert ids == {
        "people:1": 1, "people:2": 1, "users:1": 1, "people:3": 2, "users:2": 3, "users:3": 4
    }  # fmt: skip
    assert (found.records, found.entities, found.sizes) == (6, 4, ((3, 1), (1, 3)))
    (cluster,) = found.largest
    assert (cluster.id, cluster.records) == (1, 3)
    assert [(r.table, r.key) for r in cluster.shown] == [
        ("s/people", "1"), ("s/people", "2"), ("s/users", "1")
    ]  # fmt: skip
    assert [(s.kind, s.records) for s in cluster.shared] == [("email", (0, 2)), ("phone", (1, 2))]


def test_values_of_different_kinds_are_not_compared(tmp_path: Path) -> None:
    loads = Loads(tmp_path, {"email": 1, "phone": 1})
    _, ids = loads.resolve({"people": [("1", "x", None), ("2", None, "x")]})
    assert ids["people:1"] != ids["people:2"]


def test_an_identifier_that_too_many_records_share_is_ignored_and_listed(tmp_path: Path) -> None:
    rows = {"people": [(f"{n}", "info@x.example" if n < 5 else f"{n % 3}") for n in range(1, 9)]}
    found, ids = Loads(tmp_path).resolve(rows, limit=3)
    assert len({ids[f"people:{n}"] for n in range(1, 5)}) == 4
    assert ids["people:5"] == ids["people:8"]
    (ignored,) = found.ignored_sample
    assert (found.ignored, ignored.kind, ignored.records, ignored.value) == (
        1, "email", 4, "info@x.example"
    )  # fmt: skip


def test_a_kind_that_does_not_suffice_needs_another_to_agree(tmp_path: Path) -> None:
    loads = Loads(tmp_path, {"name": 2, "town": 2})
    rows = {"people": [("1", "Ann", "Rome"), ("2", "Ann", "Oslo"), ("3", "Ann", "Rome")]}
    _, ids = loads.resolve(rows)
    assert ids == {"people:1": 1, "people:2": 2, "people:3": 1}


def test_a_long_chain_is_one_component_in_few_rounds(tmp_path: Path) -> None:
    loads = Loads(tmp_path, {"email": 1, "phone": 1})
    rows = {"people": [(f"{n:05}", f"e{n // 2}", f"p{(n + 1) // 2}") for n in range(5_000)]}
    found, ids = loads.resolve(rows)
    assert {*ids.values()} == {1}
    assert found.rounds <= 16


def test_ids_stay_and_new_entities_get_new_ones(tmp_path: Path) -> None:
    loads = Loads(tmp_path)
    loads.resolve({"people": [("b", "x"), ("c", "y")]})
    found, ids = loads.resolve({"people": [("a", "z"), ("b", "x"), ("c", "y")]})
    assert ids == {"people:a": 3, "people:b": 1, "people:c": 2}
    assert (found.ids.created, found.ids.changed_records) == (1, 0)


def test_an_id_is_not_given_again_after_its_entity_is_gone(tmp_path: Path) -> None:
    loads = Loads(tmp_path)
    loads.resolve({"people": [("a", "x"), ("b", "y")]})
    loads.resolve({"people": [("a", "x")]})
    _, ids = loads.resolve({"people": [("a", "x"), ("c", "z")]})
    assert ids == {"people:a": 1, "people:c": 3}


def test_a_merge_keeps_the_older_id_and_a_second_load_changes_nothing(tmp_path: Path) -> None:
    loads = Loads(tmp_path)
    loads.resolve({"people": [("a", "x"), ("b", "y"), ("c", "z")]})
    for merges in (1, 0):
        found, ids = loads.resolve({"people": [("a", "x"), ("b", "z"), ("c", "z")]})
        assert ids == {"people:a": 1, "people:b": 2, "people:c": 2}
        assert [(m.id, m.into) for m in found.ids.merged] == [(3, 2)] * merges
        assert found.ids.changed_records == merges


def test_a_split_keeps_the_id_with_the_larger_part(tmp_path: Path) -> None:
    loads = Loads(tmp_path)
    loads.resolve({"people": [("a", "x"), ("b", "x"), ("c", "x")]})
    found, ids = loads.resolve({"people": [("a", "y"), ("b", "x"), ("c", "x")]})
    assert ids == {"people:a": 2, "people:b": 1, "people:c": 1}
    assert [(s.id, s.parts) for s in found.ids.split] == [(1, (1, 2))]


def test_parts_of_one_size_leave_the_id_with_the_first_record(tmp_path: Path) -> None:
    loads = Loads(tmp_path)
    loads.resolve({"people": [("a", "x"), ("b", "x")]})
    _, ids = loads.resolve({"people": [("a", "x"), ("b", "y")]})
    assert ids == {"people:a": 1, "people:b": 2}


def test_decisions_join_what_shares_nothing_and_keep_apart_what_does(tmp_path: Path) -> None:
    rows = {"people": [("a", "x"), ("b", "x"), ("c", "x"), ("d", "y")]}
    found, ids = Loads(tmp_path).resolve(
        rows,
        decisions=[
            decision(1, "people:a", "people:b", "different"),
            decision(2, "people:d", "people:b", "same"),
            decision(3, "people:a", "people:gone", "same"),
        ],
    )
    assert ids == {"people:a": 1, "people:b": 2, "people:c": 1, "people:d": 2}
    assert found.decision_problems == (
        "identity_decisions row 1: identifiers that would join its records were left out",
    )


def test_records_are_kept_apart_that_others_would_join(tmp_path: Path) -> None:
    loads = Loads(tmp_path, {"email": 1, "phone": 1})
    rows = {"people": [("a", "x", None), ("b", "x", "9"), ("c", None, "9")]}
    _, ids = loads.resolve(rows, decisions=[decision(1, "people:a", "people:c", "different")])
    assert ids == {"people:a": 1, "people:b": 1, "people:c": 2}


def test_of_several_decisions_about_two_records_the_last_counts(tmp_path: Path) -> None:
    decisions = [
        decision(2, "people:a", "people:b", "different"),
        decision(1, "people:b", "people:a", "same"),
    ]
    rows = {"people": [("a", "x"), ("b", "x")]}
    assert Loads(tmp_path).resolve(rows, decisions=decisions)[1] == {"people:a": 1, "people:b": 2}


def test_decisions_that_contradict_each_other_keep_records_apart_and_are_told(
    tmp_path: Path,
) -> None:
    found, ids = Loads(tmp_path).resolve(
        {"people": [("a", None), ("b", None), ("c", None)]},
        decisions=[
            decision(1, "people:a", "people:b", "same"),
            decision(2, "people:b", "people:c", "same"),
            decision(3, "people:a", "people:c", "different"),
        ],
    )
    assert ids == {"people:a": 1, "people:b": 1, "people:c": 2}
    assert "verdict same" in found.decision_problems[0]


VALUES = st.sampled_from(["v1", "v2", "v3", "v4", "a'b", "ü", r"back\\slash", "", None])


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=9), min_size=2, max_size=3)
)
def test_any_load_after_another_gives_components_whose_ids_are_their_own(
    loaded: list[list[tuple[str | None, str | None]]],
) -> None:
    with TemporaryDirectory() as folder:
        loads = Loads(Path(folder), {"email": 1, "phone": 1})
        for values in loaded:
            _, ids = loads.resolve({"people": [(f"{n}", *v) for n, v in enumerate(values)]})
            assert partition(ids) == by_hand(values)
            again, same = loads.resolve({"people": [(f"{n}", *v) for n, v in enumerate(values)]})
            assert same == ids
            assert (again.ids.created, again.ids.changed_records) == (0, 0)


def partition(ids: dict[str, int]) -> set[frozenset[str]]:
    return {frozenset(k for k, i in ids.items() if i == number) for number in {*ids.values()}}


def by_hand(values: list[tuple[str | None, str | None]]) -> set[frozenset[str]]:
    groups = [{n} for n, _ in enumerate(values)]
    for one, left in enumerate(values):
        for other, right in enumerate(values):
            if any(a and a == b for a, b in zip(left, right, strict=True)):
                mine, theirs = (next(g for g in groups if n in g) for n in (one, other))
                if mine is not theirs:
                    mine |= theirs
                    groups.remove(theirs)
    return {frozenset(f"people:{n}" for n in group) for group in groups}
