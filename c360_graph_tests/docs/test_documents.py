"""The documents: links resolve, what is not run is on a list, and the checker itself can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360_graph_tests.conftest import REPOSITORY
from c360_graph_tests.docs.documents import document_names, read_document
from c360_graph_tests.docs.markdown import anchors, blocks, commands, links
from c360_graph_tests.docs.place import Place
from c360_graph_tests.docs.running import RUN, first_missing, run_document

NOT_RUN = {
    ("CONTRIBUTING.md", "they run these pages, or the tests beside them"),
    ("CONTRIBUTING.md", "needs uv"),
    ("CONTRIBUTING.md", "runs tests, as make test does"),
    ("CONTRIBUTING.md", "writes files of the project"),
    ("CONTRIBUTING.md", "takes an hour or more"),
    ("docs/deployment.md", "needs a Docker engine"),
    ("docs/identity.md", "needs a table of people"),
    ("docs/object-storage.md", "needs a bucket"),
    ("docs/scaling.md", "needs a broker and a bucket"),
    ("docs/export.md", "needs a stopped server"),
    ("docs/export.md", "needs the server that was imported"),
    ("docs/export.md", "needs an Aura instance"),
    ("docs/serving.md", "needs the generator, and npm"),
}
"""Every block that is not run, with its reason. It gets longer only where there is no other way."""

READ_ONLY = {"text", "dotenv"}
"""Languages of blocks that are no commands."""


def test_what_is_not_run_is_what_the_list_says() -> None:
    found = [
        (name, block.not_run)
        for name in document_names()
        for block in blocks(read_document(name))
        if block.not_run is not None
    ]
    assert sorted(found) == sorted(NOT_RUN)


def test_every_block_is_run_or_is_no_command() -> None:
    languages = {
        (name, block.language)
        for name in document_names()
        for block in blocks(read_document(name))
        if block.language not in RUN | READ_ONLY
    }
    assert languages == set()


@pytest.mark.parametrize("name", document_names())
def test_links_within_the_project_resolve(name: str) -> None:
    broken = [link for link in links(read_document(name)) if not _resolves(name, link)]
    assert broken == []


def _resolves(name: str, link: str) -> bool:
    if "://" in link:
        return link.startswith("https://")
    path, _, anchor = link.partition("#")
    target = (REPOSITORY / name).parent / path if path else REPOSITORY / name
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


def run(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    place = Place(folder=tmp_path, environment={"PATH": "/usr/bin:/bin"})
    return [(outcome.what, outcome.reason) for outcome in run_document("a.md", text, place)]


def test_commands_run_in_order_in_one_folder_until_one_fails(tmp_path: Path) -> None:
    text = "```console\n$ echo one > file\n$ cat file\none\n$ false\n$ echo never\n```\n"
    assert run(tmp_path, text) == [
        ("passed", ""),
        ("passed", ""),
        ("failed", "exit code 1, not 0:\n"),
    ]


def test_an_exit_code_that_the_document_says_must_be_the_commands_own(tmp_path: Path) -> None:
    assert run(tmp_path, "```console exit=3\n$ exit 3\n```\n") == [("passed", "")]
    ((what, reason),) = run(tmp_path, "```console exit=3\n$ true\n```\n")
    assert (what, reason) == ("failed", "exit code 0, not 3:\n")


def test_shown_output_must_appear_in_its_order() -> None:
    output = "first  line\nrows: 17 in 3.2 s\nlast\n"
    assert first_missing(("first line", "rows: 17 in … s", "last"), output) is None
    assert first_missing(("rows: 18",), output) == "rows: 18"
    assert first_missing(("last", "first line"), output) == "first line"


def test_a_command_that_serves_is_interrupted_once_it_says_so(tmp_path: Path) -> None:
    serves = "trap 'exit 0' INT; echo Serving; while :; do sleep 0.1; done"
    assert run(tmp_path, f'```console until="Serving"\n$ {serves}\n```\n') == [("passed", "")]
    ((what, _),) = run(tmp_path, '```console until="Serving"\n$ echo no; exit 4\n```\n')
    assert what == "failed"


def test_a_statement_without_a_server_fails(tmp_path: Path) -> None:
    ((what, reason),) = run(tmp_path, "```sql on=etl_control_db\nSELECT 1\n```\n")
    assert (what, reason.partition(":")[0]) == ("failed", "no server is up")


def test_a_command_with_lines_for_a_file_is_read_to_their_end(tmp_path: Path) -> None:
    text = "```console\n$ cat > file <<'END'\none\n\n$two\nEND\n$ cat file\n$two\n```\n"
    assert run(tmp_path, text) == [("passed", ""), ("passed", "")]
    assert (tmp_path / "file").read_text(encoding="utf-8") == "one\n\n$two\n"


def test_a_block_in_a_list_and_a_command_over_lines_are_read_whole() -> None:
    (block,) = blocks(
        '- a\n\n  ```console not-run="needs a moon"\n  $ one \\\n      two\n  out\n  ```\n'
    )
    (command,) = commands(block)
    assert (block.not_run, command.text, command.shown) == (
        "needs a moon",
        "one \\\n    two",
        ("out",),
    )
