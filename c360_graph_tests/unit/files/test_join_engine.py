"""The engine that joins extracts answers, refuses in its own words, and its end is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360_graph.errors import ExtractError
from c360_graph.extract_joins.engine import join_engine


def test_an_engine_answers_until_it_is_gone(tmp_path: Path) -> None:
    with join_engine(tmp_path) as engine:
        assert engine.rows("SELECT 1, 'é\n', NULL UNION ALL SELECT 2, '', 'x' ORDER BY 1") == [
            [1, "é\n", None],
            [2, "", "x"],
        ]
        with pytest.raises(ExtractError, match="No files found"):
            engine.rows("FROM read_csv('/nowhere/rows.tsv')")
        assert engine.rows("SELECT 3") == [[3]]
        engine._process.kill()
        with pytest.raises(ExtractError, match="has ended"):
            engine.rows("SELECT 4")
