"""By which properties customers are found, and which values stand for what somebody typed; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from c360_graph.cypher.serving import Seek
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.join_forms import email, normaliser
from c360_graph.mapping.names import IS
from c360_graph.serve.schema import MOST_SCANNED, SEARCHED, ServedGraph, ServedLabel, ServedProperty
from c360_graph.serve.values import read_value

ANY = "q"
"""The parameter that means any identifier."""


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
