"""The three steps of the pipeline, without Dagster: extraction, script, load."""
