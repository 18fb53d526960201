"""What is said of rows that are left out of an extract: how many, why, and the keys of a few."""

from __future__ import annotations

from c360_graph.extracts import ExtractManifest
from c360_graph.text import plural


def rows_left_out(manifest: ExtractManifest) -> str | None:
    """How many rows are left out and why; None where none is."""
    if not manifest.rows_left_out:
        return None
    without_key = manifest.rows_left_out - manifest.rows_too_long
    reasons = [
        f"{count:,} {why}"
        for count, why in (
            (
                without_key,
                "with a key that the graph cannot find again (NULL, infinite, 24:00 or NaN)",
            ),
            (manifest.rows_too_long, "with a key or a joined value of over 8,000 bytes"),
        )
        if count
    ]
    sample = "; ".join(manifest.left_out_sample)
    return (
        f"{plural(manifest.rows_left_out, 'row')} left out: {' and '.join(reasons)}"
        f"{f', such as {sample}' if sample else ''}. Correct them in the source, or map a view that does."
    )
