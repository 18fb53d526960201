"""Statements that keep the manifest in the graph."""

from __future__ import annotations

from c360_graph.cypher.quoting import identifier, statement, string_literal
from c360_graph.mapping.names import OWN_PREFIX

LABEL = f"{OWN_PREFIX}Load"
BROKEN, WHOLE = "broken", "whole"
# By the clock of the server, so that readers tell loads apart and know when the last one ended.
_LOADED = "m.loaded_at = datetime()"


def begin_manifest(content: str) -> str:
    """Say what a script is about to write; `content` is a JSON text.

    >>> print(begin_manifest('{}'))
    CYPHER 5 MERGE (m:`_C360Load`) SET m.state = 'broken', m.content = '{}'
    """
    return statement(
        f"MERGE (m:{identifier(LABEL)})"
        f" SET m.state = {string_literal(BROKEN)}, m.content = {string_literal(content)}"
    )


def end_manifest() -> str:
    """Say that a script was written to its end.

    >>> print(end_manifest())
    CYPHER 5 MATCH (m:`_C360Load`) SET m.state = 'whole', m.loaded_at = datetime()
    """
    return statement(
        f"MATCH (m:{identifier(LABEL)}) SET m.state = {string_literal(WHOLE)}, {_LOADED}"
    )


def write_manifest() -> str:
    """Set `$state` and `$content`, a JSON text; who followed the graph has to look at it anew.

    >>> print(write_manifest())
    CYPHER 5 MERGE (m:`_C360Load`) SET m.state = $state, m.content = $content,
    m.loaded_at = datetime() REMOVE m.follower, m.follow
    """
    return statement(
        f"MERGE (m:{identifier(LABEL)}) SET m.state = $state, m.content = $content, {_LOADED}"
        " REMOVE m.follower, m.follow"
    )


def delete_broken_manifest() -> str:
    """Remove the manifest unless it says that the graph is whole.

    >>> print(delete_broken_manifest())
    CYPHER 5 MATCH (m:`_C360Load`) WHERE m.state <> 'whole' DELETE m
    """
    return statement(
        f"MATCH (m:{identifier(LABEL)}) WHERE m.state <> {string_literal(WHOLE)} DELETE m"
    )


def read_manifest() -> str:
    """`state` and `content`, no row where there is none.

    >>> print(read_manifest())
    CYPHER 5 MATCH (m:`_C360Load`) RETURN m.state AS state, m.content AS content
    """
    return statement(f"MATCH (m:{identifier(LABEL)}) RETURN m.state AS state, m.content AS content")
