"""The labels of a node beside the one that it is found by.

A value becomes a label only if it is one of a list, so that no other text of a source ever does.
"""

from __future__ import annotations

from c360_graph.cypher.quoting import identifier, string_literal
from c360_graph.mapping.model import ExtraLabels


def constant_labels(extra: ExtraLabels) -> str:
    """The labels that every node has, behind the first one in a pattern.

    >>> constant_labels(ExtraLabels(always=("Party", "Person")))
    ':`Party`:`Person`'
    """
    return _named(extra.always)


def label_of_value(extra: ExtraLabels, row: str) -> str:
    """The expression of a list with the label that a value of `row`, a node or a map, gives.

    >>> label_of_value(ExtraLabels(by_property="tier", values=("Gold",)), "n")
    "CASE WHEN n.`tier` IN ['Gold'] THEN [n.`tier`] ELSE [] END"
    """
    if extra.by_property is None:
        return "[]"
    value = f"{row}.{identifier(extra.by_property)}"
    return f"CASE WHEN {value} IN {_listed(extra.values)} THEN [{value}] ELSE [] END"


def set_on_new(extra: ExtraLabels, node: str, row: str) -> str:
    """Behind a SET that gives a new node its properties: what gives it its labels.

    >>> set_on_new(ExtraLabels(always=("Party",)), "n", "new")
    ', n:`Party`'
    """
    always = f", {node}{_named(extra.always)}" if extra.always else ""
    return always + (f", {node}:$({label_of_value(extra, row)})" if extra.by_property else "")


def set_by_value(extra: ExtraLabels, node: str) -> str:
    """Behind a CREATE of a node with its properties: what gives it the label of its value."""
    return f" SET {node}:$({label_of_value(extra, node)})" if extra.by_property else ""


def set_anew(extra: ExtraLabels, node: str, row: str) -> str:
    """Behind a SET that changes a node: takes away the labels that it may have, and gives it its own."""
    if not extra.all:
        return ""
    given = f" SET {set_on_new(extra, node, row).removeprefix(', ')}"
    return f" REMOVE {node}{_named(extra.all)}{given}"


def labels_differ(extra: ExtraLabels, node: str, row: str) -> str:
    """The condition that a node has not the labels that it should have."""
    wanted = f"{_listed(extra.always)} + {label_of_value(extra, row)}"
    return (
        f"any(label IN {_listed(extra.all)} WHERE (label IN labels({node})) <> (label IN {wanted}))"
    )


def _named(labels: tuple[str, ...]) -> str:
    return "".join(f":{identifier(label)}" for label in labels)


def _listed(labels: tuple[str, ...]) -> str:
    return f"[{', '.join(map(string_literal, labels))}]"
