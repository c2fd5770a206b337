"""Which instances of a workflow may run beside each other, and whose turn it is."""
