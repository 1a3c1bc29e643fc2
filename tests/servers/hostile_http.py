"""Hostile servers over Streamable HTTP: one process for many of them, each with a path that says how it behaves.

    python hostile_http.py FILE

FILE gets the port. The server at /be/NUMBER/ERA/BEHAVIOUR,BEHAVIOUR/mcp is one of its own: FILE.NUMBER.seen has what
was asked of it, and FILE.NUMBER.ledger the calls that ran. Besides the behaviours of `hostile_server.py` there are:

redirects=URL, redirects_here, fails=STATUS, hangs, accepted (202 for a request), not_json, too_long=BYTES
expires=COUNT     forgets its session after so many calls, and says 404
expires_with_400  the same as some servers say it
login             wants `Authorization: Bearer good`, and says 401 with a challenge; `scope` says 403
streams           answers as a stream of events
breaks            begins a stream, ends it, and gives the answer to whoever asks with Last-Event-ID
breaks_for_good   the same without an id; cuts ends the connection in the middle of an answer
push              says on a stream of its own that the list of tools changed (handshake era)
asks_aside=SECS   opens the stream of its own so late, asks there when it is called, and answers "lost" if it cannot
streams_once      its stream of its own ends at once and is not there again (404); with no_stream it was never there
strict_headers    refuses a modern request whose headers do not repeat what stands in it
"""

import base64
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import unquote

from hostile_server import MODERN, PREFIX, Refused, Server

STATUS = {-32601: 404, -32602: 400, -32020: 400, -32022: 400}


class State:
    """What all connections share."""

    def __init__(self, server, seen):
        self.server, self.be, self.seen_file = server, server.be, seen
        self.sessions = {}
        self.numbers = count(1)
        self.parked = {}
        self.questions = {}
        self.aside = None
        self.streamed = False
        self.lock = threading.Lock()

    def saw(self, handler, message=None):
        """Write down a request, for the test that looks."""
        line = {"verb": handler.command, "path": handler.path, "headers": dict(handler.headers), "message": message}
        line["peer"] = handler.client_address[1]
        with self.lock, open(self.seen_file, "a") as seen:
            seen.write(json.dumps(line) + "\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    states: dict
    file: str

    @property
    def state(self):
        """Return the state of the server that this path stands for: /be/NUMBER/ERA/BEHAVIOUR,BEHAVIOUR/mcp."""
        _, _, number, era, behaviours, _ = self.path.split("/")
        if number not in self.states:
            file = f"{self.file}.{number}"
            be = dict(unquote(each).partition("=")[::2] for each in behaviours.split(",") if each)
            self.states[number] = State(Server(era, be, f"{file}.ledger"), f"{file}.seen")
        return self.states[number]

    def log_message(self, *_):
        pass

    def plain(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def json(self, status, value, **headers):
        self.plain(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def refuse(self, status, code, message, number=None, data=None):
        error = {"code": code, "message": message} | ({"data": data} if data else {})
        self.json(status, {"jsonrpc": "2.0", "id": number, "error": error})

    def do_DELETE(self):
        self.state.saw(self)
        self.state.sessions.pop(self.headers.get("Mcp-Session-Id"), None)
        self.plain(204)

    def do_GET(self):
        self.state.saw(self)
        last = self.headers.get("Last-Event-ID")
        if "asks_aside" in self.state.be:
            time.sleep(float(self.state.be["asks_aside"]))
            self.begin_stream()
            self.state.aside = self
            time.sleep(600)
        if "no_stream" in self.state.be or ("streams_once" in self.state.be and self.state.streamed):
            self.plain(404)
            return
        if "streams_once" in self.state.be:
            self.state.streamed = True
            self.begin_stream()
            self.end_stream()
            return
        if last is None:
            if "push" not in self.state.be:
                self.plain(405)
                return
            self.begin_stream()
            self.event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
            time.sleep(600)
            return
        reply = self.state.parked.get(last)
        if reply is None:
            self.plain(400)
            return
        self.begin_stream()
        self.event(reply, number="done")
        self.end_stream()

    def do_POST(self):
        be = self.state.be
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        message = json.loads(body)
        self.state.saw(self, message)
        method = message.get("method")
        if "hangs" in be and method == "tools/call":
            time.sleep(600)
        if "redirects" in be and method == "tools/call":
            self.plain(307, Location=be["redirects"])
        elif "redirects_here" in be and self.path.endswith("/mcp"):
            self.plain(308, Location=self.path.removesuffix("mcp") + "elsewhere")
        elif "login" in be and self.headers.get("Authorization") != "Bearer good":
            self.plain(401, WWW_Authenticate='Bearer resource_metadata="http://x/y", error="invalid_token"')
        elif "scope" in be and method == "tools/call" and self.headers.get("Authorization") != "Bearer more":
            self.plain(403, WWW_Authenticate='Bearer error="insufficient_scope", scope="more"')
        elif "fails" in be and method == "tools/call":
            self.plain(int(be["fails"]), b"<html>an error page</html>", Content_Type="text/html")
        elif self.session_is_right(message):
            self.take(message)

    def session_is_right(self, message):
        session = self.headers.get("Mcp-Session-Id")
        if message.get("method") in {"initialize", "server/discover"} or self.is_modern(message):
            return True
        left = self.state.sessions.get(session, 0)
        if left <= 0:
            if "expires_with_400" in self.state.be:
                self.refuse(400, -32000, "Bad Request: No valid session ID provided")
            else:
                self.refuse(404, -32001, "Session not found")
            return False
        if message.get("method") == "tools/call":
            self.state.sessions[session] = left - 1
        return True

    def is_modern(self, message):
        return f"{PREFIX}protocolVersion" in ((message.get("params") or {}).get("_meta") or {})

    def take(self, message):
        be, server = self.state.be, self.state.server
        if "method" not in message:
            arrived, _ = self.state.questions.get(message["id"], (threading.Event(), None))
            self.state.questions[message["id"]] = (arrived, message)
            arrived.set()
            self.plain(202)
            return
        if "id" not in message:
            server.noticed(message)
            self.plain(202)
            return
        if "strict_headers" in be and self.is_modern(message) and not self.headers_are_right(message):
            self.refuse(400, -32020, "Header mismatch", message["id"])
            return
        called = message["method"] == "tools/call"
        if called and "asks_aside" in be:
            aside = self.state.aside
            question = {"method": "elicitation/create", "params": {"message": "Which colour?"}}
            said = "lost" if aside is None else json.dumps(aside.ask(question)["result"])
            result = {"content": [{"type": "text", "text": said}]}
            self.json(200, {"jsonrpc": "2.0", "id": message["id"], "result": result})
            return
        self.streaming = called and ("streams" in be or "asks" in be or "asks_without_end" in be)
        self.streaming = self.streaming or (message["method"] == "subscriptions/listen" and "listens" in be)
        if self.streaming:
            self.begin_stream()
        try:
            result = server.result(message, self.tell, self.ask)
        except Refused as refused:
            code = refused.error["code"]
            self.json(STATUS.get(code, 200), {"jsonrpc": "2.0", "id": message["id"], "error": refused.error})
            return
        reply = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        if called or self.streaming:
            self.answer(reply)
        else:
            self.json(200, reply, **self.new_session(message))

    def new_session(self, message):
        if message["method"] != "initialize":
            return {}
        name = f"session-{next(self.state.numbers)}"
        self.state.sessions[name] = int(
            self.state.be.get("expires") or self.state.be.get("expires_with_400") or 1 << 30
        )
        return {"Mcp-Session-Id": name}

    def headers_are_right(self, message):
        params = message.get("params") or {}
        wanted = {"Mcp-Method": message["method"], "MCP-Protocol-Version": MODERN}
        if "name" in params:
            wanted["Mcp-Name"] = params["name"]
        if "place" in (params.get("arguments") or {}):
            wanted["Mcp-Param-Place"] = params["arguments"]["place"]
        return all(self.decoded(name) == value for name, value in wanted.items())

    def decoded(self, name):
        value = self.headers.get(name)
        if value is not None and value.startswith("=?base64?"):
            return base64.b64decode(value[9:-2]).decode()
        return value

    def answer(self, reply):
        be = self.state.be
        if "accepted" in be:
            self.plain(202)
        elif "not_json" in be:
            self.plain(200, b"<html>", Content_Type="application/json")
        elif "wrong_id" in be:
            self.json(200, {**reply, "id": reply["id"] + 7})
        elif "too_long" in be:
            self.json(200, {**reply, "more": "x" * int(be["too_long"])})
        elif "cuts" in be:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"jsonrpc":')
            self.wfile.flush()
            self.close_connection = True
        elif "breaks" in be:
            self.state.parked["e1"] = reply
            self.begin_stream()
            self.chunk(b"retry: 10\nid: e1\ndata:\n\n")
            self.end_stream()
        elif "breaks_for_good" in be:
            self.begin_stream()
            self.chunk(b": nothing more will come\n\n")
            self.end_stream()
        elif self.streaming:
            self.event(reply)
            self.end_stream()
        else:
            self.json(200, reply)

    def tell(self, method, params):
        if self.streaming:
            self.event({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, question):
        number = f"q{next(self.state.server.questions)}"
        arrived = threading.Event()
        self.state.questions[number] = (arrived, None)
        self.event({"jsonrpc": "2.0", "id": number, **question})
        arrived.wait(30)
        return self.state.questions[number][1]

    def begin_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, message, number=None):
        name = f"id: {number}\n" if number else ""
        self.chunk(f"event: message\n{name}data: {json.dumps(message)}\n\n".encode())

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def end_stream(self):
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


def serve(file):
    """Serve until the process is stopped. The port goes into the file; each server on it keeps files beside that."""
    handler = type("Bound", (Handler,), {"states": {}, "file": file, "streaming": False})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    with open(f"{file}.draft", "w") as draft:
        draft.write(str(http.server_address[1]))
    os.rename(f"{file}.draft", file)
    http.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1])
