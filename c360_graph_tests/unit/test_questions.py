"""Questions from their files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock
from typing import cast

import pytest

from c360_graph.assets.metadata import answer_table
from c360_graph.cypher.quoting import used_names
from c360_graph.errors import ScriptError
from c360_graph.graph.connection import Graph
from c360_graph.questions import (
    FOLDER,
    Answer,
    ChartFact,
    Default,
    HeadlineFact,
    Question,
    QuestionSet,
    Refused,
    ask_all,
    read_question_set,
    sound_questions,
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
    ((question,), ()) = sound_questions(tmp_path)
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


def test_a_value_given_as_text_becomes_what_the_default_is() -> None:
    question = Question(
        name="q",
        title="Q",
        parameters=(
            ("least", 3),
            ("share", 0.5),
            ("only", False),
            ("names", ("a", True)),
            ("email", "a@b.c"),
        ),
        statement="",
    )
    given = {"least": "500", "share": "1", "only": "true", "names": '["b", 2]', "email": "500"}
    assert question.values(given) == {
        "least": 500,
        "share": 1,
        "only": True,
        "names": ["b", 2],
        "email": "500",
    }
    assert question.values({"least": 7, "names": ["c"]}) == {
        "least": 7,
        "share": 0.5,
        "only": False,
        "names": ["c"],
        "email": "a@b.c",
    }
    assert Question.model_validate_json(question.model_dump_json()) == question


@pytest.mark.parametrize(
    ("default", "text", "said"),
    [
        (3, "many", "'many' is not a number, as the parameter p is; write it like 3."),
        (3, "true", "'true' is not a number, as the parameter p is; write it like 3."),
        (False, "1", "'1' is not true or false, as the parameter p is; write it like false."),
        (("a",), "b", "'b' is not a list, as the parameter p is; write it like [\"a\"]."),
        (("a",), "[null]", "[null] is a list of more than texts, numbers, true and false."),
    ],
)
def test_a_value_that_is_not_what_the_default_is_is_refused(
    default: Default, text: str, said: str
) -> None:
    question = Question(name="q", title="Q", parameters=(("p", default),), statement="")
    with pytest.raises(ScriptError) as refused:
        question.values({"p": text})
    assert str(refused.value) == said


@pytest.mark.parametrize("default", ["[1, null]", "[[1, 2]]", '[{"a": 1}]'])
def test_a_default_that_no_parameter_can_have_costs_no_other_question(
    default: str, tmp_path: Path
) -> None:
    (tmp_path / "nested.cypher").write_text(f"// parameter: p = {default}\nRETURN $p")
    found = read_question_set(tmp_path)
    assert found.questions == sound_questions(FOLDER)[0]
    assert found.problems == (
        f"{tmp_path / 'nested.cypher'}: `// parameter: p = {default}`:"
        f" {default} is a list of more than texts, numbers, true and false.",
    )


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
    assert titles["revenue_by_plan"] == "Ours"
    assert titles["my_own_question"] == "My own question"
    assert [picture.name for picture in found.pictures] == ["fraud_ring", "mine"]
    assert [problem.partition(" ")[0] for problem in found.problems] == [
        str(tmp_path / "binary.cypher"),
        f"{tmp_path / 'wrong.cypher'}:",
    ]


def test_a_folder_that_is_not_there_costs_no_question_of_the_package(tmp_path: Path) -> None:
    found = read_question_set(tmp_path / "nowhere")
    assert found.questions == sound_questions(FOLDER)[0]
    assert found.problems == (
        f"{tmp_path / 'nowhere'} is no folder of queries. Set C360_QUERIES_DIR right.",
    )


def test_an_answer_is_a_markdown_table_in_which_data_is_no_markup() -> None:
    answer = Answer(
        question=Question(name="q", title="Q", statement=""),
        columns=("name_of_it", "n"),
        rows=(("<b>|x|\n[a](b) &lt; _y_", 1), *((None, 2) for _ in range(20))),
        row_count=30,
    )
    assert answer_table(answer) == (
        "| `name_of_it` | `n` |\n| --- | --- |\n| `<b>｜x｜⏎[a](b) &lt; _y_` | `1` |\n"
        + "|  | `2` |\n" * 19
        + "\nand 10 more rows\n"
    )


def test_a_number_before_a_file_name_orders_it_and_is_no_part_of_the_name(tmp_path: Path) -> None:
    for name in ("02_first", "10_second", "b_last", "1_", "007"):
        (tmp_path / f"{name}.cypher").write_text("RETURN 1")
    assert [q.name for q in sound_questions(tmp_path)[0]] == [
        "007",
        "first",
        "second",
        "1_",
        "b_last",
    ]


def test_questions_of_the_package_that_name_what_a_graph_lacks_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "ships.cypher").write_text("MATCH (s:Ship)-[:CARRIES]->(c:Cargo) RETURN c.weight")
    asked = read_question_set(tmp_path).fitting(
        {
            "Account",
            "Subscription",
            "Plan",
            "PlayEvent",
            "HAS_SUBSCRIPTION",
            "SUBSCRIBED_TO",
            "WATCHED",
        }
    )
    assert [q.name for q in asked.questions] == ["revenue_by_plan", "activity_by_hour", "ships"]
    assert asked.pictures == ()
    assert len(asked.unfit) == 9
    everything = read_question_set(None)
    assert everything.fitting(_names(everything)) == everything


def _names(asked: QuestionSet) -> set[str]:
    statements = [q.statement for q in (*asked.questions, *asked.pictures)]
    return {
        word[1:] for statement in statements for word in used_names(statement) if word[0] == ":"
    }


def test_questions_are_chosen_by_name_and_an_unknown_name_is_told() -> None:
    asked = read_question_set(None)
    assert [q.name for q in asked.named(["fraud_ring", "devices"]).questions] == [
        "devices",
        "fraud_ring",
    ]
    assert asked.named([]) == asked
    with pytest.raises(ScriptError, match="did you mean 'fraud_ring'"):
        asked.named(["fraud_rings"])
    with pytest.raises(ScriptError, match="the graph does not have"):
        asked.fitting(set()).named(["fraud_ring"])


def test_a_question_is_begun_when_the_first_row_of_another_one_is_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock, all_read = Lock(), Event()
    computed: list[str] = []
    most = 0

    def answered(
        _: Graph, question: Question, __: object, *, at_first_row: Callable[[], None], **___: object
    ) -> Answer:
        nonlocal most
        with lock:
            computed.append(question.name)
            most = max(most, len(computed))
        if question.name == "last":
            all_read.set()
        with lock:
            computed.remove(question.name)
        at_first_row()
        # Only the last question ends the reading of those before it.
        assert all_read.wait(30)
        return Answer(question=question, columns=(), rows=(), row_count=0)

    monkeypatch.setattr("c360_graph.questions.ask", answered)
    asked = [Question(name=name, title=name, statement="") for name in ("a", "b", "c", "last")]
    graph = cast("Graph", None)
    replies = ask_all(graph, asked, {}, timeout_seconds=1)
    assert [reply.question.name for reply in replies] == ["a", "b", "c", "last"]
    assert most <= 2


def test_a_refused_question_leaves_its_turn_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> Answer:
        raise ScriptError("no")

    monkeypatch.setattr("c360_graph.questions.ask", refused)
    asked = [Question(name=str(number), title="", statement="") for number in range(9)]
    replies = ask_all(cast("Graph", None), asked, {}, timeout_seconds=1)
    assert replies == tuple(Refused(question=question, reason="no") for question in asked)
