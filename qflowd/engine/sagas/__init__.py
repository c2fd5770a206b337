"""What a failed instance did is undone."""
