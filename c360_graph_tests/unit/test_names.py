"""One name for one thing: no class and no public function shares its name with another."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import c360_graph

SHARED = {
    "ask": "the command `c360 ask` beside what it does",
    "follow": "the command `c360 follow` beside what it does",
    "main": "what a program begins with",
    "status": "the command `c360 sandbox status` beside what it does",
}
"""Names that may occur more than once, and why."""

RETIRED = {
    "Edges": "RelationshipPattern",
    "GraphHolding": "GraphState",
    "Links": "RelationshipRows",
    "Listener": "LoadCallbacks",
    "Meaning": "ResolvedJoin",
    "TakingPart": "DiffTables",
    "Told": "Replies",
    "errors_in_one_sentence": "exit_on_error",
    "failing_clearly": "dagster_failures",
    "honoured": "valid",
    "place": "qualified_name, server, folder or index",
    "places": "tables, servers, folders or indexes",
    "resting": "inactive",
}
"""Names that had several meanings or none outside of this project, and what is said instead."""


def names_of(tree: ast.Module) -> Iterator[str]:
    """Classes, private ones too, and public functions that a module defines."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith(
            "_"
        ):
            yield node.name


def used_names(tree: ast.Module) -> Iterator[str]:
    """Every variable, attribute, parameter, class and function, without leading underscores."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id.lstrip("_")
        elif isinstance(node, ast.Attribute):
            yield node.attr.lstrip("_")
        elif isinstance(node, (ast.arg, ast.keyword)):
            yield (node.arg or "").lstrip("_")
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name.lstrip("_")


def trees(root: Path) -> dict[str, ast.Module]:
    """The syntax trees of the modules below a folder, by path."""
    return {
        file.relative_to(root).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
        for file in sorted(root.rglob("*.py"))
    }


def shared(modules: dict[str, ast.Module]) -> dict[str, list[str]]:
    """Names that several modules define, with the modules."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path, tree in modules.items():
        for name in names_of(tree):
            found[name].append(path)
    return {name: paths for name, paths in found.items() if len(set(paths)) > 1}


def test_a_name_is_defined_once() -> None:
    found = shared(trees(Path(c360_graph.__file__).parent))
    assert {name: paths for name, paths in found.items() if name not in SHARED} == {}
    assert {*SHARED} <= {*found}, "remove what is shared no more"


def test_no_retired_name_is_used() -> None:
    found = {
        f"{path}: {name}, say {RETIRED[name]}"
        for path, tree in trees(Path(c360_graph.__file__).parent).items()
        for name in used_names(tree)
        if name in RETIRED
    }
    assert found == set()


def test_what_is_shared_or_retired_is_found() -> None:
    one = ast.parse("class _Side: ...\ndef read(): ...\ndef _own(): ...")
    other = ast.parse("class Side: ...\nasync def read(place): ...\ndef _own(): ...")
    assert shared({"a.py": one, "b.py": other}) == {
        "Side": ["a.py", "b.py"],
        "read": ["a.py", "b.py"],
    }
    assert "place" in {*used_names(other)}
