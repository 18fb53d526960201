"""Which joins become relationships: aliases resolved, types compared, the side to seek chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import permutations
from typing import Literal

from c360_graph.errors import MappingError
from c360_graph.mapping.control_rows import ControlRows, RelationshipRow
from c360_graph.mapping.join_condition import ColumnReference, Equality, aliases, parse
from c360_graph.mapping.model import (
    Junction,
    Refusal,
    RelationshipMapping,
    TableMapping,
)
from c360_graph.mapping.names import reason_against_name
from c360_graph.property_types import property_type

Role = Literal["from", "to", "junction"]
Pairs = tuple[tuple[str, str], ...]
_NUMBERS = {"INTEGER", "FLOAT"}


class _Ends:
    """The tables behind each role of one row."""

    def __init__(self, row: RelationshipRow, tables: tuple[TableMapping, ...]) -> None:
        self.row = row
        self.by_role: dict[Role, tuple[TableMapping, ...]] = {
            "from": tuple(t for t in tables if t.node_label == row.from_label),
            "to": tuple(t for t in tables if t.node_label == row.to_label),
        }
        if row.junction_table:
            self.by_role["junction"] = (_junction_table(row, tables),)

    def column(self, role: Role, reference: ColumnReference) -> str | None:
        """The column's own spelling where any table of the role has it."""
        for name in reference.candidates:
            if any(_has(table, name) for table in self.by_role[role]):
                return name
        return None


def resolve_relationships(
    rows: ControlRows, tables: tuple[TableMapping, ...]
) -> tuple[tuple[RelationshipMapping, ...], tuple[Refusal, ...], tuple[int, ...]]:
    """Relationships in the order they run, rows refused, and ids of rows that rest.

    `tables` must hold every labelled table and every junction table, with their columns.
    """
    found: list[RelationshipMapping] = []
    refusals: list[Refusal] = []
    resting: list[int] = []
    seen: dict[tuple[object, ...], int] = {}
    for row in rows.relationships:
        if _rests(row, rows, tables):
            resting.append(row.relationship_id)
            continue
        try:
            mapping = _resolve(row, tables)
            _refuse_duplicate(mapping, seen)
        except MappingError as error:
            refusals.append(
                Refusal(
                    control_table="relationship_mappings",
                    row_id=row.relationship_id,
                    reason=str(error),
                )
            )
        else:
            found.append(mapping)
    found.sort(key=lambda mapping: (mapping.execution_order, mapping.relationship_id))
    return tuple(found), tuple(refusals), tuple(resting)


def _rests(row: RelationshipRow, rows: ControlRows, tables: tuple[TableMapping, ...]) -> bool:
    labels = {row.from_label, row.to_label} | ({row.junction_label} - {None})
    mapped = {table.node_label for table in tables}
    return any(label not in mapped and label in rows.inactive_labels for label in labels)


def _resolve(row: RelationshipRow, tables: tuple[TableMapping, ...]) -> RelationshipMapping:
    _check_names(row, tables)
    ends = _Ends(row, tables)
    equalities = parse(row.join_condition)
    if row.junction_table:
        return _through_junction(row, ends, equalities)
    pairs = _single_meaning(row, ends, equalities, ("from", "to"))[("from", "to")]
    return RelationshipMapping(
        relationship_id=row.relationship_id,
        relationship_type=row.relationship_type,
        from_label=row.from_label,
        to_label=row.to_label,
        pairs=pairs,
        seek=_side_to_seek(ends, pairs),
        execution_order=row.execution_order or 0,
        description=row.description,
    )


def _through_junction(
    row: RelationshipRow, ends: _Ends, equalities: tuple[Equality, ...]
) -> RelationshipMapping:
    meaning = _single_meaning(row, ends, equalities, ("from", "to", "junction"))
    (table,) = ends.by_role["junction"]
    joined = {column for pairs in meaning.values() for _, column in pairs}
    return RelationshipMapping(
        relationship_id=row.relationship_id,
        relationship_type=row.relationship_type,
        from_label=row.from_label,
        to_label=row.to_label,
        junction=Junction(
            table=table.asset_key,
            # Nodes of a label that other tables feed too are not only this junction's rows.
            node_label=None if table.label_is_shared else table.node_label,
            from_pairs=meaning[("from", "junction")],
            to_pairs=meaning[("to", "junction")],
            properties=tuple(p.column for p in table.properties if p.column not in joined),
        ),
        execution_order=row.execution_order or 0,
        description=row.description,
    )


def _check_names(row: RelationshipRow, tables: tuple[TableMapping, ...]) -> None:
    reason = reason_against_name(row.relationship_type, what="relationship_type")
    if reason:
        raise MappingError(reason)
    mapped = {table.node_label for table in tables}
    for what, label in (("from_label", row.from_label), ("to_label", row.to_label)):
        if label not in mapped:
            raise MappingError(f"{what} {label!r} is the label of no table that can be read")


def _junction_table(row: RelationshipRow, tables: tuple[TableMapping, ...]) -> TableMapping:
    named = [table for table in tables if table.table_name == row.junction_table]
    if row.junction_label:
        labelled = [table for table in named if table.node_label == row.junction_label]
        if not labelled:
            raise MappingError(
                f"junction_label {row.junction_label!r} is not the label of junction_table"
                f" {row.junction_table!r}; map it in node_label_mappings or clear junction_label"
            )
        named = labelled
    narrowed = [table for table in named if table.source.source_name == row.source_db] or named
    if len(narrowed) != 1:
        places = ", ".join(table.place for table in narrowed) or "none"
        raise MappingError(
            f"junction_table {row.junction_table!r} must be one table that can be read, found:"
            f" {places}"
        )
    return narrowed[0]


def _single_meaning(
    row: RelationshipRow, ends: _Ends, equalities: tuple[Equality, ...], roles: tuple[Role, ...]
) -> dict[tuple[Role, Role], Pairs]:
    """The one meaning of the aliases; assignments that give the same equalities are one.

    Raises:
        MappingError: the aliases fit no assignment, or several that differ.
    """
    names = aliases(equalities)
    if len(names) != len(roles):
        raise MappingError(
            f"join_condition {row.join_condition!r} uses {len(names)} aliases"
            f" ({', '.join(names)}), but {len(roles)} are needed, one for each of {', '.join(roles)}"
        )
    meanings: dict[tuple[object, ...], tuple[dict[Role, str], dict[tuple[Role, Role], Pairs]]] = {}
    for assignment in _assignments(row, ends, names, roles):
        meaning = _meaning(ends, equalities, assignment)
        if meaning is not None:
            shown = {role: alias for alias, role in assignment.items()}
            meanings.setdefault(tuple(sorted(meaning.items())), (shown, meaning))
    if not meanings:
        raise MappingError(_why_none_fits(row, ends, equalities, roles))
    if len(meanings) > 1:
        candidates = "; or ".join(
            ", ".join(f"{role} = {alias}" for role, alias in shown.items())
            for shown, _ in meanings.values()
        )
        raise MappingError(
            f"join_condition {row.join_condition!r} can mean: {candidates}. Say which by from_alias"
            " and to_alias"
        )
    ((_, meaning),) = meanings.values()
    _check_types(ends, meaning)
    return meaning


def _assignments(
    row: RelationshipRow, ends: _Ends, names: tuple[str, ...], roles: tuple[Role, ...]
) -> Iterator[dict[str, Role]]:
    """Every way to give the aliases their roles that the row's alias columns and names allow."""
    said: dict[Role, str | None] = {
        "from": row.from_alias,
        "to": row.to_alias,
        "junction": row.junction_alias,
    }
    fixed = {_folded(alias): role for role, alias in said.items() if alias and role in roles}
    for order in permutations(roles):
        assignment = dict(zip(names, order, strict=True))
        if all(assignment.get(alias) == role for alias, role in fixed.items()):
            yield assignment


def _folded(alias: str) -> str:
    quoted = len(alias) > 1 and alias[0] == alias[-1] == '"'
    return alias[1:-1].replace('""', '"') if quoted else alias.lower()


def _meaning(
    ends: _Ends, equalities: tuple[Equality, ...], assignment: dict[str, Role]
) -> dict[tuple[Role, Role], Pairs] | None:
    """Pairs of columns between each two roles, or None where a column is missing or a join strays."""
    pairs: dict[tuple[Role, Role], list[tuple[str, str]]] = {}
    order: dict[Role, int] = {"from": 0, "to": 1, "junction": 2}
    for equality in equalities:
        sides = sorted(
            ((assignment[side.alias], side) for side in (equality.left, equality.right)),
            key=lambda pair: order[pair[0]],
        )
        (left_role, left), (right_role, right) = sides
        columns = ends.column(left_role, left), ends.column(right_role, right)
        if left_role == right_role or columns[0] is None or columns[1] is None:
            return None
        pairs.setdefault((left_role, right_role), []).append((columns[0], columns[1]))
    wanted: set[tuple[Role, Role]] = (
        {("from", "junction"), ("to", "junction")}
        if "junction" in assignment.values()
        else {("from", "to")}
    )
    if set(pairs) != wanted:
        return None
    return {roles: tuple(sorted(dict.fromkeys(found))) for roles, found in pairs.items()}


def _why_none_fits(
    row: RelationshipRow, ends: _Ends, equalities: tuple[Equality, ...], roles: tuple[Role, ...]
) -> str:
    references = {str(s): s for e in equalities for s in (e.left, e.right)}
    for shown, reference in references.items():
        if not any(ends.column(role, reference) for role in roles):
            excluded = sorted(
                f"{table.place} (field_exclusion_rules row {column.rule_id})"
                for role in roles
                for table in ends.by_role[role]
                for column in table.excluded
                if column.column in reference.candidates
            )
            if excluded:
                return f"join_condition uses {shown}, which is excluded in {', '.join(dict.fromkeys(excluded))}"
            return f"join_condition uses {shown}, a column that no table of its labels has"
    said = [a for a in (row.from_alias, row.to_alias, row.junction_alias) if a]
    hint = f" with the aliases {', '.join(said)} as the row names them" if said else ""
    return (
        f"join_condition {row.join_condition!r} fits no assignment of its aliases to"
        f" {', '.join(roles)}{hint}; each equality must join"
        + (" one end with the junction" if "junction" in roles else " the two ends")
    )


def _check_types(ends: _Ends, meaning: dict[tuple[Role, Role], Pairs]) -> None:
    for (left_role, right_role), pairs in meaning.items():
        for left, right in pairs:
            kinds_left = set(_kinds(ends.by_role[left_role], left))
            kinds_right = set(_kinds(ends.by_role[right_role], right))
            for one in kinds_left:
                for other in kinds_right:
                    if not _comparable(one, other):
                        raise MappingError(
                            f"{left} ({one[1]}, property {one[0]}) and {right} ({other[1]}, property"
                            f" {other[0]}) never compare equal in the graph"
                        )


def _kinds(tables: Iterable[TableMapping], column: str) -> Iterator[tuple[str, str]]:
    """(property type, PostgreSQL type and treatment) of a column in each table that has it."""
    for table in tables:
        prop = table.property_of(column)
        if prop is not None:
            kind = property_type(
                prop.type, treatment=prop.treatment, time_zone=table.source.time_zone
            )
            shown = (
                f"{prop.type.name} treated by {prop.treatment}"
                if prop.treatment
                else prop.type.name
            )
            yield kind.name, shown


def _comparable(one: tuple[str, str], other: tuple[str, str]) -> bool:
    treatments = {kind[1].partition(" treated by ")[2] for kind in (one, other)}
    if "mask" in treatments or len(treatments) > 1:
        return False
    if treatments == {""} and one[0] == "STRING" and "numeric" in (one[1][:7], other[1][:7]):
        # Exact decimals are texts: 1.5 and 1.50 differ unless both have one scale.
        return one[1] == other[1] and "(" in one[1]
    return one[0] == other[0] or {one[0], other[0]} <= _NUMBERS


def _side_to_seek(ends: _Ends, pairs: Pairs) -> Literal["from", "to"]:
    """The side whose joined columns are its key is looked up for each row of the other."""
    from_columns = {left for left, _ in pairs}
    to_columns = {right for _, right in pairs}
    if _is_key(ends.by_role["from"], from_columns):
        return "from"
    return "to" if _is_key(ends.by_role["to"], to_columns) else "from"


def _is_key(tables: tuple[TableMapping, ...], columns: set[str]) -> bool:
    return all(table.key and columns.issuperset(table.key) for table in tables)


def _has(table: TableMapping, column: str) -> bool:
    return table.property_of(column) is not None


def _refuse_duplicate(mapping: RelationshipMapping, seen: dict[tuple[object, ...], int]) -> None:
    facts = (
        mapping.relationship_type,
        mapping.from_label,
        mapping.to_label,
        mapping.pairs,
        mapping.junction,
    )
    earlier = seen.setdefault(facts, mapping.relationship_id)
    if earlier != mapping.relationship_id:
        raise MappingError(f"it repeats row {earlier}")
