"""Junction tables that no label maps: read all the same, for their relationships' sake."""

from __future__ import annotations

from c360_graph.mapping.control_rows import ControlRows, RelationshipRow, SourceRow
from c360_graph.mapping.model import TableMapping
from c360_graph.mapping.new_columns import ColumnHistory
from c360_graph.mapping.table_index import TableIndex
from c360_graph.mapping.tables import Catalogs, describe, has_unknown_time_zone


def junction_only_tables(
    rows: ControlRows,
    tables: tuple[TableMapping, ...],
    catalogs: Catalogs,
    history: ColumnHistory,
) -> tuple[TableMapping, ...]:
    """The unlabelled tables that relationships go through, each once.

    A table that two sources have and no row says which is not among them.
    """
    found: dict[tuple[str, str], TableMapping] = {}
    mapped = TableIndex(tables)
    for row in rows.relationships:
        if not row.junction_table or row.junction_label:
            continue
        source = _source_of(row, row.junction_table, rows, mapped, catalogs)
        if source is None or (source.source_name, row.junction_table) in found:
            continue
        catalog = catalogs.get(source.source_id)
        table = describe(
            source=source,
            table_name=row.junction_table,
            label_row=None,
            rows=rows,
            history=history,
            catalog_table=catalog.table(row.junction_table) if catalog else None,
        )
        found[table.asset_key] = table
    return tuple(found.values())


def _source_of(
    row: RelationshipRow,
    name: str,
    rows: ControlRows,
    mapped: TableIndex,
    catalogs: Catalogs,
) -> SourceRow | None:
    """The source to read an unlabelled junction from; None where a label maps it or it is unclear."""
    having = [
        source
        for source in rows.sources
        if source.source_id in catalogs and catalogs[source.source_id].has(name)
    ]
    own = [
        source
        for source in rows.sources
        if source.source_name == row.source_db
        and (source in having or source.source_id not in catalogs)
    ]
    labelled = {table.source.source_name for table in mapped.named(name)}
    if not own and labelled:
        return None
    candidates = own or having
    if len(candidates) != 1 or candidates[0].source_name in labelled:
        return None
    return None if has_unknown_time_zone(candidates[0], catalogs) else candidates[0]
