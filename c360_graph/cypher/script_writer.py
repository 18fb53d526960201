"""A script: one file of Cypher that any client runs, with facts in comments for this loader.

The order is constraints, nodes of every table, further indexes, waiting for them, relationships; the
manifest, which says what of the graph is ours, is first marked as broken and last as whole.
Before each statement stands a comment `// c360 {...}` with what the loader needs to know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, BinaryIO, Literal

from pydantic import Field, TypeAdapter

from c360_graph.cypher import manifest, relationships, schema
from c360_graph.cypher.copy_text import blocks
from c360_graph.cypher.general_statements import (
    MANY_LABELS,
    SMALL_TABLE_ROWS,
    GeneralNodes,
    GeneralRelationships,
    general_nodes,
    general_relationships,
)
from c360_graph.cypher.rows import create_nodes
from c360_graph.errors import ScriptError
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.graph_manifest import GraphManifest, Owner, RelationshipPattern, manifest_of
from c360_graph.mapping.model import NodeTable, RelationshipMapping, TableMapping, grouped

FORMAT = 1
HEADER_PREFIX = b"// c360_graph "
FACTS_PREFIX = b"// c360 "
END_PREFIX = b"// c360_graph end "
"""The last line, with the number of statements: a script that breaks off between two is found out."""

INDEX_WAIT_SECONDS = 3_600


class ScriptHeader(Frozen):
    """The script's first line: what a whole load of it will make."""

    format: int
    created: str
    log_id: int | None = None
    rows: int = 0
    """Rows of all tables, each counted once: of those too that are no label."""
    labels: dict[str, int] = Field(default_factory=dict)
    """Nodes that each label gets."""
    refused: dict[str, str] = Field(default_factory=dict)
    """Labels and relationship types of control rows that were refused, and why."""
    excluded: dict[str, str] = Field(default_factory=dict)
    """Properties that no label has since a rule excludes their columns, and which rule."""
    left_out: dict[str, str] = Field(default_factory=dict)
    """The label, or "", of each table (`source/table`) that could not be read and had no extract."""
    rules: str = ""
    """Changes when an exclusion rule does: a script of other rules may hold what none may hold now."""
    owner: Owner | None = None
    """The control database that the script was written for; a graph of another is not emptied for it."""


class ManifestFacts(Frozen):
    """Of a statement that begins or ends the manifest."""

    kind: Literal["manifest"] = "manifest"


class ConstraintFacts(Frozen):
    """Of a constraint; scripts of the first versions do not say what it is on."""

    kind: Literal["constraint"] = "constraint"
    label: str
    properties: tuple[str, ...] = ()


class IndexFacts(Frozen):
    """Of an index; scripts of the first versions do not say what it is on."""

    kind: Literal["index"] = "index"
    label: str
    properties: tuple[str, ...] = ()


class AwaitFacts(Frozen):
    """Of the statement that waits for the indexes."""

    kind: Literal["await"] = "await"


class NodesFacts(Frozen):
    """Of a batch of nodes. `table` is `source/table`."""

    kind: Literal["nodes"] = "nodes"
    table: str
    label: str
    rows: int
    match: str | None = None
    """Pattern `(n:Label {key: ...row[0]...})` of a row's node; None where the table has no key."""
    general: GeneralNodes | None = None
    """Of one of many small tables."""


class RelationshipsFacts(Frozen):
    """Of the one statement that makes all relationships of a mapping.

    `driving` is the label whose nodes they are made from, one lookup a node. `lookup` is the variable of
    what that finds, where it is one node at most: several sessions may then share the statement.
    """

    kind: Literal["relationships"] = "relationships"
    relationship_id: int
    type: str
    from_label: str
    to_label: str
    driving: str
    lookup: Literal["a", "b"] | None = None
    general: GeneralRelationships | None = None
    """Of one of many mappings between small tables."""

    @property
    def edges(self) -> RelationshipPattern:
        """Relationship type, label they start from, label they end at."""
        return (self.type, self.from_label, self.to_label)


class LinksFacts(Frozen):
    """Of a batch of relationships; `table` is the junction table (`source/table`) that has a row for each."""

    kind: Literal["links"] = "links"
    table: str | None = None
    rows: int
    relationship_id: int
    type: str
    from_label: str
    to_label: str

    @property
    def edges(self) -> RelationshipPattern:
        """Relationship type, label they start from, label they end at."""
        return (self.type, self.from_label, self.to_label)


StatementFacts = Annotated[
    ManifestFacts
    | ConstraintFacts
    | IndexFacts
    | AwaitFacts
    | NodesFacts
    | RelationshipsFacts
    | LinksFacts,
    Field(discriminator="kind"),
]
"""What the loader must know of a statement; JSON in the comment before it."""

_FACTS: TypeAdapter[StatementFacts] = TypeAdapter(StatementFacts)


def read_facts(text: str | bytes) -> StatementFacts:
    """The facts of a statement from the JSON in the comment before it.

    Raises:
        ValidationError: the text is not that of facts.

    >>> read_facts('{"kind": "index", "label": "Account", "properties": ["email"]}')
    IndexFacts(kind='index', label='Account', properties=('email',))
    """
    return _FACTS.validate_json(text)


@dataclass(frozen=True, kw_only=True)
class TableExtract:
    """A table with its extract: `open` gives the COPY text from its beginning.

    `digest` is the same for two extracts that hold the same of a table described the same.
    """

    table: TableMapping
    rows: int
    digest: str = ""
    open: Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, kw_only=True)
class NodeExtract(TableExtract):
    """The extract of a table whose rows become nodes."""

    table: NodeTable


def node_extracts(extracts: Iterable[TableExtract]) -> Iterator[NodeExtract]:
    """Those of the extracts whose rows become nodes, in their order."""
    for extract in extracts:
        if isinstance(extract.table, NodeTable):
            yield NodeExtract(
                table=extract.table, rows=extract.rows, digest=extract.digest, open=extract.open
            )


def header_for(
    extracts: Iterable[TableExtract],
    *,
    created: str,
    log_id: int | None,
    rules: str = "",
    owner: Owner | None = None,
) -> ScriptHeader:
    """The header of a script over these extracts."""
    kept = tuple(extracts)
    labels: dict[str, int] = {}
    for extract in node_extracts(kept):
        label = extract.table.node_label
        labels[label] = labels.get(label, 0) + extract.rows
    return ScriptHeader(
        format=FORMAT,
        created=created,
        log_id=log_id,
        rows=sum(extract.rows for extract in kept),
        labels=labels,
        rules=rules,
        owner=owner,
    )


def script_manifest(
    header: ScriptHeader,
    extracts: Iterable[TableExtract],
    mappings: tuple[RelationshipMapping, ...],
) -> GraphManifest:
    """What of the graph is ours after a load of these, and what the header says of it."""
    kept = tuple(extracts)
    ours = manifest_of(
        (extract.table for extract in kept),
        mappings,
        {extract.table.qualified_name: extract.digest for extract in kept},
    )
    return ours.model_copy(
        update={name: getattr(header, name) for name in ("rules", "owner", "refused", "excluded")}
    )


def write_script(
    out: BinaryIO,
    *,
    header: ScriptHeader,
    extracts: tuple[TableExtract, ...],
    mappings: tuple[RelationshipMapping, ...],
) -> None:
    """Write a whole script, its rows as a stream.

    Raises:
        ScriptError: a name cannot be written in Cypher, or an extract is not what was read.
        OSError: the disk refuses.
    """
    said = header.model_dump_json(exclude_defaults=True, ensure_ascii=True)
    out.write(HEADER_PREFIX + said.encode() + b"\n")
    written = 0
    ours = script_manifest(header, extracts, mappings)
    small = _small_labels(header.labels)
    for facts, statement in _statements(ours, extracts, mappings, small_labels=small):
        said = facts.model_dump_json(exclude_none=True, ensure_ascii=True)
        out.write(FACTS_PREFIX + said.encode() + b"\n")
        out.write(statement)
        out.write(b";\n")
        written += 1
    out.write(END_PREFIX + b"%d\n" % written)


def _statements(
    ours: GraphManifest,
    extracts: tuple[TableExtract, ...],
    mappings: tuple[RelationshipMapping, ...],
    *,
    small_labels: frozenset[str],
) -> Iterator[tuple[StatementFacts, bytes]]:
    of_nodes = tuple(node_extracts(extracts))
    tables = tuple(extract.table for extract in of_nodes)
    yield ManifestFacts(), manifest.begin_manifest(ours.to_json()).encode()
    for key in schema.keys(tables):
        facts = ConstraintFacts(label=key.label, properties=key.properties)
        yield facts, schema.create_constraint(key).encode()
    for extract in of_nodes:
        yield from _node_batches(extract, is_small=extract.table.node_label in small_labels)
    for index in schema.indexes(tables, mappings):
        yield (
            IndexFacts(label=index.label, properties=index.properties),
            schema.create_index(index).encode(),
        )
    yield AwaitFacts(), schema.await_indexes(INDEX_WAIT_SECONDS).encode()
    extracts_by_name = ExtractIndex(extracts)
    for mapping in mappings:
        yield from relationship_statements(mapping, extracts_by_name, small_labels=small_labels)
    yield ManifestFacts(), manifest.end_manifest().encode()


def _small_labels(rows: Mapping[str, int]) -> frozenset[str]:
    """The labels whose statements may share a plan, of those with so many rows; none of few labels."""
    if len(rows) <= MANY_LABELS:
        return frozenset()
    return frozenset(label for label, count in rows.items() if count <= SMALL_TABLE_ROWS)


def _node_batches(
    extract: NodeExtract, *, is_small: bool
) -> Iterator[tuple[StatementFacts, bytes]]:
    table = extract.table
    for rows, block in _whole(extract):
        batch = create_nodes(table, block)
        facts = NodesFacts(
            table=table.qualified_name,
            label=table.node_label,
            rows=rows,
            match=batch.match,
            general=general_nodes(table, created=batch.created, null_mark=batch.null_mark)
            if is_small
            else None,
        )
        yield facts, batch.text


class ExtractIndex:
    """Extracts found by the asset key of their table, and by its label."""

    def __init__(self, extracts: Iterable[TableExtract]) -> None:
        self._extracts = tuple(extracts)

    def of_table(self, key: tuple[str, str]) -> TableExtract:
        """The extract of the table with an asset key."""
        return self._by_key[key]

    def labelled(self, label: str) -> tuple[NodeExtract, ...]:
        """The extracts of the tables that feed a label."""
        return self._by_label.get(label, ())

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, str], TableExtract]:
        return {extract.table.asset_key: extract for extract in self._extracts}

    @cached_property
    def _by_label(self) -> Mapping[str, tuple[NodeExtract, ...]]:
        return grouped(node_extracts(self._extracts), lambda extract: extract.table.node_label)


def relationship_statements(
    mapping: RelationshipMapping,
    extracts: ExtractIndex,
    *,
    small_labels: Collection[str] = (),
) -> Iterator[tuple[RelationshipsFacts | LinksFacts, bytes]]:
    """What makes all relationships of a mapping where there are none: one statement, or batches."""
    driving = relationships.driving_label(mapping)
    if driving is not None:
        sought = mapping.sought[0].label
        looked_up = extracts.labelled(sought)
        nodes = sum(extract.rows for extract in looked_up)
        joined = {driving, *(end.label for end in mapping.sought)}
        is_small = joined.issubset(small_labels)
        text = relationships.create_relationships(mapping, sought=nodes)
        yield (
            RelationshipsFacts(
                relationship_id=mapping.relationship_id,
                type=mapping.relationship_type,
                from_label=mapping.from_label,
                to_label=mapping.to_label,
                driving=driving,
                lookup=relationships.sole_lookup(mapping, [extract.table for extract in looked_up]),
                general=general_relationships(mapping, text) if is_small else None,
            ),
            text.encode(),
        )
        return
    assert mapping.junction is not None
    extract = extracts.of_table(mapping.junction.table)
    for rows, block in _whole(extract):
        yield (
            links_facts(mapping, rows=rows, table=extract.table.qualified_name),
            relationships.link_rows(mapping, extract.table, block),
        )


def links_facts(mapping: RelationshipMapping, *, rows: int, table: str | None = None) -> LinksFacts:
    """The facts of a batch of a mapping's relationships."""
    return LinksFacts(
        table=table,
        rows=rows,
        relationship_id=mapping.relationship_id,
        type=mapping.relationship_type,
        from_label=mapping.from_label,
        to_label=mapping.to_label,
    )


def _whole(extract: TableExtract) -> Iterator[tuple[int, bytes]]:
    """The blocks of an extract; at the end there were as many rows as it says."""
    existing = 0
    with extract.open() as file:
        for rows, block in blocks(file):
            existing += rows
            yield rows, block
    if existing != extract.rows:
        raise ScriptError(
            f"The extract of {extract.table.qualified_name} holds {existing:,} rows where {extract.rows:,} were"
            " read. Something changed it; materialize that asset again."
        )
