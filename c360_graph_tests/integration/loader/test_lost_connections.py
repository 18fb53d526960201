"""A load whose connections are cut, at every place where it hurts, holds exactly what the script says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from c360_graph.cypher.schema import LabelProperties, create_constraint
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import LoadCallbacks, clear_and_load, graph_counts, load_into_empty
from c360_graph_tests.integration.loader.proxy import COMMIT, FaultyProxy, Moment, ServerSide
from c360_graph_tests.integration.loader.scripts import (
    PATIENT,
    REFERRAL,
    VISIT,
    joined,
    patients,
    referred,
    visits,
    with_small_transactions,
    write,
)

MANY = 6_000
MOMENTS: tuple[Moment, ...] = ("before it is forwarded", "when it is answered")


class Replies:
    """What a load said."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    @property
    def listener(self) -> LoadCallbacks:
        return LoadCallbacks(warn=self.warnings.append)


@pytest.fixture
def told() -> Replies:
    return Replies()


def counted(graph: Graph, text: str) -> int:
    return int(graph.rows(f"{text} AS count")[0]["count"])


def after(first: bytes, wanted: bytes) -> Callable[[bytes], bool]:
    """Whether a request holds `wanted`, at or after the one that created nodes of the label `first`."""
    begun = False

    def seen(data: bytes) -> bool:
        nonlocal begun
        begun = begun or (b"\nCREATE (:" + first) in data
        return begun and wanted in data

    return seen


def time_of(statement: bytes, number: int) -> Callable[[bytes], bool]:
    """Whether a request holds this statement for the nth time."""
    count = 0

    def seen(data: bytes) -> bool:
        nonlocal count
        count += statement in data
        return statement in data and count == number

    return seen


@contextmanager
def cutting_when(condition: Callable[[], bool], cut: Callable[[], None]) -> Iterator[None]:
    """Cut as soon as the condition holds while the block runs; it must come to hold."""
    over = threading.Event()
    has_cut = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if condition():
                cut()
                has_cut.set()
                return
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    assert has_cut.is_set()


@pytest.mark.parametrize("server_side", ["closed", "left open"])
@pytest.mark.parametrize("request_bytes", [b"\nCREATE ", COMMIT], ids=["the batch", "its COMMIT"])
def test_a_batch_whose_connection_is_cut_is_there_once_with_or_without_a_key(
    graph: Graph,
    far_graph: Graph,
    proxy: FaultyProxy,
    told: Replies,
    tmp_path: Path,
    request_bytes: bytes,
    server_side: ServerSide,
) -> None:
    same = [(1, "the same again")] * 1_500
    script = write(tmp_path / "s.cypher", [(PATIENT, patients(1_500)), (VISIT, same)])
    for label in (b"`Patient`", b"`Visit`"):
        for moment in MOMENTS:
            proxy.fail_once(after(label, request_bytes), moment=moment, server_side=server_side)
    load_into_empty(far_graph, script, sessions=1, listener=told.listener)
    assert graph_counts(graph) == ({"Patient": 1_500, "Visit": 1_500}, {})
    assert counted(graph, "MATCH (n:Patient) RETURN count(DISTINCT n.id)") == 1_500
    assert proxy.failed == 4
    assert len(told.warnings) == 4


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("server_side", ["closed", "left open"])
def test_relationships_cut_in_the_middle_are_made_once(
    graph: Graph,
    far_graph: Graph,
    proxy: FaultyProxy,
    tmp_path: Path,
    server_side: ServerSide,
) -> None:
    script = with_small_transactions(
        write(
            tmp_path / "s.cypher",
            [(PATIENT, patients(50)), (VISIT, visits(MANY, of=50))],
            (joined(1),),
        )
    )
    went_on = []

    def created() -> int:
        return counted(graph, "MATCH ()-[r:VISITED]->() RETURN count(r)")

    def warn(message: str) -> None:
        before = created()
        deadline = time.monotonic() + 0.5
        while created() == before and time.monotonic() < deadline:
            pass
        went_on.append(created() > before)

    with cutting_when(lambda: created() > 0, lambda: proxy.cut(server_side=server_side)):
        # Of several sessions, the one that sees the cut first ends what the server still does for the others.
        sessions = 1 if server_side == "left open" else 2
        load_into_empty(far_graph, script, sessions=sessions, listener=LoadCallbacks(warn=warn))
    assert graph_counts(graph) == ({"Patient": 50, "Visit": MANY}, {"VISITED": MANY})
    assert counted(graph, "MATCH (v:Visit) WHERE COUNT { (v)<--() } <> 1 RETURN count(v)") == 0
    if server_side == "left open":
        # Else the test would not show that what the server still does is ended first.
        assert went_on == [True]


def test_two_mappings_of_one_type_between_the_same_labels_are_both_there_after_a_cut(
    graph: Graph, far_graph: Graph, proxy: FaultyProxy, tmp_path: Path
) -> None:
    both = ("id", "patient"), ("name", "note")
    people = [(number, f"visit {number}") for number in range(50)]
    script = with_small_transactions(
        write(
            tmp_path / "s.cypher",
            [(PATIENT, people), (VISIT, visits(MANY, of=50))],
            (joined(1, on=both[1]), joined(2, on=both[0])),
        )
    )

    def second_is_under_way() -> bool:
        return counted(graph, "MATCH ()-[r:VISITED]->() RETURN count(r)") > 50

    with cutting_when(second_is_under_way, lambda: proxy.cut(server_side="left open")):
        load_into_empty(far_graph, script)
    assert graph_counts(graph)[1] == {"VISITED": MANY + 50}
    assert counted(graph, "MATCH (v:Visit) WHERE COUNT { (v)<--() } = 2 RETURN count(v)") == 50


def test_making_an_earlier_mapping_again_may_be_cut_too(
    graph: Graph, far_graph: Graph, proxy: FaultyProxy, told: Replies, tmp_path: Path
) -> None:
    script = with_small_transactions(
        write(
            tmp_path / "s.cypher",
            [(PATIENT, patients(50)), (VISIT, visits(500, of=50))],
            (joined(1), joined(2)),
        )
    )
    # The second mapping; the first when it is made again; the second after that.
    for number in (2, 3, 5):
        proxy.fail_once(time_of(b"MATCH (row:`Visit`)", number), moment="when it is answered")
    load_into_empty(far_graph, script, listener=told.listener)
    assert graph_counts(graph)[1] == {"VISITED": 1_000}
    assert len(told.warnings) == 3


def test_links_of_a_junction_are_made_once_and_survive_the_undoing_of_another_mapping(
    graph: Graph, far_graph: Graph, proxy: FaultyProxy, tmp_path: Path
) -> None:
    links = [(number % 50, (number + 1) % 50) for number in range(2_500)]
    everybody = joined(2, "REFERRED").model_copy(
        update={"from_label": "Patient", "to_label": "Patient", "pairs": (("name", "name"),)}
    )
    script = with_small_transactions(
        write(
            tmp_path / "s.cypher",
            [(PATIENT, patients(50)), (REFERRAL, links)],
            (referred(1), everybody),
        )
    )
    proxy.fail_once(lambda data: b"UNWIND" in data and b"REFERRED" in data)
    proxy.fail_once(lambda data: COMMIT in data, moment="when it is answered")
    proxy.fail_once(b"MATCH (row:`Patient`)", moment="when it is answered")
    load_into_empty(far_graph, script)
    assert graph_counts(graph) == ({"Patient": 50}, {"REFERRED": 2_550})
    assert proxy.failed == 3


@pytest.mark.usefixtures("weighed")
@pytest.mark.parametrize("moment", MOMENTS)
def test_clearing_schema_and_counting_survive_a_cut_at_every_statement(
    graph: Graph, far_graph: Graph, proxy: FaultyProxy, tmp_path: Path, moment: Moment
) -> None:
    rows = [(PATIENT, patients(20)), (VISIT, visits(40, of=20))]
    script = write(tmp_path / "s.cypher", rows, (joined(1, on=("name", "note")),))
    load_into_empty(graph, script)
    graph.run("MATCH (p:Patient), (v:Visit) CREATE (p)-[:LEFT_OVER]->(v)", tag={})
    # Of an earlier mapping: what this script would make again stays.
    graph.run(create_constraint(LabelProperties(label="Left", properties=("id",))), tag={})
    statements = [
        b"MATCH ()-[x:`LEFT_OVER`]->() CALL (x)",
        b"MATCH ()-[x]->() CALL (x)",
        b"MATCH (x:`Patient`) CALL (x)",
        b"MATCH (x) WHERE NOT x:`_C360Load`",
        b"DROP CONSTRAINT",
        b"CREATE CONSTRAINT",
        b"CREATE INDEX",
        b"CALL db.awaitIndexes",
    ]
    if moment == "before it is forwarded":
        # What only reads is the same at either moment, and the driver waits a second each time.
        statements += [
            b"MATCH ()-[r]->() RETURN count(r)",
            b"SHOW CONSTRAINTS",
            b"CALL db.labels()",
        ]
    for statement in statements:
        proxy.fail_once(statement, moment=moment)
    clear_and_load(far_graph, script)
    assert graph_counts(graph) == ({"Patient": 20, "Visit": 40}, {})
    assert len(graph.rows("SHOW CONSTRAINTS")) == 1
    assert proxy.failed == len(statements)


def test_a_server_that_refuses_for_a_while_is_waited_for(
    graph: Graph, far_graph: Graph, proxy: FaultyProxy, told: Replies, tmp_path: Path
) -> None:
    script = write(tmp_path / "s.cypher", [(PATIENT, patients(20_000))])
    refused = threading.Event()

    def refuse() -> None:
        with proxy.refusing():
            refused.wait(1)

    with cutting_when(lambda: counted(graph, "MATCH (n:Patient) RETURN count(n)") > 0, refuse):
        load_into_empty(far_graph, script, listener=told.listener)
    assert graph_counts(graph) == ({"Patient": 20_000}, {})
    assert told.warnings
