"""Nodes and relationships a second."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.series import Measurement


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Rates of a measurement, nodes and relationships each by the time that they took."""

    nodes: float
    relationships: float
    wall: float

    @classmethod
    def of(cls, measured: Measurement) -> Rates:
        """The rates of a measurement."""
        numbers, facts = measured.numbers, measured.facts
        nodes = numbers.get("node_seconds") or float("nan")
        relationships = numbers.get("relationship_seconds") or float("nan")
        # Offline nobody can see it grow; it says so itself.
        if "import" in facts:
            nodes = facts["nodes of the import"]
            relationships = facts["import"] - nodes
        return cls(
            nodes=measured.nodes / nodes,
            relationships=measured.relationships / relationships,
            wall=measured.numbers["wall"],
        )


NONE = Rates(nodes=float("nan"), relationships=float("nan"), wall=float("nan"))
