"""What an asset is, in words made of the mapping alone."""

from c360_graph.assets.metadata import code
from c360_graph.mapping.join_forms import normalised_properties
from c360_graph.mapping.model import (
    GraphMapping,
    NodeTable,
    PropertyMapping,
    RelationshipMapping,
    TableMapping,
)
from c360_graph.mapping.property_rows import cast_named

_TREATED = {"hash": "replaced by a keyed hash", "mask": "all but the last four characters masked"}


def table_description(
    table: TableMapping, relationships: tuple[RelationshipMapping, ...] = ()
) -> str:
    """Markdown: source, label, key, relationships that use it, columns withheld and why."""
    what = (
        f"nodes {code(f':{table.node_label}')}"
        if isinstance(table, NodeTable)
        else "a junction table without a label"
    )
    name = code(f"{table.source.db_schema}.{table.table_name}")
    paragraphs = [
        f"Table {name} of source {code(table.source.source_name)}, read as {what}.",
        f"Key: {', '.join(map(code, table.key))}."
        if table.key
        else "Key: none, so the label has no constraint.",
    ]
    if table.extra.always:
        always = ", ".join(code(f":{name}") for name in table.extra.always)
        paragraphs.append(f"Each node also has {always}.")
    if table.extra.by_property:
        values = ", ".join(code(f":{name}") for name in table.extra.values)
        paragraphs.append(
            f"A node also has one of {values}, if that is the value of {code(table.extra.by_property)}."
        )
    if table.row_filter:
        kept = " and ".join(code(str(condition)) for condition in table.row_filter)
        paragraphs.append(f"Only rows with {kept} are read.")
    mapped = [f"- {_mapped(p)}" for p in table.columns_read if p.mapped]
    if mapped:
        paragraphs.append("Columns with another name or type:\n\n" + "\n".join(mapped))
    used = [_drawn(r) for r in relationships if _uses(r, table)]
    if used:
        paragraphs.append("Relationships: " + ", ".join(used) + ".")
    compared = [
        f"- {code(prop.column)} is {code(shown)}" for prop, shown in normalised_properties(table)
    ]
    if compared:
        paragraphs.append("Properties that joins compare:\n\n" + "\n".join(compared))
    withheld = [f"- {code(e.column)} is never read: {_reason(e.reason)}" for e in table.excluded]
    withheld += [
        f"- {code(p.column)}: {_TREATED[p.treatment]}"
        for p in table.columns_read
        if p.treatment in _TREATED
    ]
    withheld += [
        f"- {code(name)} is new and is not read until a row of field_exclusion_rules decides on it"
        for name in table.withheld
    ]
    if withheld:
        paragraphs.append("Columns withheld:\n\n" + "\n".join(withheld))
    return "\n\n".join(paragraphs)


def _mapped(prop: PropertyMapping) -> str:
    """`given` becomes `first_name`, cast from text to integer."""
    name = f" becomes {code(prop.column)}" if prop.renamed_from else ""
    cast = f" is cast to {cast_named(prop.type)}" if prop.cast_from else ""
    return f"{code(prop.origin)}{' and'.join(filter(None, (name, cast)))}"


def graph_description(mapping: GraphMapping) -> str:
    """Markdown: how much is mapped, and which control rows are inactive or were refused."""
    sources = {table.source.source_name for table in mapping.tables}
    labels = {table.node_label for table in mapping.node_tables}
    types = {relationship.relationship_type for relationship in mapping.relationships}
    text = (
        f"{len(mapping.tables)} tables of {len(sources)} sources, {len(labels)} labels,"
        f" {len(types)} relationship types."
    )
    if mapping.refusals:
        text += f" {len(mapping.refusals)} control rows are refused (see the checks)."
    return text


def _drawn(relationship: RelationshipMapping) -> str:
    return code(
        f"(:{relationship.from_label})-[:{relationship.relationship_type}]->"
        f"(:{relationship.to_label})"
    )


def _uses(relationship: RelationshipMapping, table: TableMapping) -> bool:
    if relationship.junction is not None and relationship.junction.table == table.asset_key:
        return True
    return relationship.start.has(table) or relationship.end.has(table)


def _reason(text: str | None) -> str:
    return code(text) if text else "no reason given"
