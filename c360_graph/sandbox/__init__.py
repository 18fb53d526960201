"""Real PostgreSQL and real Neo4j, from packages, for the demo and the tests.

Nothing here needs Java, Docker or a database on the machine: PostgreSQL comes inside a Python
package, Neo4j is a list of jars that is downloaded once into the user's cache, and the Java
runtime comes inside a Python package too. See :mod:`c360_graph.sandbox.servers` to start and stop.
"""
