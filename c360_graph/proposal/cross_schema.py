"""Foreign keys that lead from one schema of a database into another, where each schema is a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from c360_graph.proposal.joins import Fact, ProposedJoin, fact
from c360_graph.proposal.schema import ForeignKey, SourceSchema


def joins_between(own: SourceSchema, schemas: Iterable[SourceSchema]) -> tuple[ProposedJoin, ...]:
    """A join for each foreign key between this schema and another that a source reads.

    Keys that lead here from the others count as well as those that lead there: whichever source is
    mapped last gets them.
    """
    others = [schema for schema in schemas if schema.source != own.source]
    found: dict[Fact, ProposedJoin] = {}
    for referring, candidates in ((own, others), *((other, [own]) for other in others)):
        for key in referring.foreign_keys:
            if referring.catalog.table(key.table_name) is None:
                continue
            for referred in referred_schemas(key, referring, candidates):
                join = join_of_key(key, referring, referred)
                found.setdefault(fact(join.edges), join)
    return tuple(found.values())


def referred_schemas(
    key: ForeignKey, own: SourceSchema, schemas: Iterable[SourceSchema]
) -> Iterator[SourceSchema]:
    """The sources that read the table which a foreign key refers to in another schema."""
    if key.to_schema == own.source.db_schema:
        return
    for schema in schemas:
        if (
            schema.source.db_schema == key.to_schema
            and schema.is_of_same_database(own)
            and schema.catalog.table(key.to_table) is not None
        ):
            yield schema


def join_of_key(key: ForeignKey, referring: SourceSchema, referred: SourceSchema) -> ProposedJoin:
    """The join that a foreign key is."""
    return ProposedJoin(
        child=(referring.source.source_name, key.table_name),
        parent=(referred.source.source_name, key.to_table),
        pairs=tuple(zip(key.columns, key.to_columns, strict=True)),
        required=all(not referring.column(key.table_name, c).nullable for c in key.columns),
        evidence=f"foreign key {key.name}",
    )
