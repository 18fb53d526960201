"""The SQL that reads a mapped table, names quoted, and what becomes of its values until they are in the extract: normalised, then hashed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from c360_graph.errors import SettingsError
from c360_graph.hashing import HASH_BYTES, KeyedHash
from c360_graph.mapping.join_forms import column_of, functions_of, normaliser, sql_of
from c360_graph.mapping.join_functions import LONGEST_BYTES
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.mapping.property_rows import may_lose
from c360_graph.mapping.property_types import PropertyType, property_type
from c360_graph.mapping.table_steps import PageRange
from c360_graph.sql_quoting import quoted_table, sql_literal

Replacement = Callable[[bytes], bytes | None]
"""Takes a value's bytes and gives what stands for it, as COPY would write it; None for NULL."""

_NULL, _BACKSLASH = b"\\N", b"\\"
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_MARKS = {value: _BACKSLASH + letter for letter, value in _LETTERS.items()} | {b"\\": b"\\\\"}
_ESCAPED = re.compile(rb"[\x08-\x0d\\]")

_SHORT_TYPES = frozenset(
    [
        "int2",
        "int4",
        "int8",
        "float4",
        "float8",
        "bool",
        "uuid",
        "date",
        "time",
        "timetz",
        "timestamp",
        "timestamptz",
        "interval",
        "inet",
        "cidr",
        "macaddr",
        "macaddr8",
        "oid",
        "name",
    ]
)

MAX_INDEXED_BYTES = 8_000
"""Bytes of text in one entry of an index; Neo4j takes 8,167, its own bytes among them."""

_SHOWN = 60
"""Characters of a key's column that are shown."""

_OWN_BYTES = 167
_BYTES_OF_A_TEXT, _MOST_BYTES_OF_A_SHORT_TYPE = 3, 29
"""What an entry has for a column besides its text; for a value of a short type in all (a DURATION)."""

_BYTES_OF_AN_ELEMENT = {"INTEGER": 8, "FLOAT": 8, "BOOLEAN": 1}


def replacing_values(replacements: Mapping[int, Replacement]) -> Callable[[bytes], bytes]:
    """What replaces the values at some positions of a line; NULL stays NULL.

    A line ends with its newline.
    """
    chosen = tuple(replacements.items())

    def replace(line: bytes) -> bytes:
        fields = line[:-1].split(b"\t")
        for position, replaced in chosen:
            value = fields[position]
            if value == _NULL:
                continue
            found = replaced(_decoded(value) if _BACKSLASH in value else value)
            fields[position] = _NULL if found is None else found
        return b"\t".join(fields) + b"\n"

    return replace


def copied_text(text: str) -> bytes:
    """A text as COPY writes it.

    >>> copied_text("a\\tb")
    b'a\\\\tb'
    """
    encoded = text.encode()
    if not _ESCAPED.search(encoded):
        return encoded
    return _ESCAPED.sub(lambda match: _MARKS.get(match[0], match[0]), encoded)


def _decoded(value: bytes) -> bytes:
    # COPY TO writes no octal or hexadecimal escapes, so a backslash stands before one character.
    return _ESCAPE.sub(lambda match: _LETTERS.get(match[1], match[1]), value)


@dataclass(frozen=True, kw_only=True)
class RowLoss:
    """What a table holds that the graph cannot.

    `rows` are left out: `too_long` of them since an index does not take their key or what they are joined
    by, the others since a part of their key is absent or NaN. `values` counts absent values by column.
    """

    rows: int
    too_long: int
    values: dict[str, int]

    @classmethod
    def from_row(cls, table: TableMapping, row: Sequence[int | None] | None) -> RowLoss:
        """Read the answer of `count_losses`."""
        counts = [int(value or 0) for value in row or (0, 0)]
        columns = [prop.column for prop in table.properties if _lost(table, prop)]
        values = dict(zip(columns, counts[2:], strict=True))
        return cls(
            rows=counts[0] + counts[1],
            too_long=counts[1],
            values={column: count for column, count in values.items() if count},
        )


def measure_pages(table: TableMapping) -> str:
    """One row: the pages of a table, or of its largest partition, and whether rows can be read by pages.

    A role that was granted columns alone may not read `ctid`.
    """
    name = sql_literal(quoted_table(table.source.db_schema, table.table_name))
    sizes = f"SELECT max(pg_relation_size(relid)) FROM pg_partition_tree(to_regclass({name})) WHERE isleaf"
    return (
        f"SELECT coalesce(greatest(pg_relation_size(to_regclass({name})), ({sizes})), 0)"
        " / current_setting('block_size')::bigint,"
        f" coalesce(has_column_privilege(to_regclass({name}), 'ctid', 'SELECT'), false)"
    )


def copy_rows(table: TableMapping, pages: PageRange | None = None) -> str:
    """COPY of every row whose key is whole, columns in the order of the table's properties.

    A column of the treatment `hash` comes as its text, to be hashed before it is written anywhere.

    Args:
        table: what to read.
        pages: only of rows in these pages.
    """
    columns = ", ".join(rendered_value(table, prop) for prop in table.properties)
    conditions = [pages.condition("t")] if pages else []
    read = _from(table, *conditions, *_fit_conditions(table))
    return f"COPY (SELECT {columns} {read}) TO STDOUT"


def read_one_row(table: TableMapping) -> str:
    """What a row takes to be read, every column that `copy_rows` reads among it; no value comes back."""
    columns = ", ".join(sql_of(table, prop) for prop in table.properties)
    return f"SELECT octet_length(ROW({columns})::text) {_from(table)} LIMIT 1"


def count_losses(table: TableMapping) -> str:
    """One row: rows without a whole key, rows too long, then absent values by column that can lose."""
    lost = [f"sum({text})" for prop in table.properties if (text := _lost(table, prop))]
    found, short = _findable(table), _short_enough(table)
    if not (lost or found or short):
        return "SELECT 0, 0"
    without_key = f"count(*) FILTER (WHERE NOT ({_all(found)}))" if found else "0"
    too_long = f"count(*) FILTER (WHERE {_all([*found, f'NOT ({_all(short)})'])})" if short else "0"
    return f"SELECT {', '.join([without_key, too_long, *lost])} {_from(table)}"


def find_left_out(table: TableMapping, *, most: int) -> str:
    """The keys of a few rows that are left out, each column's value shortened; none of a hashed one."""
    key = ", ".join(
        "'(hashed)'" if prop.treatment == "hash" else f"left({sql_of(table, prop)}::text, {_SHOWN})"
        for prop in key_properties(table)
    )
    conditions = _all(_fit_conditions(table))
    return f"SELECT {key} {_from(table, f'NOT ({conditions})')} LIMIT {most}"


def _from(table: TableMapping, *conditions: str) -> str:
    """FROM and WHERE of the rows that the row filter keeps and that fulfil these conditions."""
    read = f"FROM {quoted_table(table.source.db_schema, table.table_name)} AS t"
    every = [*table.kept_rows(), *conditions]
    return f"{read} WHERE {_all(every)}" if every else read


def _type(table: TableMapping, prop: PropertyMapping) -> PropertyType:
    return property_type(prop.type, treatment=prop.treatment, time_zone=table.source.time_zone)


def _lost(table: TableMapping, prop: PropertyMapping) -> str | None:
    """SQL for 1 where a value is there and the property is absent; None where that cannot be."""
    functions = functions_of(prop)
    if functions is not None and functions.may_lose and not functions.calls_left:
        return f"({column_of(prop)} IS NOT NULL AND {sql_of(table, prop)} IS NULL)::int"
    if prop.form is None and prop.cast_from and may_lose(prop.cast_from, prop.type):
        return f"({column_of(prop)} IS NOT NULL AND {rendered_value(table, prop)} IS NULL)::int"
    kind = _type(table, prop)
    return kind.lost(sql_of(table, prop)) if kind.lost else None


def rendered_value(table: TableMapping, prop: PropertyMapping, *, alias: str = "t") -> str:
    """SQL for the text of a property's value, of a row or a key that goes by `alias`."""
    return _type(table, prop).render(sql_of(table, prop, alias=alias))


def _text(table: TableMapping, prop: PropertyMapping) -> str:
    return f"({rendered_value(table, prop)})::text"


def key_properties(table: TableMapping) -> list[PropertyMapping]:
    """The key's columns in the key's own order, which may be another than the table's."""
    by_column = {prop.column: prop for prop in table.properties}
    return [by_column[column] for column in table.key]


def whole_rows(table: TableMapping) -> str:
    """FROM and WHERE of the rows that are read, as `t`: those that the graph can hold and find again."""
    return _from(table, *_fit_conditions(table))


def row_conditions(table: TableMapping) -> list[str]:
    """What a row `t` has to fulfil to be read."""
    return [*table.kept_rows(), *_fit_conditions(table)]


def _fit_conditions(table: TableMapping) -> list[str]:
    """Of what the row filter keeps: that the graph can hold it. None of the conditions is NULL."""
    return [*_findable(table), *_short_enough(table)]


def _all(conditions: Sequence[str]) -> str:
    return " AND ".join(conditions)


def _findable(table: TableMapping) -> list[str]:
    """Conditions of which none is NULL: no part of the key is absent, or NaN, which equals nothing."""
    found = []
    for prop in key_properties(table):
        kind = _type(table, prop)
        if prop.nullable:
            found.append(f"{sql_of(table, prop)} IS NOT NULL")
        if kind.lost:
            found.append(f"{_text(table, prop)} IS NOT NULL")
        if kind.name in ("FLOAT", "LIST<FLOAT>"):
            found.append(f"coalesce(position('NaN' in {_text(table, prop)}) = 0, true)")
    return found


def _short_enough(table: TableMapping) -> list[str]:
    """Conditions of which none is NULL: an index takes the key, and each group that is sought by."""
    own = len(table.qualified_name.encode()) + _BYTES_OF_A_TEXT if table.label_is_shared else 0
    groups = [(key_properties(table), own), *((_group(table, names), 0) for names in table.indexed)]
    return [text for group, own in groups if (text := _is_short(table, group, own)) is not None]


def _group(table: TableMapping, names: Sequence[str]) -> list[PropertyMapping]:
    found = [table.property_of(name) for name in names]
    return [prop for prop in found if prop is not None]


def _is_short(table: TableMapping, group: Sequence[PropertyMapping], own: int) -> str | None:
    """Whether an index takes these columns together; None where their types are all short.

    `own` are the bytes of what the loader adds to them.
    """
    most_bytes = {p.column: _most_bytes(p) for p in group}
    long = [p for p in group if most_bytes[p.column] is None]
    if not long:
        return None
    own += _BYTES_OF_A_TEXT * len(long) + sum(filter(None, most_bytes.values()))
    most = MAX_INDEXED_BYTES - max(0, own - _OWN_BYTES)
    length = " + ".join(_length(table, prop) for prop in long)
    return f"coalesce({length} <= {most}, true)"


def _most_bytes(prop: PropertyMapping) -> int | None:
    """The bytes that an index has for a value at most; None where it may be long."""
    if prop.treatment == "hash":
        return HASH_BYTES
    functions = functions_of(prop)
    if functions is not None and functions.calls_left:
        return LONGEST_BYTES
    return _MOST_BYTES_OF_A_SHORT_TYPE if prop.type.base in _SHORT_TYPES else None


def _length(table: TableMapping, prop: PropertyMapping) -> str:
    """SQL for the bytes that an index has for a value that may be long."""
    length = f"octet_length({_text(table, prop)})"
    if prop.type.element is None or not _type(table, prop).name.startswith("LIST"):
        return length
    element = property_type(prop.type.element, time_zone=table.source.time_zone).name
    elements = f"cardinality({sql_of(table, prop)})"
    if element == "STRING":
        # The rendered_value text has an end for each already.
        return f"{length} + {_BYTES_OF_A_TEXT - 1} * {elements}"
    # A list of lists is a text, of its JSON.
    each = _BYTES_OF_AN_ELEMENT.get(element, _MOST_BYTES_OF_A_SHORT_TYPE)
    return f"greatest({length}, {each} * {elements})"


class CopiedValues:
    """Replaces the values of a table's lines; `lost` counts those that came to nothing, by property.

    Raises:
        SettingsError: a column is to be hashed, and `hashing` is None.
    """

    def __init__(self, table: TableMapping, hashing: KeyedHash | None) -> None:
        self.lost: Counter[str] = Counter()
        hashed = [prop.column for prop in table.properties if prop.treatment == "hash"]
        if hashed and hashing is None:
            raise SettingsError(
                f"{table.qualified_name}: {', '.join(hashed)} are to be hashed, and C360_HASH_KEY is not set."
            )
        replacements = {
            position: replacement
            for position, prop in enumerate(table.properties)
            if (replacement := self._replacement(prop, hashing)) is not None
        }
        self.replace: Callable[[bytes], bytes] | None = (
            replacing_values(replacements) if replacements else None
        )
        """What a line becomes; None where it is written as it comes."""

    def _replacement(self, prop: PropertyMapping, hashing: KeyedHash | None) -> Replacement | None:
        functions = functions_of(prop)
        is_hashed = prop.treatment == "hash"
        if functions is None or not functions.calls_left:
            return hashing.of_bytes if is_hashed and hashing is not None else None
        normalise = normaliser(functions.calls_left)
        written = hashing.of if is_hashed and hashing is not None else None

        def replace(value: bytes) -> bytes | None:
            text = normalise(value.decode())
            if text is None:
                self.lost[prop.column] += 1
                return None
            return written(text).encode() if written is not None else copied_text(text)

        return replace
