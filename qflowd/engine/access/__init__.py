"""Who may use the HTTP API: principals, tokens, sessions, links to sign in; and the audit of what was done."""
