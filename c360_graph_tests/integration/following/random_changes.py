"""Random changes of every followed table, by seed, from what the catalog says of its columns.

Sessions change rows side by side: inserts, updates, other keys, deletes with what refers to them, TRUNCATE, in
transactions with savepoints, which commit, roll back, or do so in part.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from c360_graph.errors import SandboxError
from c360_graph.mapping.model import GraphMapping, TableMapping
from c360_graph.sandbox.sample import Server

STASH = "stash_of_first_rows"
"""The schema that keeps the rows that a table had first: what was deleted can come back."""
_COLUMNS = """
SELECT a.attname::text, t.typname::text, a.attnotnull, a.atttypmod - 4
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum
"""
_KIND = "SELECT relkind::text FROM pg_class WHERE oid = %s::regclass"
_TEXTS = (
    "A\tB",
    "back\\slash",
    "line\nend",
    "\\N",
    "",
    "é",
    "open",
    "closed",
    "cancelled",
    "a@example.org",
    "b@example.org",
    '\'; "x"',
)
_MOMENTS = ("2024-12-31 23:59:59.999999+00", "2025-03-30 01:30:00+00", "infinity", "1999-01-01")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. `most` is the longest text that it takes, negative where any."""

    name: str
    type: str
    is_required: bool
    most: int


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that is changed. `fixed` are columns whose values another table's key forbids to be given."""

    schema: str
    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    fixed: frozenset[str]
    rows: int
    """That there were first."""
    is_partitioned: bool = False

    @property
    def identifier(self) -> sql.Identifier:
        """Its name in SQL."""
        return sql.Identifier(self.schema, self.name)

    @property
    def stash(self) -> sql.Identifier:
        """Its first rows."""
        return sql.Identifier(STASH, self.name)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)


def read_tables(
    connection: psycopg.Connection, tables: Iterable[TableMapping], *, mapping: GraphMapping
) -> list[Table]:
    """Tables of one source, with their first rows put aside."""
    chosen = list(tables)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(STASH)))
    found = []
    for mapped in chosen:
        name = sql.Identifier(mapped.source.db_schema, mapped.table_name)
        stash = sql.Identifier(STASH, mapped.table_name)
        connection.execute(sql.SQL("CREATE TABLE {} AS SELECT * FROM {}").format(stash, name))
        count = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(stash)).fetchone()
        columns = connection.execute(_COLUMNS, (name.as_string(),)).fetchall()
        kind = connection.execute(_KIND, (name.as_string(),)).fetchone()
        found.append(
            Table(
                schema=mapped.source.db_schema,
                name=mapped.table_name,
                key=mapped.key_columns,
                columns=tuple(
                    Column(name=n, type=t, is_required=required, most=most)
                    for n, t, required, most in columns
                ),
                fixed=_keys_of_others(mapped, mapping),
                rows=count[0] if count else 0,
                is_partitioned=kind == ("p",),
            )
        )
    return found


def _keys_of_others(table: TableMapping, mapping: GraphMapping) -> frozenset[str]:
    """The key of another table of the label is unique among all nodes of the label."""
    others = [t.key for t in mapping.tables if t.node_label and t.node_label == table.node_label]
    return frozenset(column for other in others for column in other) - {*table.key}


Value = tuple[sql.Composable, list[object]]
"""SQL of a value, and what it is sent with."""


def _value(table: Table, column: Column, rng: random.Random) -> Value:
    """A value of another row, NULL, or one that is strange."""
    if not column.is_required and rng.random() < 0.15:
        return sql.SQL("NULL"), []
    made = _made(column, rng)
    if made is not None and (rng.random() < 0.5 or not table.rows):
        return made
    if not table.rows:
        return sql.SQL("NULL"), []
    text = sql.SQL("(SELECT {} FROM {} OFFSET %s LIMIT 1)").format(
        sql.Identifier(column.name), table.stash
    )
    return text, [rng.randrange(table.rows)]


def _made(column: Column, rng: random.Random) -> Value | None:
    """One of few values, so that rows meet; None of a type of which none are known."""
    kind = column.type
    if kind in ("int2", "int4", "int8", "numeric"):
        return sql.SQL("%s::numeric"), [rng.randrange(1, 60)]
    if kind in ("float4", "float8"):
        return sql.SQL("%s::float8"), [rng.choice(["0", "-0", "0.1", "NaN", "Infinity", "2"])]
    if kind in ("text", "varchar", "bpchar"):
        text = rng.choice([*_TEXTS, *(f"k{n}" for n in range(20))])
        return sql.SQL("%s"), [text[: column.most] if column.most > 0 else text]
    if kind == "uuid":
        return sql.SQL("%s::uuid"), [str(uuid.UUID(int=rng.randrange(1, 40)))]
    if kind == "date":
        return sql.SQL("date '2024-01-01' + %s::int"), [rng.randrange(720)]
    if kind in ("timestamp", "timestamptz"):
        if rng.random() < 0.2:
            return sql.SQL("%s::timestamptz"), [rng.choice(_MOMENTS)]
        return sql.SQL("timestamptz '2025-01-01' + %s * interval '7 hours'"), [rng.randrange(90)]
    return None


Change = Callable[[psycopg.Connection, Table, random.Random], None]


def _insert(connection: psycopg.Connection, table: Table, rng: random.Random) -> None:
    """A row that was there first, as it was or with other values, or over the row that is there."""
    if not table.rows:
        return
    values: list[sql.Composable] = []
    sent: list[object] = []
    is_other = not table.fixed and rng.random() < 0.6
    for column in table.columns:
        changes = column.name not in table.fixed and (
            is_other if column.name in table.key else rng.random() < 0.3
        )
        text, given = (
            _value(table, column, rng) if changes else (sql.Identifier("s", column.name), [])
        )
        values.append(text)
        sent += given
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    others = [c.name for c in table.columns if c.name not in table.key]
    over: sql.Composable = sql.SQL("NOTHING")
    if others and rng.random() < 0.6:
        over = sql.SQL("UPDATE SET {}").format(
            sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others
            )
        )
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    connection.execute(
        sql.SQL(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} AS s OFFSET %s LIMIT 1"
            " ON CONFLICT ({}) DO {}"
        ).format(table.identifier, names, sql.SQL(", ").join(values), table.stash, key, over),
        [*sent, rng.randrange(table.rows)],
    )


def _one_row(table: Table, rng: random.Random) -> Value:
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    text = sql.SQL("({0}) = (SELECT {0} FROM {1} OFFSET %s LIMIT 1)").format(key, table.identifier)
    return text, [rng.randrange(max(1, table.rows))]


def _update(connection: psycopg.Connection, table: Table, rng: random.Random) -> None:
    columns = [c for c in table.columns if c.name not in table.key and c.name not in table.fixed]
    if columns:
        _set(connection, table, rng.sample(columns, min(len(columns), rng.randrange(1, 3))), rng)


def _change_key(connection: psycopg.Connection, table: Table, rng: random.Random) -> None:
    # A row that comes back under its old key would have the same fixed values as this one.
    if not table.fixed:
        _set(connection, table, [table.column(rng.choice(table.key))], rng)


def _set(
    connection: psycopg.Connection, table: Table, columns: Sequence[Column], rng: random.Random
) -> None:
    given = [_value(table, column, rng) for column in columns]
    where, found = _one_row(table, rng)
    assigned = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column.name), text)
        for column, (text, _) in zip(columns, given, strict=True)
    )
    sent = [value for _, values in given for value in values]
    connection.execute(
        sql.SQL("UPDATE {} SET {} WHERE {}").format(table.identifier, assigned, where),
        [*sent, *found],
    )


def _update_many(connection: psycopg.Connection, table: Table, rng: random.Random) -> None:
    columns = [c for c in table.columns if c.name not in table.key and c.name not in table.fixed]
    unique = [column for column in columns if column.type not in ("uuid",)]
    if not unique:
        return
    column = rng.choice(unique)
    text, sent = _value(table, column, rng)
    connection.execute(
        sql.SQL("UPDATE {} SET {} = {} WHERE random() < 0.3").format(
            table.identifier, sql.Identifier(column.name), text
        ),
        sent,
    )


def _delete(connection: psycopg.Connection, table: Table, rng: random.Random) -> None:
    where, sent = _one_row(table, rng)
    connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(table.identifier, where), sent)


def _restore(connection: psycopg.Connection, table: Table, rng: random.Random) -> None:
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    connection.execute(
        sql.SQL(
            "INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM {2}"
            " OFFSET %s LIMIT 20 ON CONFLICT DO NOTHING"
        ).format(table.identifier, names, table.stash),
        [rng.randrange(max(1, table.rows))],
    )


def _truncate(connection: psycopg.Connection, table: Table, rng: random.Random) -> None:
    connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(table.identifier))


KINDS: dict[str, tuple[int, Change]] = {
    "insert": (30, _insert),
    "update": (30, _update),
    "key": (12, _change_key),
    "delete": (14, _delete),
    "restore": (8, _restore),
    "many": (2, _update_many),
}
"""What is done, with how often, of a hundred."""
TRUNCATE_SHARE = 0.004


class _RolledBack(Exception):
    pass


def _transaction(
    connection: psycopg.Connection, tables: Sequence[Table], rng: random.Random, done: Counter[str]
) -> None:
    """A transaction with savepoints; some of them roll back, and so do some transactions."""
    counted: Counter[str] = Counter()
    try:
        with connection.transaction():
            if rng.random() < 0.2:
                connection.execute("SET LOCAL synchronous_commit = off")
            for _ in range(rng.randrange(1, 6)):
                try:
                    with connection.transaction():
                        counted += _statement(connection, rng.choice(tables), rng)
                        if rng.random() < 0.15:
                            raise _RolledBack
                except _RolledBack:
                    counted["savepoints rolled back"] += 1
                except psycopg.Error:
                    # A key that is there already, a wait that was too long, a server that went away.
                    if connection.closed:
                        raise
            if rng.random() < 0.03:
                time.sleep(rng.random())
            if rng.random() < 0.12:
                raise _RolledBack
    except _RolledBack:
        counted = Counter({"rolled back": 1})
    except psycopg.Error:
        return
    done.update(counted)


def _statement(connection: psycopg.Connection, table: Table, rng: random.Random) -> Counter[str]:
    # After TRUNCATE of a partitioned table every table is read: a test of its own has that.
    if rng.random() < TRUNCATE_SHARE and not table.is_partitioned:
        _truncate(connection, table, rng)
        return Counter({"truncate": 1})
    kinds = list(KINDS)
    kind = rng.choices(kinds, [KINDS[name][0] for name in kinds])[0]
    KINDS[kind][1](connection, table, rng)
    return Counter({kind: 1})


@dataclass(kw_only=True)
class Sessions:
    """Sessions that change the sources side by side. `done` counts what was committed."""

    server: Server
    tables: dict[str, list[Table]]
    """By the name of their database."""
    seed: int
    each: int = 2
    pause_seconds: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[Sessions]:
        """While the block runs."""
        threads = [
            threading.Thread(target=self._session, args=(database, number), daemon=True)
            for database in self.tables
            for number in range(self.each)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join(60)

    def _session(self, database: str, number: int) -> None:
        rng = random.Random(f"{self.seed} {database.partition('_')[2]} {number}")
        while not self._over.is_set():
            try:
                with self.server.connect(database) as connection:
                    connection.execute("SET lock_timeout = '2s'")
                    self._change(connection, self.tables[database], rng)
            except (psycopg.Error, SandboxError):
                self._over.wait(0.2)

    def _change(
        self, connection: psycopg.Connection, tables: Sequence[Table], rng: random.Random
    ) -> None:
        while not (self._over.is_set() or connection.closed):
            _transaction(connection, tables, rng, self.done)
            self._over.wait(self.pause_seconds * 2 * rng.random())
