"""The steps of a run: read the mapping, extract, write the script, load; and plan and propose."""
