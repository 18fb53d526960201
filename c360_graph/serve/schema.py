"""What of a graph is served: labels, properties, relationships, and how customers are found; pure.

Read from the manifest that the last load left in the graph, and from the rules in force now.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from hashlib import sha256

from pydantic import Field

from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.graph_manifest import (
    EdgeColumn,
    GraphManifest,
    RelationshipPattern,
    pattern_name,
)
from c360_graph.mapping.join_forms import parsed
from c360_graph.mapping.join_functions import Calls, JoinFunctions
from c360_graph.mapping.model import JOIN_PREFIX
from c360_graph.mapping.names import IS, POSSIBLY_SAME_AS
from c360_graph.proposal.personal_names import kind_by_name

RESERVED = frozenset({"answers", "changes", "customers", "freshness", "schema"})
"""Words of the API's own paths, which no label's path may be."""

MOMENTS = ("ZONED DATETIME", "LOCAL DATETIME", "DATE")
SEARCHED = ("STRING", "INTEGER")
"""Types of properties that customers are found by."""

MOST_SCANNED = 100_000
"""Nodes of a label that are looked through by a property without an index."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9_.-]+")
_BASES = {
    "STRING": "text",
    "INTEGER": "int8",
    "FLOAT": "float8",
    "DATE": "date",
    "ZONED DATETIME": "timestamptz",
    "LOCAL DATETIME": "timestamp",
    "POINT": "point",
}


class ServedRule(Frozen):
    """A row of `field_exclusion_rules`, whether it is in force or says that a column is read as it is."""

    source_name: str
    table_name: str
    column_name: str
    is_excluded: bool
    treatment: str = "exclude"


class ServedProperty(Frozen):
    """`type` is Neo4j's name of it, empty where it is not known."""

    name: str
    type: str
    is_personal: bool
    is_hashed: bool = False


class ServedExtra(Frozen):
    """A label that nodes may have beside the main one. One by a value tells of the value."""

    label: str
    is_personal: bool


class Form(Frozen):
    """A property that holds what functions make of another one, such as an address in lower case."""

    property: str
    of: str
    calls: Calls


class ServedLabel(Frozen):
    """A label and what is served of its nodes. `path` names it in URLs."""

    label: str
    path: str
    properties: tuple[ServedProperty, ...]
    extra: tuple[ServedExtra, ...] = ()
    key: tuple[str, ...] = ()
    key_types: tuple[str, ...] = ()
    is_shared: bool = False
    forms: tuple[Form, ...] = ()
    indexed: frozenset[str] = frozenset()
    count: int = 0

    @cached_property
    def by_name(self) -> dict[str, ServedProperty]:
        """The properties by name."""
        return {prop.name: prop for prop in self.properties}

    @cached_property
    def moment(self) -> str | None:
        """The first property that says when something happened."""
        return next((p.name for p in self.properties if p.type in MOMENTS), None)

    @property
    def has_personal_key(self) -> bool:
        """Whether what identifies a node is personal."""
        return any(p.is_personal for name in self.key if (p := self.by_name.get(name)) is not None)

    def names(self, *, unmasked: bool) -> tuple[str, ...]:
        """The properties that a client may see."""
        return tuple(p.name for p in self.properties if unmasked or not p.is_personal)

    def extra_labels(self, *, unmasked: bool) -> tuple[str, ...]:
        """The further labels that a client may see."""
        return tuple(e.label for e in self.extra if unmasked or not e.is_personal)


class Branch(Frozen):
    """One kind of relationship at a label, seen from there. `is_alone` says that the type and the
    direction already say which label is at the other end."""

    at: str
    relationship_type: str
    outward: bool
    label: str
    is_alone: bool

    @property
    def pattern(self) -> RelationshipPattern:
        """The relationships as the manifest names them."""
        ends = (self.at, self.label) if self.outward else (self.label, self.at)
        return (self.relationship_type, *ends)


class ServedGraph(Frozen):
    """All that is served. `customer` is None where the graph has no labels."""

    labels: dict[str, ServedLabel] = Field(default_factory=dict)
    edges: tuple[RelationshipPattern, ...] = ()
    edge_properties: dict[str, tuple[ServedProperty, ...]] = Field(default_factory=dict)
    """What is served of relationships, by `pattern_name`."""
    customer: str | None = None
    records: tuple[str, ...] = ()
    """Labels of the records that customers of identity resolution lead to."""
    fingerprint: str = ""

    @cached_property
    def by_path(self) -> dict[str, ServedLabel]:
        """The labels by the name that they have in URLs."""
        return {label.path: label for label in self.labels.values()}

    def edge_names(self, edges: RelationshipPattern, *, unmasked: bool) -> tuple[str, ...]:
        """The properties of relationships that a client may see."""
        found = self.edge_properties.get(pattern_name(edges), ())
        return tuple(p.name for p in found if unmasked or not p.is_personal)

    @property
    def similar(self) -> RelationshipPattern | None:
        """The relationships between customers that may be the same; None where there are none."""
        pattern = (POSSIBLY_SAME_AS, self.customer or "", self.customer or "")
        return pattern if self.records and pattern in self.edges else None

    def branches(self, at: Iterable[str], *, to: Collection[str]) -> tuple[Branch, ...]:
        """Every kind of relationship of some labels that leads to labels that a client may see."""
        return tuple(
            branch for label in at for branch in _branches(self.edges, label) if branch.label in to
        )


def served_graph(
    manifest: GraphManifest,
    rules: Iterable[ServedRule],
    *,
    indexed: Collection[tuple[str, str]] = (),
    counts: Mapping[str, int] | None = None,
    customer: str | None = None,
) -> ServedGraph:
    """What is served of a graph.

    Args:
        manifest: what the last load left.
        rules: all rows of `field_exclusion_rules`. A column that one excludes now is not served any more,
            though it is in the graph until the next load.
        indexed: (label, property) of the indexes over one property.
        counts: nodes of each label.
        customer: the label that customers have; None for the one that looks most like it.
    """
    found = tuple(rules)
    paths = dict(_paths(manifest.labels))
    labels = {
        label: _served_label(
            manifest,
            label,
            paths[label],
            found,
            indexed=indexed,
            count=(counts or {}).get(label, 0),
        )
        for label in manifest.labels
    }
    chosen = customer if customer in labels else _customer(manifest)
    records = (
        tuple(to for kind, start, to in manifest.edges if (kind, start) == (IS, chosen))
        if chosen and _is_entity(manifest, chosen)
        else ()
    )
    made = ServedGraph(
        labels=labels,
        edges=manifest.edges,
        edge_properties=dict(_edge_properties(manifest, found)),
        customer=chosen,
        records=records,
    )
    text = made.model_dump_json(exclude={"labels": {"__all__": {"count", "indexed"}}})
    # What customers are found by depends on these, and so do the routes.
    text += str([(one.count > MOST_SCANNED, sorted(one.indexed)) for one in labels.values()])
    return made.model_copy(update={"fingerprint": sha256(text.encode()).hexdigest()[:16]})


def _served_label(
    manifest: GraphManifest,
    label: str,
    path: str,
    rules: tuple[ServedRule, ...],
    *,
    indexed: Collection[tuple[str, str]],
    count: int,
) -> ServedLabel:
    tables = manifest.table_keys.get(label, {})
    of_label = [rule for rule in rules if _concerns(rule, tables)]
    excluded = {
        rule.column_name.lower()
        for rule in of_label
        if rule.is_excluded and rule.treatment == "exclude"
    }
    types = manifest.property_types.get(label, {})
    origins = manifest.origins.get(label, {})
    keys = dict(zip(manifest.keys.get(label, ()), manifest.key_types.get(label, ()), strict=False))
    names = [
        name
        for name in manifest.labels[label]
        if not any(column.lower() in excluded for column in (name, *origins.get(name, ())))
    ]
    key = manifest.keys.get(label, ())
    properties = tuple(
        _served_property(
            name,
            types.get(name) or keys.get(name, ""),
            tables,
            of_label,
            columns=(name, *origins.get(name, ())),
        )
        for name in names
        if not name.startswith(JOIN_PREFIX)
    )
    return ServedLabel(
        label=label,
        path=path,
        properties=properties,
        extra=tuple(_extras(manifest, label, properties)),
        key=key if all(name in names for name in key) else (),
        key_types=tuple(keys.get(name, "") for name in key),
        is_shared=len(tables) > 1,
        forms=tuple(form for name in names if (form := _form(name)) and form.of in names),
        indexed=frozenset(name for at, name in indexed if at == label),
        count=count,
    )


def _extras(
    manifest: GraphManifest, label: str, properties: Iterable[ServedProperty]
) -> Iterator[ServedExtra]:
    """Those by the value of a property that is served no more are served no more, either."""
    is_personal = {prop.name: prop.is_personal for prop in properties}
    by_value: dict[str, set[str]] = {}
    for found in manifest.value_labels.get(label, {}).values():
        for name, prop in found.items():
            by_value.setdefault(name, set()).add(prop)
    tables = manifest.extras.get(label, {}).values()
    for name in dict.fromkeys(name for names in tables for name in names):
        of = by_value.get(name, set())
        if of <= is_personal.keys():
            yield ServedExtra(label=name, is_personal=any(is_personal[prop] for prop in of))


def _edge_properties(
    manifest: GraphManifest, rules: tuple[ServedRule, ...]
) -> Iterator[tuple[str, tuple[ServedProperty, ...]]]:
    for pattern, properties in manifest.edge_columns.items():
        served = tuple(
            found
            for name, columns in properties.items()
            if (found := _edge_property(name, columns, rules)) is not None
        )
        if served:
            yield pattern, served


def _edge_property(
    name: str, columns: Iterable[EdgeColumn], rules: tuple[ServedRule, ...]
) -> ServedProperty | None:
    """None where a rule excludes a column that it is made of."""
    found = []
    for table, column, type_name in columns:
        of_table = [rule for rule in rules if _concerns(rule, (table,))]
        own = [
            rule for rule in of_table if rule.column_name.lower() in {name.lower(), column.lower()}
        ]
        if any(rule.is_excluded and rule.treatment == "exclude" for rule in own):
            return None
        found.append(_served_property(name, type_name, (table,), own, columns=(name, column)))
    types = {prop.type for prop in found}
    return ServedProperty(
        name=name,
        type=types.pop() if len(types) == 1 else "",
        is_personal=any(prop.is_personal for prop in found),
        is_hashed=any(prop.is_hashed for prop in found),
    )


def _served_property(
    name: str,
    type_name: str,
    tables: Iterable[str],
    rules: Iterable[ServedRule],
    *,
    columns: tuple[str, ...],
) -> ServedProperty:
    """A property of a name, and of the columns that it is made of, whose names count as well."""
    known = {column.lower() for column in columns}
    own = [rule for rule in rules if rule.column_name.lower() in known]
    treated = [rule for rule in own if rule.is_excluded]
    looks_personal = any(
        kind_by_name(table.partition("/")[2], column, ColumnType(name=base, base=base)) is not None
        for table in tables
        for column in columns
        for base in [_BASES.get(type_name, "text")]
    )
    # Who decided that a column is read as it is has looked at it.
    is_decided = bool(own) and not treated
    return ServedProperty(
        name=name,
        type=type_name,
        is_personal=bool(treated) or (looks_personal and not is_decided),
        is_hashed=any(rule.treatment == "hash" for rule in treated),
    )


def _concerns(rule: ServedRule, tables: Iterable[str]) -> bool:
    qualified_name = f"{rule.source_name}/{rule.table_name}".lower()
    return any(table.lower() == qualified_name for table in tables)


def _form(name: str) -> Form | None:
    found = parsed(name)
    if found is None or not isinstance(found[0], JoinFunctions):
        return None
    return Form(property=name, of=found[1], calls=found[0].calls)


def _paths(labels: Iterable[str]) -> Iterator[tuple[str, str]]:
    taken = set(RESERVED)
    # Those that need no other name first, so that they keep theirs.
    for label in sorted(labels, key=lambda name: _PLAIN_PATH.fullmatch(name) is None):
        path = base = re.sub(r"[^A-Za-z0-9_.-]", "_", label)
        number = 1
        while path in taken or path in (".", ".."):
            number += 1
            path = f"{base}-{number}"
        taken.add(path)
        yield label, path


def _is_entity(manifest: GraphManifest, label: str) -> bool:
    return any(edge[0] == IS and edge[1] == label for edge in manifest.edges) and any(
        qualified_name.partition("/")[0].endswith("_identity")
        for qualified_name in manifest.table_keys.get(label, {})
    )


def _customer(manifest: GraphManifest) -> str | None:
    """The entities of identity resolution, else the label that most relationships are at."""
    entities = [label for label in manifest.labels if _is_entity(manifest, label)]
    if entities:
        return "Customer" if "Customer" in entities else entities[0]

    def weight(label: str) -> tuple[int, int]:
        return (
            sum(edge[1] == label or edge[2] == label for edge in manifest.edges),
            sum(edge[1] == label for edge in manifest.edges),
        )

    keyed = [label for label in manifest.labels if manifest.keys.get(label)]
    return max(keyed, key=weight, default=None)


def _branches(edges: Iterable[RelationshipPattern], label: str) -> Iterator[Branch]:
    patterns = tuple(edges)
    for kind, start, end in patterns:
        for near, far, outward in ((start, end, True), (end, start, False)):
            if near == label:
                ends = {
                    (e[2] if outward else e[1])
                    for e in patterns
                    if e[0] == kind and (e[1] if outward else e[2]) == label
                }
                yield Branch(
                    at=label,
                    relationship_type=kind,
                    outward=outward,
                    label=far,
                    is_alone=ends == {far},
                )
