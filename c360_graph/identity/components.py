"""Connected components in the join engine: which records are linked, directly or through others.

Each round replaces the edges by such that lead to smaller records (large-star and small-star of Kiveris and
others, "Connected Components in MapReduce and Beyond", 2014). The edges are never more than they were, and the
rounds grow with the logarithm of the longest chain, so that nothing has to fit into memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from c360_graph.errors import ExtractError
from c360_graph.extract_joins.engine import JoinEngine

MOST_ROUNDS = 64
"""Chains of 2^32 records take no more."""


def connect(engine: JoinEngine, agreements: Sequence[int], *, limit: int) -> None:
    """Fill `links (record, other, kind)`, where `other` is the smaller record.

    A token that counts by itself links each record with the first that has it; one that does not links
    each two records that agree on enough kinds.

    Args:
        engine: has the tables that `records` fills.
        agreements: by a kind's number, how many kinds have to agree.
        limit: a token that more records share links none.
    """
    alone = ", ".join(str(n) for n, least in enumerate(agreements) if least <= 1)
    # No kind has this number.
    alone = alone or "-2"
    engine.rows(
        "CREATE TABLE links AS SELECT i.record, s.first AS other, i.kind FROM identifiers AS i"
        " JOIN shared AS s ON i.kind = s.kind AND i.token = s.token"
        f" WHERE s.records <= {limit} AND i.record > s.first AND i.kind IN ({alone})"
    )
    least = " ".join(f"WHEN {n} THEN {least}" for n, least in enumerate(agreements) if least > 1)
    if least:
        engine.rows(
            "INSERT INTO links WITH weak AS (SELECT i.record, i.kind, i.token FROM identifiers AS i"
            " JOIN shared AS s ON i.kind = s.kind AND i.token = s.token"
            f" WHERE s.records <= {limit} AND i.kind NOT IN ({alone})),"
            " pairs AS (SELECT DISTINCT a.record, b.record AS other, a.kind FROM weak AS a"
            " JOIN weak AS b ON a.kind = b.kind AND a.token = b.token AND a.record > b.record)"
            " SELECT record, other, min(kind) FROM pairs GROUP BY record, other"
            f" HAVING count(*) >= min(CASE kind {least} END)"
        )


def find_components(engine: JoinEngine) -> int:
    """Fill `parents (record, parent)` for each record that is not the first of its component; returns
    the rounds that it took.

    Raises:
        ExtractError: the engine failed.
    """
    engine.rows("CREATE TABLE parents AS SELECT DISTINCT record, other AS parent FROM links")
    before = None
    for done in range(MOST_ROUNDS):
        now = engine.rows(
            "SELECT count(*), sum(hash(record, parent)::HUGEINT)::VARCHAR FROM parents"
        )
        if now == before:
            return done
        before = now
        engine.rows(f"CREATE OR REPLACE TABLE stars AS {_LARGE_STAR}")
        engine.rows(f"CREATE OR REPLACE TABLE parents AS {_SMALL_STAR}")
    raise ExtractError(f"records are still being linked after {MOST_ROUNDS} rounds")


# Every larger neighbour is led to the smallest neighbour.
_LARGE_STAR = (
    "WITH both_ways AS (SELECT record AS a, parent AS b FROM parents"
    " UNION ALL SELECT parent, record FROM parents),"
    " least AS (SELECT a, least(a, min(b)) AS parent FROM both_ways GROUP BY a)"
    " SELECT DISTINCT b AS record, parent FROM both_ways JOIN least USING (a) WHERE b > a"
)
# Every smaller neighbour, and the record itself, is led to the smallest neighbour.
_SMALL_STAR = (
    "WITH least AS (SELECT record, min(parent) AS parent FROM stars GROUP BY record)"
    " SELECT record, parent FROM least UNION SELECT s.parent, l.parent FROM stars AS s"
    " JOIN least AS l ON s.record = l.record WHERE s.parent <> l.parent"
)
