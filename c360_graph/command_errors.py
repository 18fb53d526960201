"""Errors of ours that end a command of Dagster's with their message alone, without a stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from c360_graph.errors import C360Error


@contextmanager
def ending_with_its_message() -> Iterator[None]:
    """Let an error that ends in Dagster's command line be shown there as one sentence.

    Those commands are click's, which prints a ClickException's message and exits with 1. The error
    stays of its own kind as well.
    """
    try:
        yield
    except C360Error as error:
        kind = type(error)
        shown = type(kind.__name__, (click.ClickException, kind), {"__module__": kind.__module__})
        raise shown(str(error)) from None
