"""What the exit code of a command says."""

from __future__ import annotations

FAILED, DESTROYS = 1, 2

EPILOG = """\
**Exit codes:** `0` done · `1` something failed or was refused; the reason is on standard error ·
`2` the command line is wrong, or `c360 plan` found that a load would destroy something.

Results go to standard output, everything else to standard error. With `--json`, standard output is one
JSON document, or empty after an error. Output is colored only in a terminal; `NO_COLOR=1` switches
colors off.

**First steps:** `c360 sandbox up` · `c360 check` · `c360 plan` · `c360 COMMAND --help` for examples.
"""
"""The end of `c360 --help`."""
