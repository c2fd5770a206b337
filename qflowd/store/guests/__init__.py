"""Databases of others, which are asked and never written to."""
