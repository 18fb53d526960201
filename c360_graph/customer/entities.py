"""Which labels of a graph are those of entities, and which of their records."""

from __future__ import annotations

from c360_graph.mapping.graph_manifest import GraphManifest, RelationshipPattern
from c360_graph.mapping.identities import IS, identity_name, snake_case


def entity_edges(schema: GraphManifest) -> tuple[RelationshipPattern, ...]:
    """The relationships from entities to their records, as identity resolution makes them.

    >>> entity_edges(
    ...     GraphManifest(
    ...         edges=(("IS", "Customer", "Account"), ("IS", "Account", "Blocked")),
    ...         table_keys={"Customer": {"customer_identity/customer": ()}, "Account": {"shop/accounts": ()}},
    ...     )
    ... )
    (('IS', 'Customer', 'Account'),)
    """
    return tuple(edges for edges in schema.edges if edges[0] == IS and _is_entity(schema, edges[1]))


def _is_entity(schema: GraphManifest, label: str) -> bool:
    return [*schema.table_keys.get(label, {})] == [f"{identity_name(label)}/{snake_case(label)}"]
