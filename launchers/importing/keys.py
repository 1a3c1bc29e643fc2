"""Where an entry stands in a file."""

Key = tuple[str, ...]
"""The names from the outermost object to the entry: `("mcpServers", "github")`."""
