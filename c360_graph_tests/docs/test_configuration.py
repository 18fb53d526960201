"""docs/configuration.md and .env.example against the settings."""

from __future__ import annotations

from io import StringIO

from dotenv import dotenv_values

from c360_graph.settings import Settings
from c360_graph_tests.conftest import REPOSITORY
from c360_graph_tests.docs.configuration import DOCUMENT, configuration
from c360_graph_tests.docs.documents import read_document
from c360_graph_tests.docs.markdown import table_rows


def test_the_document_is_what_the_settings_class_says() -> None:
    assert read_document(DOCUMENT) == configuration(), "stale: run `make docs`"


def test_every_setting_has_a_line_and_a_description() -> None:
    lines = {cells[0]: cells[3] for _, cells in table_rows(configuration()) if len(cells) > 3}
    assert {name for name in lines if name.isupper()} == {
        name.upper() for name in Settings.model_fields
    }
    assert [name for name, words in lines.items() if name.isupper() and len(words) < 10] == []


def test_the_example_names_settings_only() -> None:
    text = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    assert set(dotenv_values(stream=StringIO(text))) <= {
        name.upper() for name in Settings.model_fields
    }
