"""By what right a load writes to a graph: who loads it, and whether another's may be taken over."""

from __future__ import annotations

from dataclasses import dataclass

from c360_graph.errors import GraphOwnedError
from c360_graph.mapping.graph_manifest import GraphManifest, Owner


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who loads a graph.

    Attributes:
        owner: the control database that the load is for; None where it is not known.
        take_over: whether the graph of another control database becomes this one's.
        keeper: id of the control database that keeps this load's session lock. Whoever holds that
            lock knows that an earlier load under the same lock has ended.
        wait_seconds: how long to wait for another load of the target; 0 fails at once.
    """

    owner: Owner | None = None
    take_over: bool = False
    keeper: str = ""
    wait_seconds: float = 0.0

    @property
    def name(self) -> str:
        """Who loads, for the messages of others."""
        return self.owner.name if self.owner else "a script that names no control database"


def owned_by_another(manifest: GraphManifest | None, claim: Claim, *, server: str) -> str | None:
    """Why a load may not write to a graph; None where it may.

    A graph without a manifest, or with that of a version that named no owner, may be loaded by anyone.
    """
    owner = manifest.owner if manifest else None
    if owner is None or claim.take_over or (claim.owner and claim.owner.id == owner.id):
        return None
    return (
        f"The graph {server} is loaded from another control database ({owner.name}; this load is for"
        f" {claim.name}), and nothing was changed. Point NEO4J_URI at a graph of its own. If this one"
        " is to take the graph over, for instance because the control database was moved or restored,"
        " load once with take_over: true (c360 load --take-over): what the other one wrote is then"
        " replaced."
    )


def refuse_anothers_graph(manifest: GraphManifest | None, claim: Claim, *, server: str) -> None:
    """Make sure that the graph is not another control database's.

    Raises:
        GraphOwnedError: it is, and the claim does not take it over.
    """
    reason = owned_by_another(manifest, claim, server=server)
    if reason is not None:
        raise GraphOwnedError(reason)
