"""Whether a load empties the graph first: by the run's config, else by a setting, else by who started the run."""

from __future__ import annotations

from collections.abc import Mapping

LOAD_TAG = "c360/load"
UPDATING = {LOAD_TAG: "reconcile"}
"""Tags of runs that nobody started by hand: they update the graph, so that it stays readable."""


def clears(configured: bool | None, *, setting: bool | None, tags: Mapping[str, str]) -> bool:
    """Whether a load empties the graph first.

    Args:
        configured: `clear_database` of the run's config; None where that does not say.
        setting: C360_CLEAR_DATABASE; None where it is unset.
        tags: the run's.

    >>> clears(None, setting=None, tags={}), clears(None, setting=None, tags=UPDATING)
    (True, False)
    >>> clears(None, setting=True, tags=UPDATING), clears(False, setting=True, tags={})
    (True, False)
    """
    for said in (configured, setting):
        if said is not None:
            return said
    return tags.get(LOAD_TAG) != UPDATING[LOAD_TAG]
