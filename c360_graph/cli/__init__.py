"""The `c360` command.

Exit codes: 0 done, 1 something failed or was refused, 2 the command line itself is wrong.
"""

from __future__ import annotations

from c360_graph.cli.app import app

__all__ = ["app"]
