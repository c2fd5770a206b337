"""Backfills: a workflow is run for each of many dates, a few at a time."""
