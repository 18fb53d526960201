"""What the exit code of a command says."""

from __future__ import annotations

FAILED, DESTROYS = 1, 2

EPILOG = """\
**Exit codes:** `0` done · `1` something failed or was refused; the reason is on standard error ·
`2` the command line is wrong, or `c360 plan` found that a load would destroy something.

Results go to standard output, all else to standard error. With `--json` standard output holds one
JSON document and nothing else; after an error it holds nothing. Colours are for terminals only, and
`NO_COLOR=1` switches them off.

**First steps:** `c360 sandbox up` · `c360 check` · `c360 plan` · `c360 COMMAND --help` for examples.
"""
"""The end of `c360 --help`."""
