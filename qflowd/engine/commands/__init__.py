"""What people ask for: a verb or a family of verbs a file, their registry, and the sweeps that carry them out."""
