"""Which columns of the side that holds the reference become properties of the relationship."""

from __future__ import annotations

from c360_graph.errors import MappingError
from c360_graph.mapping.joins import Ends, Role
from c360_graph.mapping.names import did_you_mean


def copied_properties(ends: Ends, role: Role) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the properties that the columns of relationship_properties become.

    Also why a column is left out: it is not read in all tables of the side that holds the reference, or
    becomes properties of several names. The relationships are made without it, so that a column that is
    excluded later does not stay on relationships that nobody makes anew.

    Args:
        ends: the tables of the relationship.
        role: the side that holds the reference.

    Raises:
        MappingError: the relationship goes through a junction table.
    """
    columns = ends.row.relationship_properties or ()
    if columns and ends.row.junction_table:
        raise MappingError(
            "relationship_properties is for relationships without a junction table; the columns of"
            f" {ends.row.junction_table} become properties of the relationship anyway, so leave it empty"
        )
    found: list[str] = []
    reasons: list[str] = []
    for column in dict.fromkeys(columns):
        try:
            found.append(_property(ends, role, column))
        except MappingError as error:
            reasons.append(f"{error}. The relationships are made without it")
    return tuple(found), tuple(reasons)


def _property(ends: Ends, role: Role, column: str) -> str:
    for found_in, what in (
        (ends.excluded(role, column), "excluded"),
        (ends.withheld(role, column), "withheld, as it is new to a table with exclusion rules"),
    ):
        if found_in:
            raise MappingError(
                f"relationship_properties names {column!r}, which is {what} in {', '.join(found_in)}"
            )
    tables = ends.by_role[role]
    found = [(table, table.property_from(column)) for table in tables]
    lacking = [table.qualified_name for table, prop in found if prop is None]
    if lacking:
        near = did_you_mean(column, ends.columns((role,)))
        raise MappingError(
            f"relationship_properties names {column!r}, which is no column of {', '.join(lacking)}, the side"
            f" that holds the reference{near}"
        )
    names = list(dict.fromkeys(prop.column for _, prop in found if prop is not None))
    if len(names) > 1:
        raise MappingError(
            f"relationship_properties names {column!r}, which becomes properties of several names"
            f" ({', '.join(map(repr, names))}); give it one name in property_mappings"
        )
    return names[0]
