"""Tasks that a running task asks for: checked, made with its success, and waited for by it."""
