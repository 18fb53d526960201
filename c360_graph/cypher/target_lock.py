"""Statements that keep a target's lock: one node while a load is under way, none otherwise.

A load writes a request, then in one transaction takes the write locks of all requests and sees whether
another holds the lock. Of two that do so at once the later one waits for the earlier, and finds that it
holds. No constraint is needed for that, so the schema of the graph stays the user's.
"""

from __future__ import annotations

from c360_graph.cypher.quoting import identifier, statement
from c360_graph.mapping.names import OWN_PREFIX

LABEL = f"{OWN_PREFIX}Lock"

_LOCK = identifier(LABEL)


def read_locks() -> str:
    """All requests and the lock that is held.

    >>> print(read_locks())
    CYPHER 5 MATCH (l:`_C360Lock`) RETURN l.holder AS holder, l.holds AS holds, l.beat AS beat,
    l.client AS client, l.keeper AS keeper, l.name AS name, toString(l.since) AS since
    """
    return statement(
        f"MATCH (l:{_LOCK}) RETURN l.holder AS holder, l.holds AS holds, l.beat AS beat,"
        " l.client AS client, l.keeper AS keeper, l.name AS name, toString(l.since) AS since"
    )


def request_lock() -> str:
    """Write the request `$holder`, unless it is there.

    >>> print(request_lock())
    CYPHER 5 MERGE (l:`_C360Lock` {holder: $holder}) ON CREATE SET l.holds = false, l.beat = 0,
    l.client = $client, l.keeper = $keeper, l.name = $name, l.since = datetime.realtime()
    """
    return statement(
        f"MERGE (l:{_LOCK} {{holder: $holder}})"
        " ON CREATE SET l.holds = false, l.beat = 0, l.client = $client, l.keeper = $keeper,"
        " l.name = $name, l.since = datetime.realtime()"
    )


def lock_requests() -> str:
    """Take the write lock of every request, to the end of the transaction.

    >>> print(lock_requests())
    CYPHER 5 MATCH (l:`_C360Lock`) SET l.asked = $holder
    """
    return statement(f"MATCH (l:{_LOCK}) SET l.asked = $holder")


def hold_lock() -> str:
    """Make `$holder` the one that holds; the requests of all others are removed.

    >>> print(hold_lock())
    CYPHER 5 MATCH (l:`_C360Lock`) WHERE l.holder <> $holder DELETE l WITH count(*) AS others
    MATCH (l:`_C360Lock` {holder: $holder}) SET l.holds = true
    """
    return statement(
        f"MATCH (l:{_LOCK}) WHERE l.holder <> $holder DELETE l"
        f" WITH count(*) AS others MATCH (l:{_LOCK} {{holder: $holder}}) SET l.holds = true"
    )


def beat() -> str:
    """Show that `$holder` lives; sets a property as long as it holds the lock.

    >>> print(beat())
    CYPHER 5 MATCH (l:`_C360Lock` {holder: $holder}) WHERE l.holds SET l.beat = l.beat + 1
    """
    return statement(f"MATCH (l:{_LOCK} {{holder: $holder}}) WHERE l.holds SET l.beat = l.beat + 1")


def hold_again() -> str:
    """Make the lock of `$holder` anew where no lock is left; creates a node where it does.

    >>> print(hold_again())
    CYPHER 5 OPTIONAL MATCH (l:`_C360Lock`) WITH count(l) AS others WHERE others = 0 CREATE
    (:`_C360Lock` {holder: $holder, holds: true, beat: 0, client: $client, keeper: $keeper,
    name: $name, since: datetime.realtime()})
    """
    return statement(
        f"OPTIONAL MATCH (l:{_LOCK}) WITH count(l) AS others WHERE others = 0"
        f" CREATE (:{_LOCK} {{holder: $holder, holds: true, beat: 0, client: $client,"
        " keeper: $keeper, name: $name, since: datetime.realtime()})"
    )


def release_lock() -> str:
    """Remove the request, or the lock, of `$holder`.

    >>> print(release_lock())
    CYPHER 5 MATCH (l:`_C360Lock` {holder: $holder}) DELETE l
    """
    return statement(f"MATCH (l:{_LOCK} {{holder: $holder}}) DELETE l")


def show_clients() -> str:
    """Whether the server is one alone (`edition`), and the clients that are connected to it."""
    return (
        "CALL dbms.components() YIELD edition WITH collect(edition) AS editions"
        " CALL dbms.listConnections() YIELD userAgent"
        " RETURN 'community' IN editions AS is_alone, collect(userAgent) AS clients"
    )
