"""Serves a stand-in of the control API on a socket, and can be told to misbehave there."""

import signal
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import httpx

Handle = Callable[[httpx.Request], httpx.Response]


class Broken(Exception):
    """Raised by a handler, and in the middle of an answer: the connection ends here."""


class Silent(Exception):
    """Raised by a handler: nothing is answered before the test is over."""


class StandInServer:
    """Answers with what a function makes of each request."""

    def __init__(self, handle: Handle) -> None:
        over = self._over = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                address = f"http://127.0.0.1{self.path}"
                request = httpx.Request(self.command, address, headers=dict(self.headers), content=body)
                try:
                    self.answer(handle(request))
                except KeyboardInterrupt:
                    # What a person at the keyboard does: the signal goes to the program, which waits for an answer.
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                    over.wait(5)
                    self.close_connection = True
                except Silent:
                    over.wait(20)
                    self.close_connection = True
                except (Broken, OSError):
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = do_any  # noqa: N815 - the names that the server looks for

            def answer(self, response: httpx.Response) -> None:
                self.send_response(response.status_code)
                if response.status_code == 204:  # such an answer has no body, and says no length
                    self.end_headers()
                    return
                known = response.headers.get("content-length")
                self.send_header(*(("Transfer-Encoding", "chunked") if known is None else ("Content-Length", known)))
                self.end_headers()
                assert isinstance(response.stream, httpx.SyncByteStream)
                for piece in response.stream:
                    self.wfile.write(piece if known is not None else b"%x\r\n%s\r\n" % (len(piece), piece))
                if known is None:
                    self.wfile.write(b"0\r\n\r\n")
                if response.extensions.get("then_close"):
                    self.close_connection = True  # without having said so

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
