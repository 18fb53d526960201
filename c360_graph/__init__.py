"""c360_graph: siloed PostgreSQL databases become one Neo4j graph."""
