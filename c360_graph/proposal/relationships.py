"""The row of relationship_mappings that a join or a junction becomes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, count

from c360_graph.mapping.control_rows import RelationshipRow
from c360_graph.mapping.join_functions import Calls, around
from c360_graph.proposal.joins import ProposedJoin, ProposedJunction, QualifiedTable
from c360_graph.proposal.model import Proposed
from c360_graph.proposal.naming import (
    ROLE_ENDINGS,
    alias_for,
    column_in_condition,
    role_words,
    singular_words,
    upper_snake,
    words,
)

SAME = "SAME_AS"
_LINKING = frozenset(
    ["link", "links", "map", "mapping", "rel", "relation", "xref", "join", "junction", "to", "has"]
)
"""Words of a junction table's name that say no more than that it links."""

Labels = Mapping[QualifiedTable, str]
Names = tuple[str, str, str]


class ProposedRelationships:
    """Makes the rows one after the other: no two with the same type between the same labels."""

    def __init__(self, labels: Labels, taken: frozenset[Names], last_order: int) -> None:
        self._labels = labels
        self._taken = set(taken)
        self._standing = taken
        self._order = last_order
        self._id = 0

    def of_join(self, join: ProposedJoin) -> Proposed[RelationshipRow] | None:
        """The row of a join, None where its name is taken by a row that stands.

        A row that cannot be without its parent is a part of it: the parent HAS it. Any other refers
        to its parent, and so does a row of the same table.
        """
        owned = join.required and join.child != join.parent and not _is_same(join)
        start, end = (join.parent, join.child) if owned else (join.child, join.parent)
        kind = _type(join, owned=owned)
        from_alias = alias_for(start[1], ())
        to_alias = alias_for(end[1], (from_alias,))
        pairs = tuple((theirs, own) for own, theirs in join.pairs) if owned else join.pairs
        return self._row(
            kind,
            (start, end),
            why=_why(join, owned=owned),
            source_db=join.child[0],
            join_condition=_condition(from_alias, to_alias, pairs, join.functions),
            from_alias=from_alias,
            to_alias=to_alias,
        )

    def of_link(self, link: ProposedJunction) -> Proposed[RelationshipRow] | None:
        """The row of a junction, None where its name is taken by a row that stands."""
        start, end = link.ends
        from_alias = alias_for(start.parent[1], ())
        to_alias = alias_for(end.parent[1], (from_alias,))
        alias = alias_for(link.junction[1], (from_alias, to_alias))
        conditions = (
            _condition(
                from_alias,
                alias,
                tuple((theirs, own) for own, theirs in start.pairs),
                start.functions,
            ),
            _condition(alias, to_alias, end.pairs, end.functions),
        )
        return self._row(
            _link_type(link),
            (start.parent, end.parent),
            why=(
                f"{link.junction[1]} only links, so that its rows become relationships"
                f" ({start.evidence}, {end.evidence})"
            ),
            source_db=link.junction[0],
            join_condition=" AND ".join(conditions),
            from_alias=from_alias,
            to_alias=to_alias,
            junction_alias=alias,
            junction_table=link.junction[1],
            junction_label=self._labels.get(link.junction),
        )

    def _row(
        self,
        kind: str,
        ends: tuple[QualifiedTable, QualifiedTable],
        *,
        why: str,
        source_db: str,
        **columns: str | None,
    ) -> Proposed[RelationshipRow] | None:
        from_label, to_label = (self._labels[end] for end in ends)
        if (kind, from_label, to_label) in self._standing:
            return None
        numbered = (f"{kind}_{number}" for number in count(2))
        names = chain((kind,), numbered)
        kind = next(n for n in names if (n, from_label, to_label) not in self._taken)
        self._taken.add((kind, from_label, to_label))
        self._order += 10
        self._id -= 1
        row = RelationshipRow.model_validate(
            {
                "relationship_id": self._id,
                "source_db": source_db,
                "relationship_type": kind,
                "from_label": from_label,
                "to_label": to_label,
                "execution_order": self._order,
                "description": why,
                **columns,
            }
        )
        return Proposed(row=row, source_name=source_db, why=why)


def _is_same(join: ProposedJoin) -> bool:
    """Whether two sources have a table of the same things, which ids never tell."""
    names = (singular_words(join.child[1]), singular_words(join.parent[1]))
    return join.is_natural and join.child[0] != join.parent[0] and names[0] == names[1]


def _why(join: ProposedJoin, *, owned: bool) -> str:
    if _is_same(join):
        return f"the same thing in both sources ({join.evidence})"
    own = ", ".join(f"{join.child[1]}.{column}" for column, _ in join.pairs)
    kept = " and is never NULL: the parent has it" if owned else ""
    return f"{own} refers to {join.parent[1]}{kept} ({join.evidence})"


def _type(join: ProposedJoin, *, owned: bool) -> str:
    child, parent = singular_words(join.child[1]), singular_words(join.parent[1])
    if _is_same(join):
        return SAME
    role = _role(join, parent)
    if not owned:
        return upper_snake(("has", *(role or parent or ("row",))))
    tells = role and not set(role) <= set(parent)
    return upper_snake(("has", *(child or ("row",)), *(("as", *role) if tells else ())))


def _role(join: ProposedJoin, parent: tuple[str, ...]) -> tuple[str, ...]:
    """What the child calls its parent, () where it is the parent's own name."""
    own, theirs = next((pair for pair in join.pairs if pair[0] != pair[1]), join.pairs[0])
    column, key = words(own), words(theirs)
    if column[: len(key)] == key and column != key:
        return ()
    if key and key[-1] not in ROLE_ENDINGS and len(column) > len(key):
        column = column[: -len(key)] if column[-len(key) :] == key else column
        return column if column != parent else ()
    role = role_words(own) if own != theirs or join.child == join.parent else ()
    return role if role != parent else ()


def _link_type(link: ProposedJunction) -> str:
    said = {word for end in link.ends for word in _all_words(end.parent[1])}
    left = [w for w in words(link.junction[1]) if w not in said and w not in _LINKING]
    if left:
        return upper_snake(left)
    end = link.ends[1]
    target = singular_words(end.parent[1])
    role = _role(end, target)
    return upper_snake(("has", *(role or target or ("row",))))


def _all_words(table_name: str) -> tuple[str, ...]:
    return words(table_name) + tuple(w for name in words(table_name) for w in singular_words(name))


def _condition(left: str, right: str, pairs: tuple[tuple[str, str], ...], functions: Calls) -> str:
    return " AND ".join(
        f"{around(functions, f'{left}.{column_in_condition(one)}')}"
        f" = {around(functions, f'{right}.{column_in_condition(two)}')}"
        for one, two in pairs
    )
