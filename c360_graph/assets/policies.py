"""Which assets wait for each other, and when one is called stale."""

from datetime import timedelta

import dagster as dg

from c360_graph.settings import Settings

NEO4J_POOL = "neo4j"
"""Of loads, and of questions: what is asked while another run empties the graph is no answer."""


def freshness_policy(settings: Settings) -> dg.FreshnessPolicy | None:
    """Stale after C360_FRESH_HOURS, None where that is 0."""
    if not settings.c360_fresh_hours:
        return None
    window = timedelta(hours=settings.c360_fresh_hours)
    return dg.FreshnessPolicy.time_window(fail_window=window, warn_window=window * 2 / 3)


def source_pool(group_name: str) -> str:
    """The pool of a source's tables, by the name of their group."""
    return f"source_{group_name}"
