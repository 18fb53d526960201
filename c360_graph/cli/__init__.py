"""The `c360` command. What its exit codes mean stands in `output`."""

from __future__ import annotations

from c360_graph.cli.app import app

__all__ = ["app"]
