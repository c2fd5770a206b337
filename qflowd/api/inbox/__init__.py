"""Writing by the inboxes: submissions and commands as rows, keys against sending twice, waiting for what the engine answers."""
