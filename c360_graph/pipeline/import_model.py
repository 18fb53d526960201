"""Reads what rows for an import specification are made from, and proposes them."""

from __future__ import annotations

from c360_graph.exchange.import_model import proposal_of
from c360_graph.exchange.import_spec import ImportSpecification
from c360_graph.exchange.spec_tables import table_with_source
from c360_graph.pipeline.propose import (
    ControlRowsReader,
    active_source,
    named_tables,
    read_schemas,
)
from c360_graph.proposal.model import Proposal
from c360_graph.proposal.standing import Standing


def propose_imported(
    control: ControlRowsReader, document: ImportSpecification, source_name: str | None
) -> Proposal:
    """Propose the control rows that a document stands for; nothing is written anywhere.

    Raises:
        ExchangeError: a table's source is not known.
        MappingError: there is no active source of that name.
        SourceError: a source that the document names cannot be read.
        ControlDatabaseError: the control database cannot be reached or lacks its tables.
    """
    active, every = control.read_rows(), control.read_rows_as_if_all_were_on()
    if source_name is not None:
        active_source(active, source_name)
    names = [source.source_name for source in active.sources]
    qualified = (table_with_source(source.name, names) for source in document.sources)
    wanted = {found[0] for found in qualified if found} | ({source_name} if source_name else set())
    schemas, unasked = read_schemas(control, active, wanted, named_tables(every))
    proposal = proposal_of(
        document,
        standing=Standing(active=active, every=every, schemas=tuple(schemas.values())),
        source_name=source_name,
    )
    return proposal.model_copy(update={"remarks": (*unasked, *proposal.remarks)})
