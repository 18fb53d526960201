"""What the OpenAPI document says: of every route alike, and of the answers for each label of the graph."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, create_model

from c360_graph.mapping.graph_manifest import pattern_named
from c360_graph.serve.schema import ServedGraph, ServedLabel, ServedProperty
from c360_graph.serve.values import MEDIA_TYPE, TITLES, ProblemDocument

DESCRIPTION = (
    "The graph that c360_graph loads, read-only. Labels, properties and relationships are those of the last load."
    " Send a key as `Authorization: Bearer KEY` or `X-API-Key: KEY`. What is not served to the key is left"
    " out: labels, and personal properties without the scope `unmasked`. Errors are documents of RFC 9457."
)

_EVERYWHERE = (401, 413, 429, 502, 503, 504)
_RETRY = {
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}

_TYPES: dict[str, Any] = {
    "STRING": str,
    "INTEGER": int,
    "FLOAT": float | None,
    "BOOLEAN": bool,
    "DATE": str,
    "ZONED DATETIME": str,
    "LOCAL DATETIME": str,
    "ZONED TIME": str,
    "LOCAL TIME": str,
    "DURATION": str,
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route: those of every route, and its own."""
    return {
        status: {
            "description": TITLES.get(status, "Error"),
            # Named instead of given as a model, of which FastAPI would make one for each route and status.
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
            **({"headers": _RETRY} if status in (429, 503) else {}),
        }
        for status in sorted({*_EVERYWHERE, *statuses})
    }


def validators() -> dict[str, Any]:
    """The headers by which a client asks whether anything changed."""
    text = {"type": "string"}
    return {
        "headers": {
            "ETag": {"description": "Changes with the graph.", "schema": text},
            "Last-Modified": {"description": "When the graph last changed.", "schema": text},
        }
    }


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what errors look like, and with the ways to send a key."""
    components = document.setdefault("components", {})
    schema = ProblemDocument.model_json_schema()
    components.setdefault("schemas", {})["ProblemDocument"] = schema
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    components["securitySchemes"] = schemes
    document["security"] = [{name: []} for name in schemes]
    return document


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NodeDocument(_Document):
    """A node of any label."""

    label: str
    extra_labels: list[str] = Field(description="Labels that the node has beside that one.")
    key: str | None = Field(description="Names the node in paths. Null: it cannot be named.")
    properties: dict[str, Any] = Field(description="Moments are texts of ISO 8601.")


class ActivityDocument(_Document):
    """A kind of relationship of a customer."""

    relationship: str
    direction: Literal["out", "in"]
    label: str
    count: int
    last: str | None = Field(description="The newest moment of these nodes.")
    last_is_known: bool = Field(description="False where there are too many to look at.")


class SimilarDocument(_Document):
    """Another customer that may be the same."""

    key: str | None = Field(description="Names it in paths. Null: it cannot be named.")
    score: float | None = Field(description="How probable it is, from 0 to 1.")


class JourneyStep(_Document):
    """Something that happened."""

    moment: str
    what: str
    item: str
    detail: str
    related: str


class JourneyRepeat(_Document):
    """A value that several neighbours have in common."""

    label: str
    property: str
    value: str
    times: int
    first: str | None
    last: str | None


class JourneyCut(_Document):
    """A kind of neighbour of which only the newest ones are told of."""

    relationship_type: str
    label: str
    told: int
    total: int
    newest: bool


class JourneyDocument(_Document):
    """What happened around a customer, the earliest first."""

    steps: list[JourneyStep]
    repeats: list[JourneyRepeat]
    cut: list[JourneyCut]


class DrawnNode(NodeDocument):
    """A node of a neighbourhood; `id` is valid within this answer only."""

    id: str
    hop: int


class DrawnEdge(_Document):
    """A relationship between two nodes, by their `id`."""

    source: str
    target: str
    relationship: str
    properties: dict[str, Any]


class ClosedDocument(_Document):
    """Relationships of a node that were not followed, as there are too many."""

    id: str
    relationship: str
    direction: Literal["out", "in"]
    label: str
    count: int


class NeighbourhoodDocument(_Document):
    """Nodes and relationships around a node."""

    centre: str
    nodes: list[DrawnNode]
    edges: list[DrawnEdge]
    not_expanded: list[ClosedDocument]
    is_cut: bool = Field(description="Whether there may be more nodes than the limit.")


class AnswerListed(_Document):
    """A question that can be asked."""

    name: str
    title: str
    description: str
    parameters: dict[str, Any] = Field(description="The defaults.")


class AnswersDocument(_Document):
    """The questions that a client may ask."""

    answers: list[AnswerListed]


class AnswerDocument(_Document):
    """An answer; `rows` are the first 1,000 of `row_count`."""

    name: str
    title: str
    columns: list[str]
    row_count: int
    rows: list[dict[str, Any]]


class PropertyDocument(_Document):
    """A property of a label."""

    name: str
    type: str = Field(description="Neo4j's name of the type, empty where it is not known.")
    is_personal: bool


class LabelDocument(_Document):
    """A label that is served."""

    label: str
    path: str = Field(description="Its name in paths.")
    extra_labels: list[str] = Field(description="Labels that its nodes may have, too.")
    key: list[str]
    properties: list[PropertyDocument]


class RelationshipDocument(_Document):
    """A relationship type between two labels."""

    relationship: str
    start: str
    end: str
    properties: list[PropertyDocument]


class SchemaDocument(_Document):
    """What is served to the client."""

    customer: str | None
    identifiers: list[str] = Field(description="Parameters of /v1/customers.")
    labels: list[LabelDocument]
    relationships: list[RelationshipDocument]


class FollowedSource(_Document):
    """A source whose changes are brought along."""

    source: str
    lsn: str


class FreshnessDocument(_Document):
    """What the graph was made from, and how far behind it is."""

    state: Literal["whole", "rebuilding", "absent", "unreachable"]
    version: str
    changed_at: str = Field(description="When the graph last changed.")
    extracts: dict[str, str] = Field(description="Digest of each extract, by `source/table`.")
    nodes: dict[str, int] = Field(description="Nodes of each label after the last load.")
    is_followed: bool
    sources: list[FollowedSource]
    lag_p50_ms: float | None
    lag_p99_ms: float | None
    measured_at: str | None
    held: list[str]


def node_model(label: ServedLabel) -> type[BaseModel]:
    """The document of a label's nodes."""
    name = re.sub(r"\W", "_", label.path)
    inner = _properties_model(f"{name}Properties", label.properties)
    extra = tuple(one.label for one in label.extra)
    return create_model(
        f"{name}Node",
        __config__=ConfigDict(extra="forbid"),
        label=(str, Field(json_schema_extra={"const": label.label})),
        extra_labels=(
            list[Literal[extra]] if extra else list[str],  # type: ignore[valid-type]
            Field(description="Labels that the node has beside that one."),
        ),
        key=(str | None, ...),
        properties=(inner, ...),
    )


def _properties_model(name: str, properties: Iterable[ServedProperty]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        f"property_{index}": (
            _TYPES.get(prop.type, Any),
            Field(
                default=None,
                alias=prop.name,
                json_schema_extra={
                    "x-neo4j-type": prop.type or "unknown",
                    "x-personal": prop.is_personal,
                },
            ),
        )
        for index, prop in enumerate(properties)
    }
    return create_model(name, __config__=ConfigDict(extra="forbid", title=name), **fields)


def neighbourhood_model(graph: ServedGraph) -> type[BaseModel]:
    """The document of a neighbourhood, whose relationships have properties by their type."""
    by_type: dict[str, dict[str, ServedProperty]] = {}
    for pattern, properties in graph.edge_properties.items():
        found = by_type.setdefault(pattern_named(pattern)[0], {})
        for prop in properties:
            known = found.setdefault(prop.name, prop)
            if known.type != prop.type:
                found[prop.name] = prop.model_copy(update={"type": ""})
    if not by_type:
        return NeighbourhoodDocument
    edges = tuple(
        _edge_model(kind, tuple(properties.values()))
        for kind, properties in sorted(by_type.items())
    )
    return create_model(
        "Neighbourhood",
        __base__=NeighbourhoodDocument,
        edges=(list[Union[(*edges, DrawnEdge)]], ...),  # type: ignore[valid-type]
    )


def _edge_model(kind: str, properties: tuple[ServedProperty, ...]) -> type[BaseModel]:
    name = f"{re.sub(r'[^0-9A-Za-z]', '_', kind)}Edge"
    return create_model(
        name,
        __base__=DrawnEdge,
        relationship=(str, Field(json_schema_extra={"const": kind})),
        properties=(_properties_model(f"{name}Properties", properties), ...),
    )


def page_model(label: ServedLabel, node: type[BaseModel]) -> type[BaseModel]:
    """The document of a page of a label's nodes."""
    return create_model(
        f"{re.sub(r'[^0-9A-Za-z]', '_', label.path)}Page",
        __config__=ConfigDict(extra="forbid"),
        nodes=(list[node], ...),  # type: ignore[valid-type]
        next=(
            str | None,
            Field(description="The cursor of the next page. Null: there is none."),
        ),
    )


def view_model(node: type[BaseModel]) -> type[BaseModel]:
    """The document of a customer's view."""
    return create_model(
        "CustomerView",
        __base__=node,
        activity=(list[ActivityDocument], ...),
        last_activity=(str | None, ...),
        possibly_same=(
            list[SimilarDocument],
            Field(
                description="At most ten other customers that may be the same, the most probable ones first."
                " Nothing of theirs is in this view."
            ),
        ),
    )


def found_model(view: type[BaseModel]) -> type[BaseModel]:
    """The document of the customers that a search finds."""
    return create_model(
        "CustomersFound",
        __config__=ConfigDict(extra="forbid"),
        customers=(list[view], ...),  # type: ignore[valid-type]
        more=(bool, Field(description="Whether there are more than these.")),
    )
