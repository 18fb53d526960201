"""This project, whole, with its files in a bucket of an S3 server on the same machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.contenders.contender import Ground, Run
from benchmarks.contenders.pipeline import WholePipeline


class PipelineToBucket(WholePipeline):
    """Extracts and script in object storage instead of the data folder."""

    title = "this project, whole, files in a bucket"

    def prepare(self, ground: Ground) -> Run:
        """The server is empty at the start, and runs no longer than the contender."""
        run = super().prepare(ground)
        return replace(
            run,
            environment=run.environment | {"C360_DATA_URI": "s3://bucket/benchmark"},
            around=lambda: _storage(ground.folder),
        )


@contextmanager
def _storage(folder: Path) -> Iterator[None]:
    # Imported here: it comes with the packages of the tests.
    from c360_graph_tests.s3_server import s3_server

    with tempfile.TemporaryDirectory(dir=folder) as name, s3_server(Path(name)):
        yield
