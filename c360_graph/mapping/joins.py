"""Which end of a relationship each alias of its join condition stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

from c360_graph.errors import MappingError
from c360_graph.mapping.conditions import ColumnReference, Equality, aliases
from c360_graph.mapping.control_rows import RelationshipRow
from c360_graph.mapping.join_functions import Calls
from c360_graph.mapping.model import ExcludedColumn, TableIndex, TableMapping, node_tables
from c360_graph.mapping.names import did_you_mean

Role = Literal["from", "to", "junction"]


class Ends:
    """The tables behind each role of one relationship row.

    Raises:
        MappingError: the junction is not one table that is read.
    """

    def __init__(self, row: RelationshipRow, tables: TableIndex) -> None:
        self.row = row
        self._labelled: dict[Role, tuple[TableMapping, ...]] = {
            "from": tables.labelled(row.from_label),
            "to": tables.labelled(row.to_label),
        }
        # A label that several sources feed means, for a row about one of them, that one's tables: ids
        # of different sources have nothing to do with each other.
        self.by_role = {role: _of(row, labelled) for role, labelled in self._labelled.items()}
        if row.junction_table:
            self.by_role["junction"] = (_junction(row, row.junction_table, tables),)

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles that the join condition has to speak of."""
        return tuple(self.by_role)

    def tables_of(self, role: Role) -> tuple[str, ...]:
        """The tables of a role where they are not all of its label's, else ()."""
        mine = self.by_role[role]
        if len(mine) == len(self._labelled[role]):
            return ()
        return tuple(sorted(table.qualified_name for table in mine))

    def column(self, role: Role, reference: ColumnReference) -> str | None:
        """The column's own spelling where a table of the role has it, excluded or not.

        An exclusion never changes what a condition means, nor does withholding; they only forbid it.
        """
        tables = self.by_role[role]
        for name in reference.candidates:
            if any(
                t.property_from(name) or _excluded(t, name) or name in t.withheld for t in tables
            ):
                return name
        return None

    def excluded(self, role: Role, column: str) -> tuple[str, ...]:
        """Where a column of a role is excluded, and by which row."""
        return tuple(
            f"{table.qualified_name} (field_exclusion_rules row {found.rule_id})"
            for table in self.by_role[role]
            if (found := _excluded(table, column)) is not None
        )

    def withheld(self, role: Role, column: str) -> tuple[str, ...]:
        """Where a column of a role is withheld."""
        return tuple(
            table.qualified_name for table in self.by_role[role] if column in table.withheld
        )

    def names(self, role: Role) -> frozenset[str]:
        """What SQL would let a condition call a role by without an alias: its label and tables."""
        tables = self.by_role[role]
        labels = {table.node_label for table in node_tables(tables)}
        return frozenset(n.casefold() for n in labels | {table.table_name for table in tables})

    def columns(self, roles: tuple[Role, ...]) -> frozenset[str]:
        """Every column that is read of these roles' tables."""
        return frozenset(
            prop.origin
            for role in roles
            for table in self.by_role[role]
            for prop in table.columns_read
        )


def _excluded(table: TableMapping, column: str) -> ExcludedColumn | None:
    return table.excluded_of(column)


def _of(row: RelationshipRow, tables: tuple[TableMapping, ...]) -> tuple[TableMapping, ...]:
    """The tables of the source that the row names where it has any, else all."""
    return tuple(t for t in tables if t.source.source_name == row.source_db) or tables


def _junction(row: RelationshipRow, name: str, tables: TableIndex) -> TableMapping:
    named = tables.named(name)
    if row.junction_label:
        labelled = tuple(table for table in named if table.node_label == row.junction_label)
        if not labelled:
            raise MappingError(
                f"junction_label {row.junction_label!r} is not the label of junction_table"
                f" {row.junction_table!r}; map it so in node_label_mappings, or clear junction_label"
            )
        named = labelled
    narrowed = _of(row, named)
    if not narrowed:
        raise MappingError(
            f"junction_table {row.junction_table!r} is no table that can be read: no source has it,"
            " or several have and source_db does not say which"
        )
    if len(narrowed) > 1:
        raise MappingError(
            f"junction_table {row.junction_table!r} can be"
            f" {' or '.join(table.qualified_name for table in narrowed)}; name the source in source_db"
        )
    return narrowed[0]


@dataclass(frozen=True, order=True)
class JoinedColumn:
    """A column, and the functions that stand around it."""

    column: str
    functions: Calls = ()


Pairs = tuple[tuple[JoinedColumn, JoinedColumn], ...]
ResolvedJoin = dict[tuple[Role, Role], Pairs]
"""Pairs of columns between each two roles, in the order from, to, junction."""

_ORDER: dict[Role, int] = {"from": 0, "to": 1, "junction": 2}


def meaning_of(ends: Ends, equalities: tuple[Equality, ...]) -> ResolvedJoin:
    """The one meaning of a join condition; assignments that give the same equalities are one.

    What the row's alias columns say decides, then an alias that is one role's own label or table
    name, then which tables have the columns.

    Raises:
        MappingError: the aliases fit no assignment, or several that differ.
    """
    names = aliases(equalities)
    if len(names) != len(ends.roles):
        raise MappingError(
            f"join_condition {ends.row.join_condition!r} uses {len(names)} aliases"
            f" ({', '.join(names)}), but {len(ends.roles)} are needed, one for each of"
            f" {', '.join(ends.roles)}"
        )
    fixed = _fixed(ends, names)
    found: dict[tuple[object, ...], tuple[dict[str, Role], ResolvedJoin]] = {}
    for order in permutations(ends.roles):
        assignment = dict(zip(names, order, strict=True))
        if any(assignment[alias] != role for alias, role in fixed.items()):
            continue
        meaning = _meaning(ends, equalities, assignment)
        if meaning is not None:
            found.setdefault(tuple(sorted(meaning.items())), (assignment, meaning))
    if not found:
        raise MappingError(_why_none_fits(ends, equalities, fixed))
    if len(found) > 1:
        raise MappingError(_candidates(ends, [assignment for assignment, _ in found.values()]))
    ((_, meaning),) = found.values()
    _refuse_excluded(ends, meaning)
    return meaning


def _fixed(ends: Ends, names: tuple[str, ...]) -> dict[str, Role]:
    """The aliases whose role is said."""
    fixed = _said(ends, names)
    by_name: dict[Role, list[str]] = {}
    for alias in names:
        roles = [role for role in ends.roles if alias.casefold() in ends.names(role)]
        if alias not in fixed and len(roles) == 1 and roles[0] not in fixed.values():
            by_name.setdefault(roles[0], []).append(alias)
    return fixed | {found[0]: role for role, found in by_name.items() if len(found) == 1}


def _said(ends: Ends, names: tuple[str, ...]) -> dict[str, Role]:
    """What the row's alias columns say."""
    row = ends.row
    columns: dict[Role, str | None] = {
        "from": row.from_alias,
        "to": row.to_alias,
        "junction": row.junction_alias,
    }
    fixed: dict[str, Role] = {}
    for role, text in columns.items():
        if text is None or not text.strip():
            continue
        if role not in ends.roles:
            raise MappingError(f"{role}_alias is {text!r}, but the row names no {role}_table")
        alias = _alias(text.strip(), names)
        if alias is None:
            raise MappingError(
                f"{role}_alias {text!r} is no alias of join_condition {row.join_condition!r}, which"
                f" uses {', '.join(names)}"
            )
        if alias in fixed:
            raise MappingError(
                f"{fixed[alias]}_alias and {role}_alias are both {text!r}; each end needs its own"
            )
        fixed[alias] = role
    return fixed


def _alias(text: str, names: tuple[str, ...]) -> str | None:
    """The alias that a text means: as it stands, without quotes, or in lower case as in SQL."""
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    spellings = (text[1:-1].replace('""', '"'),) if quoted else (text, text.lower())
    return next((name for name in spellings if name in names), None)


def _meaning(
    ends: Ends, equalities: tuple[Equality, ...], assignment: dict[str, Role]
) -> ResolvedJoin | None:
    """The pairs under an assignment, None where a column is missing or a join strays."""
    pairs: dict[tuple[Role, Role], list[tuple[JoinedColumn, JoinedColumn]]] = {}
    for equality in equalities:
        (left_role, left), (right_role, right) = sorted(
            ((assignment[side.alias], side) for side in (equality.left, equality.right)),
            key=lambda pair: _ORDER[pair[0]],
        )
        columns = ends.column(left_role, left), ends.column(right_role, right)
        if left_role == right_role or columns[0] is None or columns[1] is None:
            return None
        joined = (
            JoinedColumn(columns[0], left.functions),
            JoinedColumn(columns[1], right.functions),
        )
        pairs.setdefault((left_role, right_role), []).append(joined)
    wanted: set[tuple[Role, Role]] = (
        {("from", "junction"), ("to", "junction")} if "junction" in ends.roles else {("from", "to")}
    )
    if set(pairs) != wanted:
        return None
    return {roles: tuple(sorted(dict.fromkeys(found))) for roles, found in pairs.items()}


def _refuse_excluded(ends: Ends, meaning: ResolvedJoin) -> None:
    for roles, pairs in meaning.items():
        for role, column in ((roles[side], pair[side].column) for pair in pairs for side in (0, 1)):
            tables = ends.excluded(role, column)
            if tables:
                raise MappingError(
                    f"join_condition {ends.row.join_condition!r} uses {column}, which is excluded in"
                    f" {', '.join(tables)}; join by another column, or give it the treatment hash on"
                    " both sides"
                )
            tables = ends.withheld(role, column)
            if tables:
                raise MappingError(
                    f"join_condition {ends.row.join_condition!r} uses {column}, which is withheld in"
                    f" {', '.join(tables)}, as it is new to a table with exclusion rules; give it a rule"
                    " in field_exclusion_rules, or let it in by a row with is_excluded false"
                )


def _candidates(ends: Ends, assignments: list[dict[str, Role]]) -> str:
    listed = "; or ".join(
        ", ".join(
            f"{role} = {alias}"
            for alias, role in sorted(assignment.items(), key=lambda pair: _ORDER[pair[1]])
        )
        for assignment in assignments
    )
    return (
        f"join_condition {ends.row.join_condition!r} can mean: {listed}. Say which in from_alias and"
        " to_alias"
    )


def _why_none_fits(ends: Ends, equalities: tuple[Equality, ...], fixed: dict[str, Role]) -> str:
    references = tuple(dict.fromkeys(s for e in equalities for s in (e.left, e.right)))
    for reference in references:
        reason = _why_unknown(ends, reference, fixed)
        if reason:
            return reason
    fits = "; ".join(
        f"{alias} has the columns of {' or '.join(_roles_of(ends, alias, references)) or 'neither end'}"
        for alias in aliases(equalities)
    )
    partner = "one end with the junction" if "junction" in ends.roles else "one end with the other"
    return (
        f"join_condition {ends.row.join_condition!r} fits no assignment of its aliases to"
        f" {', '.join(ends.roles)} ({fits}); each equality must join {partner}, and each end must be"
        " joined"
    )


def _why_unknown(ends: Ends, reference: ColumnReference, fixed: dict[str, Role]) -> str | None:
    """Why a column is that of no end, whatever its alias stands for."""
    role = fixed.get(reference.alias)
    roles = ends.roles if role is None else (role,)
    if any(ends.column(role, reference) for role in roles):
        return None
    tables = ", ".join(table.qualified_name for role in roles for table in ends.by_role[role])
    lacks = f"{tables} lacks" if len(roles) == 1 else "no table of its labels has"
    near = did_you_mean(reference.column, ends.columns(roles))
    return f"join_condition uses {reference}, a column that {lacks}{near}"


def _roles_of(ends: Ends, alias: str, references: tuple[ColumnReference, ...]) -> Iterator[Role]:
    """The roles whose tables have every column that the condition names by an alias."""
    mine = [reference for reference in references if reference.alias == alias]
    for role in ends.roles:
        if all(ends.column(role, reference) for reference in mine):
            yield role
