"""Finding plugins: folders are watched, read as bytes, tried in a throw-away process, and become a registry."""
