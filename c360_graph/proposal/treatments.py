"""What to do with personal columns: those that are joined are treated alike on every side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from c360_graph.mapping.control_rows import Treatment
from c360_graph.mapping.exclusions import treatment_of
from c360_graph.proposal.joins import Edge
from c360_graph.proposal.model import QualifiedColumn
from c360_graph.proposal.personal_names import Kind
from c360_graph.proposal.personal_values import ColumnFinding
from c360_graph.proposal.standing import Standing

ALONE: dict[Kind, Treatment] = {
    # No analysis needs these.
    "credential": "exclude",
    "person's name": "exclude",
    "postal address": "exclude",
    "birth date": "exclude",
    "location": "exclude",
    "special category": "exclude",
    "national id": "exclude",
    "pay": "exclude",
    # The last four characters are what people and receipts know them by.
    "card number": "mask",
    "bank account": "mask",
    # Who shares one with whom is a question graphs are asked; a hash keeps the answer.
    "e-mail address": "hash",
    "phone number": "hash",
    "network address": "hash",
    "device id": "hash",
    "user name": "hash",
}
"""The treatment of a column that nothing joins by and that is no key."""

Group = frozenset[QualifiedColumn]


def groups_of(edges: Iterable[Edge]) -> tuple[Group, ...]:
    """Columns that are joined, each with all it is equal to over however many joins."""
    member_of: dict[QualifiedColumn, set[QualifiedColumn]] = {}
    for one, other in edges:
        mine = member_of.setdefault(one, {one})
        theirs = member_of.setdefault(other, {other})
        if mine is theirs:
            continue
        # The smaller joins the larger: no column changes its group more often than groups double.
        small, large = sorted((mine, theirs), key=len)
        large |= small
        for column in small:
            member_of[column] = large
    return tuple({id(group): frozenset(group) for group in member_of.values()}.values())


def needs_hash(
    group: Group, findings: Mapping[QualifiedColumn, ColumnFinding], standing: Standing
) -> bool:
    """Whether a group is personal, or hashed on one side already."""
    rules = [standing.rule(column) for column in group]
    hashed = any(rule and treatment_of(rule) == "hash" for rule in rules)
    return hashed or not group.isdisjoint(findings)


def stands_against_hash(group: Group, standing: Standing) -> QualifiedColumn | None:
    """A column of a group that a row excludes, masks or leaves clear on purpose."""
    for column in sorted(group):
        rule = standing.rule(column)
        if standing.is_left_clear(column) or (rule and treatment_of(rule) != "hash"):
            return column
    return None


class Treatments:
    """The treatment of each column that needs one and has none."""

    def __init__(
        self,
        findings: Mapping[QualifiedColumn, ColumnFinding],
        standing: Standing,
        *,
        source_name: str,
        edges: Iterable[Edge],
        likely: Iterable[QualifiedColumn],
    ) -> None:
        """Of one source, and of what its columns are joined with.

        `edges` are joins that are made, `likely` columns that will be joined once more is mapped.
        """
        self._source = source_name
        self._findings = findings
        self._standing = standing
        self._likely = frozenset(likely)
        self._of: dict[QualifiedColumn, Group] = {}
        for group in groups_of(edges):
            if all(column.source != source_name for column in group):
                continue
            if needs_hash(group, findings, standing) and not stands_against_hash(group, standing):
                self._of |= dict.fromkeys(group, group)

    def each(
        self, keys: frozenset[QualifiedColumn]
    ) -> Iterator[tuple[QualifiedColumn, Treatment, str]]:
        """Columns without a rule, their treatment and why; `keys` are columns of primary keys."""
        own = {column for column in self._findings if column.source == self._source}
        for column in sorted(own | self._of.keys()):
            if self._standing.rule(column) or self._standing.is_left_clear(column):
                continue
            finding = self._findings.get(column)
            if column in self._of:
                yield column, "hash", self._why_joined(column, finding)
            elif finding:
                yield column, *self._alone(column, finding, keys)

    def _why_joined(self, column: QualifiedColumn, finding: ColumnFinding | None) -> str:
        others = ", ".join(str(other) for other in sorted(self._of[column] - {column}))
        what = f"{finding.kind}: {finding.why}" if finding else "its partner is hashed"
        return f"{what}; hashed, so that the join with {others} still works"

    def _alone(
        self, column: QualifiedColumn, finding: ColumnFinding, keys: frozenset[QualifiedColumn]
    ) -> tuple[Treatment, str]:
        why = f"{finding.kind}: {finding.why}"
        treatment = ALONE[finding.kind]
        if column in keys and treatment != "hash":
            return "hash", f"{why}; hashed, since it is part of the primary key"
        if column in self._likely and finding.kind != "credential":
            return "hash", f"{why}; hashed, since another source has the same values"
        # The hash of a whole document answers no question.
        return ("exclude" if finding.within else treatment), why
