"""Which end of a relationship each alias of its join condition stands for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from c360_graph.errors import MappingError
from c360_graph.mapping.ends import Ends, Role
from c360_graph.mapping.join_condition import ColumnReference, Equality, aliases
from c360_graph.mapping.names import did_you_mean

Pairs = tuple[tuple[str, str], ...]
Meaning = dict[tuple[Role, Role], Pairs]
"""Pairs of columns between each two roles, in the order from, to, junction."""

_ORDER: dict[Role, int] = {"from": 0, "to": 1, "junction": 2}


def meaning_of(ends: Ends, equalities: tuple[Equality, ...]) -> Meaning:
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
    found: dict[tuple[object, ...], tuple[dict[str, Role], Meaning]] = {}
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
) -> Meaning | None:
    """The pairs under an assignment, None where a column is missing or a join strays."""
    pairs: dict[tuple[Role, Role], list[tuple[str, str]]] = {}
    for equality in equalities:
        (left_role, left), (right_role, right) = sorted(
            ((assignment[side.alias], side) for side in (equality.left, equality.right)),
            key=lambda pair: _ORDER[pair[0]],
        )
        columns = ends.column(left_role, left), ends.column(right_role, right)
        if left_role == right_role or columns[0] is None or columns[1] is None:
            return None
        pairs.setdefault((left_role, right_role), []).append((columns[0], columns[1]))
    wanted: set[tuple[Role, Role]] = (
        {("from", "junction"), ("to", "junction")} if "junction" in ends.roles else {("from", "to")}
    )
    if set(pairs) != wanted:
        return None
    return {roles: tuple(sorted(dict.fromkeys(found))) for roles, found in pairs.items()}


def _refuse_excluded(ends: Ends, meaning: Meaning) -> None:
    for roles, pairs in meaning.items():
        for role, column in ((roles[side], pair[side]) for pair in pairs for side in (0, 1)):
            places = ends.excluded(role, column)
            if places:
                raise MappingError(
                    f"join_condition {ends.row.join_condition!r} uses {column}, which is excluded in"
                    f" {', '.join(places)}; join by another column, or give it the treatment hash on"
                    " both sides"
                )
            places = ends.withheld(role, column)
            if places:
                raise MappingError(
                    f"join_condition {ends.row.join_condition!r} uses {column}, which is withheld in"
                    f" {', '.join(places)}, as it is new to a table with exclusion rules; give it a rule"
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
    tables = ", ".join(table.place for role in roles for table in ends.by_role[role])
    lacks = f"{tables} lacks" if len(roles) == 1 else "no table of its labels has"
    near = did_you_mean(reference.column, ends.columns(roles))
    return f"join_condition uses {reference}, a column that {lacks}{near}"


def _roles_of(ends: Ends, alias: str, references: tuple[ColumnReference, ...]) -> Iterator[Role]:
    """The roles whose tables have every column that the condition names by an alias."""
    mine = [reference for reference in references if reference.alias == alias]
    for role in ends.roles:
        if all(ends.column(role, reference) for reference in mine):
            yield role
