"""Errors of ours as Dagster shows them: the message alone, no pages of stack."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from c360_graph.errors import C360Error


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Turn an error of ours into a step failure that says just what the error says."""
    try:
        yield
    except C360Error as error:
        raise dg.Failure(
            description=str(error), metadata={"error_type": type(error).__name__}
        ) from None
