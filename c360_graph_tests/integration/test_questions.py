"""The eleven questions on the sample: exact answers, computed by SQL too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from c360_graph.graph.connection import Graph
from c360_graph.questions import ask, read_question_set
from c360_graph.sandbox.sample import SOURCES
from c360_graph_tests.conftest import (
    REPOSITORY,
    SQL_DIR,
    TestServers,
    drop_databases,
    sample_project,
)
from c360_graph_tests.integration.runs import load_graph

SAMPLE = REPOSITORY / "c360_graph_tests" / "sample"
GIVEN = {"as_of": datetime(2025, 11, 3, tzinfo=UTC)}
QUESTIONS = {question.name: question for question in read_question_set(None).questions}
ANALYSTS = sorted(path.stem for path in (SAMPLE / "analyst_queries").glob("*.cypher"))


@dataclass(frozen=True)
class Loaded:
    """The sample's graph, and its three sources side by side in one database."""

    graph: Graph
    sources: psycopg.Connection


@pytest.fixture(scope="module")
def loaded(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    folder = tmp_path_factory.mktemp("questions")
    with (
        sample_project(servers, folder) as project,
        servers.open_graph() as graph,
    ):
        assert load_graph().success
        name = f"{project.prefix}side_by_side"
        with servers.postgres.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        with servers.postgres.connect(name) as sources:
            for source in SOURCES:
                for part in ("schema", "sample_data"):
                    sources.execute((SQL_DIR / f"{source}_{part}.sql").read_text(encoding="utf-8"))
            yield Loaded(graph, sources)
        drop_databases(servers.postgres, name)


def test_there_are_eleven_questions_each_with_a_title() -> None:
    assert len(QUESTIONS) == 11
    assert all(question.title and question.description for question in QUESTIONS.values())


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_graph_answers_as_sql_does(loaded: Loaded, name: str) -> None:
    question = QUESTIONS[name]
    answer = ask(loaded.graph, question, GIVEN, timeout_seconds=60)
    statement = (SAMPLE / "answers" / f"{name}.sql").read_text(encoding="utf-8")
    cursor = loaded.sources.execute(statement, question.values(GIVEN) or None)
    columns = tuple(column.name for column in cursor.description or ())
    rows = [tuple(_plain(value) for value in row) for row in cursor.fetchall()]
    assert rows
    assert answer.columns == columns
    assert list(answer.rows) == rows


def test_five_users_share_a_card_with_a_hacked_account_and_an_address_with_others(
    loaded: Loaded,
) -> None:
    answer = ask(loaded.graph, QUESTIONS["fraud_ring"], GIVEN, timeout_seconds=60)
    assert answer.rows[0][0] == 5


@pytest.mark.parametrize("name", ANALYSTS)
def test_questions_as_analysts_write_them_return_rows(loaded: Loaded, name: str) -> None:
    text = (SAMPLE / "analyst_queries" / f"{name}.cypher").read_text(encoding="utf-8")
    assert loaded.graph.rows(text.strip().rstrip(";"))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return tuple(_plain(item) for item in value) if isinstance(value, list) else value
