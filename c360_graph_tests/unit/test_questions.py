"""Questions from their files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from c360_graph.answers import Answer
from c360_graph.assets.answer_facts import answer_table
from c360_graph.errors import ScriptError
from c360_graph.questions import (
    FOLDER,
    ChartFact,
    HeadlineFact,
    Question,
    read_question_set,
    read_questions,
)


def test_a_file_says_everything_about_its_question(tmp_path: Path) -> None:
    text = (
        "// title: Plans\n// description: One row\n// description: for each.\n"
        "// parameter: as_of = now\n// parameter: least = 3\n// parameter: share = 0.5\n"
        '// parameter: names = ["a", "b"]\n// parameter: email = a@b.c\n'
        "// chart: column of fee by plan\n// headline: n = plans = many\n"
        "MATCH (n) RETURN 1 AS n;\n"
    )
    (tmp_path / "plans.cypher").write_text(text)
    (question,) = read_questions(tmp_path)
    assert question == Question(
        name="plans",
        title="Plans",
        description="One row for each.",
        parameters=(
            ("as_of", "now"),
            ("least", 3),
            ("share", 0.5),
            ("names", ("a", "b")),
            ("email", "a@b.c"),
        ),
        chart=ChartFact(kind="column", value="fee", by="plan"),
        headline=HeadlineFact(column="n", words="plans = many"),
        statement=text.strip().rstrip(";"),
    )
    assert question.values({"as_of": "2025-11-03", "unknown": 1}) == {
        "as_of": datetime(2025, 11, 3, tzinfo=UTC),
        "least": 3,
        "share": 0.5,
        "names": ["a", "b"],
        "email": "a@b.c",
    }
    assert isinstance(question.values({})["as_of"], datetime)
    assert Question.model_validate_json(question.model_dump_json()) == question


def test_a_moment_that_is_none_is_refused() -> None:
    question = Question(name="q", title="Q", parameters=(("as_of", "now"),), statement="")
    with pytest.raises(ScriptError, match="'yesterday' is no moment"):
        question.values({"as_of": "yesterday"})


def test_files_of_ones_own_come_beside_the_packages_or_take_their_place(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "05_revenue_by_plan.cypher").write_text("// title: Ours\nRETURN 1")
    (tmp_path / "my_own_question.cypher").write_text("RETURN 1")
    (tmp_path / "wrong.cypher").write_text("// chart: pie of a by b\nRETURN 1")
    (tmp_path / "binary.cypher").write_bytes(b"\xff\xfe")
    (tmp_path / "pictures" / "mine.cypher").write_text("RETURN 1")
    found = read_question_set(tmp_path)
    titles = {question.name: question.title for question in found.questions}
    assert len(titles) == 12
    assert titles["05_revenue_by_plan"] == "Ours"
    assert titles["my_own_question"] == "My own question"
    assert [picture.name for picture in found.pictures] == ["fraud_ring", "mine"]
    assert [problem.partition(" ")[0] for problem in found.problems] == [
        str(tmp_path / "binary.cypher"),
        f"{tmp_path / 'wrong.cypher'}:",
    ]


def test_a_folder_that_is_not_there_costs_no_question_of_the_package(tmp_path: Path) -> None:
    found = read_question_set(tmp_path / "nowhere")
    assert found.questions == read_questions(FOLDER)
    assert found.problems == (
        f"{tmp_path / 'nowhere'} is no folder of queries. Set C360_QUERIES_DIR right.",
    )


def test_an_answer_is_a_markdown_table_in_which_data_is_no_markup() -> None:
    answer = Answer(
        question=Question(name="q", title="Q", statement=""),
        columns=("name", "n"),
        rows=(("<b>|x|\n[a](b)", 1), *((None, 2) for _ in range(20))),
        row_count=30,
    )
    assert answer_table(answer) == (
        "| name | n |\n| --- | --- |\n| \\<b\\>\\|x\\| \\[a\\](b) | 1 |\n"
        + "|  | 2 |\n" * 19
        + "\nand 10 more rows"
    )
