"""Entities whose records are alike although they share no identifier: pairs, each with a score by Splink.

::

    compared (record, id, k0, k1, ...)   one record of an entity for each set of values, by kind
    similar_entities (one, other, score)  ids of two entities, the smaller first

Splink runs in a process of its own, in `splink_process`. Which records are compared, and by which of them the
model is estimated, is decided here by counting.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

from c360_graph.errors import ExtractError
from c360_graph.extract_joins.engine import JoinEngine
from c360_graph.files import private_folder
from c360_graph.identity.records import Applied, RecordExtract, portions
from c360_graph.mapping.model import Identity, RecordComparison
from c360_graph.sql_quoting import sql_literal

PROCESS = "c360_graph.identity.splink_process"
MEMORY = "300MB"
"""Of Splink's engine; what takes more is spilled."""
PAIRS_PER_RECORD, ALWAYS_PAIRS = 20, 50_000
"""Pairs that are compared at most, by the number of records; so many are compared in any case."""
KNOWN_SHARE = 0.9
"""The share of all pairs of one entity that the rules are taken to find, as Splink's prior asks for it."""
LEAST_KNOWN = 20
"""Pairs of one entity that a model is estimated on, at least."""

Columns = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ComparedKind:
    """A kind of values, the column of `compared` that has them, and how they are compared."""

    kind: str
    column: str
    comparison: RecordComparison


@dataclass(frozen=True, kw_only=True)
class Block:
    """Records that agree in these columns: how many pairs they make, and how many of these are of one entity."""

    columns: Columns
    pairs: int
    known: int


@dataclass(frozen=True, kw_only=True)
class Weight:
    """What it says that two records are so alike in a kind: log2 of how much more often records of one entity are."""

    kind: str
    level: str
    weight: float


@dataclass(frozen=True, kw_only=True)
class Similar:
    """What was found. `why_none` says why no records could be compared."""

    pairs: int = 0
    compared: int = 0
    """Pairs of records that a score was computed for."""
    blocks: tuple[tuple[str, ...], ...] = ()
    """Kinds that records have to agree in, any of them, to be compared."""
    weights: tuple[Weight, ...] = ()
    why_none: str | None = None


def compared_kinds(identity: Identity) -> tuple[ComparedKind, ...]:
    """The kinds that records are compared by, in the order of the rules."""
    found = {c.kind: c.comparison for record in identity.records for c in record.compared}
    return tuple(
        ComparedKind(kind=kind, column=f"k{number}", comparison=comparison)
        for number, (kind, comparison) in enumerate(found.items())
    )


def splink_problem(identity: Identity) -> str | None:
    """Why records cannot be compared although rules ask for it; None where they can be, or need not be."""
    if identity.similar is None or find_spec("splink") is not None:
        return None
    return (
        f"Rows of identity_rules for {identity.label} have a comparison, which needs the extra splink."
        " Install c360-graph[splink], or set is_active of these rows to false."
    )


def find_similar(
    engine: JoinEngine,
    identity: Identity,
    tables: Sequence[RecordExtract],
    *,
    decided: Applied,
    least_score: float,
    folder: Path,
) -> Similar:
    """Fill `similar_entities`, after ids were given. Pairs that people decided on are left out.

    Args:
        engine: has the tables of records, members and entities.
        identity: says what is compared.
        tables: with the records.
        decided: what people decided.
        least_score: of a pair, from 0 to 1.
        folder: for files.

    Raises:
        ExtractError: the engine or Splink failed.
    """
    engine.rows("CREATE TABLE similar_entities (one BIGINT, other BIGINT, score DOUBLE)")
    kinds = compared_kinds(identity)
    records = _fill_compared(engine, tables, kinds)
    blocks = _count_blocks(engine, kinds)
    most = max(ALWAYS_PAIRS, PAIRS_PER_RECORD * records)
    chosen = chosen_blocks(blocks, most_pairs=most)
    training = training_blocks(blocks, most_pairs=most)
    if not training:
        return Similar(
            why_none=f"fewer than {LEAST_KNOWN} pairs of records are of one {identity.label} and agree in a"
            " compared column, and a model is estimated on these"
        )
    files = private_folder(folder / "compared")
    engine.rows(_written_parquet("SELECT * FROM compared ORDER BY record", files / "records"))
    done = _run_splink(
        {
            "records": str(files / "records"),
            "pairs": str(files / "pairs"),
            "folder": str(private_folder(folder / "splink")),
            "memory": MEMORY,
            "kinds": [asdict(each) for each in kinds],
            "blocks": [block.columns for block in chosen],
            "training": [block.columns for block in training],
            "prior": _prior(engine, records),
            "least_score": least_score,
        }
    )
    engine.rows(f"INSERT INTO similar_entities {_pairs_of_entities(files / 'pairs', least_score)}")
    _leave_out_decided(engine, decided)
    ((pairs,),) = engine.rows("SELECT count(*) FROM similar_entities")
    names = {each.column: each.kind for each in kinds}
    return Similar(
        pairs=pairs,
        compared=sum(block.pairs for block in chosen),
        blocks=tuple(tuple(names[column] for column in block.columns) for block in chosen),
        weights=tuple(Weight(kind=names[k], level=at, weight=w) for k, at, w in done["weights"]),
    )


def chosen_blocks(blocks: Sequence[Block], *, most_pairs: int) -> tuple[Block, ...]:
    """The blocks whose pairs are compared: those with fewest pairs, as many as there may be pairs.

    A block within another one adds nothing and is left out.

    >>> some = [Block(columns=c, pairs=n, known=0) for c, n in ((("a",), 9), (("b",), 90), (("a", "b"), 5))]
    >>> [block.columns for block in chosen_blocks(some, most_pairs=50)]
    [('a',)]
    """
    chosen: list[Block] = []
    for block in sorted(blocks, key=lambda b: (len(b.columns), b.pairs, b.columns)):
        within = any({*other.columns} <= {*block.columns} for other in chosen)
        if block.pairs and not within and sum(b.pairs for b in chosen) + block.pairs <= most_pairs:
            chosen.append(block)
    return tuple(chosen)


def training_blocks(blocks: Sequence[Block], *, most_pairs: int) -> tuple[Block, ...]:
    """Two blocks of different columns with most known pairs: each estimates the columns that it has not.

    One alone if all others share a column with it; none if too few pairs are known.

    >>> some = [Block(columns=c, pairs=90, known=n) for c, n in ((("a",), 60), (("b",), 50), (("a", "b"), 40))]
    >>> [block.columns for block in training_blocks(some, most_pairs=1_000)]
    [('a',), ('b',)]
    """
    known = [b for b in blocks if b.known >= LEAST_KNOWN and b.pairs <= most_pairs]
    ranked = sorted(known, key=lambda b: (-b.known * b.known / b.pairs, b.columns))
    first = ranked[:1]
    return (*first, *[b for b in ranked if first and not {*b.columns} & {*first[0].columns}][:1])


def _fill_compared(
    engine: JoinEngine, tables: Sequence[RecordExtract], kinds: Sequence[ComparedKind]
) -> int:
    """Fill `compared`; returns how many records it has."""
    parts = []
    for table in tables:
        of_kind = {column.kind: f"w{i}" for i, column in enumerate(table.mapped.compared)}
        if of_kind:
            values = ", ".join(
                f"{_comparable(of_kind.get(each.kind), each.comparison)} AS {each.column}"
                for each in kinds
            )
            parts.append(f"SELECT record, {values} FROM {table.name}")
    columns = ", ".join(each.column for each in kinds)
    engine.rows(
        f"CREATE TABLE compared AS SELECT min(r.record) AS record, e.id, {columns}"
        f" FROM ({' UNION ALL '.join(parts)}) AS r JOIN members AS m ON r.record = m.record"
        " JOIN entities AS e ON m.root = e.root"
        f" WHERE coalesce({', '.join(f'{each.column}::VARCHAR' for each in kinds)}) IS NOT NULL"
        f" GROUP BY e.id, {columns}"
    )
    ((count,),) = engine.rows("SELECT count(*) FROM compared")
    return int(count)


def _comparable(column: str | None, comparison: RecordComparison) -> str:
    """SQL for a value as it is compared: no case, accents or separators where these say nothing."""
    if column is None:
        return "NULL::DATE" if comparison == "date" else "NULL::VARCHAR"
    if comparison == "date":
        return f"TRY_CAST(left({column}, 10) AS DATE)"
    text = {
        "name": f"trim(regexp_replace(lower(strip_accents({column})), '\\s+', ' ', 'g'))",
        "code": f"regexp_replace(lower({column}), '[^\\p{{L}}\\p{{N}}]', '', 'g')",
        "exact": column,
    }[comparison]
    return f"nullif({text}, '')"


def _count_blocks(engine: JoinEngine, kinds: Sequence[ComparedKind]) -> tuple[Block, ...]:
    found = []
    names = [each.column for each in kinds]
    for columns in (*combinations(names, 1), *combinations(names, 2)):
        have = " AND ".join(f"{column} IS NOT NULL" for column in columns)
        listed = ", ".join(columns)
        ((pairs, known),) = engine.rows(
            f"WITH alike AS (SELECT {listed}, id, count(*) AS n FROM compared WHERE {have}"
            f" GROUP BY {listed}, id),"
            " blocks AS (SELECT sum(n)::DOUBLE AS n, sum(n::DOUBLE * (n - 1)) AS known FROM alike"
            f" GROUP BY {listed})"
            " SELECT coalesce(sum(n * (n - 1)), 0)::DOUBLE / 2, coalesce(sum(known), 0)::DOUBLE / 2"
            " FROM blocks"
        )
        found.append(Block(columns=columns, pairs=int(pairs), known=int(known)))
    return tuple(found)


def _prior(engine: JoinEngine, records: int) -> float:
    """The probability that two random records are of one entity."""
    ((known,),) = engine.rows(
        "SELECT coalesce(sum(n::DOUBLE * (n - 1)), 0) / 2"
        " FROM (SELECT count(*) AS n FROM compared GROUP BY id)"
    )
    every = records * (records - 1) / 2
    return min(0.5, float(known) / KNOWN_SHARE / every)


def _written_parquet(query: str, path: Path) -> str:
    return f"COPY ({query}) TO {sql_literal(str(path))} (FORMAT parquet)"


def _pairs_of_entities(path: Path, least: float) -> str:
    """SQL for the best pair of records of each two entities."""
    return (
        "SELECT least(a.id, b.id) AS one, greatest(a.id, b.id) AS other,"
        # The last digits of a sum depend on its order; a score is never certain.
        " least(floor(max(p.score) * 1000) / 1000, 0.999) AS score"
        f" FROM read_parquet({sql_literal(str(path))}) AS p JOIN compared AS a ON p.record_l = a.record"
        f" JOIN compared AS b ON p.record_r = b.record WHERE a.id <> b.id AND p.score >= {least}"
        " GROUP BY one, other"
    )


def _leave_out_decided(engine: JoinEngine, decided: Applied) -> None:
    for some in portions(decided.apart):
        values = ", ".join(f"({one}, {other})" for one, other, _ in some)
        engine.rows(
            "DELETE FROM similar_entities AS s USING (SELECT least(a.id, b.id) AS one, greatest(a.id, b.id) AS other"
            f" FROM (VALUES {values}) AS d (one, other) JOIN members AS m ON d.one = m.record"
            " JOIN entities AS a ON m.root = a.root JOIN members AS n ON d.other = n.record"
            " JOIN entities AS b ON n.root = b.root) AS x WHERE s.one = x.one AND s.other = x.other"
        )


def _run_splink(task: dict[str, object]) -> dict[str, Any]:
    """Have the pairs scored; returns how many were, and the weights of the model."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", PROCESS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # What it writes there may have values of customers in it.
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline())
    except (OSError, ValueError):
        raise ExtractError("the process that compares records with Splink has ended") from None
    finally:
        process.kill()
        process.communicate()
    if "error" in answer:
        raise ExtractError(f"Splink cannot compare the records: {answer['error']}")
    return answer
