"""The live stream: one hub asks the database for what its subscribers look at, and nothing while nobody looks."""
