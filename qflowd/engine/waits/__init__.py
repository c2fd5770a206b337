"""Tasks that wait for facts before they may be claimed, and hold no slot while they do."""
