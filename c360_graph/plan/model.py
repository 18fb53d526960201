"""A plan: what a load would read, make, change and destroy. Its fields are the JSON of `c360 plan --json`."""

from __future__ import annotations

from typing import Literal

from c360_graph.mapping.control_rows import Frozen, Refusal, Treatment

Way = Literal["clear", "reconcile"]
"""`clear_database: true` or `false`."""

GraphStatus = Literal["unreachable", "empty", "loaded", "broken", "foreign"]
Road = Literal["script", "update"]


def road_of(way: Way, status: GraphStatus) -> Road:
    """Whether a load runs the script or updates what the graph has: where that has nothing, the script is faster.

    >>> road_of("reconcile", "empty"), road_of("reconcile", "loaded"), road_of("clear", "loaded")
    ('script', 'update', 'script')
    """
    return "script" if way == "clear" or status == "empty" else "update"


"""What a target is: `loaded` by us, by a load of ours that `broke` off, or without a manifest."""

RowsBasis = Literal["estimate", "count", "at least", "unknown"]
"""Where a number of rows comes from: the source's statistics, a count, a count that was stopped."""

LabelChange = Literal[
    "new", "unchanged", "made anew", "taken over", "removed", "kept", "foreign", "unknown"
]
"""`made anew`: the key changed, or the table has none and its rows differ. `taken over`: the nodes there are not of ours, and those that no row
has the key of are removed. `kept`: its control row is refused. `foreign`: no load of ours made it.
"""

PropertyChange = Literal["new", "changed", "taken over", "removed", "foreign"]
"""`taken over`: others wrote it on nodes of ours, and a column of its name overwrites it."""
EdgesChange = Literal[
    "new", "unchanged", "changed", "taken over", "removed", "kept", "foreign", "unknown"
]
"""`taken over`: no load of ours made those that exist, and those that no row makes are removed."""
PurgeOutcome = Literal["removed", "replaced", "stays"]


class PlannedGraph(Frozen):
    """The target. Counts are without the loader's own nodes. `refusal` says why no load may write to it."""

    server: str
    state: GraphStatus
    nodes: int = 0
    relationships: int = 0
    refusal: str | None = None


class PlannedSource(Frozen):
    """A source; `problem` says why it cannot be asked."""

    source: str
    tables: int
    problem: str | None = None


class RowEstimate(Frozen):
    """How many rows a table has, as far as that can be said without reading it."""

    rows: int | None = None
    basis: RowsBasis = "unknown"


class PlannedTable(Frozen):
    """A table that is read; without a label, as a junction only."""

    source: str
    table: str
    label: str | None
    rows: int | None
    rows_basis: RowsBasis
    properties: int
    excluded: tuple[str, ...]
    withheld: tuple[str, ...] = ()
    row_filter: tuple[str, ...] = ()
    extra_labels: str = ""
    mapped_properties: tuple[str, ...] = ()
    """`column -> property type -> type` of the columns with another name or type."""


class PlannedLabel(Frozen):
    """A label of the mapping or of the graph, and how many nodes have it now.

    `surplus` of them are beyond those that the last load left.
    """

    label: str
    change: LabelChange
    nodes: int | None = None
    key: tuple[str, ...] = ()
    former_key: tuple[str, ...] = ()
    surplus: int = 0
    destroys: bool = False


class PlannedProperty(Frozen):
    """A property that is another afterwards; `nodes` have it now."""

    label: str
    name: str
    change: PropertyChange
    types: tuple[str, ...] = ()
    former_types: tuple[str, ...] = ()
    nodes: int | None = None
    destroys: bool = False


class PartnerSample(Frozen):
    """Of some rows that hold a reference, how many find a partner; or why that cannot be said."""

    sampled: int = 0
    matched: int = 0
    problem: str | None = None


class PlannedRelationships(Frozen):
    """What one row of relationship_mappings makes, or relationships that none makes any more.

    `surplus` of them are beyond those that the last load left. `at_label` is set where relationships of
    others go with nodes of this label. `compared` are the equalities that have functions in them,
    `properties` those that the relationships have.
    """

    type: str
    from_label: str | None
    to_label: str | None
    change: EdgesChange
    relationship_id: int | None = None
    compared: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    relationships: int | None = None
    sample: PartnerSample | None = None
    surplus: int = 0
    at_label: str | None = None
    destroys: bool = False


class PlannedSchema(Frozen):
    """A constraint or an index of ours that is made or dropped."""

    kind: Literal["constraint", "index"]
    change: Literal["create", "drop"]
    name: str
    label: str
    properties: tuple[str, ...]


class PlannedPurge(Frozen):
    """Values in the graph that a rule of field_exclusion_rules forbids, on so many nodes."""

    label: str
    property: str
    treatment: Treatment
    nodes: int
    outcome: PurgeOutcome
    rule_id: int | None = None
    reason: str | None = None


class Plan(Frozen):
    """All of it. `destroyed` says in words what is lost for good, `obstacles` why a load would be refused,
    `cautions` what may break a load off, `problems` what could not be asked.
    """

    way: Way
    graph: PlannedGraph
    sources: tuple[PlannedSource, ...] = ()
    tables: tuple[PlannedTable, ...] = ()
    labels: tuple[PlannedLabel, ...] = ()
    properties: tuple[PlannedProperty, ...] = ()
    relationships: tuple[PlannedRelationships, ...] = ()
    schema_changes: tuple[PlannedSchema, ...] = ()
    purges: tuple[PlannedPurge, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    inactive_label_ids: tuple[int, ...] = ()
    inactive_relationship_ids: tuple[int, ...] = ()
    waiting_relationships: tuple[int, ...] = ()
    destroyed: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    """What a run would fail at although everything could be asked."""
