"""`c360 map SOURCE`: control rows proposed from a source's catalog."""

from __future__ import annotations

from typing import Annotated

import typer

from c360_graph.cli.exit_codes import FAILED
from c360_graph.cli.output import Json, exit_on_error, print_json, say
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.proposal.rows import Proposal
from c360_graph.settings import load_settings
from c360_graph.text import plural


def map_source(
    source: Annotated[str, typer.Argument(help="A source_name of source_databases.")],
    add: Annotated[
        bool, typer.Option("--apply", help="Add the rows to the control database, after asking.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --apply: do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Propose control rows for a source, as SQL on standard output.

    Labels come from table names, relationships from foreign keys and from columns, in this or any
    other active source, whose names and sampled values agree, exclusions from columns whose names or
    sampled values look personal. Nothing is changed unless you say --apply; rows that are there stay
    as they are. What you should know besides goes to standard error.

    **Examples**

    - `c360 map profiles_db > rows.sql` to read, edit and run by psql

    - `c360 map profiles_db --apply` to add the rows after a question
    """
    # Here, as the grammar of joins takes 16 MB, which most commands do without.
    from c360_graph.pipeline.propose import propose_rows
    from c360_graph.proposal.sql_text import script

    with exit_on_error():
        control = ControlDatabase(control_credentials(load_settings()))
        proposal = propose_rows(control, source)
        if as_json:
            print_json(proposal.as_data())
        else:
            typer.echo(script(proposal), nl=False)
        _remark(proposal)
        if add:
            _apply(control, proposal, ask=not yes)


def _remark(proposal: Proposal) -> None:
    for remark in proposal.remarks:
        # A name may hold what would be a line of its own.
        say(f"- {' '.join(remark.split())}")
    if any(p.row.treatment == "hash" for p in proposal.exclusions):
        say("- Hashed columns need C360_HASH_KEY when the sources are read.")
    say(
        f"{plural(len(proposal.labels), 'label')}, {plural(len(proposal.relationships), 'relationship')}"
        f" and {plural(len(proposal.exclusions), 'exclusion')} proposed for {proposal.source_name}."
    )


def _apply(control: ControlDatabase, proposal: Proposal, *, ask: bool) -> None:
    if not proposal.count:
        say("There is nothing to add.")
        return
    question = f"Add {plural(proposal.count, 'row')} to {control.credentials.place}?"
    if ask and not typer.confirm(question, err=True):
        say("Nothing was added.")
        raise typer.Exit(FAILED)
    from c360_graph.pipeline.propose import apply

    say(f"{plural(apply(control, proposal), 'row')} added.")
