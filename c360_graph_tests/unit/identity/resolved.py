"""Records resolved on the spot, without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from c360_graph.extracts import Extract, ExtractStore
from c360_graph.identity.resolution import Former, Limits, Resolution, resolve_records
from c360_graph.mapping.control_rows import IdentityDecisionRow, IdentityRuleRow
from c360_graph.mapping.model import GraphMapping
from c360_graph_tests.unit.files.extracted import extract
from c360_graph_tests.unit.mapping.given import Case, table

Rows = Mapping[str, Sequence[tuple[str | None, ...]]]
"""By table: key, then the values of the kinds."""


def mapped(tables: Sequence[str], kinds: Mapping[str, int]) -> GraphMapping:
    """Tables of a text key and a text column for each kind, which has a min_agreement."""
    columns = "; ".join(["id text", *(f"{kind} text?" for kind in kinds)])
    case = Case().source("s", *(table(name, columns, key="id") for name in tables))
    rules: list[IdentityRuleRow] = []
    for name in tables:
        case.label(name, name.title())
        rules += [
            IdentityRuleRow(
                rule_id=len(rules) + 1 + number,
                entity_label="Customer",
                table_name=name,
                identifier_kind=kind,
                column_name=kind,
                min_agreement=least,
            )
            for number, (kind, least) in enumerate(kinds.items())
        ]
    case.more = {"identity_rules": tuple(rules)}
    return case.resolve()


@dataclass
class Loads:
    """One load after another, each with the ids of the one before."""

    folder: Path
    kinds: Mapping[str, int] = field(default_factory=lambda: {"email": 1})
    former: Former = field(default_factory=lambda: Former(links={}))
    number: int = 0

    def resolve(
        self,
        rows: Rows,
        *,
        limit: int = 20,
        decisions: Sequence[IdentityDecisionRow] = (),
    ) -> tuple[Resolution, dict[str, int]]:
        """What is found, and the id of each record (`table:key`)."""
        self.number += 1
        store = ExtractStore(self.folder / "data")
        work = self.folder / f"work_{self.number}"
        work.mkdir()
        mapping = mapped(tuple(rows), self.kinds)
        (identity,) = mapping.identities
        extracts = {
            t.asset_key: extract(store, t, ["\t".join(map(_copied, r)) for r in rows[t.table_name]])
            for t in mapping.source_tables
        }
        found = resolve_records(
            identity,
            extracts,
            decisions=decisions,
            former=self.former,
            limits=Limits(shared_records=limit, shown_values=5),
            folder=work,
        )
        links: dict[str, Extract] = {}
        ids: dict[str, int] = {}
        for written, record in zip(found.tables[1:], identity.records, strict=True):
            lines = written.path.read_text(encoding="utf-8").splitlines()
            links["/".join(record.table)] = extract(store, written.table, lines)
            for line in lines:
                number, key = line.split("\t")
                ids[f"{record.table[1]}:{key}"] = int(number)
        self.former = Former(links=links, highest_id=found.ids.highest_id)
        return found, ids


def _copied(value: str | None) -> str:
    return r"\N" if value is None else value


def decision(number: int, left: str, right: str, verdict: str) -> IdentityDecisionRow:
    """Between records named `table:key`."""
    (left_table, left_key), (right_table, right_key) = left.split(":"), right.split(":")
    return IdentityDecisionRow.model_validate(
        {
            "decision_id": number,
            "entity_label": "Customer",
            "left_source": "s",
            "left_table": left_table,
            "left_key": left_key,
            "right_source": "s",
            "right_table": right_table,
            "right_key": right_key,
            "verdict": verdict,
        }
    )
