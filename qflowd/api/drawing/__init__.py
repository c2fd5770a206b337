"""Graphs as pages get them: boxes with their places, and where the tasks of an instance stand."""
