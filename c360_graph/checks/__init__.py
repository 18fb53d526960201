"""Asset checks: what must hold of control rows, columns, counts, relationships and exclusions."""
