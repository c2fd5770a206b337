"""Workflows, task types and task definitions as answers hold them and as writes change them."""
