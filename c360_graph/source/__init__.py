"""A source database: its snapshot, its catalog, and what is read from it."""
