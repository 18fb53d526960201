"""What the server says of the graph itself: its schema and how fresh it is; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from c360_graph.mapping.graph_manifest import pattern_name
from c360_graph.serve.clients import Client
from c360_graph.serve.identifiers import identifier_names
from c360_graph.serve.reading import Reader
from c360_graph.serve.schema import ServedProperty
from c360_graph.serve.watch import Snapshot


def served_schema(reader: Reader) -> dict[str, Any]:
    """The labels, properties and relationships that a client may see."""
    served, client = reader.served, reader.client
    return {
        "customer": served.customer if client.sees(served.customer or "") else None,
        "identifiers": list(identifier_names(served)) if client.sees(served.customer or "") else [],
        "labels": [
            {
                "label": label.label,
                "path": label.path,
                "extra_labels": [one.label for one in label.extra],
                "key": list(label.key),
                "properties": _properties(label.properties),
            }
            for label in served.labels.values()
            if client.sees(label.label)
        ],
        "relationships": [
            {
                "relationship": kind,
                "start": start,
                "end": end,
                "properties": _properties(
                    served.edge_properties.get(pattern_name((kind, start, end)), ())
                ),
            }
            for kind, start, end in served.edges
            if client.sees(start) and client.sees(end)
        ],
    }


def _properties(found: Iterable[ServedProperty]) -> list[dict[str, Any]]:
    return [{"name": p.name, "type": p.type, "is_personal": p.is_personal} for p in found]


def freshness(snapshot: Snapshot, client: Client) -> dict[str, Any]:
    """The state of the graph, the extracts it was made from, and the follower's position and lag."""
    follow = snapshot.follow
    rates = follow.rates if follow else None
    manifest = snapshot.manifest
    return {
        "state": snapshot.state,
        "version": snapshot.version,
        "changed_at": snapshot.changed_at,
        # Those of relationships have names with tabs.
        "extracts": {name: d for name, d in manifest.digests.items() if "\t" not in name},
        "nodes": {label: n for label, n in manifest.nodes.items() if client.sees(label)},
        "is_followed": snapshot.is_followed and follow is not None,
        "sources": [
            {"source": name, "lsn": slot.lsn}
            for name, slot in (follow.slots if follow else {}).items()
        ],
        "lag_p50_ms": rates.lag_p50_ms if rates else None,
        "lag_p99_ms": rates.lag_p99_ms if rates else None,
        "measured_at": rates.moment if rates else None,
        "held": sorted(follow.held) if follow else [],
    }
