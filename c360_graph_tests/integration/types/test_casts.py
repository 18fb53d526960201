"""Casts of property_mappings as PostgreSQL computes them: the right values, NULL for all others, never an error."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.property_rows import Cast, cast_sql, cast_type, may_lose
from c360_graph_tests.conftest import TestServers

pytestmark = pytest.mark.servers

NOON = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
ANYTHING = [
    "", " ", "x", "NULL", "0x10", "1_000", "1,5", "--1", "+", ".", "e5", "1e", "٣", "1e400", "1e-400", "9" * 500,
    "9" * 200_000, "-" + "9" * 25, "1;", "'", "\\", "2023-02-29", "2024-13-01", "2024-00-10", "2024-01-00", "0000-01-01",
    "2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:00+16:00",
    "2024-01-01T00:00:00.1234567Z", "2024-1-1", "today", "infinity", "now", "epoch", "tr", "yess", "2",
]  # fmt: skip
EXACT: list[tuple[Cast, str, str, list[tuple[str, Any]]]] = [
    ("integer", "text", "text", [("42", 42), (" -7 ", -7), ("+0007", 7), (str(2**63 - 1), 2**63 - 1), (str(-(2**63)), -(2**63)), (str(2**63), None), ("1.0", None)]),
    ("integer", "citext", "text", [("42", 42)]),
    ("integer", "numeric", "numeric", [("42.00", 42), ("1.5", None), ("NaN", None), ("Infinity", None), ("1e30", None), (str(2**63 - 1), 2**63 - 1)]),
    ("integer", "float8", "float8", [("42", 42), ("1.5", None), ("NaN", None), ("-Infinity", None), ("9007199254740993", 2**53), ("9.3e18", None), ("-9.223372036854775808e18", -(2**63)), ("9.223372036854775808e18", None)]),
    ("integer", "float4", "float4", [("42", 42), ("1e30", None)]),
    ("integer", "bool", "bool", [("true", 1), ("false", 0)]),
    ("float", "text", "text", [("0.1", 0.1), (" -1.5e3 ", -1500.0), (".5", 0.5), ("5.", 5.0), ("0", 0.0), ("1e308", 1e308), ("1e309", None), ("1e-307", 1e-307), ("-0", -0.0)]),
    ("float", "numeric", "numeric", [("0.1", 0.1), ("1" + "0" * 400, None), ("123456789012345678.25", 123456789012345678.25), ("NaN", float("nan")), ("Infinity", float("inf"))]),
    ("float", "int8", "int8", [(str(2**53), 2.0**53), ("-1", -1.0)]),
    ("string", "numeric", "numeric", [("1.50", "1.50"), ("NaN", "NaN")]),
    ("string", "timestamptz", "timestamptz", [("2024-02-29 14:30+02", "2024-02-29 12:30:00+00"), ("infinity", "infinity")]),
    ("string", "bool", "bool", [("t", "true")]),
    ("boolean", "text", "text", [("TRUE", True), (" yes ", True), ("on", True), ("1", True), ("F", False), ("No", False), ("0", False)]),
    ("boolean", "int4", "int4", [("1", True), ("0", False), ("2", None), ("-1", None)]),
    ("date", "text", "text", [("2024-02-29", date(2024, 2, 29)), (" 0001-01-01 ", date(1, 1, 1)), ("9999-12-31", date(9999, 12, 31)), ("2100-02-29", None)]),
    ("datetime", "text", "text", [("2024-02-29T12:30:00Z", NOON), ("2024-02-29 14:30+02", NOON), ("2024-02-29T07:00:00-0530", NOON), ("2024-02-29T12:30:00.000000+00:00", NOON), ("2024-02-29T12:30:00", None)]),
    ("localdatetime", "text", "text", [("2024-02-29T12:30", NOON.replace(tzinfo=None)), ("2024-02-29 12:30:00.0", NOON.replace(tzinfo=None)), ("2024-02-29T12:30:00Z", None)]),
    ("localdatetime", "date", "date", [("2024-02-29", datetime(2024, 2, 29)), ("300000-01-01", None)]),
]  # fmt: skip
"""Cast, type as the catalog has it, type in SQL, and texts of values with what becomes of them."""


@pytest.mark.parametrize(("cast", "base", "kind", "pairs"), EXACT)
def test_values_are_cast_exactly_and_all_others_to_null(
    servers: TestServers, cast: Cast, base: str, kind: str, pairs: list[tuple[str, Any]]
) -> None:
    # A numeric of many digits is a STRING without a cast.
    digits = 10 if cast == "string" else None
    source = ColumnType(name=base, base=base, precision=digits, scale=digits and 2)
    target = cast_type(cast, source)
    assert isinstance(target, ColumnType)
    texts = [text for text, _ in pairs]
    others = [text for text in ANYTHING if text not in texts] if kind == "text" else []
    query = f"SELECT {cast_sql('t.v', source, target)} FROM unnest(%s::text[]::{kind}[]) AS t(v)"
    with servers.postgres.connect("postgres") as connection:
        connection.execute("SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'")
        found = [row[0] for row in connection.execute(query.encode(), (texts + others,)).fetchall()]
    wanted = [value for _, value in pairs]
    assert list(map(repr, found[: len(pairs)])) == list(map(repr, wanted))
    allowed = {"float": {"2", "-" + "9" * 25}, "integer": {"2"}}.get(cast, set())
    left = {o: v for o, v in zip(others, found[len(pairs) :], strict=True) if v is not None}
    assert left.keys() <= allowed
    assert may_lose(source, target) or None not in found
