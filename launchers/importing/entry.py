"""One server as an agent's file says it, read key by key: what is not understood leaves the whole entry alone."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_FILLED_IN = re.compile(r"\$\{[^}]*\}|\{(?:env|file):[^}]*\}")
_URL = re.compile(r"https?://[^/\s@?#]+(?:[/?][^\s#]*)?", re.IGNORECASE)
_MOST_SECONDS = 86_400


class LeftAloneError(Exception):
    """Why an entry stays where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server in the words of `servers.yaml`, with its secrets still in it."""

    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    client_id: str | None = None
    enabled: bool = True
    start_seconds: float | None = None
    call_seconds: float | None = None


class Entry:
    """The keys of one entry; each is asked for once, and those that nobody asked for are named at the end."""

    def __init__(self, said: Any, *, project: str | None) -> None:
        if not isinstance(said, dict):
            raise LeftAloneError("it is no object")
        self._rest = dict(said)
        self._project = project

    def text(self, *names: str) -> str | None:
        """Return the text under the first of these names that is there."""
        value = self._take(names)
        return None if value is None else self._checked(value, names[0])

    def texts(self, *names: str) -> dict[str, str]:
        """Return texts by their names; numbers count as texts."""
        value = self._take(names)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise LeftAloneError(f"`{names[0]}` is no object")
        return {str(name): self._checked(each, f"{names[0]}.{name}") for name, each in value.items()}

    def words(self, *names: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._take(names)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise LeftAloneError(f"`{names[0]}` is no list")
        return tuple(self._checked(each, names[0]) for each in value)

    def flag(self, name: str, *, usual: bool) -> bool:
        """Return whether something is switched on."""
        value = self._take((name,))
        if value is None:
            return usual
        if not isinstance(value, bool):
            raise LeftAloneError(f"`{name}` is neither true nor false")
        return value

    def seconds(self, name: str, *, each: float = 1.0) -> float | None:
        """Return a time; `each` is how many seconds one of the file's units has."""
        value = self._take((name,))
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MOST_SECONDS / each:
            raise LeftAloneError(f"`{name}` is no time that Aileron takes")
        return max(1.0, value * each)

    def pass_over(self, *names: str) -> None:
        """Take keys as read that say nothing which has to be kept."""
        for name in names:
            self._rest.pop(name, None)

    def refuse(self, name: str, reason: str) -> None:
        """Leave the entry alone if a key is there and says something."""
        if self._rest.pop(name, None) not in (None, False, "", [], {}):
            raise LeftAloneError(f"`{name}`: {reason}")

    def folder(self, name: str = "cwd") -> str | None:
        """Return where it works: what the entry says, or else the project that it stands in."""
        said = self.text(name)
        if said is None:
            return self._project
        if said.startswith(("/", "~/")):
            return said
        if self._project is None:
            raise LeftAloneError(f"`{name}` is relative to the folder that the agent is started in")
        return posixpath.normpath(posixpath.join(self._project, said))

    def local(self, command: tuple[str, ...], env: Mapping[str, str], **more: Any) -> Server:
        """Return a server that is a command."""
        if not command or not command[0].strip():
            raise LeftAloneError("it has no command")
        self.end()
        folder = more.get("folder")
        relative = [word for word in command if word in {".", ".."} or word.startswith(("./", "../"))]
        if relative and folder is None:
            raise LeftAloneError(f"{relative[0]} is relative to the folder that the agent is started in")
        return Server(command=command, env=env, **more)

    def remote(self, url: str, headers: Mapping[str, str], **more: Any) -> Server:
        """Return a server that is somewhere else."""
        self.end()
        if not _URL.fullmatch(url):
            raise LeftAloneError("its URL holds a user, a password or a part behind #, or is no URL of the web")
        if url.partition("?")[0].rstrip("/").endswith("/sse"):
            raise LeftAloneError("it speaks the old SSE transport, which Aileron does not; ask for its HTTP address")
        return Server(url=url, headers=headers, **more)

    def end(self) -> None:
        """Leave the entry alone if a key is left that nobody asked for."""
        if self._rest:
            names = ", ".join(f"`{name}`" for name in sorted(map(str, self._rest))[:5])
            raise LeftAloneError(f"{names} cannot be said in servers.yaml")

    def _take(self, names: tuple[str, ...]) -> Any:
        found = [self._rest.pop(name) for name in names if name in self._rest]
        if len(found) > 1:
            raise LeftAloneError(f"it has several of {', '.join(names)}")
        return found[0] if found else None

    def _checked(self, value: Any, name: str) -> str:
        is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
        if not is_number and not isinstance(value, str):
            raise LeftAloneError(f"`{name}` is no text")
        text = str(value)
        if filled := _FILLED_IN.search(text):
            # What stands behind :- may be a secret, so only the beginning is said.
            begun = re.match(r"[${]+[A-Za-z]*:?[A-Za-z0-9_]*", filled[0])
            raise LeftAloneError(
                f"`{name}` holds {begun[0] if begun else '${'}...}}, which the agent fills in; write the value there"
            )
        if "\0" in text or "vault://" in text.casefold():
            raise LeftAloneError(f"`{name}` holds something that servers.yaml would take for something else")
        return text
