"""Which records are compared, and what is said where none can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360_graph.errors import SettingsError
from c360_graph.extracts import ExtractStore
from c360_graph.identity import similar
from c360_graph.identity.resolution import Former, Limits, Resolution, resolve_records
from c360_graph.mapping.control_rows import IdentityRuleRow
from c360_graph.mapping.model import GraphMapping
from c360_graph.pipeline.readiness import lacking
from c360_graph.settings import Settings
from c360_graph_tests.unit.files.extracted import extract
from c360_graph_tests.unit.mapping.given import Case, table


def mapping_of_comparisons() -> GraphMapping:
    case = Case().source("s", table("people", "id text; name text?; born date?", key="id"))
    case.label("people", "Person")
    case.more = {
        "identity_rules": tuple(
            IdentityRuleRow(
                rule_id=number,
                entity_label="Customer",
                table_name="people",
                identifier_kind=column,
                column_name=column,
                comparison=comparison,
            )
            for number, (column, comparison) in enumerate(
                (("name", "name"), ("born", "date")), start=1
            )
        )
    }
    return case.resolve()


def resolve(folder: Path, lines: list[str]) -> Resolution:
    mapping = mapping_of_comparisons()
    (identity,) = mapping.identities
    (people,) = mapping.source_tables
    return resolve_records(
        identity,
        {people.asset_key: extract(ExtractStore(folder / "data"), people, lines)},
        decisions=(),
        former=Former(links={}),
        limits=Limits(shared_records=20),
        folder=folder,
    )


def test_too_few_records_are_compared_with_no_other_and_it_is_said(tmp_path: Path) -> None:
    found = resolve(tmp_path, ["1\tAnn\t1980-01-02", "2\tANN\t1980-02-01", "3\t\\N\tsoon"])
    assert found.entities == 3
    assert found.similar is not None
    assert "fewer than 20 pairs" in (found.similar.why_none or "")
    assert found.tables[-1].path.read_text(encoding="utf-8") == ""


def test_without_splink_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"Install c360-graph\[splink\], or set is_active"):
        resolve(tmp_path, ["1\tAnn\t1980-01-02"])
    # As `c360 check` and `c360 plan` say.
    (told,) = lacking(mapping_of_comparisons(), Settings(c360_data_dir=tmp_path))
    assert "needs the extra splink" in told
