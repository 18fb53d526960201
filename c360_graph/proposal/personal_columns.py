"""Columns that look personal, by name or by what sampled values look like, and what to do with them.

Values come in and only kinds and counts go out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from ipaddress import ip_address
from types import ModuleType

from stdnum import iban, imei, luhn

from c360_graph.mapping.catalog import CatalogColumn, CatalogTable
from c360_graph.mapping.control_rows import Treatment
from c360_graph.mapping.exclusions import treatment_of
from c360_graph.proposal.control_rows import Standing
from c360_graph.proposal.model import QualifiedColumn
from c360_graph.proposal.personal_names import Kind, kind_by_name
from c360_graph.proposal.relationships import Edge

FEWEST_VALUES = 5
"""Different values; of fewer, chance alone could make them look like anything."""
MOST_OF_THEM = 0.8
"""Share of a column's values that has to look like a kind."""
SOME_OF_THEM = 0.05
"""Share of texts with personal data somewhere within that is worth a remark."""

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(\.[\w-]+)+", re.ASCII)
# E.164 with its plus, or grouped as people write them; bare digits can be anything.
_PHONE = re.compile(r"\+\d[\d ().-]{6,18}\d|\(?0?\d{2,4}\)?[ .-]\d{3,4}[ .-]\d{3,4}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{2}[.-]\d{2}[.-]\d{4}")
_CARD = re.compile(r"(?:[3-6]\d|2[2-7])\d{2}(?:[ -]?\d){9,15}")
_SSN = re.compile(r"(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}")
_BCRYPT = re.compile(
    r"\$(2[abxy]|argon2(id|i|d)|scrypt|pbkdf2[\w-]*|[156])\$.+|pbkdf2_\w+\$.+", re.S
)

# Numbers whose check digits leave at most one in ten for chance, with 5 values and more at once.
_NATIONAL_IDS = (
    "at.vnr",
    "be.nn",
    "bg.egn",
    "br.cpf",
    "ca.sin",
    "ch.ssn",
    "cl.rut",
    "cz.rc",
    "de.idnr",
    "es.dni",
    "es.nie",
    "fi.hetu",
    "fr.nir",
    "gb.nhs",
    "gr.amka",
    "hr.oib",
    "in_.aadhaar",
    "it.codicefiscale",
    "kr.rrn",
    "mx.curp",
    "nl.bsn",
    "no.fodselsnummer",
    "pl.pesel",
    "ro.cnp",
    "se.personnummer",
    "tr.tckimlik",
    "za.idnr",
)
_MODULES: tuple[ModuleType, ...] = tuple(import_module(f"stdnum.{name}") for name in _NATIONAL_IDS)
_SHORTEST_ID = 9
_IMEI_DIGITS = 15

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


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How many of the different sampled values look like a kind, or hold one somewhere within."""

    kind: Kind
    count: int
    of: int

    @property
    def share(self) -> str:
        """`97 % of 200 different sampled values`."""
        return f"{100 * self.count / self.of:.0f} % of {self.of} different sampled values"


def likeness(values: Sequence[str]) -> Likeness | None:
    """What most of a column's values are."""
    distinct = {value.strip() for value in values} - {""}
    if len(distinct) < FEWEST_VALUES:
        return None
    needed = MOST_OF_THEM * len(distinct)
    for kind, looks in _KINDS:
        count = sum(map(looks, distinct))
        if count >= needed:
            return Likeness(kind=kind, count=count, of=len(distinct))
    return _national_id(distinct, needed)


def likeness_within(values: Sequence[str]) -> Likeness | None:
    """E-mail addresses, phone or card numbers within longer texts, documents and lists."""
    distinct = {value.strip() for value in values} - {""}
    if len(distinct) < FEWEST_VALUES:
        return None
    for kind, found in _WITHIN:
        count = sum(map(found, distinct))
        if count >= SOME_OF_THEM * len(distinct):
            return Likeness(kind=kind, count=count, of=len(distinct))
    return None


def _national_id(distinct: set[str], needed: float) -> Likeness | None:
    for module in _MODULES:
        count = sum(len(v) >= _SHORTEST_ID and bool(module.is_valid(v)) for v in distinct)
        if count >= needed:
            return Likeness(kind="national id", count=count, of=len(distinct))
    return None


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value) is not None


def _is_ip(value: str) -> bool:
    if "." not in value and ":" not in value:
        return False
    try:
        ip_address(value.partition("/")[0])
    except ValueError:
        return False
    return True


def _is_imei(value: str) -> bool:
    """Without its check digit, or with a software version in its place, it is any 14 or 16 digits."""
    return len(value) == _IMEI_DIGITS and bool(imei.is_valid(value))


def _is_card(value: str) -> bool:
    return _CARD.fullmatch(value) is not None and bool(luhn.is_valid(re.sub("[ -]", "", value)))


def _is_phone(value: str) -> bool:
    return (
        _PHONE.fullmatch(value) is not None and _DATE.fullmatch(value) is None and not _is_ip(value)
    )


def _holds_card(text: str) -> bool:
    return any(luhn.is_valid(re.sub("[ -]", "", m.group())) for m in _CARD.finditer(text))


# The order tells apart what could be two: a card's number is a phone's to a careless eye.
_KINDS: tuple[tuple[Kind, Callable[[str], bool]], ...] = (
    ("credential", _matches(_BCRYPT)),
    ("e-mail address", _matches(_EMAIL)),
    ("network address", _is_ip),
    ("bank account", lambda value: bool(iban.is_valid(value))),
    ("national id", _matches(_SSN)),
    ("card number", _is_card),
    ("device id", _is_imei),
    ("phone number", _is_phone),
)
_WITHIN: tuple[tuple[Kind, Callable[[str], bool]], ...] = (
    ("e-mail address", lambda text: _EMAIL.search(text) is not None),
    ("card number", _holds_card),
    ("national id", lambda text: re.search(rf"\b{_SSN.pattern}\b", text) is not None),
)


_SAMPLED = frozenset(["text", "varchar", "bpchar", "citext", "int8", "numeric", "json", "jsonb"])
_DOCUMENTS = frozenset(["json", "jsonb"])


@dataclass(frozen=True, kw_only=True)
class ColumnFinding:
    """What a column holds, and how that is known; holds none of its values."""

    kind: Kind
    why: str
    within: bool = False
    """Whether the column's values are documents or lists that hold such things among others."""


def is_worth_sampling(column: CatalogColumn) -> bool:
    """Whether a column's values can look like anything personal."""
    return (column.type.element or column.type).base in _SAMPLED


def findings_of(
    table: CatalogTable, samples: Mapping[str, Sequence[str]]
) -> tuple[dict[str, ColumnFinding], tuple[str, ...]]:
    """The columns that look personal, and a remark on texts that hold personal data here and there."""
    found: dict[str, ColumnFinding] = {}
    remarks: list[str] = []
    for column in table.columns:
        values = samples.get(column.name, ())
        finding, remark = _judge(table, column, values)
        if finding:
            found[column.name] = finding
        elif remark:
            remarks.append(f"{column.name} {remark}")
    return found, tuple(remarks)


def _judge(
    table: CatalogTable, column: CatalogColumn, values: Sequence[str]
) -> tuple[ColumnFinding | None, str | None]:
    by_name = kind_by_name(table.table_name, column.name, column.type)
    whole = column.type.element is None and column.type.base not in _DOCUMENTS
    seen = likeness(values) if whole and values else None
    if by_name:
        if seen and seen.kind == by_name:
            return ColumnFinding(kind=by_name, why=f"its name and {_looks(seen)}"), None
        return ColumnFinding(kind=by_name, why="its name or type says so"), None
    if seen:
        return ColumnFinding(kind=seen.kind, why=_looks(seen)), None
    within = likeness_within(values) if values else None
    if within is None:
        return None, None
    if not whole and 2 * within.count >= within.of:
        return ColumnFinding(kind=within.kind, why=f"{within.share} hold one", within=True), None
    return None, (
        f"is proposed as it is, but {within.share} hold something like a {within.kind}: judge"
        " whether it is to be excluded."
    )


def _looks(seen: Likeness) -> str:
    return f"{seen.share} look like one"


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
