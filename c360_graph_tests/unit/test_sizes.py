"""A module fits a few screens and a function fits one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import c360_graph

MODULE_LINES, FUNCTION_LINES = 450, 60


def too_long(root: Path) -> Iterator[str]:
    """Every module and function below a folder that has more lines than it may."""
    for file in sorted(root.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        name = file.relative_to(root).as_posix()
        lines = len(text.splitlines())
        if lines > MODULE_LINES:
            yield f"{name}: {lines} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    yield f"{name}: {node.name} has {lines} lines"


def test_no_module_and_no_function_of_the_project_is_too_long() -> None:
    assert list(too_long(Path(c360_graph.__file__).parent)) == []


def test_what_is_too_long_is_named(tmp_path: Path) -> None:
    (tmp_path / "fits.py").write_text("def f():\n" + "    x = 1\n" * 59 + "\n" * 390)
    (tmp_path / "long.py").write_text("async def f():\n" + "    x = 1\n" * 60 + "\n" * 390)
    assert list(too_long(tmp_path)) == ["long.py: 451 lines", "long.py: f has 61 lines"]
