"""When a step is retried, how it fails, and when an asset is called stale."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from typing import cast

import dagster as dg

from c360_graph.dagster_failures import TABLES_NOT_READ
from c360_graph.errors import C360Error, GraphUnavailableError, SourceUnavailableError
from c360_graph.mapping.model import GraphMapping, Identity, TableMapping
from c360_graph.settings import Settings
from c360_graph.text import plural

NEO4J_POOL = "neo4j"
"""Of loads, and of questions: what is asked while another run empties the graph is no answer."""


def freshness_policy(settings: Settings) -> dg.FreshnessPolicy | None:
    """Stale after C360_FRESH_HOURS, None where that is 0."""
    if not settings.c360_fresh_hours:
        return None
    window = timedelta(hours=settings.c360_fresh_hours)
    return dg.FreshnessPolicy.time_window(fail_window=window, warn_window=window * 2 / 3)


def when_a_run_updates() -> dg.AutomationCondition[dg.AssetKey]:
    """`eager`, but not for what `c360 follow` has brought into the graph: that comes without a run."""
    of_dagster = dg.AutomationCondition
    by_a_run = (
        of_dagster.newly_updated()
        & of_dagster.executed_with_tags()
        & ~of_dagster.executed_with_root_target()
    )
    eager = of_dagster.eager().replace("newly_updated_without_root", by_a_run)
    return cast("dg.AutomationCondition[dg.AssetKey]", eager)


def source_pool(group_name: str) -> str:
    """The pool of a source's tables, by the name of their group."""
    return f"source_{group_name}"


def table_version(table: TableMapping) -> str:
    """Of one table's mapping."""
    return _short([table.fingerprint_source])


def graph_version(mapping: GraphMapping) -> str:
    """Of all tables and relationships."""
    return _short(
        [
            *(table.fingerprint_source for table in mapping.tables),
            *(r.model_dump_json(exclude={"description"}) for r in mapping.relationships),
        ]
    )


def identity_version(identity: Identity) -> str:
    """Of the rules of one label."""
    return _short([identity.model_dump_json()])


def _short(texts: Iterable[str]) -> str:
    return sha256("\n".join(texts).encode()).hexdigest()[:12]


SECONDS_BEFORE_A_RETRY = 10.0

_PASSING = (SourceUnavailableError, GraphUnavailableError)


@contextmanager
def dagster_failures(*, retries: int = 0, tried: int = 0) -> Iterator[None]:
    """Turn an error of ours into a step failure that says just what the error says.

    Only a server that cannot be reached at the moment is worth another try, after 10 s, 20 s and so on: a
    row that is refused or a server out of memory would end the same way again. Asked for here and
    not by a RetryPolicy, with which Dagster also tries again what somebody interrupted.

    Args:
        retries: how often a step is tried again at most.
        tried: how often it was already.
    """
    try:
        yield
    except C360Error as error:
        failure = dg.Failure(description=str(error), metadata={"error_type": type(error).__name__})
        if isinstance(error, _PASSING) and retries:
            raise _another_try(retries, tried) from failure
        raise failure from None


def raise_for_tables(unread: Mapping[str, Exception], *, retries: int = 0, tried: int = 0) -> None:
    """Fail a step that reads several tables, if there are any that it could not read; as `dagster_failures`.

    Args:
        unread: why each of them could not be read, by `source/table`.
        retries, tried: as `dagster_failures`.
    """
    if not unread:
        return
    said = {name: _said(error) for name, error in unread.items()}
    failure = dg.Failure(
        description=f"{plural(len(said), 'table')} could not be read. "
        + " ".join(f"{name}: {why}" for name, why in said.items()),
        metadata={TABLES_NOT_READ: dg.MetadataValue.json(said)},
    )
    if retries and any(isinstance(error, _PASSING) for error in unread.values()):
        raise _another_try(retries, tried) from failure
    unforeseen = (error for error in unread.values() if not isinstance(error, C360Error))
    raise failure from next(unforeseen, None)


def _another_try(retries: int, tried: int) -> dg.RetryRequested:
    return dg.RetryRequested(max_retries=retries, seconds_to_wait=SECONDS_BEFORE_A_RETRY * 2**tried)


def _said(error: Exception) -> str:
    """What one of ours says; of another only its kind, as it may repeat a value."""
    return str(error) if isinstance(error, C360Error) else type(error).__name__
