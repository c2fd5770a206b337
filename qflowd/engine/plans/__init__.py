"""A workflow version in memory, what its instances need of it, and how rows get their parameters."""
