"""Statements that keep a target's lock: one node while a load is under way, none otherwise.

A load writes a request, then in one transaction takes the write locks of all requests and sees whether
another holds the lock. Of two that do so at once the later one waits for the earlier, and finds that it
holds. No constraint is needed for that, so the schema of the graph stays the user's.
"""

from __future__ import annotations

from c360_graph.cypher.quoting import identifier
from c360_graph.cypher.rows import PIN
from c360_graph.mapping.names import OWN_PREFIX

LABEL = f"{OWN_PREFIX}Lock"

_LOCK = identifier(LABEL)


def read_locks() -> bytes:
    """All requests and the lock that is held.

    >>> print(read_locks().decode())
    CYPHER 5 MATCH (l:`_C360Lock`) RETURN l.holder AS holder, l.holds AS holds, l.beat AS beat,
    l.client AS client, l.keeper AS keeper, l.name AS name, toString(l.since) AS since
    """
    return (
        PIN
        + (
            f"MATCH (l:{_LOCK}) RETURN l.holder AS holder, l.holds AS holds, l.beat AS beat,"
            " l.client AS client, l.keeper AS keeper, l.name AS name, toString(l.since) AS since"
        ).encode()
    )


def request_lock() -> bytes:
    """Write the request `$holder`, unless it is there.

    >>> print(request_lock().decode())
    CYPHER 5 MERGE (l:`_C360Lock` {holder: $holder}) ON CREATE SET l.holds = false, l.beat = 0,
    l.client = $client, l.keeper = $keeper, l.name = $name, l.since = datetime.realtime()
    """
    return (
        PIN
        + (
            f"MERGE (l:{_LOCK} {{holder: $holder}})"
            " ON CREATE SET l.holds = false, l.beat = 0, l.client = $client, l.keeper = $keeper,"
            " l.name = $name, l.since = datetime.realtime()"
        ).encode()
    )


def lock_requests() -> bytes:
    """Take the write lock of every request, to the end of the transaction.

    >>> print(lock_requests().decode())
    CYPHER 5 MATCH (l:`_C360Lock`) SET l.asked = $holder
    """
    return PIN + f"MATCH (l:{_LOCK}) SET l.asked = $holder".encode()


def hold_lock() -> bytes:
    """Make `$holder` the one that holds; the requests of all others are removed.

    >>> print(hold_lock().decode())
    CYPHER 5 MATCH (l:`_C360Lock`) WHERE l.holder <> $holder DELETE l WITH count(*) AS others
    MATCH (l:`_C360Lock` {holder: $holder}) SET l.holds = true
    """
    return (
        PIN
        + (
            f"MATCH (l:{_LOCK}) WHERE l.holder <> $holder DELETE l"
            f" WITH count(*) AS others MATCH (l:{_LOCK} {{holder: $holder}}) SET l.holds = true"
        ).encode()
    )


def beat() -> bytes:
    """Show that `$holder` lives; sets a property as long as it holds the lock.

    >>> print(beat().decode())
    CYPHER 5 MATCH (l:`_C360Lock` {holder: $holder}) WHERE l.holds SET l.beat = l.beat + 1
    """
    return (
        PIN
        + f"MATCH (l:{_LOCK} {{holder: $holder}}) WHERE l.holds SET l.beat = l.beat + 1".encode()
    )


def hold_again() -> bytes:
    """Make the lock of `$holder` anew where no lock is left; creates a node where it does.

    >>> print(hold_again().decode())
    CYPHER 5 OPTIONAL MATCH (l:`_C360Lock`) WITH count(l) AS others WHERE others = 0 CREATE
    (:`_C360Lock` {holder: $holder, holds: true, beat: 0, client: $client, keeper: $keeper,
    name: $name, since: datetime.realtime()})
    """
    return (
        PIN
        + (
            f"OPTIONAL MATCH (l:{_LOCK}) WITH count(l) AS others WHERE others = 0"
            f" CREATE (:{_LOCK} {{holder: $holder, holds: true, beat: 0, client: $client,"
            " keeper: $keeper, name: $name, since: datetime.realtime()})"
        ).encode()
    )


def release_lock() -> bytes:
    """Remove the request, or the lock, of `$holder`.

    >>> print(release_lock().decode())
    CYPHER 5 MATCH (l:`_C360Lock` {holder: $holder}) DELETE l
    """
    return PIN + f"MATCH (l:{_LOCK} {{holder: $holder}}) DELETE l".encode()


def show_clients() -> str:
    """Whether the server is one alone (`edition`), and the clients that are connected to it."""
    return (
        "CALL dbms.components() YIELD edition WITH collect(edition) AS editions"
        " CALL dbms.listConnections() YIELD userAgent"
        " RETURN 'community' IN editions AS is_alone, collect(userAgent) AS clients"
    )
