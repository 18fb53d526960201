"""An action is repeated while a block runs, and no longer."""

from __future__ import annotations

import threading

from c360_graph.faults import repeating


def test_an_action_is_called_until_it_says_that_it_is_done() -> None:
    calls: list[int] = []
    done = threading.Event()

    def act() -> bool:
        calls.append(len(calls))
        if len(calls) == 3:
            done.set()
        return len(calls) < 3

    with repeating(act, every=0.001, name="a test"):
        assert done.wait(10)
    assert calls == [0, 1, 2]


def test_the_end_of_the_block_ends_the_thread() -> None:
    began = threading.Event()

    def act() -> bool:
        began.set()
        return True

    with repeating(act, every=0.001, name="a thread that ends"):
        assert began.wait(10)
    assert "a thread that ends" not in {thread.name for thread in threading.enumerate()}


def test_a_block_that_fails_ends_the_thread_too() -> None:
    try:
        with repeating(lambda: True, every=0.001, name="a thread of a failure"):
            raise ValueError
    except ValueError:
        pass
    assert "a thread of a failure" not in {thread.name for thread in threading.enumerate()}
