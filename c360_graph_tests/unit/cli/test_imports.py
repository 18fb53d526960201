"""A command pays only for what it needs."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ("dagster", "sqlglot", "duckdb", "pyarrow")


def test_loading_a_script_alone_imports_neither_dagster_nor_the_grammar_of_joins() -> None:
    # Dagster and sqlglot were 67 MB and more than a second of every `c360 load`, pyarrow 36 MB.
    code = (
        "import json, sys; from typer.testing import CliRunner; from c360_graph.cli import app;"
        "done = CliRunner().invoke(app, ['load', 'nothing.cypher', '--no-lock']);"
        f"print(json.dumps([done.exit_code, [m for m in {HEAVY} if m in sys.modules]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"NEO4J_URI": "bolt://127.0.0.1:1", "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [1, []]


def test_pyarrow_which_the_driver_is_kept_from_can_be_imported_later() -> None:
    code = "import c360_graph.graph.connection, pyarrow; print(pyarrow.array([1]).to_pylist())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "[1]\n"
