"""Whether a graph can go on from where it was followed to, and which errors another try may mend."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from c360_graph.control.connection import Credentials
from c360_graph.errors import ReplicationError, SourceUnavailableError
from c360_graph.following.mark import SlotMark
from c360_graph.following.replication import Slot, SourceServer
from c360_graph.following.source_changes import Partition, TableFacts, facts_digest, why_missed
from c360_graph.following.source_feed import why_not_from
from c360_graph.following.stream import Endpoint, refusal

MARK = SlotMark(slot="s", database_oid=5, lsn="0/100", timeline=1, facts="f")
SLOT = Slot(
    name="s",
    is_active=False,
    active_pid=None,
    wal_status="reserved",
    confirmed=0x90,
    safe_wal_bytes=None,
)
SERVER = SourceServer(
    database_oid=5, wal_level="logical", keeps_bounded=True, log_end=0x200, timeline=1
)


def why(
    known: SlotMark = MARK, slot: Slot = SLOT, server: SourceServer = SERVER, facts: str = "f"
) -> str | None:
    return why_not_from(known, slot, server, facts=facts)


def test_a_graph_goes_on_from_its_mark_and_from_one_of_an_older_version() -> None:
    assert why() is None
    assert why(known=SlotMark(slot="s", database_oid=5, lsn="0/100")) is None
    # A standby says neither.
    assert why(server=replace(SERVER, log_end=None, timeline=None)) is None


def test_everything_is_read_again_where_the_log_is_not_the_one_that_was_followed() -> None:
    assert "removed a part" in (why(slot=replace(SLOT, wal_status="lost")) or "")
    assert "another database" in (why(server=replace(SERVER, database_oid=6)) or "")
    assert "made anew" in (why(slot=replace(SLOT, confirmed=0x101)) or "")
    assert "older state" in (why(server=replace(SERVER, log_end=0xFF)) or "")
    assert "another history" in (why(server=replace(SERVER, timeline=2)) or "")
    assert "while nobody followed" in (why(facts="g") or "")


LEGS = TableFacts(
    name="legs",
    oid=1,
    published=2,
    file=0,
    columns="7,7",
    partitions=(
        Partition(oid=3, file=3, is_filled=True),
        Partition(oid=4, file=4, is_filled=False),
    ),
)


def test_a_partition_that_is_empty_when_it_is_first_seen_is_no_reason_to_read_again() -> None:
    new = Partition(oid=9, file=9, is_filled=False)
    more = replace(LEGS, partitions=(*LEGS.partitions, new))
    assert why_missed({"legs": LEGS}, {"legs": more}) is None
    assert facts_digest({"legs": LEGS}) == facts_digest({"legs": more})
    filled = replace(LEGS, partitions=(*LEGS.partitions, replace(new, is_filled=True)))
    assert why_missed({"legs": LEGS}, {"legs": filled}) == "a partition with rows was added to legs"
    assert why_missed({"legs": more}, {"legs": filled}) is None
    assert facts_digest({"legs": LEGS}) != facts_digest({"legs": filled})


def test_a_rewritten_table_is_told_from_one_that_was_emptied_or_packed() -> None:
    # VACUUM FULL and TRUNCATE write a new file, SET DEFAULT another row of the catalog.
    for packed in (replace(LEGS, file=8), replace(LEGS, columns="7,9")):
        assert why_missed({"legs": LEGS}, {"legs": packed}) is None
    rewritten = replace(LEGS, file=8, columns="7,9")
    assert why_missed({"legs": LEGS}, {"legs": rewritten}) == "the rows of legs were rewritten"
    assert why_missed({"legs": LEGS}, {"legs": replace(LEGS, oid=8)}) == "legs was made anew"
    unpublished = replace(LEGS, published=None)
    assert why_missed({"legs": LEGS}, {"legs": unpublished}) == "legs was not published for a while"


@dataclass(frozen=True)
class Result:
    """What libpq says of a command that was refused."""

    error_message: bytes
    state: bytes | None = None

    def error_field(self, field: int) -> bytes | None:
        return self.state


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (Result(b"FATAL:  terminating connection due to administrator command", b"57P01"), SourceUnavailableError),
        (Result(b"server closed the connection unexpectedly"), SourceUnavailableError),
        (Result(b"ERROR:  replication slot \"s\" is active for PID 7", b"55006"), SourceUnavailableError),
        (Result(b"ERROR:  replication slot \"s\" does not exist", b"42704"), ReplicationError),
    ],
)  # fmt: skip
def test_a_connection_that_is_lost_when_the_stream_is_opened_is_tried_again(
    result: Result, kind: type[Exception]
) -> None:
    credentials = Credentials(host="h", port=1, database="d", user="u", password=None)
    endpoint = Endpoint(name="shop", credentials=credentials, slot="s", publication="s")
    assert type(refusal(endpoint, result)) is kind  # type: ignore[arg-type]
