"""Fan-out: the head of a map, and the rows of its items."""
