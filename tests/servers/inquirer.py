"""A server that asks back what its caller tells it to ask: ERA LEDGER. It notes each call that begins in the LEDGER.

Its one tool `ask` takes `ask`, the parameters of the question, and `times`; it answers with everything it was answered.
"""

import json
import sys
from pathlib import Path
from typing import Any

ERA, LEDGER = sys.argv[1], Path(sys.argv[2])
# An agent may drop what the schema does not name.
PROPERTIES = {"ask": {"type": "object"}, "times": {"type": "integer"}, "note": {"type": "string"}}
TOOLS = {"tools": [{"name": "ask", "inputSchema": {"type": "object", "properties": PROPERTIES}}]}
INFO = {"name": "inquirer", "version": "1"}
ELICIT = "elicitation/create"
calls: dict[str, dict[str, Any]] = {}
"""The calls under way in the older era, by the id of the question that is open for each."""
said: list[str] = []
"""What a client said that it can be asked."""


def write(message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def result(number: Any, **values: Any) -> None:
    write({"id": number, "result": {"resultType": "complete", **values} if ERA == "modern" else values})


def finish(number: Any, answers: list[Any]) -> None:
    result(number, content=[{"type": "text", "text": json.dumps({"answers": answers, "said": said[-1:]})}])


def note(arguments: dict[str, Any]) -> None:
    with LEDGER.open("a") as ledger:
        ledger.write(f"{arguments.get('note', 'call')}\n")


def ask_older(call: dict[str, Any]) -> None:
    if len(call["answers"]) >= call["arguments"].get("times", 1):
        finish(call["number"], call["answers"])
        return
    key = f"q{call['number']}-{len(call['answers'])}"
    calls[key] = call
    write({"id": key, "method": ELICIT, "params": call["arguments"]["ask"]})


def ask_modern(number: Any, params: dict[str, Any]) -> None:
    arguments = params.get("arguments") or {}
    answers = json.loads(params.get("requestState") or "[]")
    if "inputResponses" in params:
        answers.append(params["inputResponses"]["q"])
    else:
        note(arguments)
    if len(answers) >= arguments.get("times", 1):
        finish(number, answers)
        return
    question = {"method": ELICIT, "params": arguments["ask"]}
    state = json.dumps(answers)
    write(
        {
            "id": number,
            "result": {"resultType": "input_required", "inputRequests": {"q": question}, "requestState": state},
        }
    )


def take(message: dict[str, Any]) -> None:
    number, params = message.get("id"), message.get("params") or {}
    match message.get("method"):
        case "server/discover" if ERA == "modern":
            versions = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            result(number, **versions, _meta={"io.modelcontextprotocol/serverInfo": INFO})
        case "initialize" if ERA == "handshake":
            said.append(json.dumps(params["capabilities"].get("elicitation")))
            result(number, protocolVersion="2025-11-25", capabilities={"tools": {}}, serverInfo=INFO)
        case "tools/list":
            result(number, **TOOLS)
        case "tools/call" if ERA == "modern":
            capabilities = params["_meta"]["io.modelcontextprotocol/clientCapabilities"]
            said.append(json.dumps(capabilities.get("elicitation")))
            ask_modern(number, params)
        case "tools/call":
            note(params["arguments"])
            ask_older({"number": number, "arguments": params["arguments"], "answers": []})
        case None if number in calls:
            call = calls.pop(number)
            call["answers"].append(message.get("result") or {"error": message["error"]["message"]})
            ask_older(call)
        case _ if number is not None:
            write({"id": number, "error": {"code": -32601, "message": "no such method"}})


for line in sys.stdin:
    take(json.loads(line))
