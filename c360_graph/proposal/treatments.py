"""What to do with personal columns: those that are joined are treated alike on every side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from c360_graph.mapping.control_rows import Treatment
from c360_graph.mapping.exclusions import treatment_of
from c360_graph.proposal.findings import Finding
from c360_graph.proposal.joins import Edge
from c360_graph.proposal.personal_names import Kind
from c360_graph.proposal.schema import ColumnPlace
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

Group = frozenset[ColumnPlace]


def groups_of(edges: Iterable[Edge]) -> tuple[Group, ...]:
    """Columns that are joined, each with all it is equal to over however many joins."""
    member_of: dict[ColumnPlace, set[ColumnPlace]] = {}
    for one, other in edges:
        mine = member_of.setdefault(one, {one})
        theirs = member_of.setdefault(other, {other})
        if mine is theirs:
            continue
        # The smaller joins the larger: no column changes its group more often than groups double.
        small, large = sorted((mine, theirs), key=len)
        large |= small
        for place in small:
            member_of[place] = large
    return tuple({id(group): frozenset(group) for group in member_of.values()}.values())


def needs_hash(group: Group, findings: Mapping[ColumnPlace, Finding], standing: Standing) -> bool:
    """Whether a group is personal, or hashed on one side already."""
    rules = [standing.rule(place) for place in group]
    hashed = any(rule and treatment_of(rule) == "hash" for rule in rules)
    return hashed or not group.isdisjoint(findings)


def stands_against_hash(group: Group, standing: Standing) -> ColumnPlace | None:
    """A column of a group that a row excludes, masks or leaves clear on purpose."""
    for place in sorted(group):
        rule = standing.rule(place)
        if standing.is_left_clear(place) or (rule and treatment_of(rule) != "hash"):
            return place
    return None


class Treatments:
    """The treatment of each column that needs one and has none."""

    def __init__(
        self,
        findings: Mapping[ColumnPlace, Finding],
        standing: Standing,
        *,
        source_name: str,
        edges: Iterable[Edge],
        likely: Iterable[ColumnPlace],
    ) -> None:
        """Of one source, and of what its columns are joined with.

        `edges` are joins that are made, `likely` columns that will be joined once more is mapped.
        """
        self._source = source_name
        self._findings = findings
        self._standing = standing
        self._likely = frozenset(likely)
        self._of: dict[ColumnPlace, Group] = {}
        for group in groups_of(edges):
            if all(place.source != source_name for place in group):
                continue
            if needs_hash(group, findings, standing) and not stands_against_hash(group, standing):
                self._of |= dict.fromkeys(group, group)

    def each(self, keys: frozenset[ColumnPlace]) -> Iterator[tuple[ColumnPlace, Treatment, str]]:
        """Columns without a rule, their treatment and why; `keys` are columns of primary keys."""
        own = {place for place in self._findings if place.source == self._source}
        for place in sorted(own | self._of.keys()):
            if self._standing.rule(place) or self._standing.is_left_clear(place):
                continue
            finding = self._findings.get(place)
            if place in self._of:
                yield place, "hash", self._why_joined(place, finding)
            elif finding:
                yield place, *self._alone(place, finding, keys)

    def _why_joined(self, place: ColumnPlace, finding: Finding | None) -> str:
        others = ", ".join(str(other) for other in sorted(self._of[place] - {place}))
        what = f"{finding.kind}: {finding.why}" if finding else "its partner is hashed"
        return f"{what}; hashed, so that the join with {others} still works"

    def _alone(
        self, place: ColumnPlace, finding: Finding, keys: frozenset[ColumnPlace]
    ) -> tuple[Treatment, str]:
        why = f"{finding.kind}: {finding.why}"
        treatment = ALONE[finding.kind]
        if place in keys and treatment != "hash":
            return "hash", f"{why}; hashed, since it is part of the primary key"
        if place in self._likely and finding.kind != "credential":
            return "hash", f"{why}; hashed, since another source has the same values"
        # The hash of a whole document answers no question.
        return ("exclude" if finding.within else treatment), why
