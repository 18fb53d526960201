"""Work on a graph that takes effect exactly once: tried again where its outcome is known, or undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
)
from tenacity.wait import wait_exponential_jitter

from c360_graph.errors import ServerMemoryError, StatementError, StatementRefusedError
from c360_graph.graph.connection import ERRORS, Graph, Tag, outcome, said

ATTEMPTS = 15
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
"""Seconds; together about three minutes, in which a server with much to recover comes back."""


class _TryAgain(Exception):
    """An attempt failed in a way that another may not."""


T = TypeVar("T")


@dataclass(frozen=True)
class Done(Generic[T]):
    """What work that seemed to have failed turned out to have done."""

    result: T


@dataclass(frozen=True, kw_only=True)
class Work(Generic[T]):
    """What is to take effect exactly once.

    `send` does it, raising the driver's errors. After an attempt that failed, whatever still runs
    under `tag` is ended; then `recover` finds out what became of it or undoes it, and returns what it
    turned out to have done, None where it is to be sent again. Where the server lacked memory, or went
    away, `lighten` comes before the next attempt.
    """

    title: str
    tag: Tag
    send: Callable[[], T]
    recover: Callable[[], Done[T] | None] = lambda: None
    lighten: Callable[[], bool] = lambda: False
    """Has the next attempt need less memory; False where that cannot be."""


class Attempts:
    """How work on a graph is tried.

    `check` is called before each attempt and may raise to stop. So may `verify`, which asks the
    server: the driver's errors that it raises are those of an attempt.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        warn: Callable[[str], None],
        check: Callable[[], object],
        verify: Callable[[], object] = lambda: None,
    ) -> None:
        self._graph = graph
        self._warn = warn
        self._check = check
        self._verify = verify

    def run(self, work: Work[T]) -> T:
        """Try until it is done; what the attempt that did it returned.

        Raises:
            StatementError: it was refused, or kept failing.
        """
        # Remembered over all attempts: a recovery that fails leaves as much in doubt as before.
        in_doubt = False

        def attempt() -> T:
            nonlocal in_doubt
            self._check()
            try:
                self._verify()
                if in_doubt:
                    self._graph.end_transactions(work.tag)
                    done = work.recover()
                    if done is not None:
                        return done.result
                    in_doubt = False
                return work.send()
            except ERRORS as error:
                in_doubt = True
                if outcome(error) not in ("lost", "out of memory") or not work.lighten():
                    give_up_if_hopeless(work.title, error)
                raise _TryAgain(said(error)) from None

        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(
                multiplier=FIRST_WAIT, max=LONGEST_WAIT, jitter=min(1.0, FIRST_WAIT)
            ),
            retry=retry_if_exception_type(_TryAgain),
            before_sleep=lambda state: self._warn(_told(work, state)),
        )
        try:
            return retrying(attempt)
        except RetryError as error:
            cause = error.last_attempt.exception()
            raise StatementError(
                f"{work.title} failed {ATTEMPTS} times, last with: {cause}."
            ) from None


def give_up_if_hopeless(title: str, error: BaseException) -> None:
    """Raise what the server said where trying again cannot help.

    Raises:
        ServerMemoryError: the server ran out of memory.
        StatementRefusedError: the server refused.
    """
    what = outcome(error)
    if what == "out of memory":
        raise ServerMemoryError(
            f"{title}: the server ran out of memory ({said(error)}). Give it more:"
            " server.memory.heap.max_size, or dbms.memory.transaction.total.max."
        ) from None
    if what == "refused":
        raise StatementRefusedError(f"{title} failed: {said(error)}.") from None


def _told(work: Work[Any], state: RetryCallState) -> str:
    cause = state.outcome.exception() if state.outcome else None
    return f"{work.title} is tried again in {state.upcoming_sleep:.1f} s: {cause}"
