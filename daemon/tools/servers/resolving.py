"""Fetches the secrets that a server's configuration names, when it starts."""

from dataclasses import replace

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.tools.servers import references
from daemon.tools.servers.lives.put_in import PutIn
from daemon.tools.servers.values import ServerConfig
from daemon.vault.errors import EntryNotFound, VaultError
from daemon.vault.names import SECRET
from daemon.vault.vault import Vault

_CONTROL = frozenset(map(chr, (*range(32), 127)))


class Resolver:
    """Puts secrets into configurations. It keeps none of them."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def put_in(self, server: ServerConfig) -> PutIn:
        """Return the configuration with the values in place of the references, and what has to be scrubbed.

        Raises a Failure that names the command which mends it: the vault is locked, or has no such secret, or its
        value cannot stand there.
        """
        names = dict.fromkeys(name for text in _texts(server) for name in references.used(text))
        values = {name: self._value(server.name, name) for name in names}
        filled = replace(
            server,
            command=tuple(references.put_in(word, values) for word in server.command),
            env={name: references.put_in(text, values) for name, text in server.env.items()},
            url=None if server.url is None else references.put_in(server.url, values, references.in_query),
            headers={name: references.put_in(text, values) for name, text in server.headers.items()},
        )
        _check(server, filled)
        with_secrets = [filled.headers[name] for name, text in server.headers.items() if references.used(text)]
        return PutIn(config=filled, secrets=references.secrets_in(values.values(), with_secrets))

    def _value(self, server: str, name: str) -> str:
        try:
            entry = self._vault.contents.entries.get(name)
            if entry is None or entry.kind != SECRET:  # a binding's credential is for its connector alone
                raise _missing(server, name)
            return self._vault.get(name).decode()
        except EntryNotFound:
            raise _missing(server, name) from None
        except UnicodeDecodeError:
            raise _unfit(server, name, "is no text") from None
        except VaultError as problem:
            raise _closed(server, problem) from problem


def _texts(server: ServerConfig) -> list[str]:
    return [*server.command, *server.env.values(), server.url or "", *server.headers.values()]


def _check(server: ServerConfig, filled: ServerConfig) -> None:
    """Raise the Failure of a value that cannot stand where it was put."""
    for name, text in filled.headers.items():
        if not _CONTROL.isdisjoint(text):
            raise _unfit(server.name, references.used(server.headers[name]), f"cannot stand in the header {name}")
    for said, text in [*zip(server.command, filled.command, strict=True), *_pairs(server, filled)]:
        if "\0" in text:
            raise _unfit(server.name, references.used(said), "holds the character U+0000")


def _pairs(server: ServerConfig, filled: ServerConfig) -> list[tuple[str, str]]:
    return [(server.env[name], text) for name, text in filled.env.items()]


def _missing(server: str, name: str) -> Failure:
    command = f"aileron secret add {name}"
    return Failure(
        FailureClass.BINDING_REQUIRED,
        f"The server {server} needs the secret {name}, which the vault does not have. Nothing was run. A person can "
        f"run `{command}`.",
        boundary=Boundary.USER,
        details={"server": server, "secret": name, "command": command},
    )


def _unfit(server: str, name: str | tuple[str, ...], why: str) -> Failure:
    named = name if isinstance(name, str) else ", ".join(name)
    command = f"aileron secret add {named.partition(',')[0]}"
    return Failure(
        FailureClass.BINDING_FAILED,
        f"The value of the secret {named} {why}, so the server {server} was not started. A person can store it anew: "
        f"`{command}`.",
        boundary=Boundary.USER,
        details={"server": server, "secret": named, "command": command},
    )


def _closed(server: str, problem: VaultError) -> Failure:
    command = problem.details.get("command")
    remedy = f" A person can run `{command}`." if command else ""
    said = problem.message.partition("; run:")[0].rstrip(".")
    return Failure(
        problem.failure_class,
        f"The server {server} needs a secret. {said}. Nothing was run.{remedy}",
        boundary=problem.boundary,
        retriable=problem.retriable,
        details={**problem.details, "server": server},
    )
