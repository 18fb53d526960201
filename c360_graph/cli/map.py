"""`c360 map SOURCE`: control rows proposed from a source's catalog."""

from __future__ import annotations

from typing import Annotated

import typer

from c360_graph.cli.output import FAILED, Apply, Json, Yes, exit_on_error, print_json, say
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.proposal.model import Proposal
from c360_graph.settings import load_settings
from c360_graph.text import plural


def map_source(
    source: Annotated[str, typer.Argument(help="The source_name of a row in source_databases.")],
    add: Apply = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Propose control rows for a source, as SQL on standard output.

    Derives labels from table names. Derives relationships from foreign keys, and from columns with
    matching names and sampled values, in this source and in other active sources. Derives exclusions
    from columns that look personal by name or sampled values. Changes nothing unless you use --apply,
    and never changes existing rows. Remarks go to standard error.

    **Examples**

    - `c360 map profiles_db > rows.sql` to review, edit and run with psql

    - `c360 map profiles_db --apply` to add the rows after a confirmation
    """
    # Here, as the grammar of joins takes 16 MB, which most commands do without.
    from c360_graph.pipeline.propose import propose_rows

    with exit_on_error():
        control = ControlDatabase(control_credentials(load_settings()))
        proposal = propose_rows(control, source)
        offer(proposal, as_json=as_json)
        if add:
            add_rows(control, proposal, ask=not yes)


def offer(proposal: Proposal, *, as_json: bool) -> None:
    """Print the rows on standard output and the remarks on standard error."""
    # Here, as the grammar of joins takes 16 MB, which most commands do without.
    from c360_graph.proposal.control_rows import script

    if as_json:
        print_json(proposal.as_data())
    else:
        typer.echo(script(proposal), nl=False)
    _remark(proposal)


def _remark(proposal: Proposal) -> None:
    for remark in proposal.remarks:
        # A name may hold what would be a line of its own.
        say(f"- {' '.join(remark.split())}")
    if any(p.row.treatment == "hash" for p in proposal.exclusions):
        say("- Hashed columns require C360_HASH_KEY when the sources are read.")
    counts = [
        plural(len(proposal.labels), "label"),
        plural(len(proposal.relationships), "relationship"),
        *([plural(len(proposal.properties), "property row")] if proposal.properties else []),
    ]
    exclusions = plural(len(proposal.exclusions), "exclusion")
    say(f"{', '.join(counts)} and {exclusions} proposed for {proposal.source_name}.")


def add_rows(control: ControlDatabase, proposal: Proposal, *, ask: bool) -> None:
    """Add the proposed rows, after a question where one is asked.

    Raises:
        typer.Exit: the answer was no.
        ControlDatabaseError: the control database refused a row, and none was added.
    """
    if not proposal.count:
        say("There is nothing to add.")
        return
    question = f"Add {plural(proposal.count, 'row')} to {control.credentials.server}?"
    if ask and not typer.confirm(question, err=True):
        say("Nothing was added.")
        raise typer.Exit(FAILED)
    from c360_graph.pipeline.propose import apply

    say(f"{plural(apply(control, proposal), 'row')} added.")
