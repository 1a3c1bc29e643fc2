"""An honest server on the official SDK, over standard input and output, or over HTTP: then FILE gets the port."""

import socket
import sys
from pathlib import Path

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import (
    Completion,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    PromptReference,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel

server = MCPServer("ordinary", instructions="Be kind.")


class Colour(BaseModel):
    colour: str


@server.tool()
def echo(text: str) -> str:
    """Repeat a text."""
    return text


@server.tool()
def add(one: int, other: int) -> int:
    """Add two numbers."""
    return one + other


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("it cannot be done")


@server.tool()
async def steps(ctx: Context) -> str:
    """Report three steps, and write a line into the log."""
    for step in range(3):
        await ctx.report_progress(step + 1, 3, f"step {step + 1}")
    await ctx.warning("done soon")
    return "done"


@server.tool()
async def ask(ctx: Context) -> str | InputRequiredResult:
    """Ask for a colour."""
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        answered = await ctx.elicit("Which colour?", Colour)
        return str(answered.data.colour if answered.action == "accept" else answered.action)
    if ctx.input_responses is None:
        schema = Colour.model_json_schema()
        params = ElicitRequestFormParams(message="Which colour?", requested_schema=schema)
        return InputRequiredResult(input_requests={"colour": ElicitRequest(params=params)}, request_state="asked")
    answer = ctx.input_responses["colour"]
    assert ctx.request_state == "asked"
    return str(answer.content["colour"] if answer.action == "accept" else answer.action)


@server.tool()
async def change(ctx: Context) -> str:
    """Say that the list of tools and a resource have changed."""
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        await ctx.notify_tools_changed()
        await ctx.notify_resource_updated("note:///one")
    else:
        await ctx.session.send_tool_list_changed()
        await ctx.session.send_resource_updated("note:///one")
    return "changed"


@server.resource("note:///one")
def one() -> str:
    """Return a note."""
    return "the first note"


@server.resource("note:///{name}/text")
def note(name: str) -> str:
    """Return any note."""
    return f"the note {name}"


@server.prompt()
def greet(whom: str) -> str:
    """Greet somebody."""
    return f"Greet {whom}."


@server.completion()
async def complete(reference: object, argument: object, context: object) -> Completion | None:
    return Completion(values=["Ada", "Alan"]) if isinstance(reference, PromptReference) else None


def serve(file: str) -> None:
    """Serve over HTTP; the port goes into the file."""
    listener = socket.create_server(("127.0.0.1", 0))
    draft = Path(f"{file}.draft")
    draft.write_text(str(listener.getsockname()[1]))
    draft.rename(file)
    uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="error")).run(sockets=[listener])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(sys.argv[1])
    else:
        server.run()
