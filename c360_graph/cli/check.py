"""`c360 check`: which control rows cannot be honoured."""

from __future__ import annotations

import typer

from c360_graph.cli.output import errors_in_one_sentence, out, say
from c360_graph.control_db import ControlDatabase, control_credentials
from c360_graph.settings import load_settings


def check() -> None:
    """List the control rows that cannot be honoured, each with its id and why; exit 1 when there is any."""
    # Here, as no other command reads join conditions, whose grammar takes 16 MB.
    from c360_graph.mapping_state import read_mapping_state

    with errors_in_one_sentence():
        settings = load_settings()
        control = ControlDatabase(control_credentials(settings))
        state = read_mapping_state(control, settings.c360_data_dir)
        mapping = state.mapping()
    problems = [*(str(refusal) for refusal in mapping.refusals), *state.warnings]
    for problem in problems:
        out.print(problem, markup=False, highlight=False, soft_wrap=True)
    say(
        f"{len(mapping.tables)} tables and {len(mapping.relationships)} relationships are sound,"
        f" {len(problems)} problems."
    )
    if problems:
        raise typer.Exit(1)
