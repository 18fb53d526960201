"""What the pipeline's speed is beside what one would use instead: `python -m benchmarks`."""
