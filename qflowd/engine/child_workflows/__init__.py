"""Tasks that run other workflows."""
