"""Moments, days and spans as the graph shows them; timestamps of a source that names its zone."""

from __future__ import annotations

import pytest

from c360_graph.errors import SourceError
from c360_graph.graph.connection import Graph
from c360_graph_tests.integration.types.pieces import SourceDatabase, load

SHOWN = (
    ("timestamptz", "2024-02-29 12:34:56.123456+05:30", "2024-02-29T07:04:56.123456Z"),
    ("timestamptz", "0044-03-15 12:00:00+00 BC", "-0043-03-15T12:00:00Z"),
    ("timestamptz", "0001-06-01 00:00:00+00 BC", "0000-06-01T00:00:00Z"),
    ("timestamptz", "10000-01-01 00:00:00+00", "+10000-01-01T00:00:00Z"),
    (
        "timestamptz",
        "294276-12-31 23:59:59.999999+00",
        "+294276-12-31T23:59:59.999999Z",
    ),
    ("timestamp", "4714-11-24 00:00:00 BC", "-4713-11-24T00:00:00"),
    ("timestamp", "2024-02-29 12:34:56", "2024-02-29T12:34:56"),
    ("date", "5874897-12-31", "+5874897-12-31"),
    ("date", "0001-01-01 BC", "0000-01-01"),
    ("time", "12:34:56.000001", "12:34:56.000001"),
    ("timetz", "12:34:56+05:30", "12:34:56+05:30"),
    ("timetz", "12:34:56+01:30:15", "11:04:41Z"),
    ("interval", "1 year 2 months 3 days 04:05:06.7", "P1Y2M3DT4H5M6.7S"),
    ("interval", "-1 month 1 day -00:00:00.999999", "P-1M1DT-0.999999S"),
    ("interval", "178000000 years 11 months", "P178000000Y11M"),
    ("interval", "0", "PT0S"),
)


def test_a_value_is_shown_in_iso_8601(source: SourceDatabase, graph: Graph) -> None:
    columns = ", ".join(f"c{i} {kind}" for i, (kind, _, _) in enumerate(SHOWN))
    values = ", ".join(f"'{value}'" for _, value, _ in SHOWN)
    source.execute(f"CREATE TABLE t ({columns})", f"INSERT INTO t VALUES ({values})")
    load(graph, source.script(source.extract("t")))
    shown = ", ".join(f"toString(n.c{i}) AS c{i}" for i in range(len(SHOWN)))
    found = graph.rows(f"MATCH (n:t) RETURN {shown}")[0]
    assert list(found.values()) == [text for _, _, text in SHOWN]


def test_a_sources_time_zone_makes_its_timestamps_moments(
    source: SourceDatabase, graph: Graph
) -> None:
    zoned = source.within(time_zone="America/New_York")
    given = {
        "2024-01-01 12:00:00": "2024-01-01T17:00:00Z",
        "2024-07-01 12:00:00.5": "2024-07-01T16:00:00.5Z",
        "2024-03-10 02:30:00": "2024-03-10T07:30:00Z",
        "2024-11-03 01:30:00": "2024-11-03T06:30:00Z",
        "0001-01-01 00:00:00": "0001-01-01T04:56:02Z",
        "0001-12-31 22:00:00 BC": "0001-01-01T02:56:02Z",
        "0044-03-15 00:00:00 BC": "-0043-03-15T04:56:02Z",
        "9999-12-31 23:00:00": "+10000-01-01T04:00:00Z",
        "294276-12-30 12:00:00": "+294276-12-30T17:00:00Z",
        # PostgreSQL's own limits are passed by moving these.
        "294276-12-31 23:59:59.999999": None,
        "4714-11-24 00:00:00 BC": None,
        "infinity": None,
        "-infinity": None,
    }
    rows = ", ".join(f"({i}, '{text}', ARRAY['{text}'::local])" for i, text in enumerate(given))
    source.execute(
        "CREATE DOMAIN local AS timestamp",
        "CREATE TABLE t (id int PRIMARY KEY, at local, many local[])",
        f"INSERT INTO t VALUES {rows}, ({len(given)}, NULL, NULL)",
    )
    extract = zoned.extract("t")
    load(graph, zoned.script(extract))
    found = graph.rows(
        "MATCH (n:t) RETURN toString(n.at) AS at, [x IN n.many | toString(x)] AS many ORDER BY n.id"
    )
    assert [row["at"] for row in found] == [*given.values(), None]
    assert [row["many"] for row in found] == [
        *([text] if text else [] for text in given.values()),
        None,
    ]
    assert extract.manifest.values_absent == {"at": 4, "many": 4}


def test_an_unknown_time_zone_is_said(source: SourceDatabase) -> None:
    source.execute("CREATE TABLE t (at timestamp)", "INSERT INTO t VALUES (now())")
    with pytest.raises(SourceError, match=r'time zone "Mars/O.Neill" not recognized'):
        source.within(time_zone="Mars/O'Neill").extract("t")


def test_settings_of_the_role_or_database_do_not_change_a_text(
    source: SourceDatabase, graph: Graph
) -> None:
    source.execute(
        "CREATE TABLE t AS SELECT timestamptz '2024-01-02 03:04:05+00' AS at, date '2024-02-01' AS day,"
        " interval '-1 day' AS span, 1e-7::float8 AS number, '\\x41'::bytea AS bytes, 'b a'::text AS word",
        # A function of the source's own that would be found before the built-in one.
        "CREATE FUNCTION public.replace(text, text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'captured' $$",
        *(
            f"ALTER DATABASE {source.database} SET {setting}"
            for setting in (
                "datestyle = 'German, DMY'",
                "intervalstyle = 'sql_standard'",
                "timezone = 'Asia/Kolkata'",
                "extra_float_digits = -10",
                "bytea_output = 'escape'",
                "standard_conforming_strings = off",
                "search_path = public, pg_catalog",
                "client_encoding = 'LATIN1'",
            )
        ),
    )
    load(graph, source.script(source.extract("t")))
    found = graph.rows(
        "MATCH (n:t) RETURN toString(n.at) AS at, toString(n.day) AS day, toString(n.span) AS span,"
        " n.number AS number, n.bytes AS bytes, n.word AS word"
    )
    assert found == [
        {
            "at": "2024-01-02T03:04:05Z",
            "day": "2024-02-01",
            "span": "P-1D",
            "number": 1e-07,
            "bytes": "QQ==",
            "word": "b a",
        }
    ]
