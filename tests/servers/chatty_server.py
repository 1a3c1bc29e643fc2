"""A server of the handshake era that does what a call tells it: writes lines, asks back, tells of changes."""

import json
import os
import sys
from typing import Any

NAMES = ("say", "flood", "folders", "roam", "think", "touch", "seen", "leave", "secret")
seen: dict[str, Any] = {"levels": [], "asked": [], "client": {}}
waiting: dict[str, tuple[Any, int]] = {}
"""The call that each of our questions is for, and how often to ask still."""


roaming: dict[str, Any] = {"left": 0}


def write(message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def text(number: Any, said: Any) -> None:
    written = said if isinstance(said, str) else json.dumps(said)
    write({"id": number, "result": {"content": [{"type": "text", "text": written}]}})


def line(level: str, data: Any) -> None:
    write({"method": "notifications/message", "params": {"level": level, "logger": "chatty", "data": data}})


def ask(number: Any, method: str, params: dict[str, Any], times: int = 1) -> None:
    name = f"q{number}-{times}"
    waiting[name] = number, times
    write({"id": name, "method": method, "params": params})


def think(number: Any, times: int) -> None:
    message = {"role": "user", "content": {"type": "text", "text": "How are you?"}}
    ask(number, "sampling/createMessage", {"messages": [message], "maxTokens": 10}, times)


def flood(number: Any, given: dict[str, Any]) -> None:
    for at in range(given["count"]):
        line("error", "x" * given.get("size", 1) + str(at))
    text(number, "done")


def roam(number: Any, given: dict[str, Any]) -> None:
    roaming.update({"call": number, "left": given["count"], "told": 0, "refused": 0})
    for at in range(given["count"]):
        write({"id": f"roam-{at}", "method": "roots/list"})


def answered(name: str, message: dict[str, Any]) -> None:
    if name.startswith("roam-"):
        roaming["told" if "result" in message else "refused"] += 1
        roaming["left"] -= 1
        if not roaming["left"]:
            text(roaming["call"], roaming)
        return
    asker, times = waiting.pop(name)
    if times > 1 and "result" in message:
        think(asker, times - 1)
    else:
        text(asker, message.get("result") or message.get("error"))


def call(number: Any, name: str, given: dict[str, Any]) -> None:
    match name:
        case "say":
            for level, data in given["lines"]:
                line(level, data)
            text(number, "said")
        case "secret":
            line("error", {"token": os.environ.get("TOKEN"), os.environ.get("TOKEN", ""): 1})
            text(number, "said")
        case "folders":
            ask(number, "roots/list", {})
        case "think":
            think(number, given.get("times", 1))
        case "touch":
            for uri in given["uris"]:
                write({"method": "notifications/resources/updated", "params": {"uri": uri}})
            text(number, "touched")
        case "seen":
            text(number, seen)
        case "leave":
            text(number, "bye")
            sys.exit()
        case _:
            {"flood": flood, "roam": roam}[name](number, given)


def take(message: dict[str, Any]) -> None:
    number, params, method = message.get("id"), message.get("params") or {}, message.get("method")
    match method:
        case "initialize":
            seen["client"] = params["capabilities"]
            can = {"tools": {}, "logging": {}, "resources": {"subscribe": True}}
            hello = {"protocolVersion": "2025-11-25", "capabilities": can}
            write({"id": number, "result": {**hello, "serverInfo": {"name": "chatty", "version": "1"}}})
        case "tools/list":
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in NAMES]
            write({"id": number, "result": {"tools": tools}})
        case "resources/list":
            found = [{"uri": f"note:///{name}", "name": name} for name in ("one", "two")]
            write({"id": number, "result": {"resources": found}})
        case "resources/templates/list":
            all_notes = [{"uriTemplate": "note:///{name}", "name": "any"}]
            write({"id": number, "result": {"resourceTemplates": all_notes}})
        case "resources/subscribe" | "resources/unsubscribe":
            seen["asked"].append([method.partition("/")[2], params["uri"]])
            write({"id": number, "result": {}})
        case "logging/setLevel":
            seen["levels"].append(params["level"])
            write({"id": number, "result": {}})
        case "tools/call":
            call(number, params["name"], params.get("arguments") or {})
        case None:
            answered(str(number), message)
        case _ if number is not None:
            write({"id": number, "error": {"code": -32601, "message": "no such method"}})


for each in sys.stdin:
    take(json.loads(each))
