"""One customer: the node that a value identifies, and what the graph knows around it."""
