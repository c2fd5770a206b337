"""Who calls, and whether the request may be believed: credentials, where it comes from, headers of answers."""
