"""What a load would do to a graph: values in, a plan out. Reads nothing and writes nothing."""
