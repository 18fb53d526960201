"""Columns that look personal, by name or by what sampled values look like: e-mail addresses, numbers that carry a
valid check digit, and the like.

Values come in and only kinds and counts go out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from ipaddress import ip_address
from types import ModuleType

from stdnum import iban, imei, luhn

from c360_graph.mapping.catalog import CatalogColumn, CatalogTable
from c360_graph.proposal.personal_names import Kind, kind_by_name

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
