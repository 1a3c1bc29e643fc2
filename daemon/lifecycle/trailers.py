"""Refuses requests with headers behind their body: the server would add them to those in front, unseen by any door."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class NoTrailers(HttpToolsProtocol):
    """Reads requests as the server does, and ends the connection at the first trailer.

    The server keeps one list of headers for a request. A trailer that comes together with the head is in that list
    before the app runs, and looks like a header there; one that comes later changes the list under the app.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_is_read = False

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._head_is_read = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the head is whole."""
        self._head_is_read = True
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; one behind the body ends the connection, and with it whatever the request had begun."""
        if self._head_is_read:
            raise ValueError("headers behind the body are not taken")  # the parser makes a refusal of it
        super().on_header(name, value)
