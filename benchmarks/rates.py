"""Nodes and relationships a second."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.series import Measurement


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Rates of a measurement; the offline import's count against its own time, as a whole."""

    nodes: float
    relationships: float
    wall: float

    @classmethod
    def of(cls, measured: Measurement) -> Rates:
        """The rates of a measurement."""
        own = measured.facts.get("import")
        nodes = own or measured.numbers.get("node_seconds") or float("nan")
        relationships = own or measured.numbers.get("relationship_seconds") or float("nan")
        return cls(
            nodes=measured.nodes / nodes,
            relationships=measured.relationships / relationships,
            wall=measured.numbers["wall"],
        )


NONE = Rates(nodes=float("nan"), relationships=float("nan"), wall=float("nan"))
