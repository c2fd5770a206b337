"""A client's way to an HTTP API."""
