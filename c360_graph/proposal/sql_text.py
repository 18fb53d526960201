"""The SQL that adds proposed rows: each statement adds one row, unless something says as much already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from c360_graph.mapping.control_rows import (
    ExclusionRow,
    NodeLabelRow,
    PropertyRow,
    RelationshipRow,
)
from c360_graph.proposal.model import Proposal, Proposed, ProposedSource, QualifiedColumn
from c360_graph.text import json_visible, plural, visible

_LOCKED = ("node_label_mappings", "relationship_mappings", "field_exclusion_rules")


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
