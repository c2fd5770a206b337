"""Which lanes may be claimed, and which rows are taken."""
