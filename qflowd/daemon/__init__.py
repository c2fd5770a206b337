"""The daemon: `qflowd run` and the embedded `Engine` put store, plugins, workers and services together here."""
