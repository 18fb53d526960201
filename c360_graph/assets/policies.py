"""How assets are run: tried again, kept apart from each other, and called stale."""

from datetime import timedelta

import dagster as dg

from c360_graph.settings import Settings

NEO4J_POOL = "neo4j"
SECONDS_BEFORE_A_RETRY = 10.0


def retry_policy(settings: Settings) -> dg.RetryPolicy:
    """Tries again after 10 s, 20 s and so on, but only what `failing_clearly` lets through."""
    return dg.RetryPolicy(
        max_retries=settings.c360_retries,
        delay=SECONDS_BEFORE_A_RETRY,
        backoff=dg.Backoff.EXPONENTIAL,
        jitter=dg.Jitter.PLUS_MINUS,
    )


def freshness_policy(settings: Settings) -> dg.FreshnessPolicy | None:
    """Stale after C360_FRESH_HOURS, None where that is 0."""
    if not settings.c360_fresh_hours:
        return None
    window = timedelta(hours=settings.c360_fresh_hours)
    return dg.FreshnessPolicy.time_window(fail_window=window, warn_window=window * 2 / 3)


def source_pool(group_name: str) -> str:
    """The pool of a source's tables, by the name of their group."""
    return f"source_{group_name}"
