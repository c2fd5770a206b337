"""Processes that run user code, and the daemon's side of them. No database, no queue logic."""
