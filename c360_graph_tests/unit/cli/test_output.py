"""What the command prints: JSON that any reader takes, and errors in one sentence."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from c360_graph.cli import output
from c360_graph.cli.output import exit_on_error, print_json, rows_table
from c360_graph.errors import SourceError
from c360_graph.graph.progress import Progress
from c360_graph.text import visible

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


@given(value=VALUES)
def test_any_value_is_one_json_document(value: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        text = _printed(value, patch)
    assert _same(json.loads(text, parse_constant=refuse), value)


def test_what_json_lacks_is_written_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"at": datetime(2025, 11, 3, tzinfo=UTC), "share": math.nan, "of": {"a"}, "t": (1,)})
    assert json.loads(capsys.readouterr().out) == {
        "at": "2025-11-03T00:00:00+00:00",
        "share": None,
        "of": "{'a'}",
        "t": [1],
    }


def test_an_error_is_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    message = f"It is down [/bold]. {'Look at it. ' * 40}Start it."
    with pytest.raises(typer.Exit) as ended, exit_on_error():
        raise SourceError(message)
    captured = capsys.readouterr()
    assert ended.value.exit_code == 1
    assert captured.out == ""
    assert captured.err == f"Error: {message}\n"


def test_a_table_says_how_many_rows_there_are_of_which_only_the_first_were_kept() -> None:
    rows = tuple((n,) for n in range(3))
    assert rows_table("T", ("n",), rows, row_count=1_500, most=2).caption == "and 1,498 more rows"
    assert rows_table("T", ("n",), rows, row_count=3, most=2).caption == "and 1 more rows"
    assert rows_table("T", ("n",), rows).caption is None


def test_a_text_with_line_breaks_forges_no_row_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    forged = "Ann\n| Bob | paid |\tyes"
    written = StringIO()
    console = output.SafeConsole(file=written, width=200, color_system=None)
    monkeypatch.setattr(output, "out", console)
    output.out.print(rows_table("T", ("name",), ((forged,),)))
    output.out.print(output.grid("T", ("name",), [(forged,), (Text(forged, style="red"),)]))
    lines = [line for line in written.getvalue().splitlines() if "Bob" in line]
    assert [r"Ann\n| Bob | paid |\tyes" in line for line in lines] == [True, True, True]


def _printed(value: Any, patch: pytest.MonkeyPatch) -> str:
    """The document alone: pytest captures the output of all examples as one."""
    file = StringIO()
    patch.setattr(output, "out", Console(file=file, width=40))
    print_json(value)
    return file.getvalue()


def _same(read: Any, value: Any) -> bool:
    if isinstance(value, dict):
        return read.keys() == value.keys() and all(_same(read[k], v) for k, v in value.items())
    if isinstance(value, list):
        return len(read) == len(value) and all(map(_same, read, value))
    if isinstance(value, float):
        return read == value if math.isfinite(value) else read is None
    if isinstance(value, datetime):
        return bool(read == value.isoformat())
    return bool(read == value)


HOSTILE = "J\x1b[2J\x1b]8;;http://x\x1b\\\x9bm\u202e[bold]x[/bold]\r"


@pytest.mark.parametrize(
    "show",
    [
        lambda: output.out.print(rows_table(HOSTILE, (HOSTILE,), ((HOSTILE,),))),
        lambda: output.out.print(output.grid(HOSTILE, ("a", "b"), [(HOSTILE, 1)])),
        lambda: output.out.print(HOSTILE, markup=False, highlight=False, soft_wrap=True),
        lambda: output.say(HOSTILE),
        lambda: output.err.print(
            str(Progress(phase=HOSTILE, unit="rows", done=1, total=None, seconds=1)), markup=False
        ),
        lambda: print_json({HOSTILE: HOSTILE}),
    ],
    ids=["rows", "grid", "line", "message", "progress", "json"],
)
def test_no_text_of_a_database_reaches_the_terminal_as_a_control(
    show: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = StringIO()
    for name in ("out", "err"):
        console = output.SafeConsole(file=written, width=400, color_system=None)
        monkeypatch.setattr(output, name, console)
    show()
    text = written.getvalue()
    assert text == visible(text)
    assert "[bold]x[/bold]" in text
