"""Finds what is secret in a server's texts, and puts names of the vault in its place. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from daemon.cli.secret_texts import scheme_of, secret_name
from daemon.core.likely_secrets import Why, why_secret
from launchers.importing.entry import LeftAloneError, Server

_NAMED = re.compile(r"(?P<head>-{0,2}(?P<name>[A-Za-z_][\w.-]*)(?:=|:(?!//)\s*))(?P<value>.+)", re.DOTALL)
_PARAMETER = re.compile(r"(?P<head>[?&](?P<name>[^=&#]+)=)(?P<value>[^&#]+)")
_PATH = re.compile(r"(?:~|\.{1,2})?/")


@dataclass(frozen=True, slots=True)
class Secret:
    """One value that goes to the vault."""

    name: str
    value: str
    where: str
    why: Why
    stored: bool = False
    """It is in the vault already, under this name and with this value; so it is neither written nor removed."""

    def as_json(self) -> dict[str, Any]:
        """Return everything but the value."""
        said = {"name": self.name, "where": self.where, "length": len(self.value), "why": self.why.value}
        return said | {"stored": self.stored}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A value that may be a secret and may be none."""

    server: str
    where: str
    length: int


class Hiding:
    """Takes the secrets out of one server.

    `free` gives the name that a value gets in the vault, and says whether it has that name there already; `is_secret`
    decides about what only looks random.
    """

    def __init__(
        self, server: str, *, free: Callable[[str, str], tuple[str, bool]], is_secret: Callable[[Doubt], bool]
    ) -> None:
        self._server = server
        self._free = free
        self._is_secret = is_secret
        self.secrets: list[Secret] = []

    def body(self, server: Server) -> dict[str, Any]:
        """Return what is asked of the daemon; raises LeftAloneError where a secret stands and no reference may."""
        body: dict[str, Any] = {"name": self._server, "mode": "local" if server.url is None else "remote"}
        if server.url is None:
            body["command"] = self.command(server.command)
            body["unsafe_args"] = bool(self.secrets)
            body["env"] = self._texts(server.env, "variable")
            body["folder"] = server.folder
        else:
            body["url"] = self._url(server.url)
            body["headers"] = self._texts(server.headers, "header")
            body["client_id"] = server.client_id
            if self.secrets and _is_readable_on_the_way(server.url):
                raise LeftAloneError("a secret would be sent to its URL without encryption; write https:// there")
        more = {"enabled": server.enabled, "start_seconds": server.start_seconds, "call_seconds": server.call_seconds}
        return {key: value for key, value in (body | more).items() if value is not None}

    def _texts(self, texts: Mapping[str, str], what: str) -> dict[str, str]:
        return {name: self._text(name, value, f"{what} {name}") for name, value in texts.items()}

    def _text(self, name: str, value: str, where: str) -> str:
        why = why_secret(name, value)
        if why is None or not self._agreed(why, value, where):
            return value
        scheme = scheme_of(value)
        return scheme + self._kept(name, value.removeprefix(scheme), where, why)

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the words of a command."""
        found, before = [command[0]], ""
        for number, word in enumerate(command[1:], 1):
            found.append(self._argument(word, before, f"argument {number}"))
            before = word
        return found

    def _argument(self, word: str, before: str, where: str) -> str:
        """Return a word of the command: `--token=X`, `X` behind `--token`, `NAME=X`, `Header: X`, or a URL."""
        if (named := _NAMED.fullmatch(word)) is not None:
            return named["head"] + self._of_option(named["name"], named["value"], where)
        if "://" in word and "?" in word:
            return _PARAMETER.sub(lambda found: found["head"] + self._text(found["name"], found["value"], where), word)
        option = before.lstrip("-") if before.startswith("-") and "=" not in before else ""
        return word if word.startswith("-") else self._of_option(option, word, where)

    def _of_option(self, name: str, value: str, where: str) -> str:
        if why_secret(name, value) is Why.NAME and (_PATH.match(value) or re.match(r"[a-z]+://", value)):
            return value  # such as --key /etc/key.pem
        return self._text(name or where, value, where)

    def _url(self, url: str) -> str:
        if has_secret_path(url):
            raise LeftAloneError("its URL holds something like a secret before the ?, where none may stand")
        return self.query(url)

    def query(self, url: str) -> str:
        """Return a URL whose query names its secrets; what stands before the ? stays as it is."""

        def hidden(found: re.Match[str]) -> str:
            # It is encoded again when it is put in.
            name, value = unquote(found["name"]), unquote(found["value"])
            why = why_secret(name, value)
            if why is None or not self._agreed(why, value, f"url ?{name}"):
                return found[0]
            return found["head"] + self._kept(name, value, f"url ?{name}", why)

        return _PARAMETER.sub(hidden, url)

    def _agreed(self, why: Why, value: str, where: str) -> bool:
        return why is not Why.RANDOM or self._is_secret(Doubt(self._server, where, len(value)))

    def _kept(self, key: str, value: str, where: str, why: Why) -> str:
        name, stored = self._free(secret_name(self._server, key), value)
        self.secrets.append(Secret(name, value, where, why, stored))
        return f"vault://secrets/{name}"


def has_secret_path(url: str) -> bool:
    """Say whether something like a secret stands in a URL where no name of the vault may: before the ?."""
    return any(why_secret("", part) is not None for part in urlsplit(url).path.split("/"))


def _is_readable_on_the_way(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "http" and host not in {"localhost", "::1"} and not host.startswith("127.")
