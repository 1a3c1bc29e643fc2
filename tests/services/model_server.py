"""A scripted model: stands in for the vendors, in all three protocols the agents speak, as a process of its own.

It does what a model would that follows one short script: calls the tool it was told to, follows an approval to its
end with `check_action_status`, goes on with the next tool if it was told several, and then repeats the last answer of
each tool as its final words. It finds a tool by the end
of its name, because every agent puts something else in front. Requests are kept, so that tests can look at them.
"""

import argparse
import json
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

STATUS_TOOL = "check_action_status"
_WAYS = (("mcp__", "__"), ("", "__"), ("", "_"))
"""How the agents put the name of a server in front of a tool's."""
SHELL = "a shell"
"""What a script calls the tool with which an agent runs commands; every agent has another name for it."""
_SHELLS = ("Bash", "bash", "exec_command", "shell_command", "shell")
_ID = re.compile(r"(?:apr|exe)_[0-9a-f-]{36}")
_UNDECIDED = ("pending", "approved", "running")


@dataclass
class Script:
    """Which tool the model calls first, and with what; or the status with which it refuses everything."""

    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    then: list[dict[str, Any]] = field(default_factory=list)
    """What is called afterwards, one after the other: each a `tool` and its `arguments`."""
    refuses: int = 0


@dataclass(frozen=True)
class Call:
    """A tool call of the model, under the name and in the namespace in which the agent offered the tool."""

    name: str
    namespace: str | None
    arguments: dict[str, Any]


_WAITING = ("Nothing has run yet", "asks the person something")
"""What answers say of a call that waits for a person, where they have no status."""


def next_step(script: Script, offered: dict[str, tuple[str, str | None]], answers: list[str]) -> Call | str:
    """Return the next call, or the final words; `offered` maps the plain name of a tool to the name it was given."""
    if not script.tool or not offered:
        return "Nothing to do."
    if not answers and script.tool == SHELL:
        return _command(script.arguments["command"], offered)
    if not answers:
        return _call(script.tool, script.arguments, offered)
    last = answers[-1]
    approval = _followed(last)
    if approval is not None and any(f'"status": "{word}"' in _spaced(last) for word in _UNDECIDED):
        return _call(STATUS_TOOL, {"approval_id": approval, "wait_seconds": 20}, offered)
    if approval is not None and any(words in last for words in _WAITING):
        return _call(STATUS_TOOL, {"approval_id": approval, "wait_seconds": 20}, offered)
    if any(last.strip().startswith(f"{word}:") for word in _UNDECIDED) and len(answers) > 1:
        earlier = next(found for text in reversed(answers) if (found := _followed(text)) is not None)
        return _call(STATUS_TOOL, {"approval_id": earlier, "wait_seconds": 20}, offered)
    settled = [answer for answer in answers if not _waits(answer)]
    if len(settled) <= len(script.then):
        following = script.then[len(settled) - 1]
        return _call(following["tool"], following["arguments"], offered)
    return f"FINAL {' '.join(settled) if script.then else last}"


def _waits(answer: str) -> bool:
    """Say whether an answer is that of a call which is not over."""
    states = any(
        f'"status": "{word}"' in _spaced(answer) or answer.strip().startswith(f"{word}:") for word in _UNDECIDED
    )
    return states or any(words in answer for words in _WAITING)


def _call(tool: str, arguments: dict[str, Any], offered: dict[str, tuple[str, str | None]]) -> Call | str:
    if tool not in offered:
        return f"FINAL the tool {tool} was not offered, only {sorted(offered)}"
    name, namespace = offered[tool]
    return Call(name, namespace, arguments)


def _command(command: str, offered: dict[str, tuple[str, str | None]]) -> Call | str:
    """Run a command with whatever the agent offers for that."""
    tool = next((each for each in offered if each in _SHELLS or each.endswith(("__shell", "_shell"))), "")
    return _call(tool, {"cmd" if tool == "exec_command" else "command": command, "description": "Work"}, offered)


def _followed(text: str) -> str | None:
    """Return the id by which a call is followed, of an approval or of the call itself, however deep it is quoted."""
    found = _ID.search(text)
    return None if found is None else found[0]


def _spaced(text: str) -> str:
    return text.replace('\\"', '"').replace('":"', '": "')


def plain(name: str) -> str:
    """Take what an agent puts in front of a tool's name off it."""
    for prefix in (f"{way}{server}{end}" for server in ("aileron_launch", "aileron", "mine") for way, end in _WAYS):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def read_responses(body: dict[str, Any]) -> tuple[dict[str, tuple[str, str | None]], list[str]]:
    """Read tools and answers out of a request of the Responses protocol."""
    offered: dict[str, tuple[str, str | None]] = {}
    for tool in body.get("tools") or []:
        if tool.get("type") == "namespace":
            offered |= {plain(inner["name"]): (inner["name"], tool["name"]) for inner in tool["tools"]}
        elif "name" in tool:
            offered[plain(tool["name"])] = (tool["name"], None)
    items = body.get("input") if isinstance(body.get("input"), list) else []
    outputs = [item["output"] for item in items or [] if item.get("type") == "function_call_output"]
    return offered, [output if isinstance(output, str) else json.dumps(output) for output in outputs]


def read_chat(body: dict[str, Any]) -> tuple[dict[str, tuple[str, str | None]], list[str]]:
    """Read tools and answers out of a request of the Chat Completions protocol."""
    names = [tool["function"]["name"] for tool in body.get("tools") or []]
    answers = [message["content"] for message in body.get("messages", []) if message.get("role") == "tool"]
    texts = [answer if isinstance(answer, str) else json.dumps(answer) for answer in answers]
    return {plain(name): (name, None) for name in names}, texts


def read_messages(body: dict[str, Any]) -> tuple[dict[str, tuple[str, str | None]], list[str]]:
    """Read tools and answers out of a request of the Messages protocol."""
    answers = []
    for message in body.get("messages", []):
        content = message["content"] if isinstance(message["content"], list) else []
        for part in content:
            if part.get("type") == "tool_result":
                inner = part.get("content")
                answers.append(inner if isinstance(inner, str) else json.dumps(inner))
    names = [tool["name"] for tool in body.get("tools") or [] if "name" in tool]
    return {plain(name): (name, None) for name in names}, answers


def write_responses(step: Call | str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write a step as events of the Responses protocol."""
    if isinstance(step, Call):
        item = {
            "type": "function_call",
            "id": "fc_1",
            "call_id": f"call_{time.monotonic_ns()}",
            "name": step.name,
            "arguments": json.dumps(step.arguments),
        } | ({"namespace": step.namespace} if step.namespace else {})
    else:
        item = {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "content": [{"type": "output_text", "text": step}],
        }
    usage = {"input_tokens": 1, "input_tokens_details": None, "output_tokens": 1, "output_tokens_details": None}
    done = {"id": "resp_1", "status": "completed", "output": [item], "usage": usage | {"total_tokens": 2}}
    yield "response.created", {"type": "response.created", "response": {"id": "resp_1"}}
    yield "response.output_item.done", {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield "response.completed", {"type": "response.completed", "response": done}


def write_chat(step: Call | str, model: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write a step as chunks of the Chat Completions protocol."""

    def chunk(delta: dict[str, Any], reason: str | None = None) -> tuple[str, dict[str, Any]]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return "", {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}

    if isinstance(step, Call):
        function = {"name": step.name, "arguments": json.dumps(step.arguments)}
        call = {"index": 0, "id": f"call_{time.monotonic_ns()}", "type": "function", "function": function}
        yield chunk({"role": "assistant", "content": None, "tool_calls": [call]})
        yield chunk({}, "tool_calls")
    else:
        yield chunk({"role": "assistant", "content": step})
        yield chunk({}, "stop")


def write_messages(step: Call | str, model: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write a step as events of the Messages protocol."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
    }
    yield "message_start", {"type": "message_start", "message": message | {"stop_sequence": None, "usage": usage}}
    if isinstance(step, Call):
        block = {"type": "tool_use", "id": f"toolu_{time.monotonic_ns()}", "name": step.name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(step.arguments)}
    else:
        block = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": step}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}
    yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    reason = "tool_use" if isinstance(step, Call) else "end_turn"
    end = {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}
    yield "message_delta", end
    yield "message_stop", {"type": "message_stop"}


class _Model(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = Script()
        self.seen: list[dict[str, Any]] = []
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Model

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._answer(426, {"error": {"message": "no websockets here"}})
        elif self.path == "/__seen":
            self._answer(200, self.server.seen)
        elif self.path.endswith("/models"):
            self._keep({})
            self._answer(200, {"object": "list", "data": [{"id": "fake-model", "object": "model"}]})
        else:
            self._answer(404, {"error": {"message": "no such path"}})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = json.loads(raw or b"{}")
        if self.path == "/__script":
            self.server.script = Script(**body)
            self.server.seen.clear()
            self._answer(200, {})
            return
        self._keep(body)
        path, model = self.path.partition("?")[0], str(body.get("model", ""))
        script = self.server.script
        if script.refuses:
            self._answer(script.refuses, {"error": {"type": "refused", "message": "the model refuses this"}})
        elif path.endswith("/responses"):
            self._stream(write_responses(next_step(script, *read_responses(body))))
        elif path.endswith("/chat/completions"):
            self._stream(write_chat(next_step(script, *read_chat(body)), model), end="data: [DONE]\n\n")
        elif path.endswith("/messages/count_tokens"):
            self._answer(200, {"input_tokens": 1})
        elif path.endswith("/messages"):
            self._stream(write_messages(next_step(script, *read_messages(body)), model))
        else:
            self._answer(404, {"error": {"message": "no such path"}})

    def _keep(self, body: Any) -> None:
        with self.server.lock:
            self.server.seen.append(
                {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
            )

    def _answer(self, status: int, body: Any) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _stream(self, events: Iterator[tuple[str, dict[str, Any]]], *, end: str = "") -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for name, data in events:
            head = f"event: {name}\n" if name else ""
            self.wfile.write(f"{head}data: {json.dumps(data)}\n\n".encode())
            self.wfile.flush()
        self.wfile.write(end.encode())
        self.close_connection = True


class ModelProcess:
    """The model in a process of its own."""

    def __enter__(self) -> Self:
        command = [sys.executable, str(Path(__file__).resolve())]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 20)
        assert ready, "the model did not start"
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def script(self, tool: str, **arguments: Any) -> None:
        """Tell the model which tool to call; forget what was seen."""
        self.script_all((tool, arguments))

    def script_all(self, first: tuple[str, dict[str, Any]], *then: tuple[str, dict[str, Any]]) -> None:
        """Tell the model which tools to call, one after the other; forget what was seen."""
        steps = [{"tool": tool, "arguments": arguments} for tool, arguments in (first, *then)]
        httpx.post(f"{self.url}/__script", json=steps[0] | {"then": steps[1:]}, trust_env=False).raise_for_status()

    def work(self, command: str) -> None:
        """Tell the model to run a command with the agent's own shell; forget what was seen."""
        self.script(SHELL, command=command)

    def refuse(self, status: int) -> None:
        """Tell the model to refuse every request; forget what was seen."""
        httpx.post(f"{self.url}/__script", json={"refuses": status}, trust_env=False).raise_for_status()

    @property
    def seen(self) -> list[dict[str, Any]]:
        """Every request since the script was set."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/__seen", trust_env=False).json()
        return found


def main() -> None:
    """Listen, say where, and serve."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    server = _Model()
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
