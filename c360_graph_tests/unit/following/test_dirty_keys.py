"""Which keys are to be read again after a series of messages, and up to where that is known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from c360_graph.errors import MappingChangedError
from c360_graph.following.messages import (
    UNCHANGED,
    Begin,
    Commit,
    Delete,
    Insert,
    Message,
    Relation,
    Truncate,
    Update,
)
from c360_graph.following.replication import FollowedTable
from c360_graph.following.source_changes import DirtyKeys
from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.mapping.model import NodeTable, PropertyMapping

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = ColumnType(name="text", base="text")
TABLE = NodeTable(
    source=SourceRow(source_id=1, source_name="shop", db_name="shop"),
    table_name="orders",
    mapping_id=1,
    node_label="Order",
    properties=tuple(PropertyMapping(column=name, type=TEXT) for name in ("shop", "number")),
    key=("number", "shop"),
)
FOLLOWED = FollowedTable(table=TABLE, oid=7, key_types=("pg_catalog.int4", "pg_catalog.text"))
ORDERS = Relation(
    oid=7, schema="public", name="orders", identity="d", columns=("shop", "number"), types=(25, 23)
)


def gathered(*messages: Message) -> DirtyKeys:
    keys = DirtyKeys([FOLLOWED], source="shop", position=100)
    for message in (ORDERS, *messages):
        keys.add(message)
    return keys


def test_a_key_has_its_columns_in_the_order_of_the_tables_key_and_is_read_once() -> None:
    dirty = gathered(
        Begin(xid=1, commit_time=MOMENT),
        Insert(oid=7, new=("a", "1")),
        Update(oid=7, old=None, new=("a", "1")),
        Commit(end_lsn=120),
    ).take()
    (wanted,) = dirty.wanted
    assert (wanted.keys, wanted.may_be_gone) == ((("1", "a"),), False)
    assert (dirty.position, dirty.xids, dirty.changes) == (120, frozenset({1}), 2)


def test_an_update_of_a_key_is_the_old_and_the_new_one() -> None:
    (wanted,) = gathered(Update(oid=7, old=("a", "1"), new=("a", "2"))).take().wanted
    assert (set(wanted.keys), wanted.may_be_gone) == ({("1", "a"), ("2", "a")}, True)


def test_a_whole_old_row_with_the_same_key_is_no_other_key() -> None:
    (wanted,) = gathered(Update(oid=7, old=("a", "1"), new=("a", "1"))).take().wanted
    assert (wanted.keys, wanted.may_be_gone) == ((("1", "a"),), False)


def test_a_part_of_a_key_that_is_stored_out_of_line_and_unchanged_comes_with_the_old_key() -> None:
    (wanted,) = gathered(Update(oid=7, old=("a", "1"), new=(UNCHANGED, "2"))).take().wanted
    assert set(wanted.keys) == {("1", "a"), ("2", "a")}


def test_a_deleted_key_may_be_gone() -> None:
    (wanted,) = gathered(Delete(oid=7, old=("a", "1"))).take().wanted
    assert (wanted.keys, wanted.may_be_gone) == ((("1", "a"),), True)


def test_a_position_is_known_only_at_a_transactions_end() -> None:
    keys = gathered(Begin(xid=1, commit_time=MOMENT), Insert(oid=7, new=("a", "1")))
    assert keys.take().position == 100
    keys.add(Insert(oid=7, new=("a", "2")))
    keys.add(Commit(end_lsn=130))
    dirty = keys.take()
    assert (dirty.position, dirty.wanted[0].keys) == (130, (("2", "a"),))


@pytest.mark.parametrize("first", [[], [Insert(oid=7, new=("a", "1"))], [Truncate(oids=(7,))]])
def test_rows_of_a_transaction_that_goes_on_wait_for_it_even_where_its_beginning_was_taken(
    first: list[Message],
) -> None:
    keys = gathered(
        Begin(xid=1, commit_time=MOMENT), Commit(end_lsn=110), Begin(xid=2, commit_time=MOMENT)
    )
    for message in first:
        keys.add(message)
    assert keys.take().xids == {1, 2}
    keys.add(Insert(oid=7, new=("a", "2")))
    dirty = keys.take()
    assert (dirty.xids, dirty.commit_times) == (frozenset({2}), (MOMENT,))
    assert dirty.position == 110
    keys.add(Commit(end_lsn=120))
    assert keys.take().xids == {2}
    assert keys.take().xids == set()


def test_what_was_dirty_before_a_truncate_is_not_read_and_what_comes_after_it_is() -> None:
    keys = gathered(
        Insert(oid=7, new=("a", "1")), Truncate(oids=(7, 8)), Insert(oid=7, new=("a", "2"))
    )
    assert keys.count == 1
    dirty = keys.take()
    assert (dirty.emptied, dirty.wanted[0].keys) == ((TABLE,), (("2", "a"),))
    assert not keys.is_dirty


def test_rows_of_tables_that_are_not_followed_are_passed_over() -> None:
    other = ORDERS.__class__(
        oid=9, schema="public", name="other", identity="d", columns=("id",), types=(23,)
    )
    keys = gathered(other, Insert(oid=9, new=("1",)), Truncate(oids=(9,)))
    assert not keys.is_dirty


@pytest.mark.parametrize(
    "relation",
    [
        Relation(oid=7, schema="public", name="orders", identity="d", columns=("shop", "no"), types=(25, 23)),
        Relation(oid=8, schema="public", name="orders", identity="d", columns=("shop", "number"), types=(25, 23)),
        Relation(oid=7, schema="public", name="orders", identity="d", columns=("shop", "number"), types=(25, 20)),
    ],
    ids=["a renamed column", "a table made anew", "another type"],
)  # fmt: skip
def test_a_table_that_is_described_otherwise_than_it_was_mapped_is_mapped_anew(
    relation: Relation,
) -> None:
    with pytest.raises(MappingChangedError, match="source shop"):
        gathered().add(relation)


def test_a_table_that_is_described_again_alike_is_looked_at() -> None:
    keys = gathered()
    assert not keys.may_have_changed
    keys.add(ORDERS)
    assert keys.may_have_changed
