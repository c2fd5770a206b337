"""This daemon among the others: its identity, its lease, and the rows of those that are dead."""
