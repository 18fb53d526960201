"""Imports run strictly downward from tier to tier."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import c360_graph

TIERS: tuple[frozenset[str], ...] = (
    frozenset(
        {
            "errors",
            "files",
            "new_project",
            "object_storage",
            "pipeline_settings",
            "settings",
            "start_environment",
            "text",
        }
    ),
    frozenset(
        {
            "cypher",
            "exchange",
            "hashing",
            "mapping",
            "plan",
            "proposal",
            "sql_quoting",
        }
    ),
    frozenset(
        {
            "control",
            "extract_objects",
            "extract_files",
            "extracts",
            "faults",
            "graph",
            "object_extracts",
            "scripts",
            "source",
        }
    ),
    frozenset({"extract_joins", "identity", "import_files", "questions"}),
    frozenset(
        {
            "customer",
            "failure_notice",
            "pipeline",
            "report",
            "starter_questions",
        }
    ),
    frozenset({"following"}),
    frozenset({"serve"}),
    frozenset(
        {
            "command_run",
            "dagster_failures",
            "dagster_storage",
            "resources",
        }
    ),
    frozenset({"assets", "automation", "celery_steps", "checks", "executor"}),
    frozenset({"cli", "definitions"}),
)
PURE = TIERS[1]
WITH_DAGSTER = TIERS[7] | TIERS[8] | TIERS[9]
WITH_NEO4J = frozenset({"graph", "sandbox"})
APART = "sandbox"
"""Real servers for tests and demo: stands on errors and settings, and only `cli` stands on it."""
APART_MAY_IMPORT = TIERS[0] | {APART}
OUTSIDE = frozenset({"dagster", "neo4j", "psycopg", "sqlalchemy", "typer", "rich"})
"""What the pure tier never imports, beside anything above it."""

Imports = dict[str, set[str]]
"""What each module imports; modules of the project by their path under it, others by package."""


def read_imports(root: Path) -> Imports:
    """The imports of every module below a package's folder, those within functions too."""
    return {
        module: set(_imported(ast.parse(file.read_text(encoding="utf-8")), root, module))
        for file in sorted(root.rglob("*.py"))
        if (module := _name(file.relative_to(root)))
    }


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(tree: ast.AST, root: Path, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (_own(alias.name, root) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            for alias in node.names:
                # `from package import module` names a module too.
                whole = f"{node.module}.{alias.name}"
                yield _own(whole if _is_module(whole, root) else node.module or "", root)


def _is_module(name: str, root: Path) -> bool:
    path = root.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def _own(name: str, root: Path) -> str:
    first, _, rest = name.partition(".")
    return f"/{rest}" if first == root.name else first


def _unit(module: str) -> str:
    return module.lstrip("/").partition(".")[0]


def _tier(unit: str) -> int | None:
    return next((number for number, tier in enumerate(TIERS) if unit in tier), None)


def violations(imports: Imports) -> list[str]:
    """Each import that breaks a rule, and each module that no rule knows."""
    found = [
        f"{module} is in no tier"
        for module in imports
        if _tier(_unit(module)) is None and _unit(module) != APART
    ]
    for module, imported in imports.items():
        for name in sorted(imported):
            found += _broken(module, name)
    return found + [f"{' > '.join(cycle)} is a cycle" for cycle in _cycles(imports)]


def _broken(module: str, name: str) -> Iterator[str]:
    unit = _unit(module)
    if name.startswith("/"):
        yield from _broken_within(module, name)
    elif name == "dagster" and unit not in WITH_DAGSTER:
        yield f"{module} imports dagster"
    elif name == "neo4j" and unit not in WITH_NEO4J:
        yield f"{module} imports neo4j"
    elif name in OUTSIDE and unit in PURE:
        yield f"{module} imports {name} and is to be pure"


def _broken_within(module: str, name: str) -> Iterator[str]:
    unit, other = _unit(module), _unit(name)
    if unit == APART:
        if other and other not in APART_MAY_IMPORT:
            yield f"{module} imports {other}, and {APART} stands apart"
    elif other == APART:
        if unit != "cli":
            yield f"{module} imports {APART}, which is for cli alone"
    elif other and (_tier(other) or 0) > (_tier(unit) or 0):
        yield f"{module} imports {other}, which lies above it"


def _cycles(imports: Imports) -> Iterator[list[str]]:
    """Modules that import each other round; a package's `__init__` counts as a module."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> Iterator[list[str]]:
        if module in path:
            yield [*path[path.index(module) :], module]
        elif module not in done:
            for name in sorted(imports.get(module, ())):
                if name.startswith("/"):
                    yield from walk(name[1:], [*path, module])
            done.add(module)

    for module in imports:
        yield from walk(module, [])


def test_imports_run_strictly_downward() -> None:
    imports = read_imports(Path(c360_graph.__file__).parent)
    assert {"cli", "mapping.resolve", "sandbox.servers"} <= {*imports}
    assert violations(imports) == []


@pytest.mark.parametrize(
    ("module", "text", "wrong"),
    [
        (
            "errors",
            "from c360_graph.mapping.model import X",
            "errors imports mapping, which lies above",
        ),
        (
            "cypher/rows",
            "from c360_graph import extracts",
            "cypher.rows imports extracts, which lies",
        ),
        ("mapping/model", "import psycopg.rows", "mapping.model imports psycopg and is to be pure"),
        ("source/copy", "import c360_graph.pipeline.load", "source.copy imports pipeline"),
        ("pipeline/load", "def f():\n    import dagster as dg", "pipeline.load imports dagster"),
        ("control/audit", "from neo4j import Driver", "control.audit imports neo4j"),
        ("resources", "from c360_graph.checks import x", "resources imports checks"),
        ("pipeline/load", "import c360_graph.sandbox.state", "is for cli alone"),
        (
            "sandbox/ports",
            "from c360_graph.control.audit import x",
            "sandbox.ports imports control, and",
        ),
        ("helpers", "", "helpers is in no tier"),
        (
            "mapping/a",
            "from c360_graph.cypher import b",
            "cypher.b > mapping.a > cypher.b is a cycle",
        ),
    ],
)
def test_each_rule_can_be_broken(tmp_path: Path, module: str, text: str, wrong: str) -> None:
    root = tmp_path / "c360_graph"
    for name, content in (
        ("errors", ""),
        ("cypher/b", "import c360_graph.mapping.a"),
        ("mapping/a", "from c360_graph.errors import E"),
        ("extracts", "from c360_graph import errors"),
        ("cli/demo", "import dagster, neo4j_tools, c360_graph.sandbox.state"),
        (module, text),
    ):
        file = root / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    (said,) = violations(read_imports(root))
    assert wrong in said
