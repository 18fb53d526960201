"""A database as a source."""

from c360_graph_tests.integration.types.conftest import source

__all__ = ["source"]
