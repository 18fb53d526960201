"""Serves the graph over HTTP: an API typed from what was loaded, and a page."""
