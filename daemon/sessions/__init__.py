"""Session records and session tokens."""
