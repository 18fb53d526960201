"""Messages of pgoutput, PostgreSQL's own plugin of logical replication: bytes to values (protocol version 1).

Only what is needed to know which rows changed is decoded: the texts of the published columns.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from c360_graph.errors import ReplicationError

UNCHANGED = "\x00unchanged"
"""Stands for a value that was stored out of line, did not change and is not sent; no text holds NUL."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_INT16, _INT32 = struct.Struct(">H"), struct.Struct(">I")
_TYPE = struct.Struct(">Ii")
_BEGIN = struct.Struct(">QqI")
_COMMIT = struct.Struct(">BQQq")

Values = tuple[str | None, ...]
"""The texts of a row's published columns, in the relation's order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Begin:
    """A transaction begins; it has been committed already."""

    xid: int
    commit_time: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """A transaction ends; once it is applied, everything up to `end_lsn` is."""

    end_lsn: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A table as it is described before its first row, and again after it may have changed."""

    oid: int
    schema: str
    name: str
    identity: str
    columns: tuple[str, ...]
    types: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Insert:
    """A new row."""

    oid: int
    new: Values


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """A changed row; `old` is None unless its key changed, or the whole row is its identity."""

    oid: int
    old: Values | None
    new: Values


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """A deleted row: its key, the other columns None."""

    oid: int
    old: Values


@dataclass(frozen=True, kw_only=True, slots=True)
class Truncate:
    """Tables that were emptied."""

    oids: tuple[int, ...]


Message = Begin | Commit | Relation | Insert | Update | Delete | Truncate


def decode(data: bytes) -> Message | None:
    """Decode one message; None for one that says nothing of rows (a type, an origin).

    >>> decode(b"I" + bytes.fromhex("00004000") + b"N" + bytes.fromhex("0001") + b"t" + bytes.fromhex("00000001") + b"7")
    Insert(oid=16384, new=('7',))

    Raises:
        ReplicationError: it is damaged, or of a kind that was not asked for.
    """
    try:
        return _decode(data)
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise ReplicationError(
            f"A message of the replication stream cannot be read (kind {data[:1]!r}:"
            f" {type(error).__name__})."
        ) from None


def _decode(data: bytes) -> Message | None:
    match data[:1]:
        case b"I":
            new, _ = _tuple(data, _marked(data, 5, b"N"))
            return Insert(oid=_int32(data, 1), new=new)
        case b"U":
            return _update(data)
        case b"D":
            old, _ = _tuple(data, _marked(data, 5, b"KO"))
            return Delete(oid=_int32(data, 1), old=old)
        case b"B":
            _, microseconds, xid = _BEGIN.unpack_from(data, 1)
            return Begin(xid=xid, commit_time=_EPOCH + timedelta(microseconds=microseconds))
        case b"C":
            _, _, end_lsn, _ = _COMMIT.unpack_from(data, 1)
            return Commit(end_lsn=end_lsn)
        case b"R":
            return _relation(data)
        case b"T":
            (count,) = _INT32.unpack_from(data, 1)
            return Truncate(oids=struct.unpack_from(f">{count}I", data, 6))
        case b"Y" | b"O":
            return None
        case _:
            raise ValueError("an unknown kind")


def _update(data: bytes) -> Update:
    old: Values | None = None
    offset = 5
    if data[offset : offset + 1] in (b"K", b"O"):
        old, offset = _tuple(data, offset + 1)
    new, _ = _tuple(data, _marked(data, offset, b"N"))
    return Update(oid=_int32(data, 1), old=old, new=new)


def _relation(data: bytes) -> Relation:
    schema, offset = _string(data, 5)
    name, offset = _string(data, offset)
    identity = chr(data[offset])
    (count,) = _INT16.unpack_from(data, offset + 1)
    offset += 3
    columns: list[str] = []
    types: list[int] = []
    for _ in range(count):
        column, offset = _string(data, offset + 1)
        kind, _ = _TYPE.unpack_from(data, offset)
        columns.append(column)
        types.append(kind)
        offset += _TYPE.size
    return Relation(
        oid=_int32(data, 1),
        # An empty name stands for pg_catalog.
        schema=schema or "pg_catalog",
        name=name,
        identity=identity,
        columns=tuple(columns),
        types=tuple(types),
    )


def _tuple(data: bytes, offset: int) -> tuple[Values, int]:
    (count,) = _INT16.unpack_from(data, offset)
    offset += 2
    values: list[str | None] = []
    for _ in range(count):
        kind = data[offset]
        offset += 1
        if kind == 0x74:  # t
            (length,) = _INT32.unpack_from(data, offset)
            end = offset + 4 + length
            if end > len(data):
                raise ValueError("cut short")
            values.append(data[offset + 4 : end].decode())
            offset = end
        elif kind == 0x6E:  # n
            values.append(None)
        elif kind == 0x75:  # u
            values.append(UNCHANGED)
        else:
            raise ValueError("an unknown kind of value")
    return tuple(values), offset


def _marked(data: bytes, offset: int, marks: bytes) -> int:
    if data[offset] not in marks:
        raise ValueError("a row without its mark")
    return offset + 1


def _int32(data: bytes, offset: int) -> int:
    return int(_INT32.unpack_from(data, offset)[0])


def _string(data: bytes, offset: int) -> tuple[str, int]:
    end = data.index(b"\0", offset)
    return data[offset:end].decode(), end + 1
