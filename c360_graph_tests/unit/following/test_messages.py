"""Messages of pgoutput, written here as the protocol's documentation has them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360_graph.errors import ReplicationError
from c360_graph.following.messages import (
    UNCHANGED,
    Begin,
    Commit,
    Delete,
    Insert,
    Relation,
    Truncate,
    Update,
    decode,
)

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
ROWS = st.lists(st.one_of(st.none(), TEXTS, st.just(UNCHANGED)), max_size=6)


def row(values: list[str | None]) -> bytes:
    parts = [struct.pack(">H", len(values))]
    for value in values:
        if value is None:
            parts.append(b"n")
        elif value == UNCHANGED:
            parts.append(b"u")
        else:
            data = value.encode()
            parts.append(b"t" + struct.pack(">I", len(data)) + data)
    return b"".join(parts)


def relation(oid: int, schema: str, name: str, columns: list[tuple[str, int]]) -> bytes:
    text = b"R" + struct.pack(">I", oid) + schema.encode() + b"\0" + name.encode() + b"\0d"
    text += struct.pack(">H", len(columns))
    for column, kind in columns:
        text += b"\x01" + column.encode() + b"\0" + struct.pack(">Ii", kind, -1)
    return text


@given(oid=st.integers(0, 2**32 - 1), values=ROWS)
def test_an_inserted_row_has_the_texts_that_were_sent(oid: int, values: list[str | None]) -> None:
    data = b"I" + struct.pack(">I", oid) + b"N" + row(values)
    assert decode(data) == Insert(oid=oid, new=tuple(values))


@given(old=st.none() | ROWS, mark=st.sampled_from([b"K", b"O"]), new=ROWS)
def test_an_update_has_its_old_key_only_where_one_was_sent(
    old: list[str | None] | None, mark: bytes, new: list[str | None]
) -> None:
    former = b"" if old is None else mark + row(old)
    data = b"U" + struct.pack(">I", 7) + former + b"N" + row(new)
    assert decode(data) == Update(oid=7, old=None if old is None else tuple(old), new=tuple(new))


@given(mark=st.sampled_from([b"K", b"O"]), old=ROWS)
def test_a_delete_has_its_old_key(mark: bytes, old: list[str | None]) -> None:
    assert decode(b"D" + struct.pack(">I", 7) + mark + row(old)) == Delete(oid=7, old=tuple(old))


def test_a_transaction_begins_with_its_id_and_time_and_ends_with_its_position() -> None:
    begin = b"B" + struct.pack(">QqI", 0x1234, 86_400_000_000, 4_294_967_295)
    assert decode(begin) == Begin(xid=4_294_967_295, commit_time=datetime(2000, 1, 2, tzinfo=UTC))
    commit = b"C" + struct.pack(">BQQq", 0, 0x1234, 0x1300, 0)
    assert decode(commit) == Commit(end_lsn=0x1300)


def test_a_relation_has_its_columns_in_the_order_of_the_rows() -> None:
    assert decode(relation(5, "", 'o"dd', [("id", 23), ("größe", 25)])) == Relation(
        oid=5,
        schema="pg_catalog",
        name='o"dd',
        identity="d",
        columns=("id", "größe"),
        types=(23, 25),
    )


def test_a_truncate_names_every_table() -> None:
    data = b"T" + struct.pack(">IBII", 2, 1, 11, 12)
    assert decode(data) == Truncate(oids=(11, 12))


def test_types_and_origins_say_nothing_of_rows() -> None:
    assert decode(b"Y" + bytes(4) + b"public\0mood\0") is None
    assert decode(b"O" + bytes(8) + b"elsewhere\0") is None


WHOLE = [
    b"I" + struct.pack(">I", 7) + b"N" + row(["a", None, "b"]),
    b"U" + struct.pack(">I", 7) + b"K" + row(["a"]) + b"N" + row(["b"]),
    b"B" + struct.pack(">QqI", 1, 2, 3),
    relation(5, "public", "t", [("id", 23)]),
]


@pytest.mark.parametrize("message", WHOLE)
def test_a_message_that_was_cut_short_is_refused_and_no_value_is_repeated(message: bytes) -> None:
    for length in range(len(message)):
        with pytest.raises(ReplicationError, match="cannot be read"):
            decode(message[:length])


def test_a_message_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ReplicationError, match="kind b'S'"):
        decode(b"S" + bytes(4))
