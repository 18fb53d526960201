"""Keeps the graph equal to its sources while they change, by PostgreSQL's logical replication."""
