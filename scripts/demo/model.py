"""A scripted model behind the Responses protocol: it stands for the vendor's, so that nobody needs an account."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "demo-model-key-77aa01"
Step = Callable[[list[str]], tuple[str, dict[str, Any]] | str]
"""Given what came back so far: the tool to call and its arguments, or the last words."""


class Model:
    """Does what it was told to, one step a request."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps
        self.reached = [threading.Event() for _ in steps]
        """One for each step: set when it was answered."""
        self.keys: set[str] = set()

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the next item of the conversation."""
        offered = _offered(body)
        said = [_text(item) for item in body.get("input") or [] if item.get("type") == "function_call_output"]
        place = min(len(said), len(self.steps) - 1)
        self.reached[place].set()
        step = self.steps[place](said) if offered else "A demonstration."
        if isinstance(step, str):
            return {"type": "message", "role": "assistant", "id": "msg_1", "content": [_words(step)]}
        name, arguments = step
        if name == "sh":
            name, arguments = _shell(offered, arguments["script"])
        full, namespace = offered[name]
        call = {
            "type": "function_call",
            "id": f"fc_{place}",
            "call_id": f"call_{place}",
            "name": full,
            "arguments": json.dumps(arguments),
        }
        return call | ({"namespace": namespace} if namespace else {})


def _words(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _offered(body: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    offered: dict[str, tuple[str, str | None]] = {}
    for tool in body.get("tools") or []:
        if tool.get("type") == "namespace":
            offered |= {each["name"]: (each["name"], tool["name"]) for each in tool["tools"]}
        elif "name" in tool:
            offered[tool["name"]] = (tool["name"], None)
    return offered


def _shell(offered: dict[str, Any], script: str) -> tuple[str, dict[str, Any]]:
    if "exec_command" in offered:
        return "exec_command", {"cmd": script}
    if "shell_command" in offered:
        return "shell_command", {"command": script}
    return "shell", {"command": ["sh", "-c", script]}


def _text(item: dict[str, Any]) -> str:
    output = item.get("output")
    return output if isinstance(output, str) else json.dumps(output)


@contextlib.contextmanager
def serving(model: Model) -> Iterator[str]:
    """Serve it on loopback; return host:port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
            model.keys.add(self.headers.get("authorization", ""))
            item = model.answer(body)
            response = {"id": "resp_1", "object": "response", "status": "completed", "output": [item], "usage": _USAGE}
            events = [
                ("response.created", {"response": {"id": "resp_1"}}),
                ("response.output_item.done", {"output_index": 0, "item": item}),
                ("response.completed", {"response": response}),
            ]
            stream = "".join(f"event: {n}\ndata: {json.dumps({'type': n, **data})}\n\n" for n, data in events).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(stream)))
            self.end_headers()
            self.wfile.write(stream)

        def do_GET(self) -> None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing on the terminal; the story is told there."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


_USAGE = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 1,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 2,
}
