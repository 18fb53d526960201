"""Which columns can be equal in the graph: a join of others would silently find nothing."""

from __future__ import annotations

from dataclasses import dataclass

from c360_graph.errors import MappingError
from c360_graph.mapping.aliases import Meaning
from c360_graph.mapping.ends import Ends
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.property_types import property_type

_NUMBERS = {"INTEGER", "FLOAT"}
_TEXTS = frozenset(["text", "varchar", "bpchar", "name", "char", "citext"])
# Their text form is what a column of text in another system would hold.
_LIKE_TEXT = frozenset(["uuid", "inet", "cidr", "macaddr", "macaddr8"])


def check_types(ends: Ends, meaning: Meaning) -> None:
    """Refuse a join in which a table's column can never equal the other side's.

    Raises:
        MappingError: names both columns with their types.
    """
    for (left_role, right_role), pairs in meaning.items():
        for left, right in pairs:
            lefts = _sides(ends.by_role[left_role], left)
            rights = _sides(ends.by_role[right_role], right)
            _check(lefts, rights)
            _check(rights, lefts)


@dataclass(frozen=True)
class _Side:
    """A column of one table."""

    table: TableMapping
    prop: PropertyMapping

    @property
    def kind(self) -> str:
        """The property's type."""
        return property_type(
            self.prop.type,
            treatment=self.prop.treatment,
            time_zone=self.table.source.time_zone,
        ).name

    @property
    def untreated(self) -> _Side:
        return _Side(self.table, self.prop.model_copy(update={"treatment": None}))

    def __str__(self) -> str:
        treated = f" treated by {self.prop.treatment}" if self.prop.treatment else ""
        return (
            f"{self.table.place}.{self.prop.column} ({self.prop.type.name}{treated}, property"
            f" {self.kind})"
        )


def _sides(tables: tuple[TableMapping, ...], column: str) -> tuple[_Side, ...]:
    return tuple(
        _Side(table, prop) for table in tables if (prop := table.property_of(column)) is not None
    )


def _check(sides: tuple[_Side, ...], others: tuple[_Side, ...]) -> None:
    """Each table's column must be able to equal that of a table on the other side."""
    for side in sides:
        if not any(_comparable(side, other) for other in others):
            listed = " or ".join(str(other) for other in others)
            raise MappingError(
                f"{side} and {listed} never compare equal in the graph; {_cure(side, others)}"
            )


def _cure(side: _Side, others: tuple[_Side, ...]) -> str:
    treatments = {one.prop.treatment for one in (side, *others)}
    if "mask" in treatments:
        return "a masked column cannot be joined by, use the treatment hash"
    if len(treatments) > 1:
        return "give both sides the treatment hash"
    return "map a view that casts one side to the other's type"


def _comparable(one: _Side, other: _Side) -> bool:
    treatments = {one.prop.treatment, other.prop.treatment}
    if "mask" in treatments or len(treatments) > 1:
        return False
    if "hash" in treatments:
        return _same_text(one.untreated, other.untreated)
    if one.kind == other.kind == "STRING":
        return _same_text(one, other)
    return one.kind == other.kind or {one.kind, other.kind} <= _NUMBERS


def _same_text(one: _Side, other: _Side) -> bool:
    """Whether equal values of both columns have equal texts."""
    if one.kind != other.kind:
        return False
    left, right = one.prop.type, other.prop.type
    if "numeric" in (left.base, right.base):
        # 1.5 and 1.50 are equal numbers and different texts: only one fixed scale makes them alike.
        return left.base == right.base and left.scale is not None and left.scale == right.scale
    if left.base == right.base or one.kind == "INTEGER":
        return True
    kinds = {_family(one), _family(other)}
    return kinds <= {"text", "like text"} and "text" in kinds


def _family(side: _Side) -> str:
    base = side.prop.type
    if base.kind == "e" or base.base in _TEXTS:
        return "text"
    return "like text" if base.base in _LIKE_TEXT else base.base
