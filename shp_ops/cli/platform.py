"""up, down, status, env: the platform's processes."""
