"""Ways to get the same rows into the same graph."""

from __future__ import annotations

from benchmarks.contenders.bucket import PipelineToBucket
from benchmarks.contenders.contender import Contender
from benchmarks.contenders.driver import ListParameters
from benchmarks.contenders.load_csv import LoadCsv
from benchmarks.contenders.loader import OwnLoader
from benchmarks.contenders.offline_first_load import FirstLoadOffline
from benchmarks.contenders.offline_import import OfflineImport
from benchmarks.contenders.pipeline import WholePipeline
from benchmarks.contenders.second_load import SecondLoad
from benchmarks.contenders.shell import CypherShell
from benchmarks.contenders.single_rows import SingleRows

__all__ = ["CONTENDERS", "Contender"]

CONTENDERS: dict[str, Contender] = {
    "pipeline": WholePipeline(),
    "pipeline-bucket": PipelineToBucket(),
    "loader": OwnLoader(),
    "loader-one-session": OwnLoader(sessions=1),
    "driver": ListParameters(),
    "load-csv": LoadCsv(concurrent=False),
    "load-csv-concurrent": LoadCsv(concurrent=True),
    "single-rows": SingleRows(),
    "offline-import": OfflineImport(),
    "offline-first-load": FirstLoadOffline(),
    "cypher-shell": CypherShell(),
    "second-load": SecondLoad(),
}
