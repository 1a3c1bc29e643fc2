"""Which servers in a configuration are ours."""


def is_ours(entry: object) -> bool:
    """Say whether an entry starts our server."""
    return "aileron-mcp" in str(entry) or "aileron_mcp" in str(entry)
