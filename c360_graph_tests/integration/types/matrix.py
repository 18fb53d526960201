"""The type matrix: which values of which types are tried, and how each property type is compared."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

PREPARATION = (
    *(f"CREATE EXTENSION {name}" for name in ("citext", "hstore", "ltree", "vector", "cube")),
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s \"fine\", \\ yes')",
    # Types of the source's own under the names of built-in ones.
    "CREATE SCHEMA own",
    "CREATE TYPE own.date AS ENUM ('not a day')",
    'CREATE TYPE own."interval" AS (low int, high text)',
    "CREATE TYPE address AS (street text, house int)",
    "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
    "CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%')",
    "CREATE DOMAIN work_email AS email NOT NULL DEFAULT 'a@b'",
    "CREATE DOMAIN code AS char(6)",
    "CREATE DOMAIN moment AS timestamptz",
    "CREATE DOMAIN day AS date",
    "CREATE DOMAIN price AS numeric(9, 2)",
    "CREATE DOMAIN spoken AS interval",
    'CREATE DOMAIN inside_out AS text COLLATE "C"',
)

EVERY_CONTROL = "".join(chr(code) for code in (*range(1, 32), 127))
HOSTILE_TEXTS = (
    "", " ", "  padded  ", "NULL", "null", "\\N", "\\\\N", "\\n", "\\.", "\\", "a\\", "\\'", "'", "''", '"', "`",
    "\\u0041", "\\\\u0041", "\\u0027", "\\u005c", "\\x41", "\\101", "\t", "\n", "\r", "\r\n", "\b\f\v", "a\nb\tc\rd",
    EVERY_CONTROL, "\x1c\x1d\x1e\x1f", "\x7f\x85\xa0", "\u2028\u2029", "\ufeff", "\ufffd\uffff", "\ue000\ue001\ue002",
    "é", "e\u0301", "naïve 日本語 العربية 🇺🇳 👩‍👩‍👧", "\U0010ffff", ";", "; MATCH (n) DETACH DELETE n;", "// no comment", "/* none */",
    ":help", ":exit\n:exit", "$rows", "${x}", "%s %(a)s %%", "{}", "') AS line //", "\\') AS line //", "CYPHER 5", "0", "-1", "true",
)  # fmt: skip

MOMENTS = (
    "2024-02-29 12:34:56.123456", "2000-01-01 00:00:00", "1969-12-31 23:59:59.999999", "1970-01-01 00:00:00.1",
    "0001-01-01 00:00:00", "0001-12-31 23:59:59.999999 BC", "0001-01-01 00:00:00 BC", "0044-03-15 12:00:00.5 BC", "0005-02-28 01:02:03 BC",
    "9999-12-31 23:59:59.999999", "10000-01-01 00:00:00", "12345-06-07 08:09:10.11", "infinity", "-infinity",
)  # fmt: skip
LIMITS = ("294276-12-31 23:59:59.999999", "4714-11-24 00:00:00 BC")
DAYS = (
    "2024-02-29", "1970-01-01", "1969-12-31", "0001-01-01", "9999-12-31", "10000-01-01", "5874897-12-31",
    "0001-12-31 BC", "0044-03-15 BC", "4714-11-24 BC", "infinity", "-infinity",
)  # fmt: skip
SIGNS = tuple(
    f"{months} months {days} days {time}"
    for months, days, time in product((-14, 0, 14), (-3, 0, 3), ("-04:05:06.7", "0", "04:05:06.7"))
)
SPANS = (
    *SIGNS, "0.000001 s", "-0.000001 s", "178000000 years 11 months", "-178000000 years -11 months", "2147483647 days",
    "-2147483648 days", "2562047788:00:54.775806", "-2562047788:00:54.775806", "infinity", "-infinity",
    "1 year -1 day 00:00:01", "-1 month 1 day -00:00:00.999999", "100 hours",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A column: its type, the property's type, and the texts of its values; NULL is always tried as well."""

    name: str
    type: str
    becomes: str
    values: tuple[str, ...]
    column: str = ""

    @property
    def definition(self) -> str:
        """The column as CREATE TABLE wants it."""
        return f'"{self.name}" {self.column or self.type}'


CASES = (
    Case("small", "smallint", "INTEGER", ("-32768", "0", "1", "32767")),
    Case("int", "integer", "INTEGER", ("-2147483648", "0", "2147483647")),
    Case("big", "bigint", "INTEGER", ("-9223372036854775808", "9223372036854775807", "9007199254740993")),
    Case("positive", "positive", "INTEGER", ("1", "2147483647")),
    Case("real", "real", "FLOAT", ("1.5", "0.1", "3.4028235e38", "1e-45", "-0", "NaN", "Infinity", "-Infinity")),
    Case("double", "double precision", "FLOAT", (
        "1.5", "0.1", "1.7976931348623157e308", "5e-324", "2.2250738585072014e-308", "-0", "NaN", "Infinity", "-Infinity", "9007199254740993")),
    Case("numeric15", "numeric(15, 2)", "FLOAT", ("1.5", "9999999999999.99", "-9999999999999.99", "0.01", "NaN")),
    Case("numeric_below_one", "numeric(3, 5)", "FLOAT", ("0.00123", "-0.00999", "0")),
    Case("numeric_thousands", "numeric(5, -3)", "FLOAT", ("12345000", "-99999000", "499")),
    Case("numeric_smallest", "numeric(15, 307)", "FLOAT", ("1e-307", "-9.99999999999999e-293")),
    Case("numeric_too_small", "numeric(15, 320)", "STRING", ("1e-320",)),
    Case("numeric_largest", "numeric(15, -293)", "FLOAT", ("9.99999999999999e307",)),
    Case("numeric_too_large", "numeric(15, -300)", "STRING", ("1e314",)),
    Case("numeric16", "numeric(16, 2)", "STRING", ("12345678901234.56", "1.5", "NaN")),
    Case("numeric38", "numeric(38, 10)", "STRING", ("1234567890123456789012345678.0123456789", "-0.0000000001")),
    Case("numeric", "numeric", "STRING", ("1.50", "0", "-0.0", "NaN", "Infinity", "-Infinity", "1e100", "1e-100", "12345678901234567890123456789012345678901234567890.5")),
    Case("price", "price", "FLOAT", ("1.5", "9999999.99")),
    Case("bool", "boolean", "BOOLEAN", ("true", "false")),
    Case("text", "text", "STRING", HOSTILE_TEXTS),
    Case("varchar", "varchar(40)", "STRING", ("", " kept ", "x" * 40)),
    Case("char", "char(8)", "STRING", ("ab", "", "  ab", "12345678", "日本")),
    Case("one_char", '"char"', "STRING", ("a", "", "\\", "'")),
    Case("name", "name", "STRING", ("a name", "N" * 63)),
    Case("email", "email", "STRING", ("a@b", "'@\\")),
    Case("work_email", "work_email", "STRING", ("a@b",)),
    Case("inside_out", "inside_out", "STRING", ("É",)),
    Case("citext", "citext", "STRING", ("MiXed", "\\N")),
    Case("hstore", "hstore", "STRING", ('"a"=>"1", "b c"=>NULL, "\\"\\\\"=>""',)),
    Case("ltree", "ltree", "STRING", ("Top.Science",)),
    Case("vector", "vector(3)", "STRING", ("[1,2.5,-3]",)),
    Case("cube", "cube", "STRING", ("(1,2),(3,4)",)),
    Case("code", "code", "STRING", ("ab", "")),
    Case("uuid", "uuid", "STRING", ("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{00000000000000000000000000000000}")),
    Case("inet", "inet", "STRING", ("10.0.0.1", "10.0.0.1/8", "::1", "2001:db8::ff00:42:8329/64")),
    Case("cidr", "cidr", "STRING", ("10.0.0.0/8", "::/0")),
    Case("macaddr", "macaddr", "STRING", ("08-00-2B-01-02-03",)),
    Case("macaddr8", "macaddr8", "STRING", ("08:00:2b:01:02:03:04:05",)),
    Case("enum", "mood", "STRING", ("sad", "it's \"fine\", \\ yes")),
    Case("enum_called_date", "own.date", "STRING", ("not a day",)),
    Case("composite_called_interval", 'own."interval"', "STRING", ("(1,x)",)),
    Case("composite", "address", "STRING", ('("a ""b"" \\\\ c",1)', "(,)", '("two\nlines",2)')),
    Case("xml", "xml", "STRING", ("<a b='c'>d &amp; e</a>", "text <b/> only", "")),
    Case("json", "json", "STRING", ('{"b": 1,  "a": "\\u0041 \\n \\"", "a": null}', "null", '"\\\\"')),
    Case("jsonb", "jsonb", "STRING", ('{"b": 1,  "a": "\\u0041 \\n \\"", "c": [1.50, true]}', "null", '"\'"')),
    Case("jsonpath", "jsonpath", "STRING", ("$.a[*] ? (@ > 1)",)),
    Case("tsvector", "tsvector", "STRING", ("'a':1A 'b c':2,3", "'it''s' 'back\\\\slash'")),
    Case("tsquery", "tsquery", "STRING", ("'a' & !'b' <-> 'c'",)),
    Case("int4range", "int4range", "STRING", ("[1,5]", "empty", "(,)")),
    Case("tstzrange", "tstzrange", "STRING", ("[2024-01-01 00:00+02, infinity)",)),
    Case("multirange", "int4multirange", "STRING", ("{[1,3), [7,)}", "{}")),
    Case("bytea", "bytea", "STRING", ("", "\\x00", "\\x" + bytes(range(256)).hex(), "\\x" + "ff00" * 100)),
    Case("money", "money", "STRING", ("1234.5", "-92233720368547758.08")),
    Case("bit", "bit(5)", "STRING", ("10101",)),
    Case("varbit", "varbit", "STRING", ("", "1" * 70)),
    Case("point", "point", "STRING", ("(1.5,-0)", "(NaN,Infinity)")),
    Case("line", "line", "STRING", ("{1,2,3}",)),
    Case("lseg", "lseg", "STRING", ("[(0,0),(1,1)]",)),
    Case("box", "box", "STRING", ("(1,1),(0,0)",)),
    Case("path", "path", "STRING", ("((0,0),(1,1))", "[(0,0),(1,1)]")),
    Case("polygon", "polygon", "STRING", ("((0,0),(1,0),(1,1))",)),
    Case("circle", "circle", "STRING", ("<(0,0),5>",)),
    Case("oid", "oid", "STRING", ("0", "4294967295")),
    Case("regclass", "regclass", "STRING", ("pg_catalog.pg_class",)),
    Case("pg_lsn", "pg_lsn", "STRING", ("16/B374D848", "FFFFFFFF/FFFFFFFF")),
    Case("xid", "xid", "STRING", ("4294967295",)),
    Case("xid8", "xid8", "STRING", ("18446744073709551615",)),
    Case("tid", "tid", "STRING", ("(1,2)",)),
    Case("int2vector", "int2vector", "STRING", ("1 2 3", "")),
    Case("oidvector", "oidvector", "STRING", ("1 2 3",)),
    Case("timestamptz", "timestamptz", "ZONED DATETIME", (
        *(f"{m} UTC" if "inf" not in m else m for m in (*MOMENTS, *LIMITS)), "2024-02-29 23:30:00+05:30", "2024-07-01 12:00 America/New_York")),
    Case("timestamptz0", "timestamptz(0)", "ZONED DATETIME", ("2024-02-29 12:34:56.7Z",)),
    Case("moment", "moment", "ZONED DATETIME", ("2024-02-29 12:34:56.7Z", "0044-03-15 12:00Z BC", "infinity")),
    Case("timestamp", "timestamp", "LOCAL DATETIME", (*MOMENTS, *LIMITS)),
    Case("date", "date", "DATE", DAYS),
    Case("day", "day", "DATE", DAYS),
    Case("time", "time", "LOCAL TIME", ("00:00", "12:34:56.123456", "23:59:59.999999", "24:00")),
    Case("timetz", "timetz", "ZONED TIME", (
        "12:00+05:30", "00:00:00-15:59", "23:59:59.999999+15:59", "12:34:56.5+00", "12:34:56+01:30:15", "00:00:10+01:30:15", "23:59:59-00:00:01",
        "24:00+00", "24:00-05")),
    Case("interval", "interval", "DURATION", SPANS),
    Case("spoken", "spoken", "DURATION", ("1 day", "infinity")),
    Case("generated_stored", "int", "INTEGER", (), 'int GENERATED ALWAYS AS ("row" * 2) STORED'),
    Case("generated_virtual", "text", "STRING", (), 'text GENERATED ALWAYS AS (\'row \' || "row") VIRTUAL'),
    Case("identity", "bigint", "INTEGER", (), "bigint GENERATED ALWAYS AS IDENTITY"),
)  # fmt: skip

_CLOCK = "extract(hour FROM {c})::int, extract(minute FROM {c})::int, extract(microseconds FROM {c})::int"
_GRAPH_CLOCK = "{p}.hour, {p}.minute, {p}.second * 1000000 + {p}.microsecond"
_SINCE_1970 = "extract(epoch FROM date_trunc('second', {c}))::bigint, extract(microseconds FROM {c})::bigint % 1000000"
# An offset with seconds is shifted to UTC: the same moment.
_SHIFTED = (
    "(CASE WHEN extract(timezone FROM {c})::int % 60 <> 0 THEN {c} AT TIME ZONE 'UTC' ELSE {c} END)"
)
_MICROSECONDS = "(extract(hour FROM {c})::numeric * 3600000000 + extract(minute FROM {c}) * 60000000 + extract(microseconds FROM {c}))"

IN_SQL = {
    "INTEGER": "{c}",
    "FLOAT": "{c}::text",
    "BOOLEAN": "{c}",
    "STRING": "{c}::text",
    "ZONED DATETIME": f"CASE WHEN isfinite({{c}}) THEN ARRAY[{_SINCE_1970}] END",
    "LOCAL DATETIME": f"CASE WHEN isfinite({{c}}) THEN ARRAY[{_SINCE_1970}] END",
    "DATE": "CASE WHEN isfinite({c}) THEN {c} - date '1970-01-01' END",
    "LOCAL TIME": f"CASE WHEN {{c}} < '24:00' THEN ARRAY[{_CLOCK}] END",
    "ZONED TIME": f"CASE WHEN extract(hour FROM {{c}}) < 24 THEN ARRAY[{_CLOCK}, extract(timezone FROM {{c}})::int] END".replace(
        "{c}", _SHIFTED
    ),
    "DURATION": "CASE WHEN isfinite({c}) THEN ARRAY[extract(year FROM {c}) * 12 + extract(month FROM {c}), extract(day FROM {c}),"
    f" floor({_MICROSECONDS} / 1000000), ({_MICROSECONDS} % 1000000 + 1000000) % 1000000]::bigint[] END",
}  # fmt: skip
"""PostgreSQL's own value of a column, by the type of the property that it becomes."""

SHOWN_OTHERWISE = {"inet": "CASE WHEN {c} IS NOT NULL THEN format('%s', {c}) END"}
"""Types whose cast to text gives another text than they are shown as."""

# epochSeconds rounds towards 1970, so the fraction is cut off before it is asked for.
IN_CYPHER = {
    "INTEGER": "{p}",
    "FLOAT": "{p}",
    "BOOLEAN": "{p}",
    "STRING": "{p}",
    "ZONED DATETIME": "[datetime.truncate('second', {p}).epochSeconds, {p}.microsecond]",
    "LOCAL DATETIME": "[datetime.truncate('second', {p}, {{timezone: 'Z'}}).epochSeconds, {p}.microsecond]",
    "DATE": "datetime.truncate('day', {p}, {{timezone: 'Z'}}).epochSeconds / 86400",
    "LOCAL TIME": f"[{_GRAPH_CLOCK}]",
    "ZONED TIME": f"[{_GRAPH_CLOCK}, {{p}}.offsetSeconds]",
    "DURATION": "[{p}.months, {p}.days, {p}.seconds, {p}.microsecondsOfSecond]",
}
"""The same value of a property in the graph."""
