"""How many of some rows that refer to others find them, in the sources themselves and across them."""

from __future__ import annotations

from collections.abc import Mapping

from c360_graph.errors import SourceError
from c360_graph.mapping.catalog import SourceCatalog
from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.mapping.table_index import TableIndex
from c360_graph.plan.model import PartnerSample
from c360_graph.source_db.partner_query import (
    Join,
    Side,
    find_partners,
    has_columns,
    join_of,
    sample_references,
)
from c360_graph.source_db.snapshot import SourceSnapshot

Reference = tuple[str, ...]
"""Texts of a row's referring columns. They stay in memory: they go into no file, log or message."""


class PartnerSampling:
    """Snapshots of the sources that could be asked, and their catalogs, by source_id."""

    def __init__(
        self,
        snapshots: Mapping[int, SourceSnapshot],
        catalogs: Mapping[int, SourceCatalog],
        tables: tuple[TableMapping, ...],
    ) -> None:
        self._snapshots = snapshots
        self._catalogs = catalogs
        self._tables = TableIndex(tables)

    def sample(self, mapping: RelationshipMapping) -> PartnerSample:
        """Bounded queries against the sources of both ends; a fault is said in the sample."""
        join = join_of(mapping, self._tables)
        try:
            results = [
                self._of_table(table, join)
                for table in join.driving
                if has_columns(table, join.columns)
            ]
        except SourceError as error:
            return PartnerSample(problem=str(error))
        return PartnerSample(
            sampled=sum(sampled for sampled, _ in results),
            matched=sum(matched for _, matched in results),
        )

    def _of_table(self, driving: TableMapping, join: Join) -> tuple[int, int]:
        catalog = self._catalogs.get(driving.source.source_id)
        catalog_table = catalog.table(driving.table_name) if catalog else None
        rows: list[Reference] = self._snapshot(driving).ask(
            sample_references(driving, join.columns, catalog_table=catalog_table)
        )
        distinct = list(dict.fromkeys(rows))
        found = set(range(len(distinct)))
        for side in join.sides:
            found &= self._finding(side, driving, join.columns, distinct)
        matching = {distinct[number] for number in found}
        return len(rows), sum(row in matching for row in rows)

    def _finding(
        self,
        side: Side,
        driving: TableMapping,
        columns: tuple[str, ...],
        distinct: list[Reference],
    ) -> set[int]:
        """Numbers of the references that one of a side's tables has a row for."""
        places = [columns.index(column) for _, column in side.pairs]
        arrays = [[row[place] for row in distinct] for place in places]
        found: set[int] = set()
        for table in side.tables:
            if has_columns(table, tuple(sought for sought, _ in side.pairs)):
                statement = find_partners(table, side.pairs, driving)
                numbers = list(range(len(distinct)))
                found |= {row[0] for row in self._snapshot(table).ask(statement, numbers, *arrays)}
        return found

    def _snapshot(self, table: TableMapping) -> SourceSnapshot:
        snapshot = self._snapshots.get(table.source.source_id)
        if snapshot is None:
            raise SourceError(f"source {table.source.source_name} cannot be asked")
        return snapshot
