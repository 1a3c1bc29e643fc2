"""A server of the handshake era whose tool `say` does what its arguments tell it: FILE gets a line for each call.

`progress` are numbers to tell, `log` are parameters of lines for the log, and `result` or `error` is the answer, or the
name of a result that arguments cannot hold. With `late`, there is no answer.
"""

import json
import sys
from pathlib import Path
from typing import Any

DEEP: Any = 1
for _ in range(150):
    DEEP = {"a": DEEP}
TEXT = {"type": "text", "text": "words"}
RESULTS: dict[str, Any] = {
    "deep": {"content": [TEXT], "structuredContent": {"deep": DEEP}},
    "numbers": {"content": [], "structuredContent": {"n": 10**40, "f": 1e300, "z": -0.0, "i": 2**53 + 1}},
    "half a character": {"content": [{"type": "text", "text": "half \ud800 of a character"}]},
    "infinite": {"content": [TEXT], "structuredContent": {"f": float("inf")}},
}
"""Results by their names."""
SAY = {"name": "say", "inputSchema": {"type": "object"}}


def write(message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def say(number: Any, params: dict[str, Any]) -> None:
    told, token = params.get("arguments") or {}, params.get("_meta", {}).get("progressToken")
    with Path(sys.argv[1]).open("a") as ledger:
        ledger.write(json.dumps(told) + "\n")
    for step in told.get("progress", ()) if token is not None else ():
        write({"method": "notifications/progress", "params": {"progressToken": token, **step}})
    for line in told.get("log", ()):
        write({"method": "notifications/message", "params": line})
    if not told.get("late"):
        result = told.get("result", {"content": []})
        if isinstance(result, str):
            result = RESULTS[result]
        write({"id": number, **({"error": told["error"]} if "error" in told else {"result": result})})


for line in sys.stdin:
    message = json.loads(line)
    number, params = message.get("id"), message.get("params") or {}
    match message.get("method"):
        case "initialize":
            hello = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}, "logging": {}}}
            write({"id": number, "result": {**hello, "serverInfo": {"name": "as-told", "version": "1"}}})
        case "tools/list":
            write({"id": number, "result": {"tools": [SAY]}})
        case "tools/call":
            say(number, params)
        case "logging/setLevel" | "ping":
            write({"id": number, "result": {}})
        case _ if number is not None:
            write({"id": number, "error": {"code": -32601, "message": "no such method"}})
