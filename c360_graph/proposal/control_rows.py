"""Control rows beside a proposal: those that stand already, and the SQL that adds the proposed ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from c360_graph.mapping.control_rows import (
    ControlRows,
    ExclusionRow,
    NodeLabelRow,
    PropertyRow,
    Refusal,
    RelationshipRow,
    SourceRow,
)
from c360_graph.mapping.exclusions import rule_for
from c360_graph.mapping.model import GraphMapping
from c360_graph.mapping.resolve import resolve
from c360_graph.mapping.tables import Catalogs
from c360_graph.proposal.model import (
    Proposal,
    Proposed,
    ProposedSource,
    QualifiedColumn,
    SourceSchema,
)
from c360_graph.proposal.relationships import Fact, QualifiedTable, fact, proposed_edges
from c360_graph.text import json_visible, plural, visible

_LOCKED = ("node_label_mappings", "relationship_mappings", "field_exclusion_rules")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The rows in force, all rows as if each were in force, and the sources that could be asked."""

    active: ControlRows
    every: ControlRows
    schemas: tuple[SourceSchema, ...]

    @cached_property
    def catalogs(self) -> Catalogs:
        """By source_id."""
        return {schema.catalog.source_id: schema.catalog for schema in self.schemas}

    @cached_property
    def mapping(self) -> GraphMapping:
        """What the rows in force come to."""
        return resolve(self.active, self.catalogs)

    @cached_property
    def labels(self) -> dict[QualifiedTable, str]:
        """The label of each table that has one."""
        return {t.asset_key: t.node_label for t in self.mapping.node_tables}

    @cached_property
    def facts(self) -> frozenset[Fact]:
        """What relationships say already, those switched off too."""
        everything = resolve(self.every, self.catalogs)
        return frozenset(fact(edges) for edges in proposed_edges(everything))

    @cached_property
    def relationship_names(self) -> frozenset[tuple[str, str, str]]:
        """Type, from_label and to_label of every row."""
        return frozenset(
            (r.relationship_type, r.from_label, r.to_label) for r in self.every.relationships
        )

    def is_inactive(self, schema: SourceSchema, table_name: str) -> bool:
        """Whether someone has deactivated a table's label, or its row is refused."""
        sources = self._sources_of_tables.get(table_name, set())
        spoken_of = not sources.isdisjoint((None, schema.source.source_id))
        return spoken_of and (schema.source.source_name, table_name) not in self.labels

    def rule(self, column: QualifiedColumn) -> ExclusionRow | None:
        """The rule in force for a column."""
        return self._rule(column, self.active)

    def is_left_clear(self, column: QualifiedColumn) -> bool:
        """Whether a rule that is switched off says that the column is to be read as it is."""
        return self.rule(column) is None and self._rule(column, self.every) is not None

    def _rule(self, column: QualifiedColumn, rows: ControlRows) -> ExclusionRow | None:
        source = self._sources[column.source]
        return rule_for(source, column.table, column.column, rows.rules_about(column.table))

    @cached_property
    def _sources(self) -> dict[str, SourceRow]:
        return {source.source_name: source for source in self.active.sources}

    @cached_property
    def _sources_of_tables(self) -> dict[str, set[int | None]]:
        """The sources that rows of node_label_mappings name, by their table."""
        found: dict[str, set[int | None]] = defaultdict(set)
        for row in self.every.labels:
            found[row.table_name].add(row.source_id)
        return found


def accepted(proposal: Proposal, standing: Standing) -> Proposal:
    """Withdraw what validation refuses, until it refuses nothing that it did not refuse before."""
    before = {_name(refusal) for refusal in standing.mapping.refusals}
    remarks: list[str] = []
    while True:
        mapping = resolve(proposal.laid_over(standing.active), standing.catalogs)
        new = [refusal for refusal in mapping.refusals if _name(refusal) not in before]
        withdrawn = frozenset(_name(refusal) for refusal in new if refusal.row_id < 0)
        remarks += [_withdrawn(proposal, refusal) for refusal in new if refusal.row_id < 0]
        if not withdrawn:
            remarks += [f"With these rows, {refusal}" for refusal in new]
            return proposal.model_copy(update={"remarks": (*proposal.remarks, *remarks)})
        proposal = proposal.without(withdrawn)


def _name(refusal: Refusal) -> tuple[str, int]:
    return (refusal.control_table, refusal.row_id)


def _withdrawn(proposal: Proposal, refusal: Refusal) -> str:
    rows = {
        **{("node_label_mappings", p.row.mapping_id): p.row.table_name for p in proposal.labels},
        **{
            ("relationship_mappings", p.row.relationship_id): p.row.join_condition
            for p in proposal.relationships
        },
        **{
            (
                "field_exclusion_rules",
                p.row.rule_id,
            ): f"{p.row.table_name}.{p.row.column_name}"
            for p in proposal.exclusions
        },
        **{
            ("property_mappings", p.row.mapping_id): f"{p.row.table_name}.{p.row.column_name}"
            for p in proposal.properties
        },
    }
    return f"{rows[_name(refusal)]} is not proposed: {refusal.reason}"


def lock_statement(proposal: Proposal) -> str:
    """Run first, so that two who apply at once do not both find a row missing.

    >>> print(lock_statement(Proposal(source_name="crm")))
    LOCK TABLE node_label_mappings, relationship_mappings, field_exclusion_rules
    IN SHARE ROW EXCLUSIVE MODE
    """
    # An older control database has no property_mappings.
    tables = (*_LOCKED, "property_mappings") if proposal.properties else _LOCKED
    return f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE"


def statements(proposal: Proposal) -> tuple[str, ...]:
    """The INSERT statements without semicolons, in the order they are to be run."""
    return (
        *([source_insert(proposal.source)] if proposal.source else []),
        *map(label_insert, proposal.labels),
        *map(exclusion_insert, proposal.exclusions),
        *map(property_insert, proposal.properties),
        *map(relationship_insert, proposal.relationships),
    )


def script(proposal: Proposal) -> str:
    """The whole as a file for psql: one transaction, each row with a comment that says why."""
    name = proposal.source_name
    if not proposal.count:
        return _comment(f"Nothing is left to propose for source {name}.")
    parts = [
        _comment(f"Control rows for source {name}: {plural(proposal.count, 'proposal')}."),
        _comment("Read them, change what you know better, and run this on the control database."),
        _comment("Safe to run again: a row that is there stays as it is, switched off or not."),
        f"BEGIN;\n{lock_statement(proposal)};\n",
        *_section("The source", map(_source, [proposal.source] if proposal.source else [])),
        *_section("Tables that become nodes", map(_label, proposal.labels)),
        *_section(proposal.exclusions_are, map(_exclusion, proposal.exclusions)),
        *_section("Properties of other names and types", map(_property, proposal.properties)),
        *_section("Relationships", map(_relationship, proposal.relationships)),
        "\nCOMMIT;\n",
    ]
    return "".join(parts)


def source_insert(source: ProposedSource) -> str:
    """A source with every column that people write, unless there is one of that name."""
    row = source.row
    texts = (
        row.source_name, row.db_host, row.db_name, row.db_user, source.db_password, row.db_schema,
        row.db_sslmode, row.time_zone, row.owner, row.tags,
    )  # fmt: skip
    name, host, *rest = map(portable_literal, texts)
    port = "NULL" if row.db_port is None else str(row.db_port)
    return (
        "INSERT INTO source_databases\n"
        "    (source_name, db_host, db_port, db_name, db_user, db_password, db_schema, db_sslmode, time_zone,\n"
        "     owner, tags, is_active)\n"
        f"SELECT {name}, {host}, {port}, {', '.join(rest)}, true\n"
        f"WHERE NOT EXISTS (SELECT FROM source_databases WHERE source_name = {name})"
    )


def label_insert(proposed: Proposed[NodeLabelRow]) -> str:
    """A table's label, unless the table has a row."""
    row = proposed.row
    table = portable_literal(row.table_name)
    more = {"key_columns": row.key_columns, "extra_labels": row.extra_labels}
    names, values = _arrays(more)
    return (
        f"INSERT INTO node_label_mappings (source_id, table_name, node_label{names}, is_active)\n"
        f"SELECT src.source_id, {table}, {portable_literal(row.node_label)}{values}, true\n"
        f"{_from_source(proposed.source_name)}\n"
        "  AND NOT EXISTS (\n"
        "      SELECT FROM node_label_mappings AS old\n"
        f"      WHERE old.table_name = {table}\n"
        "        AND (old.source_id = src.source_id OR old.source_id IS NULL)\n"
        "  )"
    )


def exclusion_insert(proposed: Proposed[ExclusionRow]) -> str:
    """A column's treatment, unless the column has a rule."""
    row = proposed.row
    table, column = portable_literal(row.table_name), portable_literal(row.column_name)
    return (
        "INSERT INTO field_exclusion_rules\n"
        "    (source_id, table_name, column_name, is_excluded, treatment, reason)\n"
        f"SELECT src.source_id, {table}, {column}, true, {portable_literal(row.treatment)},\n"
        f"    {portable_literal(row.reason)}\n"
        f"{_from_source(proposed.source_name)}\n"
        "  AND NOT EXISTS (\n"
        "      SELECT FROM field_exclusion_rules AS old\n"
        f"      WHERE old.source_id = src.source_id AND old.table_name = {table}\n"
        f"        AND old.column_name = {column}\n"
        "  )"
    )


def relationship_insert(proposed: Proposed[RelationshipRow]) -> str:
    """A relationship, unless there is one of that type between these labels."""
    row = proposed.row
    names = [portable_literal(t) for t in (row.relationship_type, row.from_label, row.to_label)]
    more, copied = _arrays({"relationship_properties": row.relationship_properties})
    return (
        "INSERT INTO relationship_mappings\n"
        "    (source_db, relationship_type, from_label, to_label, join_condition,\n"
        "     junction_table, junction_label, from_alias, to_alias, junction_alias,\n"
        f"     is_active, description, execution_order{more})\n"
        f"SELECT {portable_literal(row.source_db)}, {', '.join(names)},\n"
        f"    {portable_literal(row.join_condition)},\n"
        f"    {portable_literal(row.junction_table)}, {portable_literal(row.junction_label)},"
        f" {portable_literal(row.from_alias)}, {portable_literal(row.to_alias)}, {portable_literal(row.junction_alias)},\n"
        f"    true, {portable_literal(row.description)}, {row.execution_order}{copied}\n"
        "WHERE NOT EXISTS (\n"
        "    SELECT FROM relationship_mappings AS old\n"
        f"    WHERE old.relationship_type = {names[0]}\n"
        f"      AND old.from_label = {names[1]} AND old.to_label = {names[2]}\n"
        ")"
    )


def property_insert(proposed: Proposed[PropertyRow]) -> str:
    """A property's name and type, unless the column has a row."""
    row = proposed.row
    table, column = portable_literal(row.table_name), portable_literal(row.column_name)
    return (
        "INSERT INTO property_mappings\n"
        "    (source_id, table_name, column_name, property_name, cast_type, is_active)\n"
        f"SELECT src.source_id, {table}, {column}, {portable_literal(row.property_name)},\n"
        f"    {portable_literal(row.cast_type)}, true\n"
        f"{_from_source(proposed.source_name)}\n"
        "  AND NOT EXISTS (\n"
        "      SELECT FROM property_mappings AS old\n"
        f"      WHERE (old.source_id = src.source_id OR old.source_id IS NULL)\n"
        f"        AND old.table_name = {table} AND old.column_name = {column}\n"
        "  )"
    )


def _arrays(columns: Mapping[str, tuple[str, ...] | None]) -> tuple[str, str]:
    """Names and values of columns of text[] that have a value, each after a comma."""
    given = {name: texts for name, texts in columns.items() if texts}
    values = (f", ARRAY[{', '.join(map(portable_literal, texts))}]" for texts in given.values())
    return "".join(f", {name}" for name in given), "".join(values)


def portable_literal(text: str | None) -> str:
    """A text as an SQL literal, the same whether or not standard_conforming_strings is on."""
    if text is None:
        return "NULL"
    quoted = text.replace("'", "''")
    if "\\" not in quoted and visible(quoted) == quoted:
        return f"'{quoted}'"
    # E'...' takes the same escapes as JSON, so that the file can be printed too.
    return f"E'{json_visible(quoted.replace(chr(92), chr(92) * 2))}'"


def _from_source(name: str) -> str:
    return f"FROM source_databases AS src\nWHERE src.source_name = {portable_literal(name)}"


def _source(source: ProposedSource) -> str:
    return f"{_comment('It can be reached and read.')}{source_insert(source)};\n"


def _label(proposed: Proposed[NodeLabelRow]) -> str:
    table = f"{proposed.source_name}/{proposed.row.table_name}"
    return f"{_comment(f'{table}: {proposed.why}')}{label_insert(proposed)};\n"


def _exclusion(proposed: Proposed[ExclusionRow]) -> str:
    row = proposed.row
    column = QualifiedColumn(proposed.source_name, row.table_name, row.column_name)
    return f"{_comment(f'{column}: {proposed.why}')}{exclusion_insert(proposed)};\n"


def _property(proposed: Proposed[PropertyRow]) -> str:
    row = proposed.row
    column = QualifiedColumn(proposed.source_name, row.table_name, row.column_name)
    return f"{_comment(f'{column}: {proposed.why}')}{property_insert(proposed)};\n"


def _relationship(proposed: Proposed[RelationshipRow]) -> str:
    return f"{_comment(proposed.why)}{relationship_insert(proposed)};\n"


def _section(title: str, rows: Iterator[str]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield f"\n-- {title}\n\n" if number == 0 else "\n"
        yield row


def _comment(text: str) -> str:
    """A comment of one line, whatever names stand in it."""
    return f"-- {visible(' '.join(text.split()))}\n"
