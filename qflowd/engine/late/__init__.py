"""Lateness: by when runs are expected, and which dates had no good run by then."""
