"""When rows that go are taken for a fault of the source."""

from __future__ import annotations

from c360_graph.following.held_back import MOST_UNGUARDED, WINDOW_SECONDS, LossGuard


def never() -> int:
    raise AssertionError("nobody had to count")


def test_a_few_rows_of_a_small_table_may_all_go_and_nobody_counts() -> None:
    guard = LossGuard(max_removed_share=0.3)
    assert guard.why_refused("shop/orders", going=MOST_UNGUARDED, count=never) is None


def test_more_than_the_share_is_refused_and_as_much_is_not() -> None:
    guard = LossGuard(max_removed_share=0.3)
    assert guard.why_refused("shop/orders", going=30_000, count=lambda: 100_000) is None
    assert guard.why_refused("shop/orders", going=30_001, count=lambda: 100_000)


def test_what_went_bit_by_bit_within_an_hour_counts_together_and_by_table() -> None:
    now = [0.0]
    guard = LossGuard(max_removed_share=0.3, clock=lambda: now[0])
    guard.note("shop/orders", made=0, removed=25_000)
    assert guard.why_refused("shop/orders", going=6_000, count=lambda: 75_000)
    assert guard.why_refused("shop/invoices", going=6_000, count=lambda: 75_000) is None
    now[0] = WINDOW_SECONDS + 1
    assert guard.why_refused("shop/orders", going=6_000, count=lambda: 75_000) is None


def test_rows_that_come_make_up_for_rows_that_go() -> None:
    now = [0.0]
    guard = LossGuard(max_removed_share=0.3, clock=lambda: now[0])
    # A table of carts, each of which is there for some minutes.
    for minute in range(600):
        now[0] = 60.0 * minute
        guard.note("shop/carts", made=100, removed=0)
        assert guard.why_refused("shop/carts", going=100, count=lambda: 600) is None
        guard.note("shop/carts", made=0, removed=100)
    guard.note("shop/carts", made=5_000, removed=0)
    assert guard.why_refused("shop/carts", going=2_000, count=lambda: 5_600)


def test_what_goes_and_comes_back_is_counted_from_when_there_was_most() -> None:
    now = [0.0]
    guard = LossGuard(max_removed_share=0.3, clock=lambda: now[0])
    for number, (made, removed) in enumerate([(0, 20_000), (5_000, 0), (0, 10_000)]):
        now[0] = 100.0 * number
        guard.note("shop/orders", made=made, removed=removed)
    why = guard.why_refused("shop/orders", going=6_000, count=lambda: 75_000)
    assert why is not None
    assert why.startswith("31,000 of 100,000 nodes")
