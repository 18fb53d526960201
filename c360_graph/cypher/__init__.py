"""Text of Cypher. Pure: nothing here runs a statement."""
