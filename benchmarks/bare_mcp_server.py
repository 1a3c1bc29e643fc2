"""The baseline of mcp_server: a server of the SDK and nothing else, with the tools of a file and an echo for calls."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server


async def serve(tools: list[dict[str, Any]]) -> None:
    """Serve until the pipe is closed."""

    async def listed(_: Any, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool.model_validate(tool) for tool in tools])

    async def echo(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        text = json.dumps(params.arguments)
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content={"a": text})

    server: Server[Any] = Server("bare", on_list_tools=listed, on_call_tool=echo)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text())))
