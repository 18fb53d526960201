"""`c360 check`: which control rows are refused, and which are inactive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from c360_graph.cli.output import FAILED, Json, exit_on_error, out, print_json, say
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.errors import GraphError, SettingsError
from c360_graph.mapping.exclusions import withheld_lines as withheld_columns
from c360_graph.mapping.model import GraphMapping
from c360_graph.settings import Settings, load_settings

if TYPE_CHECKING:
    from c360_graph.pipeline.read_mapping import MappingState


def check(as_json: Json = False) -> None:
    """List refused control rows with their ids and reasons, and problems that would make a run fail.

    Reads one row of each table the way a run does, and connects to the target. This finds missing
    privileges, views without data, foreign servers that do not answer, missing keys and unusable folders.
    Also lists inactive rows, undecided rows (a source that they need cannot be queried), and withheld
    columns (new to a table with exclusion rules, not read yet); these are not errors.

    Exits with 1 if a row is refused, a source cannot be queried or a run would fail, otherwise with 0.

    **Examples**

    - `c360 check` after changing a control row

    - `c360 check --json | jq '.refused[].row_id'` in CI
    """
    # Here, as no other command reads join conditions, whose grammar takes 16 MB.
    from c360_graph.pipeline.read_mapping import read_mapping_state
    from c360_graph.pipeline.readiness import lacking, unreadable_tables

    with exit_on_error():
        settings = load_settings()
        control = ControlDatabase(control_credentials(settings))
        state = read_mapping_state(control, settings)
        mapping = state.mapping()
        failing = (
            *lacking(mapping, settings),
            *unreadable_tables(control, mapping, state.unasked),
            *_target_problem(settings),
            *_schedule_problem(settings),
        )
    inactive = tuple(inactive_rows(state, mapping))
    withheld = tuple(withheld_columns(mapping.tables))
    if as_json:
        print_json(_document(state, mapping, inactive, withheld, failing))
    else:
        lines = (*map(str, mapping.refusals), *state.warnings, *failing, *withheld, *inactive)
        for line in lines:
            out.print(line, markup=False, highlight=False, soft_wrap=True)
    problems = len(mapping.refusals) + len(state.warnings) + len(failing)
    say(
        f"{len(mapping.tables)} tables and {len(mapping.relationships)} relationships are valid,"
        f" {problems} problems."
    )
    if problems:
        raise typer.Exit(FAILED)


def inactive_rows(state: MappingState, mapping: GraphMapping) -> Iterator[str]:
    """A line for each row that is sound as far as is known, and makes nothing now."""
    rows = state.rows
    labels = {row.mapping_id: f"{row.table_name} as {row.node_label}" for row in rows.labels}
    relationships = {
        row.relationship_id: f"({row.from_label})-[{row.relationship_type}]->({row.to_label})"
        for row in rows.relationships
    }
    for name in rows.inactive_sources:
        yield f"source_databases {name}: deactivated"
    for label in rows.inactive_labels:
        yield f"node_label_mappings {label}: deactivated"
    for number in mapping.inactive_label_ids:
        yield f"node_label_mappings row {number} ({labels[number]}): inactive, because its source is deactivated"
    for number in mapping.inactive_relationship_ids:
        yield (
            f"relationship_mappings row {number} ({relationships[number]}): inactive, because a"
            " label or source that it needs is deactivated"
        )
    for number in mapping.undecided_relationship_ids:
        yield (
            f"relationship_mappings row {number} ({relationships[number]}): undecided, because a"
            " source that it needs cannot be queried"
        )


def _target_problem(settings: Settings) -> Iterator[str]:
    """Why the target cannot be loaded, nothing where it answers to our dialect."""
    from c360_graph.cypher.quoting import statement
    from c360_graph.graph.connection import target_graph

    try:
        with target_graph(settings) as graph:
            graph.rows(statement("RETURN 1"))
    except GraphError as error:
        yield str(error)


def _schedule_problem(settings: Settings) -> Iterator[str]:
    """Why Dagster would not load the definitions for the schedule, nothing where it would."""
    default = Settings.model_fields["c360_nightly_cron"].default
    if settings.c360_nightly_cron == default:
        return
    # Here, as Dagster takes seconds to be imported.
    from c360_graph.automation import nightly_schedule

    try:
        nightly_schedule(settings)
    except SettingsError as error:
        yield str(error)


def _document(
    state: MappingState,
    mapping: GraphMapping,
    inactive: tuple[str, ...],
    withheld: tuple[str, ...],
    failing: tuple[str, ...],
) -> dict[str, object]:
    return {
        "tables": len(mapping.tables),
        "relationships": len(mapping.relationships),
        "refused": [refusal.model_dump() for refusal in mapping.refusals],
        "warnings": state.warnings,
        "failing": failing,
        "inactive": inactive,
        "withheld": withheld,
    }
