"""Statements that keep the manifest in the graph."""

from __future__ import annotations

from c360_graph.cypher.nodes import PIN
from c360_graph.cypher.quoting import identifier
from c360_graph.mapping.names import OWN_PREFIX

LABEL = f"{OWN_PREFIX}Load"
BROKEN, WHOLE = "broken", "whole"


def write_manifest() -> bytes:
    """Set `$state` and `$content`, a JSON text."""
    return (
        PIN
        + (
            f"MERGE (m:{identifier(LABEL)})"
            " SET m.state = $state, m.content = $content, m.updated_at = datetime()"
        ).encode()
    )


def read_manifest() -> bytes:
    """`state` and `content`, no row where there is none."""
    return (
        PIN
        + f"MATCH (m:{identifier(LABEL)}) RETURN m.state AS state, m.content AS content".encode()
    )
