"""A schema of many small tables: generated SQL for tables of varied types, keys and foreign keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_NOUNS = (
    "orders",
    "invoices",
    "shipments",
    "employees",
    "contracts",
    "branches",
    "policies",
    "devices",
    "categories",
    "batches",
)
_FURTHER = (
    ("title", "varchar(80) NOT NULL", "'title ' || i"),
    ("amount", "numeric(12,2)", "i * 1.25"),
    ("made_on", "date", "date '2025-01-01' + i"),
    ("changed_at", "timestamptz", "timestamptz '2025-01-01 12:00:00+00' + i * interval '1 hour'"),
    ("is_open", "boolean", "i % 2 = 0"),
    ("ratio", "double precision", "i / 4.0"),
    ("details", "jsonb", "jsonb_build_object('n', i)"),
    ("labels", "text[]", "ARRAY['a' || i, 'b']"),
    ("duration", "interval", "i * interval '90 minutes'"),
    ("payload", "bytea", "decode(lpad(to_hex(i), 4, '0'), 'hex')"),
    ("small", "smallint", "i"),
    ("local_time", "timestamp", "timestamp '2025-01-01 08:00:00' + i * interval '1 day'"),
)
"""Columns that hold no reference: name, type, and the value of row i."""

COLUMNS_EACH = 6
JUNCTION_EVERY = 10


@dataclass(frozen=True, kw_only=True)
class ManyTables:
    """How many tables there are, in how many rows each, and how often each refers to others."""

    tables: int
    rows: int = 5
    references: int = 2

    @property
    def names(self) -> tuple[str, ...]:
        """The tables in the order they are made."""
        return tuple(self._name(number) for number in range(self.tables))

    @property
    def foreign_keys(self) -> int:
        """Foreign keys between the tables, junctions' included."""
        return sum(len(self._parents(number)) for number in range(self.tables))

    @property
    def junctions(self) -> int:
        """Tables that only link two others."""
        return sum(self._is_junction(number) for number in range(self.tables))

    def sql(self) -> str:
        """Statements that make and fill the tables in the current schema."""
        return "".join(self._statements())

    def _statements(self) -> Iterator[str]:
        for number in range(self.tables):
            yield self._junction(number) if self._is_junction(number) else self._table(number)

    def _name(self, number: int) -> str:
        kind = "links" if self._is_junction(number) else _NOUNS[number % len(_NOUNS)]
        return f"{kind}_{number:04}"

    def _is_junction(self, number: int) -> bool:
        return number >= JUNCTION_EVERY and number % JUNCTION_EVERY == JUNCTION_EVERY - 1

    def _parents(self, number: int) -> tuple[int, ...]:
        """The tables that one refers to: near ones and far ones, never a junction."""
        wanted = 2 if self._is_junction(number) else self.references
        found: list[int] = []
        for distance in (1, number // 2, 3, number // 3, 7, 5, 11, 13):
            parent = number - distance
            if distance and parent >= 0 and not self._is_junction(parent) and parent not in found:
                found.append(parent)
        return tuple(found[:wanted])

    def _key_type(self, number: int) -> str:
        return ("integer", "uuid", "varchar(20)", "bigint")[number % 4]

    def _key_value(self, number: int, row: str) -> str:
        return (
            row,
            f"md5('{number}-' || {row})::uuid",
            f"'K' || lpad(({row})::text, 8, '0')",
            f"1000000 + {row}",
        )[number % 4]

    def _table(self, number: int) -> str:
        name, parents = self._name(number), self._parents(number)
        columns = [f"id {self._key_type(number)} PRIMARY KEY"]
        values = [self._key_value(number, "i")]
        for place, parent in enumerate(parents):
            # Half of the references may be absent, and the last row's are.
            needed = " NOT NULL" if (number + place) % 2 else ""
            columns.append(
                f"ref_{place}_id {self._key_type(parent)}{needed} REFERENCES {self._name(parent)}"
            )
            reference = self._key_value(parent, f"(i * {place + 1}) % {self.rows} + 1")
            values.append(
                reference if needed else f"CASE WHEN i < {self.rows} THEN {reference} END"
            )
        for place in range(COLUMNS_EACH):
            column, kind, value = _FURTHER[(number + place) % len(_FURTHER)]
            columns.append(f"{column} {kind}")
            values.append(value)
        return (
            f"CREATE TABLE {name} ({', '.join(columns)});\n"
            f"INSERT INTO {name} SELECT {', '.join(values)}"
            f" FROM generate_series(1, {self.rows}) AS i;\n"
        )

    def _junction(self, number: int) -> str:
        name, (left, right) = self._name(number), self._parents(number)
        return (
            f"CREATE TABLE {name} ("
            f"left_id {self._key_type(left)} NOT NULL REFERENCES {self._name(left)},"
            f" right_id {self._key_type(right)} NOT NULL REFERENCES {self._name(right)},"
            " since date, PRIMARY KEY (left_id, right_id));\n"
            f"INSERT INTO {name} SELECT {self._key_value(left, 'i')},"
            f" {self._key_value(right, f'{self.rows} + 1 - i')}, date '2025-01-01' + i"
            f" FROM generate_series(1, {self.rows}) AS i;\n"
        )
