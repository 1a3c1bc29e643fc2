"""The HTTP client of the control API: requests in, JSON out, every failure a CliFailure."""

import json
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from daemon.cli.failure import START_THE_OWN_ONE, CliFailure, ExitCode
from daemon.cli.wire import Answer, BrokenError, Wire

_PIECE_HEAD = 5
_MOST_AT_ONCE = 1000
"""So many items every list gives at once."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event, its data already parsed."""

    name: str
    data: Any


class ControlClient:
    """Talks to one daemon with the master token of its discovery file."""

    def __init__(self, *, url: str, token: str) -> None:
        self._wire = Wire(url=url, token=token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up the connections."""
        self._wire.close()

    def get(self, path: str, *segments: str, **query: Any) -> Any:
        """Return what a route answers; segments fill the `{}` of the path, a query value that is None is left out.

        A list is read to its end, part by part, unless a limit was given.
        """
        answer = self._request("GET", _filled(path, segments), query=query)
        if "limit" in query or not isinstance(answer, dict):
            return answer
        while cursor := answer.get("next_cursor"):
            part = self._request("GET", _filled(path, segments), query=query | {"cursor": cursor})
            answer |= {"items": answer["items"] + part["items"], "next_cursor": part["next_cursor"]}
        return answer

    def get_some(self, path: str, *, limit: int | None, **query: Any) -> Any:
        """Return at most so many items of a list, however many come at once; None for all of them."""
        if limit is None:
            return self.get(path, **query)
        wanted = query | {"limit": min(limit, _MOST_AT_ONCE)}
        answer = self._request("GET", path, query=wanted)
        while (left := limit - len(answer["items"])) > 0 and (cursor := answer.get("next_cursor")):
            wanted |= {"limit": min(left, _MOST_AT_ONCE), "cursor": cursor}
            part = self._request("GET", path, query=wanted)
            answer |= {"items": answer["items"] + part["items"], "next_cursor": part["next_cursor"]}
        return answer

    def get_patiently(self, path: str, *segments: str, **query: Any) -> Any:
        """Return what a route answers, and wait for as long as its work takes."""
        return self._request("GET", _filled(path, segments), query=query, patient=True)

    def post(self, path: str, *segments: str, body: Mapping[str, Any] | None = None, patient: bool = False) -> Any:
        """Ask for a change; a patient call waits for as long as the work takes."""
        return self._request("POST", _filled(path, segments), body=body if body is not None else {}, patient=patient)

    def put(self, path: str, *, body: Mapping[str, Any]) -> Any:
        """Store something."""
        return self._request("PUT", path, body=body)

    def delete(self, path: str, *segments: str, patient: bool = False, **query: Any) -> Any:
        """Remove something; a patient call waits for as long as the work takes."""
        return self._request("DELETE", _filled(path, segments), query=query, patient=patient)

    def post_bytes(self, path: str, data: bytes) -> None:
        """Hand bytes over as they are."""
        answer = self._wire.ask("POST", path, body=data, kind="application/octet-stream", patient=True)
        if answer.status >= 400:
            raise _failure(answer)

    def post_for_bytes(self, path: str, *segments: str, body: Mapping[str, Any]) -> bytes:
        """Ask for bytes, as they are."""
        answer = self._wire.ask("POST", _filled(path, segments), body=_encoded(body), patient=True)
        if answer.status >= 400:
            raise _failure(answer)
        return answer.content

    def pieces(self, path: str, *, body: Mapping[str, Any] | None = None) -> Iterator[tuple[int, bytes]]:
        """Return the pieces of a streamed answer, each with its kind; they end early if the daemon does.

        With a body, even an empty one, something is asked for; without, something that is there is read.
        """
        held = b""
        with suppress(BrokenError):
            for chunk in self._chunks("GET" if body is None else "POST", path, body=body):
                held += chunk
                while len(held) >= _PIECE_HEAD and len(held) >= (
                    end := _PIECE_HEAD + int.from_bytes(held[1:_PIECE_HEAD], "big")
                ):
                    yield held[0], held[_PIECE_HEAD:end]
                    held = held[end:]

    def told(self, path: str, *, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Ask for something long, and return what is told of it while it goes on."""
        for line in self._lines("POST", path, body=body):
            yield _parsed(line)

    def lines(self, path: str, **query: Any) -> Iterator[str]:
        """Return the lines of a streamed answer as they come."""
        return self._lines("GET", path, query=query)

    def _lines(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        # Not splitlines: it also splits at U+2028 and friends, which JSON text may hold.
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        rest = ""
        for chunk in self._chunks(method, _target(path, query), body=body):
            *lines, rest = (rest + decode(chunk)).split("\n")
            for line in lines:
                yield line.removesuffix("\r")
        if rest:
            yield rest

    def _chunks(self, method: str, target: str, *, body: Mapping[str, Any] | None = None) -> Iterator[bytes]:
        with self._wire.stream(method, target, body=_encoded(body)) as (answer, pieces):
            if answer.status >= 400:
                raise _failure(Answer(answer.status, answer.reason, b"".join(pieces)))
            yield from pieces

    def events(self, path: str, *, on_open: Callable[[], None]) -> Iterator[ServerEvent]:
        """Return server-sent events as they come, until the daemon ends the stream.

        The daemon's first line says that it listens: what is read in `on_open` leaves no gap before the first event.
        """
        name, data = "message", list[str]()
        opened = False
        for line in self.lines(path):
            if not opened:
                opened = True
                on_open()
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line == "":
                if data:
                    yield ServerEvent(name, _parsed("\n".join(data)))
                name, data = "message", []
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        patient: bool = False,
    ) -> Any:
        answer = self._wire.ask(method, _target(path, query), body=_encoded(body), patient=patient)
        if answer.status >= 400:
            raise _failure(answer)
        return _parsed(answer.content) if answer.content else {}


def _filled(path: str, segments: tuple[str, ...]) -> str:
    for segment in segments:
        if segment.strip(".") == "":
            raise CliFailure.usage(f"{segment!r} is not a name or an id")
    with _sendable():
        return path.format(*(quote(segment, safe="") for segment in segments))


@contextmanager
def _sendable() -> Iterator[None]:
    """Refuse what a shell handed over in another encoding: it is no text, and no name is like that."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise CliFailure.usage(
            f"{error.object!r} is not UTF-8 text", remedy="Type it again in a terminal that writes UTF-8."
        ) from error


def _target(path: str, query: Mapping[str, Any] | None) -> str:
    given = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in (query or {}).items()
        if value is not None
    }
    with _sendable():
        return f"{path}?{urlencode(given)}" if given else path


def _encoded(body: Mapping[str, Any] | None) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CliFailure(
            "the daemon answered with something that is not JSON",
            exit_code=ExitCode.UNREACHABLE,
            remedy="Is another program on its port? See `aileron doctor`.",
        ) from error


def _failure(answer: Answer) -> CliFailure:
    try:
        error = json.loads(answer.content)["error"]
        if _lacks_the_route(answer.status, error):
            return CliFailure(
                "the daemon that runs is of another version, and does not know what this command asks for",
                exit_code=ExitCode.UNREACHABLE,
                remedy=START_THE_OWN_ONE,
            )
        return CliFailure.from_error(error if isinstance(error, Mapping) else {"message": str(error)})
    except (ValueError, LookupError, TypeError):
        return CliFailure(
            f"the daemon answered {answer.status} {answer.reason} without saying why",
            remedy="See what the daemon wrote down: aileron logs",
        )


def _lacks_the_route(status: int, error: Any) -> bool:
    """Say whether the daemon has no such route; one of this version has all that commands ask for."""
    from daemon.core.failures import NO_SUCH_PATH

    return status == 405 or (status == 404 and isinstance(error, Mapping) and error.get("message") == NO_SUCH_PATH)
