"""Control rows proposed from a source's own catalog and from samples of its values: pure."""
