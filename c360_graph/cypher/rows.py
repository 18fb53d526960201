"""Rows of a batch as one string literal that Neo4j cuts apart, and further labels of their nodes.

A value becomes a label only if it is one of a list, so that no other text of a source ever does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from c360_graph.cypher.quoting import (
    copy_literal,
    copy_literal_between_marks,
    free_characters,
    has_plain_backslashes_only,
    identifier,
    statement,
    string_literal,
)
from c360_graph.errors import ScriptError
from c360_graph.mapping.model import (
    TABLE_PROPERTY,
    ExtraLabels,
    NodeTable,
    PropertyMapping,
    TableMapping,
)
from c360_graph.mapping.property_types import property_type

MOST_COLUMNS_NULLED_APART = 20
"""A wider row loses its null marks in one place: the time that Neo4j takes to plan grows with the square of
the calls. 76 columns with a call of nullIf each took three times as long to plan as without; they run alike."""


def constant_labels(extra: ExtraLabels) -> str:
    """The labels that every node has, behind the first one in a pattern.

    >>> constant_labels(ExtraLabels(always=("Party", "Person")))
    ':`Party`:`Person`'
    """
    return _named(extra.always)


def label_of_value(extra: ExtraLabels, row: str) -> str:
    """The expression of a list with the label that a value of `row`, a node or a map, gives.

    >>> label_of_value(ExtraLabels(by_property="tier", values=("Gold",)), "n")
    "CASE WHEN n.`tier` IN ['Gold'] THEN [n.`tier`] ELSE [] END"
    """
    if extra.by_property is None:
        return "[]"
    value = f"{row}.{identifier(extra.by_property)}"
    return f"CASE WHEN {value} IN {_listed(extra.values)} THEN [{value}] ELSE [] END"


def set_on_new(extra: ExtraLabels, node: str, row: str) -> str:
    """Behind a SET that gives a new node its properties: what gives it its labels.

    >>> set_on_new(ExtraLabels(always=("Party",)), "n", "new")
    ', n:`Party`'
    """
    always = f", {node}{_named(extra.always)}" if extra.always else ""
    return always + (f", {node}:$({label_of_value(extra, row)})" if extra.by_property else "")


def set_by_value(extra: ExtraLabels, node: str) -> str:
    """Behind a CREATE of a node with its properties: what gives it the label of its value."""
    return f" SET {node}:$({label_of_value(extra, node)})" if extra.by_property else ""


def set_anew(extra: ExtraLabels, node: str, row: str) -> str:
    """Behind a SET that changes a node: takes away the labels that it may have, and gives it its own."""
    if not extra.all:
        return ""
    given = f" SET {set_on_new(extra, node, row).removeprefix(', ')}"
    return f" REMOVE {node}{_named(extra.all)}{given}"


def labels_differ(extra: ExtraLabels, node: str, row: str) -> str:
    """The condition that a node has not the labels that it should have."""
    wanted = f"{_listed(extra.always)} + {label_of_value(extra, row)}"
    return (
        f"any(label IN {_listed(extra.all)} WHERE (label IN labels({node})) <> (label IN {wanted}))"
    )


def _named(labels: tuple[str, ...]) -> str:
    return "".join(f":{identifier(label)}" for label in labels)


def _listed(labels: tuple[str, ...]) -> str:
    return f"[{', '.join(map(string_literal, labels))}]"


@dataclass(frozen=True, kw_only=True)
class RowLiteral:
    """A batch's data: the quoted literal, and what stands in it between rows, columns and for NULL."""

    literal: bytes
    row_mark: str = "\n"
    column_mark: str = "\t"
    null_mark: str = "\\N"
    columns: int = 1

    @property
    def unwound(self) -> bytes:
        """Cypher that gives each row of the literal as the list `row`."""
        row = f"split(line, {_mark(self.column_mark)}) AS row"
        if self.columns > MOST_COLUMNS_NULLED_APART:
            row += f" WITH [value IN row | nullIf(value, {_mark(self.null_mark)})] AS row"
        return (
            b"UNWIND split("
            + self.literal
            + f", {_mark(self.row_mark)}) AS line WITH {row}".encode()
        )


def row_literal(block: bytes) -> RowLiteral:
    r"""Quote a block of COPY text.

    The fast path: a block whose only backslashes are those of `\N` is quoted as bytes. The slow path: any
    other is decoded, and written with three marks that occur in none of its values.

    Raises:
        ScriptError: no characters are left for the marks.

    >>> print(row_literal(b"1\tAda\n2\tBob").unwound.decode())
    UNWIND split('1 Ada
    2       Bob', '\n') AS line WITH split(line, '\t') AS row
    """
    columns = block.partition(b"\n")[0].count(b"\t") + 1
    if has_plain_backslashes_only(block):
        return RowLiteral(literal=copy_literal(block), columns=columns)
    marks = tuple(islice(free_characters(block), 4))
    if len(marks) < 4:
        raise ScriptError("a batch of rows uses every character there is")
    row_mark, column_mark, null_mark, spare = marks
    return RowLiteral(
        literal=copy_literal_between_marks(
            block, row_mark=row_mark, column_mark=column_mark, null_mark=null_mark, spare=spare
        ),
        row_mark=row_mark,
        column_mark=column_mark,
        null_mark=null_mark,
        columns=columns,
    )


def batch_statement(rows: RowLiteral, text: str) -> bytes:
    r"""A statement over the rows of a batch, each of which is the list `row`; bytes, as its data is.

    >>> print(batch_statement(row_literal(b"1\tAda"), " CREATE ({name: row[1]})").decode())
    CYPHER 5 UNWIND split('1 Ada', '\n') AS line WITH split(line, '\t') AS row CREATE ({name:
    row[1]})
    """
    return statement("").encode() + rows.unwound + text.encode()


def property_map(
    properties: tuple[PropertyMapping, ...], *, table: TableMapping, null_mark: str
) -> str:
    """`prop`: conversion of row[i], ... for a map literal; columns in the extract's order."""
    return ", ".join(
        f"{identifier(prop.column)}: {expression}"
        for prop, expression in zip(
            properties, values(properties, table=table, null_mark=null_mark), strict=True
        )
    )


def values(
    properties: tuple[PropertyMapping, ...], *, table: TableMapping, null_mark: str
) -> Iterator[str]:
    """The Cypher expression of each property's value from `row`."""
    positions = {prop.column: index for index, prop in enumerate(table.properties)}
    for prop in properties:
        yield value(
            prop,
            f"row[{positions[prop.column]}]",
            time_zone=table.source.time_zone,
            null_mark=null_mark,
            columns=len(table.properties),
        )


def value(
    prop: PropertyMapping, text: str, *, time_zone: str | None, null_mark: str, columns: int
) -> str:
    """The Cypher expression of one value from its text, in a row of that many columns."""
    kind = property_type(prop.type, treatment=prop.treatment, time_zone=time_zone)
    # A value that Neo4j cannot hold is absent although its column is NOT NULL.
    may_be_absent = prop.nullable or kind.lost is not None
    nulled_already = columns > MOST_COLUMNS_NULLED_APART
    if may_be_absent and not kind.null_safe and not nulled_already:
        text = f"nullIf({text}, {_mark(null_mark)})"
    return kind.convert(text)


def _mark(character: str) -> str:
    shown = {"\n": "\\n", "\t": "\\t", "\\N": "\\\\N"}
    return f"'{shown[character]}'" if character in shown else string_literal(character)


@dataclass(frozen=True, kw_only=True)
class NodeBatch:
    """One batch of rows as a statement without its semicolon, and the pattern that finds a row's node.

    The pattern is None where the table has no key. `created` is the statement behind its data, in which
    `null_mark` stands for NULL.
    """

    text: bytes
    match: str | None
    created: str
    null_mark: str


def create_nodes(table: NodeTable, block: bytes) -> NodeBatch:
    """One batch of rows as the statement that creates their nodes.

    Raises:
        ScriptError: the label or a column cannot be a name in Cypher.
    """
    rows = row_literal(block)
    created = _node(
        table,
        table.properties,
        null_mark=rows.null_mark,
        variable="n" if table.extra.by_property else "",
        labels=constant_labels(table.extra),
    )
    key = tuple(prop for prop in table.properties if prop.column in table.key)
    match = _node(table, key, null_mark=rows.null_mark, variable="n") if key else None
    text = f"CREATE {created}{set_by_value(table.extra, 'n')}"
    return NodeBatch(
        text=batch_statement(rows, f"\n{text}"),
        match=match,
        created=text,
        null_mark=rows.null_mark,
    )


def _node(
    table: NodeTable,
    properties: tuple[PropertyMapping, ...],
    *,
    null_mark: str,
    variable: str = "",
    labels: str = "",
) -> str:
    own = own_properties(table)
    read = property_map(properties, table=table, null_mark=null_mark)
    inside = ", ".join((*own, read) if read else own)
    label = f"{identifier(table.node_label)}{labels}"
    return f"({variable}:{label}{f' {{{inside}}}' if inside else ''})"


def own_properties(table: NodeTable) -> tuple[str, ...]:
    """The properties of a map literal that no column gives: where a label is shared, the table."""
    if not table.label_is_shared:
        return ()
    return (f"{identifier(TABLE_PROPERTY)}: {string_literal(table.qualified_name)}",)
