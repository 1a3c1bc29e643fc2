"""The client of the agent API: what can be called, calling it, and asking what became of an approval."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote, urlencode

from pydantic_core import from_json, to_json

from aileron_mcp.connections import Connections
from aileron_mcp.exchange import Answer, BrokenOff, NotReached, Sent, Way, lines
from aileron_mcp.outcomes import CallPending, CallResult
from aileron_mcp.trust import trust

_LISTENING_SECONDS = 60.0  # the daemon sends a sign of life every 15 s
_OK, _ACCEPTED, _NO_CONTENT, _NOT_MODIFIED = 200, 202, 204, 304
_BAD_REQUEST = 400
_STREAM = "text/event-stream"
_NONE: Mapping[str, str] = {}
_JSON: Mapping[str, str] = {"Content-Type": "application/json"}
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_HEARD: Mapping[str, str] = {"Accept": f"{_STREAM}, application/json"}


class AgentApiError(Exception):
    """The daemon answered with a failure envelope, or not at all."""

    def __init__(self, message: str, *, envelope: Mapping[str, Any] | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.envelope = envelope
        self.status = status


class AgentUnreachable(AgentApiError):
    """The daemon was not reached, so nothing of the request happened."""


class NotSendable(AgentApiError):
    """The arguments cannot be written as JSON, so nothing was sent."""


class AnswerLost(AgentApiError):
    """The request left and its answer did not come, so what it asked for may have happened."""


@dataclass(frozen=True, slots=True)
class ToolList:
    """The tools an agent may call, and the tag by which to ask whether they changed."""

    items: tuple[Mapping[str, Any], ...]
    etag: str | None


class Hearing(Protocol):
    """Hears of a call while it runs."""

    @property
    def answers(self) -> Sequence[str]:
        """Return the methods that are answered here if the tool asks back."""
        ...

    @property
    def log_level(self) -> str | None:
        """Return the lowest level of lines for the log that are heard here; None for no lines at all."""
        ...

    async def progress(self, params: Mapping[str, Any]) -> None:
        """Hear how far the tool is."""
        ...

    async def logged(self, params: Mapping[str, Any]) -> None:
        """Hear a line that the tool writes for the log."""
        ...

    async def asked(self, method: str, params: Mapping[str, Any], name: str, more: int) -> Mapping[str, Any] | None:
        """Answer what the tool asks back; None turns it down.

        `name` is what the tool calls the question, if it has a name. So many `more` were asked at the same time.
        """
        ...


class AgentClient:
    """Talks to one daemon with one session token."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        ca_file: Path | None = None,
        way: Way | None = None,
    ) -> None:
        # No proxy of the environment is used: it must not carry the token anywhere. A run takes as long as its steps
        # may; the daemon ends it, and not the one who waits.
        self._way = way if way is not None else _over_http(base_url, ca_file)
        self._headers: Mapping[str, str] = {"Authorization": f"Bearer {token}"}
        self._hearing = {**self._headers, **_JSON, **_HEARD}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._way.aclose()

    async def health(self) -> bool:
        """Say whether the daemon answers."""
        with contextlib.suppress(AgentApiError):
            await self._ask("GET", "/healthz")
            return True
        return False

    async def list_tools(self, *, known: ToolList | None = None) -> ToolList:
        """Return the tools, or the known list itself if it is still true."""
        headers = {"If-None-Match": known.etag} if known is not None and known.etag is not None else {}
        answer = await self._ask("GET", "/v1/tools", headers=headers)
        if answer.status == _NOT_MODIFIED and known is not None:
            return known
        first = answer.body()
        items, cursor = list(first["items"]), first.get("next_cursor")
        while cursor:
            part = (await self._ask("GET", f"/v1/tools?{urlencode({'cursor': cursor})}")).body()
            items, cursor = items + part["items"], part.get("next_cursor")
        # The tag is of the whole list as it was at the first part: if it changed since, the next question finds that.
        return ToolList(items=tuple(items), etag=answer.headers.get("etag"))

    async def call(self, name: str, arguments: Mapping[str, Any]) -> CallResult | CallPending:
        """Call a tool by its name in the list; raises AgentApiError with the envelope when it fails."""
        answer = await self._ask("POST", _path_of(name), content=_encoded({"arguments": dict(arguments)}))
        return _called(answer.status, answer.body())

    def begin(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        answers: Sequence[str],
        log_level: str | None,
        told: Callable[[], None],
    ) -> Sent | None:
        """Send a call now, if a connection is free. `call_heard` takes it from there, or `result_of` its answer.

        The arguments were read as JSON, so nothing in them cannot be written. `told` is called when there is news.
        """
        content = to_json(_said(arguments, answers, log_level))
        return self._way.send_at_once("POST", _path_of(name), headers=self._hearing, content=content, told=told)

    async def call_heard(
        self, name: str, arguments: Mapping[str, Any], hearing: Hearing, *, sent: Sent | None = None
    ) -> CallResult | CallPending:
        """Call a tool and hear of it while it runs. Being cancelled calls the call off.

        A request that was sent already is not sent again.
        """
        exchange: AbstractAsyncContextManager[Answer]
        if sent is None:
            content = _encoded(_said(arguments, hearing.answers, hearing.log_level))
            exchange = self._way.send("POST", _path_of(name), headers=self._hearing, content=content)
        else:
            exchange = sent
        try:
            async with exchange as answer:
                if not answer.headers.get("content-type", "").startswith(_STREAM):
                    # Nothing was told on the way.
                    read = _checked(await _read(answer))
                    return _called(read.status, read.body())
                status, body = await self._heard(answer, hearing)
        except (NotReached, BrokenOff) as problem:
            raise _failed(problem) from problem
        if status >= _BAD_REQUEST:
            raise AgentApiError(str(body["error"]["message"]), envelope=body, status=status)
        return _called(status, body)

    async def _heard(self, answer: Answer, hearing: Hearing) -> tuple[int, Mapping[str, Any]]:
        asked: set[asyncio.Task[None]] = set()
        last: tuple[int, Mapping[str, Any]] | None = None
        try:
            async for event, data in events(lines(answer)):  # to its end, so that the connection can be used again
                if event == "answer":
                    last = int(data["status"]), data["body"]
                elif event == "progress":
                    await hearing.progress(data)
                elif event == "logged":
                    await hearing.logged(data)
                elif event == "asked":
                    task = asyncio.ensure_future(self._answer(data, hearing))
                    asked.add(task)
                    task.add_done_callback(asked.discard)
        finally:
            for task in asked:
                task.cancel()  # what is not answered when the call is over, nobody waits for
        if last is None:
            raise AnswerLost("The Aileron daemon ended the call without an answer.")
        return last

    async def _answer(self, question: Mapping[str, Any], hearing: Hearing) -> None:
        name, more = str(question.get("name", "")), int(question.get("more", 0))
        result = await hearing.asked(str(question["method"]), question["params"], name, more)
        path = f"/v1/tool-questions/{quote(str(question['id']), safe='')}/answer"
        with contextlib.suppress(AgentApiError):  # the call may have ended meanwhile, and then says so itself
            content = _encoded({"result": None if result is None else dict(result)})
            await self._ask("POST", path, content=content)

    async def servers(self) -> Sequence[Mapping[str, Any]]:
        """Return the servers that can be asked for more than tools."""
        listed: Sequence[Mapping[str, Any]] = (await self._ask("GET", "/v1/tool-servers")).body()["items"]
        return listed

    async def poll(self, approval_id: str, *, wait_seconds: float = 0) -> Mapping[str, Any]:
        """Return where an approval stands, waiting at most so long for an end."""
        path = f"/v1/action-approvals/{quote(approval_id, safe='')}/result"
        return (await self._ask("GET", f"{path}?{urlencode({'wait': wait_seconds})}")).body()

    async def changes(self) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """Yield each event as it comes, and `alive` for each sign of life, the first one at once."""
        try:
            async with self._way.send("GET", "/v1/events", headers=self._headers, silence=_LISTENING_SECONDS) as answer:
                if answer.status != _OK:
                    raise _refusal(await _read(answer))
                async for event in events(lines(answer), alive=True):
                    yield event
        except (NotReached, BrokenOff) as problem:
            raise AgentUnreachable(f"The Aileron daemon cannot be reached: {_reason(problem)}.") from problem

    async def _ask(
        self, method: str, path: str, *, content: bytes = b"", headers: Mapping[str, str] = _NONE
    ) -> "_Read":
        sent = {**self._headers, **(_JSON if content else _NONE), **headers}
        try:
            async with self._way.send(method, path, headers=sent, content=content) as answer:
                return _checked(await _read(answer))
        except (NotReached, BrokenOff) as problem:
            raise _failed(problem) from problem


@dataclass(frozen=True, slots=True)
class _Read:
    """An answer that was read whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def body(self) -> Mapping[str, Any]:
        """Return what it says. Raises AnswerLost if that cannot be read."""
        return _body(self.content)


def _body(content: bytes) -> Mapping[str, Any]:
    try:
        body = from_json(content)
    except ValueError:
        body = _loaded(content)
    if not isinstance(body, dict):
        raise AnswerLost("The Aileron daemon's answer is not an object.")
    return body


def _loaded(content: bytes) -> Any:
    try:
        return json.loads(content)  # slower, and reads also what is deeper, and halves of characters
    except (ValueError, RecursionError) as problem:
        raise AnswerLost(f"The Aileron daemon's answer cannot be read: {_reason(problem)}.") from None


async def _read(answer: Answer) -> _Read:
    return _Read(answer.status, answer.headers, await answer.whole())


def _checked(read: _Read) -> _Read:
    """Return an answer that is no refusal."""
    if read.status in {_OK, _ACCEPTED, _NO_CONTENT, _NOT_MODIFIED}:
        return read
    raise _refusal(read)


def _over_http(url: str, ca_file: Path | None) -> Way:
    try:
        return Connections(url, trust=trust(url, ca_file))
    except NotReached as problem:
        raise AgentUnreachable(f"The Aileron daemon cannot be reached: {_reason(problem)}.") from problem


def _failed(problem: NotReached | BrokenOff) -> AgentApiError:
    """Return the error of a request that failed: it tells whether the request certainly did not leave."""
    if isinstance(problem, NotReached):
        return AgentUnreachable(f"The Aileron daemon cannot be reached: {_reason(problem)}.")
    return AnswerLost(f"The Aileron daemon's answer did not come: {_reason(problem)}.")


@lru_cache(maxsize=256)
def _path_of(tool: str) -> str:
    return f"/v1/tools/{quote(tool, safe='')}/call"


def result_of(sent: Sent) -> CallResult | None:
    """Return what a tool answered, if it is there whole. None for all else, which `call_heard` understands."""
    content = sent.content
    if content is None or sent.status != _OK or sent.headers.get("content-type", "").startswith(_STREAM):
        return None
    return _result(_body(content))


def _said(arguments: Mapping[str, Any], answers: Sequence[str], log_level: str | None) -> Mapping[str, Any]:
    said = {"arguments": dict(arguments), "answers": list(answers)}
    return said if log_level is None else {**said, "log": log_level}


def _called(status: int, body: Mapping[str, Any]) -> CallResult | CallPending:
    if status == _ACCEPTED:
        return CallPending(body["approval_id"], body["review_url"], body["message"], body.get("asked_by") or "")
    return _result(body)


def _result(body: Mapping[str, Any]) -> CallResult:
    return CallResult(
        body["audit_id"], body["result"], tuple(body["content"]), body.get("is_error", False), body.get("meta")
    )


async def events(lines: AsyncIterator[str], *, alive: bool = False) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
    """Yield the events of a stream; each of ours has one line of data. Signs of life are events if they are wanted."""
    name = ""
    async for line in lines:
        if alive and line.startswith(":"):
            yield "alive", {}
        elif line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            try:
                yield name, json.loads(line.removeprefix("data: "))
            except (ValueError, RecursionError) as problem:
                raise AnswerLost(f"The Aileron daemon's answer cannot be read: {_reason(problem)}.") from None


def _encoded(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value).encode()
    except (ValueError, TypeError, RecursionError) as problem:
        raise NotSendable(f"The arguments cannot be sent as JSON: {_reason(problem)}.") from None


def _refusal(read: _Read) -> AgentApiError:
    try:
        envelope = read.body()
        message = str(envelope["error"]["message"])
    except (AnswerLost, KeyError, TypeError):
        message, envelope = f"The Aileron daemon answered with status {read.status}.", None
    return AgentApiError(message, envelope=envelope, status=read.status)


def _reason(problem: Exception) -> str:
    return str(problem).rstrip(".") or type(problem).__name__
