"""What is said of rows that are left out of an extract, and of values that could not be cast."""

from __future__ import annotations

from c360_graph.extracts import ExtractManifest
from c360_graph.mapping.property_rows import cast_named
from c360_graph.text import plural


def losses_of(manifest: ExtractManifest) -> str | None:
    """Rows that are left out and values that could not be cast; None where there are none."""
    return " ".join(filter(None, (rows_left_out(manifest), values_not_cast(manifest)))) or None


def values_not_cast(manifest: ExtractManifest) -> str | None:
    """How many values of which columns are absent as they are none of the type that they are cast to."""
    found = [
        f"{plural(count, 'value')} of {prop.origin} cannot be cast to {cast_named(prop.type)}"
        f" (property_mappings row {prop.property_row})"
        for prop in manifest.table.columns_read
        if prop.cast_from and (count := manifest.values_absent.get(prop.column))
    ]
    if not found:
        return None
    return f"{'; '.join(found)}: absent from the graph. Correct them in the source, or the row."


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
