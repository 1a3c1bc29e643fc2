"""The HTTP client of the control API: requests in, JSON out, every failure a CliFailure."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from daemon.cli.failure import CliFailure, ExitCode

_TIMEOUT = httpx.Timeout(120.0, connect=5.0)
_PIECE_HEAD = 5
_UNBOUNDED = httpx.Timeout(None, connect=5.0)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event, its data already parsed."""

    name: str
    data: Any


class ControlClient:
    """Talks to one daemon with the master token of its discovery file."""

    def __init__(self, *, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        # trust_env is off: a proxy from the environment must never carry the master token.
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=_TIMEOUT,
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up the connections."""
        self._http.close()

    def get(self, path: str, *segments: str, **query: Any) -> Any:
        """Return what a route answers; segments fill the `{}` of the path, a query value that is None is left out."""
        return self._request("GET", _filled(path, segments), query=query)

    def post(self, path: str, *segments: str, body: Mapping[str, Any] | None = None, patient: bool = False) -> Any:
        """Ask for a change; a patient call waits for as long as the work takes."""
        return self._request("POST", _filled(path, segments), body=body if body is not None else {}, patient=patient)

    def put(self, path: str, *, body: Mapping[str, Any]) -> Any:
        """Store something."""
        return self._request("PUT", path, body=body)

    def delete(self, path: str, **query: Any) -> Any:
        """Remove something."""
        return self._request("DELETE", path, query=query)

    def post_bytes(self, path: str, data: bytes) -> None:
        """Hand bytes over as they are."""
        with _translated():
            response = self._http.post(path, content=data, timeout=_UNBOUNDED)
        if response.status_code >= 400:
            raise _failure(response)

    def pieces(self, path: str) -> Iterator[tuple[int, bytes]]:
        """Return the pieces of a streamed answer, each with its kind; they end early if the daemon does."""
        held = b""
        with _translated(), self._http.stream("GET", path, timeout=_UNBOUNDED) as response:
            if response.status_code >= 400:
                response.read()
                raise _failure(response)
            with suppress(httpx.RemoteProtocolError, httpx.ReadError):
                for chunk in response.iter_raw():
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
        with (
            _translated(),
            self._http.stream(method, path, params=_query(query or {}), json=body, timeout=_UNBOUNDED) as response,
        ):
            if response.status_code >= 400:
                response.read()
                raise _failure(response)
            # Not iter_lines: it also splits at U+2028 and friends, which JSON text may hold.
            rest = ""
            for chunk in response.iter_text():
                *lines, rest = (rest + chunk).split("\n")
                for line in lines:
                    yield line.removesuffix("\r")
            if rest:
                yield rest

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
        with _translated():
            response = self._http.request(
                method, path, params=_query(query or {}), json=body, timeout=_UNBOUNDED if patient else _TIMEOUT
            )
        if response.status_code >= 400:
            raise _failure(response)
        return _parsed(response.text) if response.content else {}


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what httpx raises into what a person can act on."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise CliFailure(
            "the daemon does not answer at the address in its discovery file",
            exit_code=ExitCode.UNREACHABLE,
            remedy="See `aileron doctor`, or run: aileron daemon start",
        ) from error
    except httpx.TimeoutException as error:
        raise CliFailure(
            "the daemon took too long to answer; what was asked may still be going on",
            exit_code=ExitCode.UNREACHABLE,
            remedy="See `aileron status`.",
        ) from error
    except httpx.HTTPError as error:
        raise CliFailure(
            "the connection to the daemon broke before the answer was complete",
            exit_code=ExitCode.UNREACHABLE,
            remedy="See `aileron status` and `aileron audit list`.",
        ) from error


def _filled(path: str, segments: tuple[str, ...]) -> str:
    for segment in segments:
        if segment.strip(".") == "":
            raise CliFailure.usage(f"{segment!r} is not a name or an id")
    return path.format(*(quote(segment, safe="") for segment in segments))


def _query(query: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in query.items()
        if value is not None
    }


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CliFailure(
            "the daemon answered with something that is not JSON",
            exit_code=ExitCode.UNREACHABLE,
            remedy="Is another program on its port? See `aileron doctor`.",
        ) from error


def _failure(response: httpx.Response) -> CliFailure:
    try:
        error = response.json()["error"]
        return CliFailure.from_error(error if isinstance(error, Mapping) else {"message": str(error)})
    except (ValueError, LookupError, TypeError):
        return CliFailure(
            f"the daemon answered {response.status_code} {response.reason_phrase} without saying why",
            remedy="See the newest lines of logs/daemon.jsonl in the Aileron home.",
        )
