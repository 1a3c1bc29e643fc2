"""Finding the daemon: told by the environment, or on a host by the file the daemon leaves for its owner's programs."""

import asyncio
import contextlib
import json
import os
import ssl
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from aileron_mcp.client import AgentApiError, AgentClient, AgentUnreachable
from aileron_mcp.connections import Connections
from aileron_mcp.exchange import BrokenOff, NotReached
from aileron_mcp.trust import trust

_SECONDS = 5.0
_OK, _REDIRECTED, _UNAUTHORIZED = 200, 300, 401


T = TypeVar("T")


class Link(Protocol):
    """The connection to one daemon, in one session."""

    @property
    def session_id(self) -> str | None:
        """Return the session that is asked in, as far as it is known."""
        ...

    @property
    def at_hand(self) -> AgentClient | None:
        """Return the client, if nothing must be waited for first."""
        ...

    async def client(self) -> AgentClient:
        """Return a client; raises AgentUnreachable with a sentence that helps."""
        ...

    async def renew(self) -> bool:
        """Forget a session of its own that has ended; False if it cannot be replaced here."""
        ...

    async def do(self, work: Callable[[AgentClient], Awaitable[T]]) -> T:
        """Do something with a client; with a fresh session, once, if its own has ended."""
        ...


class DaemonLink:
    """Holds the connection to one daemon, and makes it anew when the daemon was started anew."""

    def __init__(self, environment: Mapping[str, str], *, label: str = "aileron-mcp") -> None:
        self._environment = environment
        self._label = label
        self._client: AgentClient | None = None
        self._own: _OwnSession | None = None
        self._opening = asyncio.Lock()

    @property
    def session_id(self) -> str | None:
        """Return the session that is asked in, as far as it is known."""
        return self._environment.get("AILERON_SESSION_ID") or (None if self._own is None else self._own.id)

    @property
    def at_hand(self) -> AgentClient | None:
        """Return the client, if nothing must be waited for first."""
        return None if self._own is not None and self._own.is_stale() else self._client

    async def client(self) -> AgentClient:
        """Return a client; raises AgentUnreachable with a sentence that helps."""
        async with self._opening:
            client = self.at_hand
            if client is None:
                await self._let_go()
                client = self._client = await self._open()
            return client

    async def renew(self) -> bool:
        """Forget a session of its own that has ended; False if this one was given and cannot be replaced here."""
        async with self._opening:
            if self._own is None:
                return False
            self._own = None
            await self._let_go()
            return True

    async def do(self, work: Callable[[AgentClient], Awaitable[T]]) -> T:
        """Do something with a client; with a fresh session, once, if this one's own has ended."""
        try:
            return await work(await self.client())
        except AgentApiError as problem:
            if problem.status != _UNAUTHORIZED or not await self.renew():
                raise
        return await work(await self.client())

    async def close(self, *, why: str) -> None:
        """End what was begun here, and say why in the log."""
        own = self._own
        await self._let_go()
        if own is not None:
            await own.end(why)

    async def _let_go(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _open(self) -> AgentClient:
        url, token = self._environment.get("AILERON_URL"), self._environment.get("AILERON_TOKEN")
        if not url or not token:
            if url or token:
                missing = "AILERON_TOKEN" if url else "AILERON_URL"
                raise AgentUnreachable(f"{missing} is not set; a launch sets it together with its companion.")
            own = self._own = await _OwnSession.find(self._environment, label=self._label, known=self._own)
            return AgentClient(own.agent_url, own.token)
        ca_file = self._environment.get("AILERON_CA_FILE")
        try:
            return AgentClient(url, token, ca_file=Path(ca_file) if ca_file else None)
        except (OSError, ssl.SSLError) as problem:
            raise AgentUnreachable(
                f"The certificates in AILERON_CA_FILE ({ca_file}) cannot be read: {problem}."
            ) from None


class _OwnSession:
    """A session that was opened here, with the owner's own right, for an agent that nobody launched."""

    def __init__(
        self, place: Path, stamp: tuple[int, ...], found: Mapping[str, Any], opened: Mapping[str, Any]
    ) -> None:
        self._place = place
        self._found = found
        self._stamp = stamp
        self.id = str(opened["id"])
        self.token = str(opened["token"])
        self.agent_url = str(found["agent_url"])

    @classmethod
    async def find(cls, environment: Mapping[str, str], *, label: str, known: "_OwnSession | None") -> "_OwnSession":
        place = _place(environment)
        stamp = _stamp(place)
        found = _read(place)
        if known is not None and await known.lives(found):
            return cls(place, stamp, found, {"id": known.id, "token": known.token})
        body = {"kind": "host", "label": label, "owner_pid": os.getpid()}
        return cls(place, stamp, found, await _control(found, "POST", "/v1/sessions", body))

    def is_stale(self) -> bool:
        """Say whether the daemon is another process than the one this was opened with."""
        stamp = _stamp(self._place)
        if stamp == self._stamp:
            return False  # the file is still the same
        try:
            found = _read(self._place)
        except AgentUnreachable:
            return False  # it is away; what cannot be reached is said when it is asked
        self._stamp = stamp
        return bool(found["pid"] != self._found["pid"] or found["agent_url"] != self._found["agent_url"])

    async def lives(self, found: Mapping[str, Any]) -> bool:
        """Say whether the session outlived the daemon that opened it."""
        with contextlib.suppress(AgentUnreachable):
            return (await _control(found, "GET", f"/v1/sessions/{self.id}")).get("ended_at") is None
        return False

    async def end(self, why: str) -> None:
        """End the session, if there is still somebody to tell."""
        with contextlib.suppress(AgentUnreachable):
            body = {"reason": why, "by": "connection"}
            await _control(_read(self._place), "POST", f"/v1/sessions/{self.id}/end", body)


def _place(environment: Mapping[str, str]) -> Path:
    home = environment.get("AILERON_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".aileron") / "daemon.json"


def _stamp(place: Path) -> tuple[int, ...]:
    """Return what changes with the file; it is asked before each call, and reading the file takes ten times as long."""
    try:
        found = os.stat(place, follow_symlinks=False)  # noqa: PTH116 - of the standard library the quickest
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read(place: Path) -> Mapping[str, Any]:
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise AgentUnreachable(
            f"The Aileron daemon does not run ({place} is not there). A person can start it: aileron daemon start"
        ) from None
    except OSError as problem:
        raise AgentUnreachable(f"{place} cannot be read: {problem.strerror}.") from None
    with os.fdopen(descriptor, encoding="utf-8") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise AgentUnreachable(f"{place} is not a file that only you can read, so it is not trusted.")
        try:
            found = json.load(file)
            return {key: found[key] for key in ("pid", "control_url", "agent_url", "token")}
        except (ValueError, KeyError, TypeError):
            raise AgentUnreachable(f"{place} is not what a daemon of Aileron leaves there.") from None


async def _control(found: Mapping[str, Any], method: str, path: str, body: Any = None) -> Mapping[str, Any]:
    url, headers = str(found["control_url"]), {"Authorization": f"Bearer {found['token']}"}
    content = b""
    if body is not None:
        headers["Content-Type"], content = "application/json", json.dumps(body).encode()
    try:
        connections = Connections(url, trust=trust(url))
        async with connections.send(method, path, headers=headers, content=content, silence=_SECONDS) as answer:
            said = await answer.whole()
            if not _OK <= answer.status < _REDIRECTED:
                raise BrokenOff(f"it answered with status {answer.status}")
        await connections.aclose()
        read: Mapping[str, Any] = json.loads(said)
        return read
    except (NotReached, BrokenOff, ValueError) as problem:
        raise AgentUnreachable(
            f"The Aileron daemon does not answer ({str(problem) or type(problem).__name__}). "
            "A person can look: aileron status"
        ) from problem
