"""Graphs as pages get them: boxes with places, counts and the critical path."""
