"""The daemon's side towards servers as a program that the official conformance suite starts: `... URL`."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, ClassVar

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from servers.started import reached  # noqa: E402 - the suite starts this by its path

from daemon.tools.servers.upstream.seam import Asking, Message, UpstreamError  # noqa: E402

KNOWN = {"add_numbers": {"a": 5, "b": 3}}


class Person:
    """Accepts what is asked, with the defaults of the question."""

    capabilities: ClassVar[Message] = {"elicitation": {"form": {}, "url": {}}, "roots": {}}

    async def answer(self, method: str, params: Message, name: str = "") -> Message:  # noqa: ARG002 - so it is asked
        if method == "roots/list":
            return {"roots": []}
        properties = params.get("requestedSchema", {}).get("properties", {})
        chosen = {name: said.get("default", _any(said)) for name, said in properties.items()}
        return {"action": "accept", "content": chosen}


def _any(schema: dict[str, Any]) -> Any:
    return {"boolean": True, "integer": 1, "number": 1}.get(schema.get("type", ""), "any")


async def main(url: str) -> None:
    person = Person()
    asking = Asking(seconds=20, answers=person)
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    async with reached(url, answers=person) as server:
        listed = await server.connection.tools(asking)
        schemas = {tool["name"]: tool["inputSchema"] for tool in listed}
        known = KNOWN | {"json_schema_echo": {"schema": schemas.get("json_schema_2020_12_tool")}}
        calls = context.get("toolCalls") or [{"name": name, "arguments": known.get(name, {})} for name in schemas]
        for call in calls:
            try:
                await server.connection.call_tool(call["name"], call["arguments"], asking)
            except UpstreamError as trouble:
                print(f"{call['name']}: {trouble}", file=sys.stderr)


asyncio.run(main(sys.argv[-1]))
