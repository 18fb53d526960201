"""Pairs of column types with values that are equal and look different, or look alike and are not."""

from __future__ import annotations

from dataclasses import dataclass

PREPARATION = r"""
CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION ltree SCHEMA ext;
SET search_path = public, ext;
CREATE DOMAIN handle AS citext;
CREATE DOMAIN short_text AS varchar(9);
CREATE DOMAIN rate AS numeric;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE humour AS ENUM ('ok', 'glad');
CREATE TYPE pair AS (a int, b text);
CREATE COLLATION loose (provider = libc, locale = 'C');
SET allow_system_table_mods = on;
UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'loose';
"""


@dataclass(frozen=True)
class Pair:
    """Two columns and the texts of their values.

    `on` is the join where PostgreSQL's is not `l.x = r.x`; `refused` a part of the reason where the
    row is refused; `treatment` a rule on both columns.
    """

    name: str
    left: str
    right: str
    lefts: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    on: str = ""
    refused: str = ""
    treatment: str = ""

    @property
    def condition(self) -> str:
        """PostgreSQL's own join of `l` with `r`."""
        return self.on.replace("#", f'"{self.name}"') or f'l."{self.name}" = r."{self.name}"'


BLANKS = ("AB", "AB    ", "ab", "CD ", "")
INSTANTS = (
    "2024-03-31 02:30+02",
    "2024-03-31 00:30Z",
    "infinity",
    "-infinity",
    "0044-03-15 12:00Z BC",
)
LOCALS = (
    "2024-03-31 02:30",
    "2024-03-31 03:30",
    "infinity",
    "2024-10-27 02:30",
    "0044-03-15 12:00 BC",
)
SPANS = (
    "1 day",
    "24:00",
    "1 mon",
    "30 days",
    "1 mon -30 days",
    "0",
    "-1 day",
    "-24:00",
    "0.5 s",
    "infinity",
    "1 year 2 mons 3 days 04:05:06.7",
)
NUMBERS = ("1", "1.0", "1.50", "0", "-0.0", "NaN", "100", "1e2", "12345678901234567890.10")
LONG = (f"{'9' * 2_000}.50", f"{'9' * 2_000}.5")
ARRAYS = ("{1,NULL}", "{1}", "[0:1]={1,2}", "{1,2}", "{}", "{NULL}", "{{1,2},{3,4}}")
JSONS = (
    '{"a": 1.0}', '{"a": 1}', '{"a": 1.00, "b": 2}', '{"b":2,"a":1}', '[1.10, "1.0", "q\\"1.0"]', '[1.1, "1.0", "q\\"1.0"]', '[1.1, "1", "q\\"1"]',
    "1", "1.000", "[1]", "100", "1e2", "10.0", '"1.0"', '"\\\\"', '{"1.0": [[0.0, 2]]}', '{"1.0": [[0], 2]}', '{"1": [[0, 2]]}', '{"1.0": [[0, 2]]}', "0.050", "0.05", "-0.0", "0",
    f'{{"note": "{"x" * 20_000}", "n": 1.0}}', f'{{"note": "{"x" * 20_000}", "n": 1}}',
)  # fmt: skip


def same(name: str, kind: str, *values: str, on: str = "") -> Pair:
    """The same type and values on both sides."""
    return Pair(name, kind, kind, values, values, on=on)


PAIRS = (
    Pair("citext", "ext.citext", "ext.citext", ("Ann@x", "BOB", "É", "ß", "a ", "İ"), ("aNN@X", "ann@x", "bob", "é", "SS", "A", "i")),
    Pair("citext_domain", "handle", "ext.citext", ("Ann", "bob"), ("ANN", "BOB", "bob")),
    Pair("citext_text", "ext.citext", "text", ("Ann", "bob", "a "), ("ANN", "Ann", "bob", "a")),
    Pair("citext_char", "ext.citext", "char(6)", BLANKS, ("AB", "ab", "CD")),
    Pair("citext_hashed", "ext.citext", "ext.citext", ("Ann@x", "BOB"), ("ANN@X", "bob", "eve"), treatment="hash"),
    Pair("char_varchar", "char(6)", "varchar", BLANKS, BLANKS),
    Pair("char_domain", "short_text", "char(6)", BLANKS, BLANKS),
    Pair("char_text", "char(6)", "text", BLANKS, BLANKS),
    Pair("char_char", "char(6)", "char(3)", BLANKS, ("AB", "ab ", "CD")),
    Pair("char_hashed", "char(6)", "varchar(20)", BLANKS, BLANKS, treatment="hash"),
    Pair("varchar_text", "varchar", "text", BLANKS, BLANKS),
    Pair("name_text", "name", "text", ("ab", "AB"), ("ab", "ab ")),
    Pair("name_char", "name", "char(3)", ("ab", "AB"), ("ab", "AB")),
    Pair("one_char", '"char"', "char(2)", ("a", "b", ""), ("a", "b ", "")),
    Pair("unicode", "text", "text", ("é", "e\u0301", "Å", "\u212b"), ("é", "e\u0301", "\u00c5", "É")),
    same("text_hostile", "text", "\\N", "\\", "a\tb", "a\nb", "'", "NULL", "", " "),
    Pair("numeric", "numeric", "numeric(30,4)", NUMBERS, NUMBERS),
    Pair("numeric_long", "numeric", "numeric", LONG, LONG),
    Pair("numeric_domain", "rate", "numeric", NUMBERS, (*NUMBERS, "Infinity")),
    Pair("numeric_hashed", "numeric", "numeric(30,4)", NUMBERS, NUMBERS, treatment="hash"),
    Pair("numeric_short", "numeric(15,2)", "numeric(10,1)", ("1.5", "NaN", "0", "9999999999999.99"), ("1.50", "NaN", "0")),
    Pair("int_numeric", "int", "numeric", ("1", "100", "0"), NUMBERS),
    Pair("big_numeric", "bigint", "numeric(20,0)", ("9223372036854775807", "9007199254740993"), ("9223372036854775807", "9007199254740992", "9007199254740993")),
    Pair("big_thousands", "bigint", "numeric(15,-3)", ("999999999999999000", "1000"), ("999999999999999000", "1000")),
    Pair("small_big", "smallint", "bigint", ("1", "-1", "0"), ("1", "-1", "32768")),
    Pair("real_double", "real", "float8", ("0.1", "0.5", "NaN", "-0", "Infinity", "16777217"), ("0.1", "0.10000000149011612", "0.5", "NaN", "0", "Infinity", "16777216")),
    same("real", "real", "0.1", "NaN", "-0", "0", "1e-45", "-Infinity"),
    same("double", "float8", "0.1", "NaN", "-0", "0", "5e-324", "Infinity", "1e15", "1000000000000000.1"),
    Pair("big_double", "bigint", "float8", ("9007199254740993", "9007199254740992", "1", "0"), ("9007199254740992", "1", "-0", "9007199254740994")),
    Pair("int_real", "int", "real", ("16777217", "16777216", "3"), ("16777216", "3.0", "NaN")),
    Pair("numeric_double", "numeric", "float8", ("0.1", "NaN", "Infinity", "123456789012345678901234567890", "0.0", "0.10000000000000001", "5e-324"), ("0.1", "NaN", "Infinity", "1.2345678901234568e29", "-0", "5e-324")),
    same("bool", "boolean", "true", "false"),
    same("jsonb", "jsonb", *JSONS),
    Pair("jsonb_hashed", "jsonb", "jsonb", JSONS, JSONS, treatment="hash"),
    same("interval", "interval", *SPANS),
    same("date", "date", "2024-02-29", "infinity", "-infinity", "0044-03-15 BC", "5874897-12-31"),
    same("timestamp", "timestamp", *LOCALS),
    same("timestamptz", "timestamptz", *INSTANTS),
    same("time", "time", "24:00", "00:00", "12:00:00.000001"),
    same("timetz", "timetz", "12:00+01", "11:00+00", "24:00+00", "00:00+00", "12:00+01:00:30"),
    same("uuid", "uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc999c0b4ef8bb6d6bb9bd380a11}"),
    Pair("uuid_text", "uuid", "text", ("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",), ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), on="l.#::text = r.#"),
    same("inet", "inet", "10.0.0.1", "10.0.0.1/32", "10.0.0.1/8", "::1", "::1/128", "0:0:0:0:0:0:0:1"),
    Pair("inet_cidr", "inet", "cidr", ("10.0.0.1", "10.0.0.0/8", "10.0.0.1/8", "::1"), ("10.0.0.1/32", "10.0.0.0/8", "::1/128")),
    same("macaddr", "macaddr", "08-00-2B-01-02-03", "08002b:010203"),
    same("bytea", "bytea", "", "\\x00", "abc", "\\x616263"),
    Pair("bits", "bit(3)", "varbit", ("101", "011"), ("101", "1010", "11", "011")),
    same("money", "money", "1234.5", "1,234.50", "-1"),
    same("enum", "mood", "sad", "ok"),
    Pair("enums", "mood", "humour", ("sad", "ok"), ("ok", "glad"), on="l.#::text = r.#::text"),
    same("lsn", "pg_lsn", "0/1", "00/01"),
    same("range", "int4range", "[1,3]", "[1,4)", "empty", "[1,1)", "(,)"),
    same("range_of_moments", "tstzrange", "[2024-01-01 00:00+02,)", "[2023-12-31 22:00Z,)"),
    same("multirange", "int4multirange", "{[1,3)}", "{[1,2),[2,3)}"),
    same("hstore", "ext.hstore", '"b"=>"1", "a"=>NULL', 'a=>NULL, b=>1', 'a=>"NULL"'),
    same("ltree", "ext.ltree", "Top.Science", "top.science"),
    same("oid", "oid", "1", "4294967295"),
    same("array", "int[]", *ARRAYS),
    Pair("array_hashed", "int[]", "int[]", ARRAYS, ARRAYS, treatment="hash"),
    same("text_array", "text[]", '{"NULL"}', "{NULL}", '{"a,b"}', "{a,b}", "{}"),
    same("day_array", "date[]", "{infinity}", "{2024-01-01,NULL}", "{2024-01-01}"),
    # What PostgreSQL compares by rules that no text has, or does not compare at all.
    Pair("json", "json", "json", refused="PostgreSQL has no equality for json"),
    Pair("point", "point", "point", refused="PostgreSQL has no equality for point"),
    Pair("circle", "circle", "circle", refused="values of circle that PostgreSQL finds equal"),
    Pair("numrange", "numrange", "numrange", refused="values of numrange that PostgreSQL finds equal"),
    Pair("tsquery", "tsquery", "tsquery", refused="values of tsquery that PostgreSQL finds equal"),
    Pair("composite", "pair", "pair", refused="values of pair that PostgreSQL finds equal"),
    Pair("citext_array", "ext.citext[]", "ext.citext[]", refused="that PostgreSQL finds equal may have different texts"),
    Pair("float_array", "float8[]", "float8[]", refused="values of double precision[] that PostgreSQL finds equal"),
    Pair("char_array", "char(3)[]", "char(6)[]", refused="that PostgreSQL finds equal may have different texts"),
    Pair("arrays", "int[]", "bigint[]", refused="map a view that casts one side"),
    Pair("loose", 'text COLLATE "loose"', 'text COLLATE "loose"', refused="the collation loose is not deterministic"),
    Pair("loose_text", "text", 'varchar COLLATE "loose"', refused="the collation loose is not deterministic"),
    Pair("loose_array", "text[]", 'text[] COLLATE "loose"', refused="the collation loose is not deterministic"),
    Pair("local_moment", "timestamp", "timestamptz", refused="set source_databases.time_zone of its source"),
    Pair("day_moment", "date", "timestamp", refused="map a view that casts one side to the other's type"),
    Pair("times", "time", "timetz", refused="map a view that casts one side to the other's type"),
    Pair("macs", "macaddr", "macaddr8", refused="map a view that casts one side to the other's type"),
    Pair("int_text", "int", "text", refused="never compare equal in the graph"),
    Pair("numeric_text", "numeric", "text", refused="never compare equal in the graph"),
    Pair("int_oid", "int", "oid", refused="cannot be compared"),
)  # fmt: skip

JOINED = tuple(pair for pair in PAIRS if not pair.refused)
LOADED = tuple(pair for pair in JOINED if pair.name in {
    "citext", "citext_hashed", "char_varchar", "unicode", "text_hostile", "numeric", "real_double", "jsonb", "interval", "timestamptz", "enums", "array",
})  # fmt: skip
"""Pairs that are loaded into the graph too: their joins differ in what is compared."""
ROWS = max(len(values) for pair in PAIRS for values in (pair.lefts, pair.rights))


def table_sql(name: str, pairs: tuple[Pair, ...]) -> str:
    """A table of one side with a column for each pair; each row has the next value, and the last ones NULL."""
    left = name == "l"
    columns = ", ".join(f'"{p.name}" {p.left if left else p.right}' for p in pairs)
    values = {p.name: p.lefts if left else p.rights for p in pairs}
    rows = []
    for number in range(ROWS):
        given = (
            f"'{values[p.name][number].replace(chr(39), chr(39) * 2)}'"
            if number < len(values[p.name])
            else "NULL"
            for p in pairs
        )
        rows.append(f"({number}, {', '.join(given)})")
    return f"CREATE TABLE {name} (id int PRIMARY KEY, {columns});\nINSERT INTO {name} VALUES {', '.join(rows)};\n"


def shifted_sql(name: str, pairs: tuple[Pair, ...]) -> str:
    """Gives each row of a table the values of another, so that a second load has other partners to find."""
    columns = ", ".join(f'"{p.name}"' for p in pairs)
    return (
        f"CREATE TEMP TABLE former AS SELECT * FROM {name};"
        f" UPDATE {name} SET ({columns}) = (SELECT {columns} FROM former"
        f" WHERE former.id = ({name}.id + 1) % {ROWS}) WHERE id % 3 > 0;"
        " DROP TABLE former"
    )
