"""What a graph is made of: the latest extract of every mapped table, and the joins that hold over them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from c360_graph.control.audit import RunLog
from c360_graph.cypher.script_writer import ScriptHeader, TableExtract, header_for
from c360_graph.errors import ExtractError
from c360_graph.extracts import Extract
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.graph_manifest import GraphManifest, Owner
from c360_graph.mapping.join_forms import without_join_columns
from c360_graph.mapping.missing import (
    LeftOutTable,
    excluded_names,
    refusals_of,
    refused_names,
)
from c360_graph.mapping.model import (
    GraphMapping,
    Refusal,
    RelationshipMapping,
    TableIndex,
    TableMapping,
)
from c360_graph.mapping.names import IS, POSSIBLY_SAME_AS
from c360_graph.mapping.relationships import resolve_relationships
from c360_graph.mapping.tables import describe
from c360_graph.object_extracts import Extracts
from c360_graph.text import plural

_RELATIONSHIPS = "relationship_mappings"


@dataclass(frozen=True, kw_only=True)
class GraphParts:
    """Extracts, and the relationships that their columns allow."""

    extracts: tuple[Extract, ...]
    tables: tuple[TableExtract, ...]
    relationships: tuple[RelationshipMapping, ...]
    refusals: tuple[Refusal, ...]
    rules: str
    """Fingerprint of the exclusion rules that the extracts follow."""
    refused: Mapping[str, str]
    """Labels and relationship types of rows that are refused, and why."""
    excluded: Mapping[str, str]
    """Properties that no label has since a rule excludes their columns, and which rule."""
    left_out: tuple[LeftOutTable, ...] = ()
    """Tables that could not be read and have no extract."""

    @cached_property
    def index(self) -> TableIndex:
        """The tables of the extracts."""
        return TableIndex(extract.manifest.table for extract in self.extracts)

    def extracts_of(self, tables: Iterable[TableMapping]) -> list[Extract]:
        """The extracts of tables of `index`."""
        return [self._by_table[table.asset_key] for table in tables]

    @cached_property
    def _by_table(self) -> dict[tuple[str, str], Extract]:
        return {extract.manifest.table.asset_key: extract for extract in self.extracts}

    def header(
        self, *, created: str, log_id: int | None, owner: Owner | None = None
    ) -> ScriptHeader:
        """The header of a script, or of a load, of these parts."""
        header = header_for(
            self.tables, created=created, log_id=log_id, rules=self.rules, owner=owner
        )
        return header.model_copy(
            update={
                "refused": dict(self.refused),
                "excluded": dict(self.excluded),
                "left_out": {
                    m.table.qualified_name: m.table.node_label or "" for m in self.left_out
                },
            }
        )


def gather_parts(
    *, mapping: GraphMapping, rows: ControlRows, store: Extracts, run_log: RunLog
) -> GraphParts:
    """The latest extract of every mapped table; relationships resolved against their columns.

    A table that has none, as it could never be read, is left out with all that needs it.

    Raises:
        ExtractError: nobody has tried to read a mapped table, or none can be read, or an extract holds a
            column excluded since.
    """
    extracts, missing = _latest_of_all(mapping, rows, store, run_log)
    read = tuple(extract.manifest.table for extract in extracts)
    resolved, refusals, _ = resolve_relationships(rows, read)
    unready = {
        mapping.relationship_id: table for mapping, table in without_join_columns(resolved, read)
    }
    made = {*(m.relationship_id for m in resolved), *mapping.inactive_relationship_ids}
    lacking = tuple(refusals_of(missing, rows, read=read, made=made))
    explained = {refusal.row_id for refusal in lacking if refusal.control_table == _RELATIONSHIPS}
    left_out = (
        *lacking,
        *(refusal for refusal in refusals if refusal.row_id not in explained),
        *(_unready(number, table) for number, table in unready.items()),
    )
    tables = tuple(
        TableExtract(table=e.manifest.table, rows=e.manifest.rows, open=e.open, digest=digest_of(e))
        for e in extracts
    )
    return GraphParts(
        extracts=extracts,
        tables=tables,
        relationships=tuple(m for m in resolved if m.relationship_id not in unready),
        refusals=left_out,
        rules=rules_fingerprint(rows),
        refused=refused_names(rows, (*mapping.refusals, *left_out)),
        excluded=excluded_names(table.table for table in tables),
        left_out=missing,
    )


def _unready(relationship_id: int, table: TableMapping) -> Refusal:
    return Refusal(
        control_table=_RELATIONSHIPS,
        row_id=relationship_id,
        reason=f"the latest extract of {table.qualified_name} was made before this join was mapped, or before the"
        " other side had its type now; materialize that asset again",
    )


def kept_from_refused(rows: ControlRows, refusals: tuple[Refusal, ...]) -> GraphManifest:
    """Labels and edges of refused rows: what they made before is left as it is."""
    refused = {(r.control_table, r.row_id) for r in refusals if not r.is_partial}
    return GraphManifest(
        labels={
            row.node_label: ()
            for row in rows.labels
            if ("node_label_mappings", row.mapping_id) in refused
        }
        | {
            row.entity_label: ()
            for row in rows.identity_rules
            if ("identity_rules", row.rule_id) in refused
        },
        edges=tuple(
            (row.relationship_type, row.from_label, row.to_label)
            for row in rows.relationships
            if ("relationship_mappings", row.relationship_id) in refused
        )
        + tuple(
            (IS, row.entity_label, label.node_label)
            for row in rows.identity_rules
            for label in rows.labels
            if ("identity_rules", row.rule_id) in refused and label.table_name == row.table_name
        )
        + tuple(
            (POSSIBLY_SAME_AS, row.entity_label, row.entity_label)
            for row in rows.identity_rules
            if ("identity_rules", row.rule_id) in refused and row.comparison is not None
        ),
    )


def _latest_of_all(
    mapping: GraphMapping, rows: ControlRows, store: Extracts, run_log: RunLog
) -> tuple[tuple[Extract, ...], tuple[LeftOutTable, ...]]:
    """The extracts, and the tables that could never be read."""
    extracts: list[Extract] = []
    missing: list[LeftOutTable] = []
    for table in mapping.tables:
        extract = latest_extract(table, rows, store)
        if extract is None:
            missing.append(_left_out(table, run_log))
        else:
            extracts.append(extract)
    if not extracts:
        raise ExtractError(
            f"No mapped table could be read. {'. '.join(map(str, missing[:1]))}"
            f" ({plural(len(missing), 'table')} in all). Correct what their assets say."
        )
    return tuple(extracts), tuple(missing)


def _left_out(table: TableMapping, run_log: RunLog) -> LeftOutTable:
    why = run_log.last_failure(table)
    if why is None:
        raise ExtractError(
            f"{table.qualified_name} has not been extracted yet. Materialize that asset first."
        )
    return LeftOutTable(table=table, why=why)


def latest_extract(table: TableMapping, rows: ControlRows, store: Extracts) -> Extract | None:
    """The latest extract of a mapped table, None where there is none.

    Raises:
        ExtractError: it is damaged, or was made under other exclusion rules.
    """
    extract = store.latest(table.asset_key)
    if extract is None:
        return None
    if table.identity is not None:
        if extract.manifest.table.properties != table.properties:
            raise ExtractError(
                f"The latest extract of {table.qualified_name} has other columns than identity_rules and the key of"
                f" its records now ask for. Materialize {table.source.source_name} again."
            )
        return extract
    held = {prop.origin: prop.treatment for prop in extract.manifest.table.columns_read}
    wanted = _treatments(table, rows, extract)
    changed = sorted(column for column in held if held[column] != wanted.get(column, "exclude"))
    if changed:
        raise ExtractError(
            f"The latest extract of {table.qualified_name} holds {', '.join(changed)} otherwise than"
            " field_exclusion_rules now say. Materialize that asset again."
        )
    return extract


def _treatments(table: TableMapping, rows: ControlRows, extract: Extract) -> dict[str, str | None]:
    """How the rules of today treat the columns that an extract holds."""
    today = describe(
        source=table.source,
        table_name=table.table_name,
        label_row=None,
        rows=rows,
        catalog_table=extract.manifest.table.as_catalog_table(),
    )
    return {prop.origin: prop.treatment for prop in today.properties}


def digest_of(extract: Extract) -> str:
    """Of the rows and of what their text means."""
    meaning = extract.manifest.table.fingerprint_source
    return hashlib.blake2b(
        f"{extract.manifest.file_digest} {meaning}".encode(), digest_size=16
    ).hexdigest()


def rules_fingerprint(rows: ControlRows) -> str:
    """A short text that changes when what an exclusion rule does changes; not for why it is there."""
    rules = "\n".join(rule.model_dump_json(exclude={"reason"}) for rule in rows.exclusions)
    return hashlib.blake2b(rules.encode(), digest_size=8).hexdigest()
