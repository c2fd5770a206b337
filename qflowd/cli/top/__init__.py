"""`qflowd top`: the command, what it shows as lines, the screen, and what is read meanwhile."""
