"""Snapshots of a source that cannot be reached."""

from __future__ import annotations

import pytest

from c360_graph.control.connection import Credentials
from c360_graph.errors import SourceUnavailableError
from c360_graph.mapping.control_rows import SourceRow
from c360_graph.source.snapshot_series import SnapshotSeries

NOBODY = Credentials(host="127.0.0.1", port=1, database="shop", user="reader", password=None)


def test_a_source_that_could_not_be_reached_is_not_tried_again_for_the_next_table() -> None:
    asked = 0

    def credentials() -> Credentials:
        nonlocal asked
        asked += 1
        return NOBODY

    source = SourceRow(source_id=1, source_name="shop", db_name="shop")
    series = SnapshotSeries(source, credentials)
    for _ in range(3):
        with (
            pytest.raises(SourceUnavailableError, match=r"source shop .* cannot be reached"),
            series.snapshot(),
        ):
            pass
    assert asked == 1
    series.close()
