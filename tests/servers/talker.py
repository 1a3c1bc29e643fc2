"""A server whose tools a file names, and which tells all that it was given: `python talker.py FILE [ARGUMENT]`."""

import json
import os
import sys
from pathlib import Path
from typing import Any


def tools() -> list[dict[str, Any]]:
    """Return the definitions that the file has now: one line for each, its name and its description."""
    lines = Path(sys.argv[1]).read_text().splitlines()
    pairs = (line.partition(":") for line in lines)
    return [{"name": name, "description": said, "inputSchema": {"type": "object"}} for name, _, said in pairs]


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """Return the result of a request, None for one that is not known."""
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "talker", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": tools()}
    if method == "tools/call":
        with Path(f"{sys.argv[1]}.ran").open("a") as ledger:
            ledger.write(params["name"] + "\n")
        given = {"environment": dict(os.environ), "arguments": sys.argv[2:], "folder": str(Path.cwd())}
        return {"content": [{"type": "text", "text": json.dumps(given)}]}
    return None


def main() -> None:
    """Answer each line."""
    sys.stderr.write(f"I was given {os.environ.get('TOKEN')}\n")
    sys.stderr.flush()
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        result = answer(message["method"], message.get("params") or {})
        said = {"error": {"code": -32601, "message": "no such method"}} if result is None else {"result": result}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **said}), flush=True)


main()
