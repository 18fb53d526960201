"""A column that changes at the source under a rule, on real servers."""

from __future__ import annotations

import json
import shutil

import dagster as dg
import pytest
from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.extracts import ExtractStore
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.runs import failure_messages, materialize_all

ACCOUNTS = ("profiles_db", "accounts")


def read_accounts() -> dg.ExecuteInProcessResult:
    return materialize_all(asset_selection=[dg.AssetKey(list(ACCOUNTS))])


def change(project: Project, statement: str) -> None:
    with project.connect("profiles_db") as connection:
        connection.execute(statement)


def columns(project: Project) -> list[str]:
    latest = ExtractStore(project.data_dir).latest(ACCOUNTS)
    assert latest is not None
    return [prop.column for prop in latest.manifest.table.properties]


def rule(project: Project, column: str, *, is_excluded: bool) -> None:
    project.execute(
        "INSERT INTO field_exclusion_rules (source_id, table_name, column_name, is_excluded)"
        f" SELECT source_id, 'accounts', '{column}', {is_excluded} FROM source_databases"
        " WHERE source_name = 'profiles_db'"
    )


def test_an_excluded_column_that_is_renamed_is_not_read_under_its_new_name(
    project: Project,
) -> None:
    assert read_accounts().success
    before = ExtractStore(project.data_dir).latest(ACCOUNTS)
    assert before is not None
    change(project, "ALTER TABLE accounts RENAME hashed_password TO pw")
    for _ in range(2):
        result = read_accounts()
        assert not result.success
        (said,) = failure_messages(result).values()
        assert "profiles_db/accounts is not read, and its last good extract stays" in said
        assert "finds no column 'hashed_password'" in said
        assert "correct column_name of the row" in said
    after = ExtractStore(project.data_dir).latest(ACCOUNTS)
    assert after is not None
    assert after.folder == before.folder
    checked = CliRunner().invoke(app, ["check"])
    assert checked.exit_code == 1
    assert "profiles_db/accounts is not read" in checked.output
    # Deleting the row is no way for the column to slip in while the table has other rules.
    rule(project, "email", is_excluded=True)
    project.execute("DELETE FROM field_exclusion_rules WHERE column_name = 'hashed_password'")
    assert read_accounts().success
    assert columns(project) == ["account_id", "full_name", "created_at"]
    rule(project, "pw", is_excluded=True)
    assert read_accounts().success
    assert columns(project) == ["account_id", "full_name", "created_at"]


def test_an_excluded_column_that_swaps_names_with_another_is_not_read_under_the_others(
    project: Project,
) -> None:
    assert read_accounts().success
    for former, name in (
        ("hashed_password", "x"),
        ("full_name", "hashed_password"),
        ("x", "full_name"),
    ):
        change(project, f"ALTER TABLE accounts RENAME {former} TO {name}")
    result = read_accounts()
    assert not result.success
    (said,) = failure_messages(result).values()
    assert "the column 'hashed_password' of field_exclusion_rules row" in said
    assert "is called 'full_name' now, and another has its name" in said
    project.execute(
        "UPDATE field_exclusion_rules SET column_name = 'full_name' WHERE column_name = 'hashed_password'"
    )
    assert read_accounts().success
    assert "full_name" not in columns(project)
    assert "hashed_password" in columns(project)
    assert read_accounts().success


def test_a_rule_that_finds_no_column_at_the_first_load_has_its_table_not_read(
    project: Project,
) -> None:
    change(project, "ALTER TABLE accounts RENAME hashed_password TO pw")
    assert not read_accounts().success
    assert ExtractStore(project.data_dir).latest(ACCOUNTS) is None
    assert not list(project.data_dir.rglob("rows.tsv"))


def test_a_new_column_waits_for_a_row_on_a_new_data_folder_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_accounts().success
    first = columns(project)
    change(project, "ALTER TABLE accounts ADD COLUMN phone text, ADD COLUMN tier text")
    shutil.rmtree(project.data_dir)
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize_all(
            asset_selection=[dg.AssetKey(list(ACCOUNTS))], instance=instance
        ).success
        event = instance.get_latest_materialization_event(dg.AssetKey(list(ACCOUNTS)))
    assert event is not None
    assert event.asset_materialization is not None
    withheld = event.asset_materialization.metadata["withheld_columns"].value
    assert withheld == ["phone", "tier"]
    assert columns(project) == first
    checked = CliRunner().invoke(app, ["check", "--json"])
    assert checked.exit_code == 0
    (line,) = json.loads(checked.stdout)["withheld"]
    assert line.startswith("profiles_db/accounts: phone, tier withheld")
    rule(project, "tier", is_excluded=False)
    assert read_accounts().success
    assert columns(project) == [*first, "tier"]
    monkeypatch.setenv("C360_NEW_COLUMNS", "load")
    assert read_accounts().success
    assert columns(project) == [*first, "phone", "tier"]
    monkeypatch.delenv("C360_NEW_COLUMNS")
    # What was let in once is known from then on.
    assert read_accounts().success
    assert columns(project) == [*first, "phone", "tier"]


def test_without_the_control_table_the_data_folder_knows(project: Project) -> None:
    project.execute("DROP TABLE accepted_columns")
    assert read_accounts().success
    first = columns(project)
    change(project, "ALTER TABLE accounts ADD COLUMN phone text")
    assert read_accounts().success
    assert columns(project) == first


def test_a_table_that_is_renamed_is_not_read_without_its_rule(project: Project) -> None:
    assert read_accounts().success
    change(
        project,
        "ALTER TABLE accounts RENAME TO clients; ALTER TABLE clients RENAME hashed_password TO pw",
    )
    project.execute(
        "UPDATE node_label_mappings SET table_name = 'clients' WHERE table_name = 'accounts'"
    )
    clients = [dg.AssetKey(["profiles_db", "clients"])]
    result = materialize_all(asset_selection=clients)
    assert not result.success
    (said,) = failure_messages(result).values()
    assert "finds no table 'accounts', and this one, never read before, may be it" in said
    project.execute(
        "UPDATE field_exclusion_rules SET table_name = 'clients', column_name = 'pw'"
        " WHERE table_name = 'accounts'"
    )
    assert materialize_all(asset_selection=clients).success
    assert not any(
        b"$2b$12$" in path.read_bytes() for path in project.data_dir.rglob("*") if path.is_file()
    )
