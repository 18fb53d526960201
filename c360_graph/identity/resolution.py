"""Resolves the records of an identity: reads extracts, writes those of its own tables into files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from c360_graph.errors import SettingsError
from c360_graph.extract_joins.engine import JoinEngine, join_engine
from c360_graph.extract_joins.extract_sql import written_to
from c360_graph.extracts import Extract
from c360_graph.files import private_folder
from c360_graph.identity.entities import (
    Cluster,
    IdChanges,
    connect,
    find_components,
    give_ids,
    largest_clusters,
)
from c360_graph.identity.records import (
    TAB,
    Applied,
    IgnoredIdentifier,
    RecordExtract,
    agreement_of,
    find_decided,
    ignored_identifiers,
    keep_apart,
    kinds_of,
    link_same,
    read_records,
)
from c360_graph.identity.similar import Similar, find_similar, splink_problem
from c360_graph.mapping.control_rows import IdentityDecisionRow
from c360_graph.mapping.model import Identity, TableMapping

MEMORY = "400MB"
"""Of the join engine while it resolves; what takes more is spilled."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is ignored, and how much of values is told."""

    shared_records: int
    shown_values: int = 0
    least_score: float = 0.95
    """Of two entities that are listed as possibly the same."""


@dataclass(frozen=True, kw_only=True)
class Former:
    """What the load before left: its links by `source/table` of the records, the highest id ever given."""

    links: Mapping[str, Extract]
    highest_id: int = 0


@dataclass(frozen=True, kw_only=True)
class ResolvedTable:
    """The rows of a table, in COPY's text form."""

    table: TableMapping
    path: Path
    rows: int
    longest_row_bytes: int


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """What was found."""

    label: str
    tables: tuple[ResolvedTable, ...]
    records: int
    entities: int
    rounds: int
    sizes: tuple[tuple[int, int], ...]
    """(records of an entity, entities that have so many), the largest first."""
    largest: tuple[Cluster, ...]
    """The largest entities with more than one record."""
    ignored: int
    ignored_sample: tuple[IgnoredIdentifier, ...]
    ids: IdChanges
    decisions: int
    decision_problems: tuple[str, ...]
    similar: Similar | None = None
    """Entities that may be the same; None where no rule compares records."""


def resolve_records(
    identity: Identity,
    extracts: Mapping[tuple[str, str], Extract],
    *,
    decisions: Iterable[IdentityDecisionRow],
    former: Former,
    limits: Limits,
    folder: Path,
) -> Resolution:
    """Find which records are of one entity, and write the tables of entities and links.

    Args:
        identity: what the rules say.
        extracts: by asset key; a table that was never read is left out.
        decisions: what people decided.
        former: the load before, so that ids stay.
        limits: when an identifier is ignored.
        folder: where the files go, and what the engine spills.

    Raises:
        ExtractError: an extract cannot be read.
        SettingsError: rules compare records, and Splink is not installed.
    """
    if (problem := splink_problem(identity)) is not None:
        raise SettingsError(problem)
    tables = [
        RecordExtract(number=number, mapped=mapped, extract=extracts[mapped.table])
        for number, mapped in enumerate(identity.records)
        if mapped.table in extracts
    ]
    kinds = kinds_of(identity)
    with join_engine(private_folder(folder / "spilled"), memory=MEMORY) as engine:
        records = read_records(engine, tables, kinds)
        agreements = [agreement_of(identity, kind) for kind in kinds]
        connect(engine, agreements, limit=limits.shared_records)
        decided = find_decided(engine, tables, decisions)
        link_same(engine, decided)
        rounds = find_components(engine)
        cut = keep_apart(engine, decided)
        ids = give_ids(engine, _former_links(tables, former), highest=former.highest_id)
        most, shown = limits.shared_records, limits.shown_values
        ignored, sample = ignored_identifiers(engine, tables, kinds, limit=most, shown=shown)
        sizes = engine.rows(_SIZES)
        similar = _similar(engine, identity, tables, decided, limits, folder)
        return Resolution(
            label=identity.label,
            tables=tuple(_written(engine, identity, tables, folder)),
            records=records,
            entities=sum(count for _, count in sizes),
            rounds=rounds,
            sizes=tuple((size, count) for size, count in sizes),
            largest=largest_clusters(engine, tables, kinds, limit=most, keys=bool(shown)),
            ignored=ignored,
            ignored_sample=sample,
            ids=ids,
            decisions=len(decided.same) + len(decided.apart),
            decision_problems=(*decided.problems, *cut),
            similar=similar,
        )


def _former_links(tables: Iterable[RecordExtract], former: Former) -> dict[str, Extract]:
    """The links of the load before, by the name of each table in the engine."""
    return {
        table.name: former.links[table.qualified_name]
        for table in tables
        if table.qualified_name in former.links
    }


def _similar(
    engine: JoinEngine,
    identity: Identity,
    tables: Sequence[RecordExtract],
    decided: Applied,
    limits: Limits,
    folder: Path,
) -> Similar | None:
    """The entities that may be the same, where rules compare records."""
    if identity.similar is None:
        return None
    least = limits.least_score
    return find_similar(engine, identity, tables, decided=decided, least_score=least, folder=folder)


_SIZES = "SELECT records, count(*) FROM entities GROUP BY records ORDER BY records DESC"


def _written(
    engine: JoinEngine, identity: Identity, tables: Sequence[RecordExtract], folder: Path
) -> Iterable[ResolvedTable]:
    by_key = {table.mapped.table: table for table in tables}
    yield _file(
        engine,
        identity.entities,
        folder / "entities.tsv",
        f"SELECT id || {TAB} || records AS line FROM entities ORDER BY id",
    )
    for number, mapped in enumerate(identity.records):
        table = by_key.get(mapped.table)
        rows = (
            f"SELECT e.id || {TAB} || r.key AS line FROM {table.name} AS r"
            " JOIN members AS m ON r.record = m.record JOIN entities AS e ON m.root = e.root"
            " ORDER BY r.record"
            if table is not None
            else "SELECT '' AS line WHERE false"
        )
        yield _file(engine, mapped.links, folder / f"links_{number}.tsv", rows)
    if identity.similar is not None:
        rows = f"SELECT one || {TAB} || other || {TAB} || score AS line FROM similar_entities ORDER BY one, other"
        yield _file(engine, identity.similar, folder / "similar.tsv", rows)


def _file(engine: JoinEngine, table: TableMapping, path: Path, query: str) -> ResolvedTable:
    engine.rows(written_to(path, query))
    ((rows, longest),) = engine.rows(
        f"SELECT count(*), coalesce(max(strlen(line)), 0) + 1 FROM ({query})"
    )
    return ResolvedTable(table=table, path=path, rows=rows, longest_row_bytes=longest)
