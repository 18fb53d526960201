"""Items that touch the same names: never at once, and in their order."""

from __future__ import annotations

import threading
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.graph import sessions
from c360_graph.graph.sessions import apart

Item = tuple[int, frozenset[str]]

touching = st.lists(st.frozensets(st.sampled_from("abcd"), min_size=1, max_size=3), max_size=30)


class Work:
    """Remembers when each item ran, and what of it ran beside another that touches the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self.begun: list[Item] = []
        self.clashes = 0

    def __call__(self, item: Item) -> int:
        number, names = item
        with self._lock:
            self.begun.append(item)
            self._running.update(names)
            self.clashes += any(self._running[name] > 1 for name in names)
        with self._lock:
            self._running.subtract(names)
        return number


@given(all_names=touching, threads=st.integers(1, 4))
def test_each_item_runs_once_and_those_that_touch_the_same_in_their_order(
    all_names: list[frozenset[str]], threads: int
) -> None:
    items: list[Item] = list(enumerate(all_names))
    work = Work()
    done = list(apart(work, items, touched=lambda item: item[1], threads=threads))
    assert sorted(done) == [number for number, _ in items]
    assert work.clashes == 0
    for (earlier, names), (later, others) in combinations(work.begun, 2):
        assert earlier < later or names.isdisjoint(others)


def test_an_item_that_touches_nothing_in_common_overtakes_one_that_has_to_wait() -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(item: tuple[int, str]) -> int:
        if item[0] != 2:
            both.wait()
        return item[0]

    items = [(1, "a"), (2, "a"), (3, "b")]
    assert sorted(apart(meet, items, touched=lambda item: item[1], threads=2)) == [1, 2, 3]


def test_few_items_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LOOKED_AHEAD", 3)
    taken = iter(range(100))
    done = apart(lambda number: number, taken, touched=lambda number: {"same"}, threads=2)
    assert next(done) == 0
    assert next(taken) == 3


def test_the_first_failure_is_raised_and_the_rest_is_not_begun() -> None:
    begun = []

    def fail(number: int) -> int:
        begun.append(number)
        if number == 2:
            raise ValueError("the third")
        return number

    with pytest.raises(ValueError, match="the third"):
        list(apart(fail, range(10), touched=lambda number: {"same"}, threads=2))
    assert begun == [0, 1, 2]
