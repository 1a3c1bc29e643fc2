"""Puts secrets of the vault into the configuration of a server that is being started."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.tools.servers import references
from daemon.tools.servers.values import ServerConfig

_CONTROL = frozenset(map(chr, (*range(32), 127)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PutIn:
    """What a server is started with. It is held while the server starts, and shown nowhere."""

    config: ServerConfig = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """What must be taken out of everything that comes back."""


class PlainSecrets(Protocol):
    """The secrets that the person stored by name."""

    def secret(self, name: str) -> bytes | None:
        """Return a secret; None if there is none of this name. Raises the Failure of a locked vault."""
        ...


class SecretsOfVault:
    """Reads the secrets at the start of a server, and keeps none."""

    def __init__(self, plain: PlainSecrets) -> None:
        self._plain = plain

    def put_in(self, server: ServerConfig) -> PutIn:
        """Return the configuration with the values; raises the Failure of a locked vault or a missing name."""
        values = {name: self._value(server.name, name) for name in used(server)}
        if not values:
            return PutIn(config=server)
        command = tuple(references.put_in(each, values) for each in server.command) if server.unsafe_args else None
        url = None if server.url is None else references.put_in(server.url, values, references.in_query)
        headers = _filled(server.headers, values)
        filled = replace(
            server, command=command or server.command, env=_filled(server.env, values), url=url, headers=headers
        )
        for name, text in headers.items():
            names = references.used(server.headers[name])
            if names and not _CONTROL.isdisjoint(text):
                raise _unfit(server.name, names, f"cannot stand in the header {name}")
        with_secret = [headers[name] for name, text in server.headers.items() if references.used(text)]
        return PutIn(config=filled, secrets=references.secrets_in(values.values(), with_secret))

    def _value(self, server: str, name: str) -> str:
        value = self._plain.secret(name)
        command = f"aileron secret add {name}"
        if value is None:
            raise Failure(
                FailureClass.BINDING_REQUIRED,
                f"The server {server} needs the secret {name}, which the vault does not have. Nothing was run. A "
                f"person can run `{command}`.",
                boundary=Boundary.USER,
                details={"server": server, "secret": name, "command": command},
            )
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise _unfit(server, (name,), "is no text")
        return text


def _unfit(server: str, names: tuple[str, ...], why: str) -> Failure:
    command = f"aileron secret add {names[0]}"
    return Failure(
        FailureClass.BINDING_FAILED,
        f"The secret {', '.join(names)} {why}, so the server {server} was not started. Nothing was run. A person can "
        f"mend it with `{command}`.",
        boundary=Boundary.USER,
        details={"server": server, "secret": ", ".join(names), "command": command},
    )


def used(server: ServerConfig) -> frozenset[str]:
    """Return the names of the secrets that a server is started with."""
    texts = [*server.env.values(), *server.headers.values(), server.url or ""]
    if server.unsafe_args:
        texts += server.command
    return frozenset(name for text in texts for name in references.used(text))


def _filled(texts: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return {name: references.put_in(text, values) for name, text in texts.items()}
