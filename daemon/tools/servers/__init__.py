"""The kind of tool that is an MCP server's: its configuration, its life, its definitions, and calls to it."""
