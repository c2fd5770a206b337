"""HTTP itself: the server, what arrives, the way from a request to its answer, the files of the dashboard."""
