"""Benchmarks: `make bench`. Real daemons, real servers with their default durability, beside the yardstick in one run."""
