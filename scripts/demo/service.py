"""A service on loopback that wants a key: it stands for the world outside."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "demo-key-4c1d9f"


class Service(BaseHTTPRequestHandler):
    """Answers one request."""

    posted: list[str] = []  # noqa: RUF012 - one server, one list
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the status that was posted last."""
        self._answer({"status": self.posted[-1] if self.posted else "nothing shipped yet"})

    def do_POST(self) -> None:
        """Take a status."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self._allowed():
            self.posted.append(json.loads(body)["state"])
        self._answer({"accepted": self._allowed(), "your_key_was": self.headers.get("authorization", "none")})

    def _allowed(self) -> bool:
        return self.headers.get("authorization") == f"Bearer {KEY}"

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200 if self._allowed() else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal; the story is told there."""


@contextlib.contextmanager
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
