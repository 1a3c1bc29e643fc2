"""An MCP server such as a person already has: one tool, on the official SDK."""

from mcp.server import MCPServer

server = MCPServer("mine")


@server.tool()
def own_echo(text: str) -> str:
    """Repeat a text."""
    return f"mine-says-{text}"


if __name__ == "__main__":
    server.run()
