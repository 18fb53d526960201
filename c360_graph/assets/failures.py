"""Errors of ours as Dagster shows them: the message alone, no pages of stack."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from c360_graph.errors import C360Error, GraphUnavailableError, SourceUnavailableError

_PASSING = (SourceUnavailableError, GraphUnavailableError)
_DAGSTERS_OWN = (dg.Failure, dg.RetryRequested, dg.DagsterExecutionInterruptedError)


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Turn an error of ours into a step failure that says just what the error says.

    Only a server that cannot be reached just now is worth another try: a row that is refused, a
    server out of memory or a fault of this program would end the same way again.
    """
    try:
        yield
    except C360Error as error:
        raise dg.Failure(
            description=str(error),
            metadata={"error_type": type(error).__name__},
            allow_retries=isinstance(error, _PASSING),
        ) from None
    except _DAGSTERS_OWN:
        raise
    except Exception as error:
        raise dg.Failure(
            description=f"{type(error).__name__}: {error}", allow_retries=False
        ) from error
