"""The kinds of tools, a room each."""
