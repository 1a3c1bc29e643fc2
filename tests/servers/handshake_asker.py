"""A server of the handshake era that asks back, tells progress, and notes what was called off in a FILE."""

import json
import sys
from pathlib import Path
from typing import Any

SCHEMA = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}
asked: dict[str, Any] = {}
"""The call that each of our questions is for."""
slow: set[Any] = set()


def write(message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def text(number: Any, said: str) -> None:
    write({"id": number, "result": {"content": [{"type": "text", "text": said}]}})


def call(number: Any, params: dict[str, Any]) -> None:
    if params["name"] == "ask":
        asked[f"q{number}"] = number
        question = {"message": "Which colour?", "requestedSchema": SCHEMA}
        write({"id": f"q{number}", "method": "elicitation/create", "params": question})
        return
    token = params.get("_meta", {}).get("progressToken")
    if token is not None:
        write({"method": "notifications/progress", "params": {"progressToken": token, "progress": 1, "total": 2}})
    slow.add(number)
    Path(sys.argv[1]).write_text("begun")


def take(message: dict[str, Any]) -> None:
    number, params = message.get("id"), message.get("params") or {}
    match message.get("method"):
        case "initialize":
            hello = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
            write({"id": number, "result": {**hello, "serverInfo": {"name": "old", "version": "1"}}})
        case "tools/list":
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("ask", "slow")]
            write({"id": number, "result": {"tools": tools}})
        case "tools/call":
            call(number, params)
        case "notifications/cancelled":
            if params.get("requestId") in slow:
                Path(sys.argv[1]).write_text("called off")
        case None if number in asked:
            said = message.get("result") or {"action": "refused"}
            text(asked.pop(number), said.get("content", {}).get("colour", said["action"]))
        case _ if number is not None:
            write({"id": number, "error": {"code": -32601, "message": "no such method"}})


for line in sys.stdin:
    take(json.loads(line))
