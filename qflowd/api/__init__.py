"""HTTP: a process of its own, which reads the public views and writes through the inboxes and the engine's verbs."""
