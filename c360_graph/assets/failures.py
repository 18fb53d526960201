"""Errors of ours as Dagster shows them: the message alone, no pages of stack."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from c360_graph.errors import C360Error, GraphUnavailableError, SourceUnavailableError

SECONDS_BEFORE_A_RETRY = 10.0

_PASSING = (SourceUnavailableError, GraphUnavailableError)


@contextmanager
def failing_clearly(*, retries: int = 0, tried: int = 0) -> Iterator[None]:
    """Turn an error of ours into a step failure that says just what the error says.

    Only a server that is temporarily unreachable is worth another try, after 10 s, 20 s and so on: a
    row that is refused or a server out of memory would end the same way again. Asked for here and
    not by a RetryPolicy, with which Dagster also tries again what somebody interrupted.

    Args:
        retries: how often a step is tried again at most.
        tried: how often it was already.
    """
    try:
        yield
    except C360Error as error:
        failure = dg.Failure(description=str(error), metadata={"error_type": type(error).__name__})
        if isinstance(error, _PASSING) and retries:
            raise dg.RetryRequested(
                max_retries=retries, seconds_to_wait=SECONDS_BEFORE_A_RETRY * 2**tried
            ) from failure
        raise failure from None
