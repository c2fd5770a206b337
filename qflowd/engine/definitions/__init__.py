"""Workflow files, versions, task definitions and schedules: what is stored before anything runs."""
