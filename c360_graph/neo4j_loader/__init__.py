"""Runs a script on Neo4j: the only place, resources aside, that imports the driver."""
