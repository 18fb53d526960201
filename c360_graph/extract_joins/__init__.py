"""Joins of extracts out of core, in a DuckDB process of its own: versions, changes and expected counts."""
