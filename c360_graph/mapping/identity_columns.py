"""What a rule of an identity says of a column: that it identifies records, or that they are compared by it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

from c360_graph.errors import MappingError
from c360_graph.mapping.catalog import INTEGERS, TEXTS
from c360_graph.mapping.conditions import parse
from c360_graph.mapping.control_rows import IdentityRuleRow
from c360_graph.mapping.join_forms import join_column, source_column
from c360_graph.mapping.join_functions import PLAIN, JoinFunctions
from c360_graph.mapping.model import (
    ComparedColumn,
    Identifier,
    PropertyMapping,
    RecordComparison,
    TableMapping,
)
from c360_graph.mapping.names import did_you_mean

COMPARISONS: tuple[RecordComparison, ...] = get_args(RecordComparison)
LEAST_COMPARED_KINDS = 2
"""The model of one kind is estimated on records that agree in another."""

_VALUE = re.compile(r"\bvalue\b", re.IGNORECASE)
_DATES = frozenset({"date", "timestamp", "timestamptz"})
_COMPARED_TYPES: dict[RecordComparison, tuple[frozenset[str], str]] = {
    "name": (TEXTS, "texts"),
    "code": (TEXTS | INTEGERS, "texts and integers"),
    "date": (TEXTS | _DATES, "dates, timestamps and texts such as 1980-12-31"),
}


def calls_of(normaliser: str | None) -> tuple[str, ...]:
    """The functions that a normaliser names, the outermost first.

    >>> calls_of("email"), calls_of("phone(trim(value), 'DE')"), calls_of(None)
    (('email',), ('phone_DE', 'trim'), ())

    Raises:
        MappingError: it names others than a join condition may have.
    """
    text = (normaliser or "").strip()
    if not text or text.lower() in PLAIN:
        return (text.lower(),) if text else ()
    try:
        (equality,) = parse(f"{_VALUE.sub('v.value', text)} = w.value")
        calls = equality.left.functions
        # A column of another name would be one that no rule has.
        if calls and (equality.left.alias, equality.left.column) == ("v", "value"):
            return calls
    except (MappingError, ValueError):
        pass
    raise MappingError(
        f"normaliser {text!r} cannot be used; write one of {', '.join(PLAIN)}, or functions around value,"
        " such as lower(trim(value)) or phone(value, 'DE') with a country of ISO 3166"
    )


def identifier_of(rule: IdentityRuleRow, table: TableMapping) -> Identifier:
    """The property that a rule identifies records of a table by.

    Raises:
        MappingError: the rule cannot be used for this table.
    """
    prop, functions = _column(rule, table)
    if rule.min_agreement is not None and rule.min_agreement < 1:
        raise MappingError(f"min_agreement is {rule.min_agreement}; write 1 or more, or NULL for 1")
    return Identifier(
        kind=rule.identifier_kind.strip(),
        column=join_column(functions, prop.column) if functions else prop.column,
        min_agreement=rule.min_agreement or 1,
    )


def compared_column_of(rule: IdentityRuleRow, table: TableMapping) -> ComparedColumn:
    """The property that a rule with a comparison compares records of a table by.

    Raises:
        MappingError: the rule cannot be used for this table.
    """
    prop, functions = _column(rule, table)
    column = f"{table.qualified_name}.{prop.column}"
    name = (rule.comparison or "").strip().lower()
    comparison = next((known for known in COMPARISONS if known == name), None)
    if comparison is None:
        raise MappingError(
            f"comparison {rule.comparison!r} cannot be used; write one of {', '.join(COMPARISONS)}"
        )
    if rule.min_agreement is not None:
        raise MappingError(
            "min_agreement and comparison are both set: a row with a comparison makes no entity, however"
            " many kinds agree; write a row of each"
        )
    if prop.treatment == "hash" and comparison != "exact":
        raise MappingError(
            f"{column} is hashed, and hashes of similar values are not similar; use the comparison exact"
        )
    takes, named = _COMPARED_TYPES.get(comparison, (None, ""))
    is_plain = prop.type.element is None and prop.type.kind == "b"
    if takes and not functions and not (is_plain and prop.type.base in takes):
        raise MappingError(
            f"comparison {comparison!r} of {column}: it takes {named}, and {prop.type.name} is none"
        )
    return ComparedColumn(
        kind=rule.identifier_kind.strip(),
        column=join_column(functions, prop.column) if functions else prop.column,
        comparison=comparison,
    )


def reason_against_comparison(
    new: ComparedColumn, of_table: Sequence[ComparedColumn], of_all: Sequence[ComparedColumn]
) -> str | None:
    """Why a column is not compared beside those before it; None where it is.

    >>> name = ComparedColumn(kind="name", column="name", comparison="name")
    >>> reason_against_comparison(name, [], [name.model_copy(update={"comparison": "exact"})])
    "identifier_kind 'name' has the comparison exact in another row; write the same in each"
    """
    alike = [other for other in of_all if other.kind == new.kind]
    if alike and alike[0].comparison != new.comparison:
        return (
            f"identifier_kind {new.kind!r} has the comparison {alike[0].comparison} in another row; write"
            " the same in each"
        )
    if any(other.kind == new.kind for other in of_table):
        return (
            f"another column of the table is compared as identifier_kind {new.kind!r} already; give this"
            " one a kind of its own"
        )
    return None


def refuse_mixed_treatments(
    found: Sequence[tuple[TableMapping, Sequence[Identifier | ComparedColumn]]],
) -> None:
    """Hashed values equal no others, so that a kind has to be hashed in all tables or in none.

    Raises:
        MappingError: a kind is hashed in some tables only.
    """
    treated: dict[str, dict[bool, str]] = {}
    for table, columns in found:
        for each in columns:
            column = source_column(each.column)
            prop = table.property_of(column)
            hashed = prop is not None and prop.treatment == "hash"
            treated.setdefault(each.kind, {})[hashed] = f"{table.qualified_name}.{column}"
    for kind, treatments in treated.items():
        if len(treatments) > 1:
            raise MappingError(
                f"identifier_kind {kind!r}: {treatments[True]} is hashed and {treatments[False]} is not, so that no"
                " value of one equals one of the other; give both the treatment hash"
            )


def _column(
    rule: IdentityRuleRow, table: TableMapping
) -> tuple[PropertyMapping, JoinFunctions | None]:
    """The column that a rule names, and the functions around it."""
    prop = table.property_from(rule.column_name)
    if not table.key:
        raise MappingError(
            f"{table.qualified_name} has no key that its records are told apart by; name one in"
            " node_label_mappings.key_columns"
        )
    if not rule.identifier_kind.strip():
        raise MappingError("identifier_kind is empty")
    if prop is None or prop.form is not None:
        columns = [p.origin for p in table.columns_read]
        raise MappingError(
            f"{table.qualified_name} has no column {rule.column_name!r} that is read: the table lacks it, or a rule"
            f" excludes it{did_you_mean(rule.column_name, columns)}"
        )
    if prop.treatment == "mask":
        raise MappingError(
            f"{table.qualified_name}.{prop.column} is masked, and masked values are not unique; use the treatment"
            " hash"
        )
    calls = calls_of(rule.normaliser)
    functions = JoinFunctions(calls=calls).across_sources() if calls else None
    why_not = functions.why_not(prop.type) if functions else None
    if why_not:
        raise MappingError(
            f"normaliser {rule.normaliser!r} of {table.qualified_name}.{prop.column}: {why_not}"
        )
    return prop, functions
