"""An MCP server of the handshake era, plain and small: its tools `post` and `ask` send one request to a service."""

import json
import sys
import urllib.error
import urllib.request

SCHEMA = {
    "type": "object",
    "properties": {"url": {"type": "string"}, "body": {"type": "string"}},
    "required": ["url", "body"],
}


def answered(method, params):
    """Return the result of a request."""
    if method == "initialize":
        server = {"name": "shop", "version": "1"}
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": server}
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": SCHEMA} for name in ("post", "ask")]}
    if method == "tools/call":
        given = params["arguments"]
        try:
            with urllib.request.urlopen(given["url"], data=given["body"].encode(), timeout=60) as answer:
                return {"content": [{"type": "text", "text": answer.read().decode()}]}
        except (OSError, urllib.error.URLError) as problem:
            return {"content": [{"type": "text", "text": str(problem)}], "isError": True}
    return None


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        result = answered(message["method"], message.get("params") or {})
        body = {"error": {"code": -32601, "message": "no such method"}} if result is None else {"result": result}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"]} | body), flush=True)
