"""SQL that tells which relationships two versions of the extracts make differently.

Only driving rows matter that changed themselves or that refer to a row which came, went or changed
what it is joined by. For these the relationships of both versions are made and compared as bags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from c360_graph.cypher.relationships import LinkTables
from c360_graph.extract_joins.versions import Versions, Which
from c360_graph.mapping.model import RelationshipMapping, TableIndex


@dataclass(frozen=True, kw_only=True)
class JoinSide:
    """An end that is looked up. Pairs are (its column, the driving row's column)."""

    versions: Versions
    pairs: tuple[tuple[str, str], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Its key, then what it is joined by."""
        return (*self.versions.table.key, *(column for column, _ in self.pairs))


@dataclass(frozen=True, kw_only=True)
class DiffTables:
    """The tables of a mapping: `driving` has a row for each reference; an end that is the driving row
    itself is no side."""

    tables: LinkTables
    driving: Versions
    start: JoinSide | None
    end: JoinSide | None

    @property
    def sides(self) -> tuple[JoinSide, ...]:
        """The ends that are looked up."""
        return tuple(side for side in (self.start, self.end) if side is not None)

    @property
    def versions(self) -> tuple[Versions, ...]:
        """All tables."""
        return (self.driving, *(side.versions for side in self.sides))

    @property
    def driving_columns(self) -> tuple[str, ...]:
        """Of a driving row: key, references, what the relationship takes along."""
        named = [
            *self.driving.table.key,
            *(column for side in self.sides for _, column in side.pairs),
            *(prop.column for _, prop in self.tables.properties),
        ]
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True, kw_only=True)
class LinkQuery:
    """A query for how many relationships there are, and one for their rows in COPY's text form."""

    counting: str
    lines: str


@dataclass(frozen=True, kw_only=True)
class LinkQueries:
    """Statements to run first, then relationships to add and to remove; the latter's rows have how many
    as a last column."""

    preparing: tuple[str, ...]
    added: LinkQuery
    removed: LinkQuery


def taking_part(
    mapping: RelationshipMapping, versions: Mapping[str, Versions], index: TableIndex
) -> DiffTables | None:
    """The tables of a mapping; None where a label has several.

    `index` holds the tables of `versions`.
    """
    start = _only(versions, index, mapping.from_label)
    end = _only(versions, index, mapping.to_label)
    if start is None or end is None or mapping.from_tables or mapping.to_tables:
        return None
    driven = index.driving(mapping)
    if not driven:
        return None
    driving = versions[driven[0].qualified_name]
    start_side, end_side = _sides(mapping, start, end)
    tables = LinkTables(
        mapping=mapping,
        start=start.table,
        end=end.table,
        junction=driving.table if mapping.junction else None,
    )
    # Columns that are joined have equal texts where they are equal.
    return DiffTables(tables=tables, driving=driving, start=start_side, end=end_side)


def _sides(
    mapping: RelationshipMapping, start: Versions, end: Versions
) -> tuple[JoinSide | None, JoinSide | None]:
    """The ends that are looked up for the rows of the driving table."""
    start_side, end_side = (
        JoinSide(versions=looked_up, pairs=end.pairs) if end in mapping.sought else None
        for end, looked_up in ((mapping.start, start), (mapping.end, end))
    )
    return start_side, end_side


def link_queries(part: DiffTables, *, name: str) -> LinkQueries:
    """The queries; `name` begins the names of the engine's tables that they make."""
    moved = [
        f"CREATE TEMP TABLE {name}_s{number} AS {_moved(side)}"
        for number, side in enumerate(part.sides)
    ]
    affected = [
        f"CREATE TEMP TABLE {name}_{which} AS {_affected(part, which, name)}"
        for which in ("old", "new")
    ]
    before, after = f"{name}_before", f"{name}_after"
    added, removed = f"{name}_added", f"{name}_removed"
    changed = (
        # Kept, as each is wanted twice: inlined, every file would be read and joined twice.
        f"CREATE TEMP TABLE {before} AS {_links(part, 'old', f'{name}_old')}",
        f"CREATE TEMP TABLE {after} AS {_links(part, 'new', f'{name}_new')}",
        f"CREATE TEMP TABLE {added} AS (FROM {after}) EXCEPT ALL (FROM {before})",
        f"CREATE TEMP TABLE {removed} AS SELECT *, count(*) AS n"
        f" FROM ((FROM {before}) EXCEPT ALL (FROM {after})) GROUP BY ALL",
        f"DROP TABLE {before}",
        f"DROP TABLE {after}",
    )
    columns = [f"l{i}" for i, _ in enumerate(part.tables.columns)]
    return LinkQueries(
        preparing=(*moved, *affected, *changed),
        added=LinkQuery(counting=f"SELECT count(*) FROM {added}", lines=_lines(columns, added)),
        removed=LinkQuery(
            counting=f"SELECT coalesce(sum(n), 0)::bigint FROM {removed}",
            lines=_lines([*columns, "n"], removed),
        ),
    )


def _lines(columns: list[str], table: str) -> str:
    texts = ", ".join(f"coalesce({column}::varchar, '\\N')" for column in columns)
    return f"SELECT concat_ws(chr(9), {texts}) AS line FROM {table}"


def _moved(side: JoinSide) -> str:
    """What rows are joined by that came, went or changed it."""
    keys = len(side.versions.table.key)
    old, new = (side.versions.different(which, side.columns) for which in ("old", "new"))
    values = ", ".join(f"x{keys + i} AS v{i}" for i, _ in enumerate(side.pairs))
    return (
        f"SELECT DISTINCT {values} FROM"
        f" ((({old}) EXCEPT ({new})) UNION ALL (({new}) EXCEPT ({old})))"
    )


def _affected(part: DiffTables, which: Which, name: str) -> str:
    columns = part.driving_columns
    found = [f"({part.driving.different(which, columns)})"]
    for number, side in enumerate(part.sides):
        same = " AND ".join(
            f"r.x{columns.index(column)} = s.v{i}" for i, (_, column) in enumerate(side.pairs)
        )
        found.append(
            f"(SELECT r.* FROM ({part.driving.rows(which, columns)}) AS r"
            f" SEMI JOIN {name}_s{number} AS s ON {same})"
        )
    return " UNION ".join(found)


def _links(part: DiffTables, which: Which, affected: str) -> str:
    columns = part.driving_columns
    chosen, joins = [], []
    ends = (("a", part.start, part.tables.start), ("b", part.end, part.tables.end))
    for alias, side, table in ends:
        if side is None:
            chosen += [f"d.x{columns.index(column)}" for column in table.key]
            continue
        chosen += [f"{alias}.x{i}" for i, _ in enumerate(table.key)]
        same = " AND ".join(
            f"{alias}.x{len(table.key) + i} = d.x{columns.index(column)}"
            for i, (_, column) in enumerate(side.pairs)
        )
        joins.append(f"JOIN ({side.versions.rows(which, side.columns)}) AS {alias} ON {same}")
    chosen += [f"d.x{columns.index(prop.column)}" for _, prop in part.tables.properties]
    named = ", ".join(f"{text} AS l{i}" for i, text in enumerate(chosen))
    return f"SELECT {named} FROM {affected} AS d {' '.join(joins)}"


def _only(versions: Mapping[str, Versions], index: TableIndex, label: str) -> Versions | None:
    found = index.labelled(label)
    return (
        versions[found[0].qualified_name]
        if len(found) == 1 and not found[0].label_is_shared
        else None
    )
