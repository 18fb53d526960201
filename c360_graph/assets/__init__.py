"""Factories that build Dagster assets from the mapping."""
