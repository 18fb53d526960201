"""Graph models of Neo4j's import tools: the mapping written as one, and control rows proposed from one."""
