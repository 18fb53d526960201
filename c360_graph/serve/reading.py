"""What is read of the graph for a request: one statement each, and only of a graph that is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from c360_graph.cypher.manifest import WHOLE
from c360_graph.cypher.serving import Arm
from c360_graph.graph.read_only import AsyncGraph
from c360_graph.mapping.names import IS, POSSIBLY_SAME_AS
from c360_graph.serve.clients import Client
from c360_graph.serve.problems import Problem, unavailable
from c360_graph.serve.schema import Branch, ServedGraph, ServedLabel
from c360_graph.serve.values import key_text, read_key

_MOST_KEPT = 1_000
_T = TypeVar("_T")

REBUILDING = (
    "The graph is being rebuilt. Ask again in a moment; `c360 run` says how far the load is."
)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What a request is answered from: the graph, what is served of it, and to whom."""

    graph: AsyncGraph
    served: ServedGraph
    client: Client
    timeout_seconds: float
    max_degree: int
    loads: tuple[str, ...] = ()
    """What the graph's mark says of the load that `served` was read of."""
    kept: dict[Any, Any] = field(default_factory=dict)
    """What was made for earlier requests: to make a statement anew takes as long as to send it."""

    def once(self, name: tuple[Any, ...], make: Callable[[], _T]) -> _T:
        """What `make` returns, made once for a graph, the labels of a client, and its scope."""
        of = (self.served.fingerprint, self.client.labels, self.client.unmasked, *name)
        if of not in self.kept:
            if len(self.kept) >= _MOST_KEPT:
                self.kept.clear()
            self.kept[of] = make()
        found: _T = self.kept[of]
        return found

    def label(self, name: str) -> ServedLabel:
        """A label that is served to the client.

        Raises:
            Problem: 403, it is not; 404, the graph has it no more.
        """
        if name not in self.served.labels:
            raise Problem(404, f"The graph has no label {name} any more.")
        if not self.client.sees(name):
            raise Problem(403, f"The key does not permit the label {name}.")
        return self.served.labels[name]

    def customer_label(self) -> ServedLabel:
        """The label of the customers.

        Raises:
            Problem: 404, the graph has none; 403, it is not served to the client.
        """
        if self.served.customer is None:
            raise Problem(404, "The graph has no label with a key, so there are no customers.")
        return self.label(self.served.customer)

    def names(self, label: ServedLabel) -> tuple[str, ...]:
        """The properties of a label that the client may see."""
        make = partial(label.names, unmasked=self.client.unmasked)
        return self.once(("names", label.label), make)

    def read_names(self, label: ServedLabel) -> tuple[str, ...]:
        """Those, and the key, which names nodes even where it is not shown."""
        return tuple(dict.fromkeys((*self.names(label), *label.key)))

    def arms(self, at: Iterable[str]) -> tuple[tuple[Branch, ...], tuple[Arm, ...]]:
        """The kinds of relationships that are served, and how they are read."""
        labels = tuple(at)
        return self.once(("arms", labels), lambda: self._arms(labels))

    def _arms(self, at: tuple[str, ...]) -> tuple[tuple[Branch, ...], tuple[Arm, ...]]:
        seen = [name for name in self.served.labels if self.client.sees(name)]
        branches = self.served.branches([name for name in at if self.client.sees(name)], to=seen)
        return branches, tuple(self._arm(branch) for branch in branches)

    def customer_arms(self) -> tuple[tuple[Branch, ...], tuple[Arm, ...]]:
        """Those of a customer and its records that lead to no customer: neither back, nor to others that may be
        the same."""
        return self.once(("customer arms",), self._customer_arms)

    def _customer_arms(self) -> tuple[tuple[Branch, ...], tuple[Arm, ...]]:
        customer, records = self.customer_label().label, self.served.records
        found = zip(*self.arms((customer, *records)), strict=True)
        own = [
            (branch, arm)
            for branch, arm in found
            if not (branch.label == customer and branch.relationship_type in (IS, POSSIBLY_SAME_AS))
        ]
        return tuple(branch for branch, _ in own), tuple(arm for _, arm in own)

    def _arm(self, branch: Branch) -> Arm:
        far = self.served.labels[branch.label]
        names = self.names(far)
        return Arm(
            at=branch.at,
            relationship_type=branch.relationship_type,
            outward=branch.outward,
            label=branch.label,
            names=self.read_names(far),
            edge_names=self.served.edge_names(branch.pattern, unmasked=self.client.unmasked),
            moment=far.moment if far.moment in names else None,
            is_alone=branch.is_alone,
        )

    async def found(self, statement: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """What a statement of `cypher.serving` finds.

        Raises:
            Problem: 503, a load began meanwhile, or ended.
            GraphError: the server refuses, is away, or took too long.
        """
        (row,) = await self.graph.rows(statement, parameters, timeout_seconds=self.timeout_seconds)
        # Another load may have given ids of nodes to others since the last statement of the request.
        if tuple(row["states"]) != (WHOLE,) or tuple(row["loads"]) != self.loads:
            raise unavailable(REBUILDING)
        return tuple(row["found"])

    def key_parameters(self, label: ServedLabel, key: str) -> dict[str, Any]:
        """The parameters of a key that stands in a URL.

        Raises:
            Problem: 404, nodes of the label have no such key.
        """
        if not label.key:
            raise Problem(404, f"Nodes of {label.label} have no key, so none can be named.")
        try:
            return read_key(key, label.key_types)
        except ValueError as error:
            raise Problem(404, f"No {label.label} has such a key: {error}.") from None

    def key_of(self, label: ServedLabel, properties: Mapping[str, Any]) -> str | None:
        """The key of a node as it stands in a URL; None where it has none, or none that may be shown."""
        if not label.key or (label.has_personal_key and not self.client.unmasked):
            return None
        return key_text(tuple(properties.get(name) for name in label.key))

    def extra_labels(self, label: ServedLabel) -> tuple[str, ...]:
        """The further labels of a label's nodes that the client may see."""
        make = partial(label.extra_labels, unmasked=self.client.unmasked)
        return self.once(("extra labels", label.label), make)

    def node(self, label: ServedLabel, found: Mapping[str, Any]) -> dict[str, Any]:
        """A node as it is served: properties that it does not have are left out."""
        names, properties = self.names(label), found["properties"]
        return {
            "label": label.label,
            "extra_labels": [e for e in self.extra_labels(label) if e in found["labels"]],
            "key": self.key_of(label, properties),
            "properties": {
                name: value for name in names if (value := properties.get(name)) is not None
            },
        }
