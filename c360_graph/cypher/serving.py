"""Statements that serve a graph: one for each request, and all of them tell at their end whether a load began.

A load marks the manifest before it changes anything. Each statement reads the mark after all data, so
that whoever is told `whole`, and the load that was known before, has read no part of a graph that was
being rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from c360_graph.cypher.manifest import LABEL as MANIFEST
from c360_graph.cypher.quoting import identifier, statement

_STATES = (
    f" OPTIONAL MATCH (l:{identifier(MANIFEST)}) RETURN found, collect(l.state) AS states,"
    " collect(toString(l.loaded_at)) AS loads"
)


@dataclass(frozen=True, kw_only=True)
class Seek:
    """A way to find a node: one of `$PARAMETER` is the value of a property, of the node itself or of a record
    that a relationship `through` leads to."""

    label: str
    property: str
    parameter: str
    through: tuple[str, str] | None = None
    """Relationship type, and the label of the node that is wanted."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A kind of relationship at nodes of the label `at`; `names` are read of the nodes at the other end.

    `edge_names` are read of the relationships. `moment` is the property by which the newest go first. Where
    `is_alone`, type and direction say already that the other end has the label.
    """

    at: str
    relationship_type: str
    outward: bool
    label: str
    names: tuple[str, ...]
    edge_names: tuple[str, ...] = ()
    moment: str | None = None
    is_alone: bool = False

    def _pattern(self, relationship: str = "") -> str:
        kind = f"[{relationship}:{identifier(self.relationship_type)}]"
        return f"-{kind}->" if self.outward else f"<-{kind}-"

    @property
    def degree(self) -> str:
        """How many there are: from the node's own counter where the label need not be looked at."""
        other = "()" if self.is_alone else f"(:{identifier(self.label)})"
        return f"COUNT {{ (s){self._pattern()}{other} }}"

    def match(self, relationship: str = "") -> str:
        """The relationships of the node `s`."""
        return f"MATCH (s){self._pattern(relationship)}(m:{identifier(self.label)})"


@dataclass(frozen=True, kw_only=True)
class SimilarNodes:
    """Other nodes of the label that may be the same as one: `names` are read of them, `score` of the relationship."""

    relationship_type: str
    label: str
    names: tuple[str, ...]
    score: str | None = None
    """None where the score is not served."""

    @property
    def collected(self) -> str:
        """A list of at most `$most_similar` maps with `properties` and `score`, the most similar ones first."""
        score = f"r.{identifier(self.score)}" if self.score else "null"
        return (
            f"COLLECT {{ MATCH (n)-[r:{identifier(self.relationship_type)}]-(o:{identifier(self.label)})"
            f" WITH o, {score} AS score ORDER BY score DESC, elementId(o) LIMIT $most_similar"
            f" RETURN {{properties: {properties('o', self.names)}, score: score}} }}"
        )


def by_key(label: str, key: Sequence[str]) -> str:
    """The node whose key has the values `$key0`, `$key1` and so on.

    >>> by_key("Line", ("order_id", "number"))
    'MATCH (n:`Line` {`order_id`: $key0, `number`: $key1})'
    """
    values = ", ".join(f"{identifier(name)}: $key{index}" for index, name in enumerate(key))
    return f"MATCH (n:{identifier(label)} {{{values}}})"


def by_values(seeks: Sequence[Seek]) -> str:
    """Nodes that any of the seeks finds, each once.

    >>> by_values([Seek(label="Account", property="email", parameter="values")])
    'MATCH (n:`Account`) WHERE n.`email` IN $values'
    """
    if len(seeks) == 1:
        return _seek(seeks[0])
    parts = " UNION ".join(f"{_seek(seek)} RETURN n" for seek in seeks)
    return f"CALL () {{ {parts} }}"


def _seek(seek: Seek) -> str:
    name, value = identifier(seek.property), f"${seek.parameter}"
    if seek.through is None:
        return f"MATCH (n:{identifier(seek.label)}) WHERE n.{name} IN {value}"
    kind, wanted = seek.through
    return (
        f"MATCH (r:{identifier(seek.label)}) WHERE r.{name} IN {value}"
        f" MATCH (r)<-[:{identifier(kind)}]-(n:{identifier(wanted)})"
    )


def properties(variable: str, names: Iterable[str]) -> str:
    """A map of some properties, and of no others that the node may have.

    >>> properties("n", ("email", "id"))
    'n{.`email`, .`id`}'
    """
    return f"{variable}{{{', '.join(f'.{identifier(name)}' for name in names)}}}"


def _node(names: Iterable[str]) -> str:
    return f"id: elementId(n), labels: labels(n), properties: {properties('n', names)}"


def read_nodes(start: str, names: Iterable[str]) -> str:
    """At most `$most` nodes: `found` is a list of maps with `id`, `labels` and `properties`.

    >>> print(read_nodes(by_key("Account", ("id",)), ("id", "email")))
    CYPHER 5 MATCH (n:`Account` {`id`: $key0}) WITH n LIMIT $most WITH collect({id: elementId(n),
    labels: labels(n), properties: n{.`id`, .`email`}}) AS found OPTIONAL MATCH (l:`_C360Load`)
    RETURN found, collect(l.state) AS states, collect(toString(l.loaded_at)) AS loads
    """
    return statement(
        f"{start} WITH n LIMIT $most WITH collect({{{_node(names)}}}) AS found{_STATES}"
    )


def read_views(
    start: str,
    names: Iterable[str],
    arms: Sequence[Arm],
    *,
    records: str | None,
    similar: SimilarNodes | None = None,
) -> str:
    """At most `$most` nodes with what is around each.

    `found` is a list of maps with `id`, `labels`, `properties` and `around`: for each subject (the node itself, and with
    `records`, a relationship type, up to `$most_records` nodes that it leads to) and each arm that fits it a map
    with `arm` (its index), `degree` and `last`, the newest moment: microseconds since 1970 if it has a time zone, which
    the driver reads much faster than a moment. It is null where there are more than `$guard`. With `similar` each has a list `similar`, too.
    """
    subjects = _subjects(records)
    branches = " UNION ALL ".join(_view_branch(index, arm) for index, arm in enumerate(arms))
    around = (
        f"CALL (n) {{ {subjects} CALL (s) {{ {branches} }}"
        " RETURN collect({arm: arm, degree: degree, last: last}) AS around }"
        if arms
        else "WITH n, [] AS around"
    )
    collected = similar.collected if similar else "[]"
    return statement(
        f"{start} WITH n LIMIT $most {around} WITH n, around, {collected} AS similar"
        f" WITH collect({{{_node(names)}, around: around, similar: similar}}) AS found{_STATES}"
    )


def _subjects(records: str | None) -> str:
    if records is None:
        return "WITH n AS s"
    return (
        f"WITH [n] + COLLECT {{ MATCH (n)-[:{identifier(records)}]->(r) RETURN r LIMIT $most_records }}"
        " AS subjects UNWIND subjects AS s"
    )


def _view_branch(index: int, arm: Arm) -> str:
    begin = f"WITH s WHERE s:{identifier(arm.at)} WITH s, {arm.degree} AS degree WHERE degree > 0"
    if arm.moment is None:
        return f"{begin} RETURN {index} AS arm, degree, null AS last"
    return (
        f"{begin} CALL (s, degree) {{ WITH s, degree WHERE degree <= $guard {arm.match()}"
        f" WITH max(m.{identifier(arm.moment)}) AS last RETURN CASE WHEN last IS :: ZONED DATETIME"
        " THEN last.epochSeconds * 1000000 + last.microsecond ELSE last END AS last }"
        f" RETURN {index} AS arm, degree, last"
    )


def read_around(start: str, arms: Sequence[Arm], *, records: str | None = None) -> str:
    """What the relationships of some nodes lead to, at most `$each` for a node and an arm, the newest first.

    `found` is a list of at most `$most` maps: `source` (an element id), `arm` (its index), `degree`, and `id`,
    `labels` and `properties` of a node at the other end. These are null where there are more than `$guard`,
    or none with the label. Where properties of the relationships are read, there is a map for each of them, with
    `edge_id` and `edge`.
    """
    branches = " UNION ALL ".join(_around_branch(index, arm) for index, arm in enumerate(arms))
    return statement(
        f"{start} WITH n LIMIT $most_starts {_subjects(records)}"
        f" CALL (s) {{ {branches} }}"
        " WITH s, arm, degree, id, labels, properties, edge_id, edge LIMIT $most"
        " WITH collect({source: elementId(s), arm: arm, degree: degree, id: id, labels: labels,"
        f" properties: properties, edge_id: edge_id, edge: edge}}) AS found{_STATES}"
    )


def by_ids() -> str:
    """The nodes of the element ids `$ids`."""
    return "UNWIND $ids AS of MATCH (n) WHERE elementId(n) = of"


def _around_branch(index: int, arm: Arm) -> str:
    order = f" ORDER BY m.{identifier(arm.moment)} DESC" if arm.moment else ""
    begin = f"WITH s WHERE s:{identifier(arm.at)} WITH s, {arm.degree} AS degree WHERE degree > 0"
    guarded = "CALL (s, degree) { WITH s, degree WHERE degree <= $guard"
    some = "UNWIND CASE WHEN size(ends) = 0 THEN [null] ELSE ends END"
    told = (
        f"RETURN {index} AS arm, degree, elementId(m) AS id, labels(m) AS labels,"
        f" {properties('m', arm.names)} AS properties"
    )
    if arm.edge_names:
        # Each has something to tell; otherwise one relationship of two nodes stands for all of them.
        return (
            f"{begin} {guarded} {arm.match('r')} WITH m, r{order} LIMIT $each"
            f" RETURN collect([m, r]) AS ends }} {some} AS pair"
            f" WITH degree, pair[0] AS m, pair[1] AS r {told}, elementId(r) AS edge_id,"
            f" {properties('r', arm.edge_names)} AS edge"
        )
    return (
        f"{begin} {guarded} {arm.match()} WITH DISTINCT m{order} LIMIT $each"
        f" RETURN collect(m) AS ends }} {some} AS m {told}, null AS edge_id, null AS edge"
    )


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a property of the nodes of a list has to be."""

    property: str
    operator: str
    parameter: str

    def __str__(self) -> str:
        return f"n.{identifier(self.property)} {self.operator} ${self.parameter}"


def page_of_nodes(
    label: str,
    names: Iterable[str],
    *,
    key: Sequence[str],
    is_first: bool,
    conditions: Sequence[Condition],
) -> str:
    """At most `$most` nodes in the order of their key, those after `$after0`, `$after1` and so on.

    A node that is added or removed meanwhile moves no other to another page. Without a key the order is
    that of the database's own ids. `found` is as that of `read_nodes`, with `after` of each node.

    >>> print(page_of_nodes("Account", ("id",), key=("id",), is_first=False, conditions=()))
    CYPHER 5 MATCH (n:`Account`) WHERE n.`id` > $after0 WITH n ORDER BY n.`id` LIMIT $most WITH
    collect({id: elementId(n), labels: labels(n), properties: n{.`id`}, after: [n.`id`]}) AS
    found OPTIONAL MATCH (l:`_C360Load`) RETURN found, collect(l.state) AS states,
    collect(toString(l.loaded_at)) AS loads
    """
    columns = [f"n.{identifier(name)}" for name in key] or ["id(n)"]
    where = [*_there(columns, is_first=is_first), *map(str, conditions)]
    order = ", ".join(columns)
    return statement(
        f"MATCH (n:{identifier(label)}) WHERE {' AND '.join(where)}"
        f" WITH n ORDER BY {order} LIMIT $most"
        f" WITH collect({{{_node(names)}, after: [{order}]}}) AS found{_STATES}"
    )


def _there(columns: Sequence[str], *, is_first: bool) -> list[str]:
    # That they are there lets the server walk along the index of the key.
    if is_first:
        return [f"{column} IS NOT NULL" for column in columns]
    first, *others = columns
    if not others:
        return [f"{first} > $after0"]
    later = f"{others[-1]} > $after{len(others)}"
    for index in range(len(others) - 1, 0, -1):
        column = columns[index]
        later = f"({column} > $after{index} OR ({column} = $after{index} AND {later}))"
    return [
        f"{first} >= $after0",
        f"({first} > $after0 OR {later})",
        *(f"{column} IS NOT NULL" for column in others),
    ]
