"""Customers: by which properties they are found, and their view, journey and neighbourhood."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from c360_graph.customer.journey import Cut, cuts, repeats, steps
from c360_graph.customer.neighbourhood import MOST_SIMILAR, Group, Item, Neighbourhood, Thing
from c360_graph.cypher import serving as text
from c360_graph.cypher.serving import Seek
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.join_forms import email, normaliser
from c360_graph.mapping.names import IS, POSSIBLY_SAME_AS, SCORE_COLUMN
from c360_graph.serve.reading import Reader
from c360_graph.serve.schema import (
    MOST_SCANNED,
    SEARCHED,
    Branch,
    ServedGraph,
    ServedLabel,
    ServedProperty,
)
from c360_graph.serve.values import Problem, read_value

ANY = "q"
"""The parameter that means any identifier."""

MOST_FOUND = 10
"""Customers that a search returns."""
MOST_RECORDS = 50
"""Records of a customer that are looked around."""
MOST_STEPS_OF_KIND = 200
"""Neighbours of a kind that a journey tells of."""
MOST_NODES = 500
"""Nodes that a neighbourhood may have."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Found = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Search:
    """Ways to find what a value identifies, and their parameters."""

    seeks: tuple[Seek, ...]
    parameters: dict[str, Any]


def searched_labels(graph: ServedGraph) -> tuple[ServedLabel, ...]:
    """The label of customers, and those of their records."""
    names = (*([graph.customer] if graph.customer else []), *graph.records)
    return tuple(graph.labels[name] for name in names)


def identifier_names(graph: ServedGraph) -> tuple[str, ...]:
    """Names of the properties that customers are found by, those of the customers' own label first."""
    return tuple(
        dict.fromkeys(
            prop.name
            for label in searched_labels(graph)
            for prop in label.properties
            if prop.name != ANY and _is_searched(label, prop)
        )
    )


def search(
    graph: ServedGraph,
    name: str,
    value: str,
    *,
    hash_key: str | None,
    sees: Callable[[str], bool] = lambda _: True,
) -> Search:
    """How to find customers by a value of a property, or by that of any identifier (`q`).

    Labels that a client does not see are not looked at.
    """
    seeks: list[Seek] = []
    parameters: dict[str, Any] = {}
    for label in filter(lambda one: sees(one.label), searched_labels(graph)):
        through = None if label.label == graph.customer else (IS, graph.customer or "")
        for prop in label.properties:
            wanted = _is_identifier(label, prop) if name == ANY else prop.name == name
            if not (wanted and _is_searched(label, prop)):
                continue
            for column, values in _compared(label, prop, value, hash_key):
                parameter = f"values{len(seeks)}"
                parameters[parameter] = values
                seeks.append(
                    Seek(label=label.label, property=column, parameter=parameter, through=through)
                )
    return Search(seeks=tuple(seeks), parameters=parameters)


def _is_searched(label: ServedLabel, prop: ServedProperty) -> bool:
    if prop.type and prop.type not in SEARCHED:
        return False
    columns = (prop.name, *(form.property for form in label.forms if form.of == prop.name))
    return label.count <= MOST_SCANNED or any(column in label.indexed for column in columns)


def _is_identifier(label: ServedLabel, prop: ServedProperty) -> bool:
    """Whether a value of it is likely to be one customer's: its status or country is not."""
    return (
        prop.is_personal
        or prop.name in label.indexed
        or label.key == (prop.name,)
        or any(form.of == prop.name for form in label.forms)
    )


def _compared(
    label: ServedLabel, prop: ServedProperty, value: str, hash_key: str | None
) -> Iterator[tuple[str, list[Any]]]:
    """(property, values): the property itself and those that hold its normalised forms."""
    found: dict[str, list[Any]] = {}
    for form in (form for form in label.forms if form.of == prop.name):
        given = map(normaliser(form.calls), _values(value, "STRING"))
        texts: list[Any] = list(dict.fromkeys(text for text in given if text is not None))
        if texts:
            found[form.property] = texts + _hashes(texts, prop, hash_key)
    # Equal values have equal forms, but a hash as it stands in the graph is of the value itself.
    has_index = not prop.is_hashed and any(name in label.indexed for name in found)
    plain = _values(value, prop.type)
    if plain and (prop.name in label.indexed or not has_index):
        found = {prop.name: plain + _hashes(plain, prop, hash_key), **found}
    scans = label.count <= MOST_SCANNED and not has_index
    for name, values in found.items():
        if scans or name in label.indexed:
            yield name, values


def _values(value: str, type_name: str) -> list[Any]:
    """As it was given, without blanks around it, in lower case; and as a number where it is one."""
    texts: list[Any] = list(dict.fromkeys((value, value.strip(), email(value) or value)))
    try:
        number = [read_value(value.strip(), "INTEGER")]
    except ValueError:
        number = []
    if type_name == "INTEGER":
        return number
    return texts if type_name == "STRING" else texts + number


def _hashes(values: list[Any], prop: ServedProperty, hash_key: str | None) -> list[str]:
    if not (prop.is_hashed and hash_key):
        return []
    keyed = KeyedHash(hash_key)
    return [keyed.of(value) for value in values if isinstance(value, str)]


async def find_customers(reader: Reader, search: Search) -> dict[str, Any]:
    """The views of at most ten customers that a search finds."""
    if not search.seeks:
        return {"customers": [], "more": False}
    found = await _views(reader, text.by_values(search.seeks), search.parameters, MOST_FOUND + 1)
    return {"customers": found[:MOST_FOUND], "more": len(found) > MOST_FOUND}


async def customer_view(reader: Reader, key: str) -> dict[str, Any]:
    """The view of one customer.

    Raises:
        Problem: 404, there is none.
    """
    label = reader.customer_label()
    parameters = reader.key_parameters(label, key)
    found = await _views(reader, text.by_key(label.label, label.key), parameters, 1)
    if not found:
        raise _missing(label)
    return found[0]


async def _views(
    reader: Reader, start: str, parameters: Mapping[str, Any], most: int
) -> list[dict[str, Any]]:
    label = reader.customer_label()
    branches, arms = reader.customer_arms()
    statement = reader.once(
        ("views", start),
        lambda: text.read_views(
            start,
            reader.read_names(label),
            arms,
            records=IS if reader.served.records else None,
            similar=_similar(reader, label),
        ),
    )
    bounds = {
        "most": most,
        "guard": reader.max_degree,
        "most_records": MOST_RECORDS,
        "most_similar": MOST_SIMILAR,
    }
    found = await reader.found(statement, {**parameters, **bounds})
    return [_view(reader, label, branches, one) for one in found]


def _similar(reader: Reader, label: ServedLabel) -> text.SimilarNodes | None:
    pattern = reader.served.similar
    if pattern is None:
        return None
    seen = reader.served.edge_names(pattern, unmasked=reader.client.unmasked)
    return text.SimilarNodes(
        relationship_type=pattern[0],
        label=label.label,
        names=label.key,
        score=SCORE_COLUMN if SCORE_COLUMN in seen else None,
    )


def _view(
    reader: Reader, label: ServedLabel, branches: Sequence[Branch], found: Found
) -> dict[str, Any]:
    activity: dict[int, dict[str, Any]] = {}
    for around in found["around"]:
        told = activity.setdefault(
            around["arm"],
            {**_kind(branches[around["arm"]]), "count": 0, "last": None, "last_is_known": True},
        )
        told["count"] += around["degree"]
        told["last"] = _latest([told["last"], _moment(around["last"])])
        told["last_is_known"] &= around["degree"] <= reader.max_degree
    listed = [activity[arm] for arm in sorted(activity)]
    return {
        **reader.node(label, found),
        "activity": listed,
        "last_activity": _latest([one["last"] for one in listed]),
        "possibly_same": [
            {"key": reader.key_of(label, other["properties"]), "score": other["score"]}
            for other in found["similar"]
        ],
    }


def _kind(branch: Branch) -> dict[str, str]:
    return {
        "relationship": branch.relationship_type,
        "direction": "out" if branch.outward else "in",
        "label": branch.label,
    }


def _moment(value: Any) -> Any:
    """A moment as it was read; None where Python cannot hold it."""
    if not isinstance(value, int):
        return value
    try:
        return _EPOCH + timedelta(microseconds=value)
    except OverflowError:
        return None


def _latest(moments: Sequence[Any]) -> Any:
    return max((m for m in moments if isinstance(m, date)), key=_instant, default=None)


def _instant(moment: date) -> datetime:
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def read_journey(reader: Reader, key: str) -> Neighbourhood:
    """The customer and its newest neighbours of each kind, those of its records too.

    Raises:
        Problem: 404, there is no such customer.
    """
    label = reader.customer_label()
    parameters = reader.key_parameters(label, key)
    centre = _thing(reader, label, await _centre(reader, label, parameters))
    branches, arms = reader.customer_arms()
    if not arms:
        return Neighbourhood(centre=centre, groups=())
    statement = reader.once(
        ("journey",),
        lambda: text.read_around(
            text.by_key(label.label, label.key),
            arms,
            records=IS if reader.served.records else None,
        ),
    )
    found = await reader.found(
        statement,
        {
            **parameters,
            "most_starts": 1,
            "most_records": MOST_RECORDS,
            "guard": reader.max_degree,
            "each": MOST_STEPS_OF_KIND,
            "most": MOST_STEPS_OF_KIND * len(arms),
        },
    )
    return Neighbourhood(centre=centre, groups=_groups(reader, branches, found))


async def _centre(reader: Reader, label: ServedLabel, parameters: Mapping[str, Any]) -> Found:
    found = await reader.found(
        text.read_nodes(text.by_key(label.label, label.key), reader.read_names(label)),
        {**parameters, "most": 1},
    )
    if not found:
        raise _missing(label)
    centre: Found = found[0]
    return centre


def _missing(label: ServedLabel) -> Problem:
    return Problem(404, f"There is no {label.label} with this key.")


def _groups(
    reader: Reader, branches: Sequence[Branch], found: Sequence[Found]
) -> tuple[Group, ...]:
    items: dict[int, dict[str, Item]] = {}
    totals: dict[int, dict[str, int]] = {}
    for row in found:
        branch = branches[row["arm"]]
        totals.setdefault(row["arm"], {})[row["source"]] = row["degree"]
        of_arm = items.setdefault(row["arm"], {})
        if row["id"] is not None and len(of_arm) < MOST_STEPS_OF_KIND:
            thing = _thing(reader, reader.served.labels[branch.label], row)
            of_arm[thing.id] = Item(thing=thing)
    return tuple(
        Group(
            relationship_type=branches[arm].relationship_type,
            start=branches[arm].at,
            hop=0 if branches[arm].relationship_type == IS else 1,
            label=branches[arm].label,
            properties=reader.names(reader.served.labels[branches[arm].label]),
            items=tuple(of_arm.values()),
            total=sum(totals[arm].values()),
        )
        for arm, of_arm in sorted(items.items())
    )


def _thing(reader: Reader, label: ServedLabel, found: Found) -> Thing:
    node = reader.node(label, found)
    shown_key = tuple(name for name in label.key if name in node["properties"])
    return Thing(id=found["id"], label=label.label, key=shown_key, properties=node["properties"])


def journey_data(around: Neighbourhood) -> dict[str, Any]:
    """What happened, the earliest first; what repeats; and what was left out."""
    return {
        "steps": [asdict(step) for step in steps(around)],
        "repeats": [asdict(repeat) for repeat in repeats(around)],
        "cut": [_cut(cut) for cut in cuts(around)],
    }


def _cut(cut: Cut) -> dict[str, Any]:
    return asdict(cut)


async def read_neighbourhood(
    reader: Reader, label: ServedLabel, key: str, *, hops: int, limit: int
) -> dict[str, Any]:
    """The nodes around one, up to some hops away, and the relationships that lead to them.

    Around a node with more relationships of a kind than the limit of the server nothing of this kind is
    followed: it is listed in `not_expanded`.

    Raises:
        Problem: 404, there is no such node.
    """
    centre = await _centre(reader, label, reader.key_parameters(label, key))
    first = centre["id"]
    nodes: dict[str, dict[str, Any]] = {
        first: {"id": first, **reader.node(label, centre), "hop": 0}
    }
    edges: dict[tuple[str, ...], dict[str, Any]] = {}
    closed: list[dict[str, Any]] = []
    frontier = {first: label.label}
    for hop in range(1, hops + 1):
        branches, arms = reader.arms(dict.fromkeys(frontier.values()))
        if not arms or len(nodes) >= limit:
            break
        found = await _around(reader, arms, list(frontier), limit)
        frontier = {}
        for row in found:
            branch = branches[row["arm"]]
            if row["id"] is None:
                if row["degree"] > reader.max_degree:
                    closed.append({"id": row["source"], **_kind(branch), "count": row["degree"]})
                continue
            if row["id"] not in nodes:
                if len(nodes) >= limit:
                    continue
                far = reader.served.labels[branch.label]
                node = reader.node(far, row)
                nodes[row["id"]] = {"id": row["id"], **node, "hop": hop}
                # What is around another customer, which may be the same, is of the other one.
                if branch.relationship_type != POSSIBLY_SAME_AS:
                    frontier[row["id"]] = branch.label
            _add_edge(edges, branch, row)
    return {
        "centre": first,
        "nodes": list(nodes.values()),
        "edges": list(edges.values()),
        "not_expanded": closed,
        "is_cut": len(nodes) >= limit,
    }


async def _around(
    reader: Reader, arms: Sequence[text.Arm], ids: list[str], limit: int
) -> Sequence[Found]:
    return await reader.found(
        text.read_around(text.by_ids(), arms),
        {
            "ids": ids,
            "most_starts": len(ids),
            "guard": reader.max_degree,
            "each": max(3, limit // len(ids)),
            "most": 4 * limit,
        },
    )


def _add_edge(edges: dict[tuple[str, ...], dict[str, Any]], branch: Branch, row: Found) -> None:
    ends = (row["source"], row["id"])
    start, end = ends if branch.outward else ends[::-1]
    given = row["edge"] or {}
    edges[start, branch.relationship_type, end, row["edge_id"] or ""] = {
        "source": start,
        "target": end,
        "relationship": branch.relationship_type,
        "properties": {name: value for name, value in given.items() if value is not None},
    }
