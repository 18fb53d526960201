"""A source database: one read-only snapshot of it, its catalog, and COPY out of it."""
