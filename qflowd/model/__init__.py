"""What qflowd is about, as plain values: no I/O, no clock, no database."""
