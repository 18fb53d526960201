"""What no file may hold any more, and what killed processes left: removed from the data folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from c360_graph.extract_joins.graph_input import rules_fingerprint
from c360_graph.mapping.control_rows import ControlRows
from c360_graph.mapping.exclusions import forbidden_columns
from c360_graph.object_extracts import extract_store
from c360_graph.object_storage import DataLocation
from c360_graph.pipeline.write_script import purge_scripts
from c360_graph.report.files import report_store
from c360_graph.scripts import script_store


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """What was removed."""

    leftovers: int = 0
    extracts: tuple[str, ...] = ()
    scripts: int = 0
    reports: int = 0

    def __str__(self) -> str:
        found = (
            (
                self.leftovers,
                "leftover of a process that was killed",
                "leftovers of processes that were killed",
            ),
            (
                len(self.extracts),
                "extract of other exclusion rules",
                "extracts of other exclusion rules",
            ),
            (self.scripts, "script of other exclusion rules", "scripts of other exclusion rules"),
            (self.reports, "report of other exclusion rules", "reports of other exclusion rules"),
        )
        return ", ".join(f"{n:,} {one if n == 1 else many}" for n, one, many in found if n)


def clean_data_folder(location: DataLocation, rows: ControlRows) -> Cleaned:
    """Remove leftovers, and extracts, scripts and reports that may hold what the rules of now forbid.

    Those of tables that cannot be read at the moment, or are not mapped any more, are no exception.

    Raises:
        OSError: the data folder cannot be changed.
        ObjectStorageError: the storage cannot be reached or refuses.
    """
    if isinstance(location, Path) and not location.is_dir():
        return Cleaned()
    extracts, scripts, reports = (
        extract_store(location),
        script_store(location),
        report_store(location),
    )
    rules = rules_fingerprint(rows)
    return Cleaned(
        leftovers=extracts.remove_leftovers()
        + scripts.remove_leftovers()
        + reports.remove_leftovers(),
        extracts=extracts.purge(lambda table: bool(forbidden_columns(table, rows))),
        scripts=purge_scripts(scripts, rules=rules),
        reports=reports.purge(rules=rules),
    )
