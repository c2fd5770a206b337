"""The engine: admit, claim, run, finish, advance, recover. A service or a verb a file; the life of a row in their order."""
