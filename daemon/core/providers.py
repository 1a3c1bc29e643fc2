"""Model providers: where their requests go, in whose form they speak, and which one a path means."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from urllib.parse import urlsplit

from daemon.core.authority import AuthorityError, HostPort, Origin
from daemon.core.manifest import Credential, Injection

_DOTS = re.compile(r"(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\]|%2f|%5c|$)", re.IGNORECASE)
_PORTS = {"https": 443, "http": 80}


class Style(StrEnum):
    """Whose API a provider speaks."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"


_INJECTIONS = {
    Style.ANTHROPIC: Injection("x-api-key", "{secret}"),
    Style.OPENAI: Injection("authorization", "Bearer {secret}"),
}


class ProviderError(ValueError):
    """A provider that is not configured as it must be."""


@dataclass(frozen=True)
class Provider:
    """One provider. In the vault it stands where connectors stand: a key is granted to it, for its host."""

    name: str
    style: Style
    scheme: str
    host_port: HostPort
    prefix: str
    """What stands in front of `/v1` in the path, without a slash at the end."""
    headers: tuple[tuple[str, str], ...] = ()
    """What is added to every request."""

    @classmethod
    def configured(cls, name: str, *, style: Style, base_url: str, headers: Mapping[str, str]) -> "Provider":
        """Read a provider from its configuration."""
        try:
            parts = urlsplit(base_url)
            port = parts.port or _PORTS[parts.scheme]
            host_port = HostPort.of(parts.hostname or "", port)
        except (ValueError, KeyError, AuthorityError) as problem:
            raise ProviderError(f"{base_url!r} is not a base URL like https://api.example.com ({problem})") from problem
        if parts.query or parts.fragment or parts.username or parts.password:
            raise ProviderError(f"{base_url!r} holds more than a scheme, a host, a port and a path")
        prefix = parts.path.rstrip("/").removesuffix("/v1")
        return cls(name, style, parts.scheme, host_port, prefix, tuple(headers.items()))

    def __str__(self) -> str:
        """Write the name under which a key is granted."""
        return f"provider://{self.name}"

    @property
    def service(self) -> str:
        """Return the middle part of the names of its bindings."""
        return self.name

    @cached_property
    def header_bytes(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return what is added to every request, as it goes over the wire."""
        return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers)

    @cached_property
    def origin(self) -> Origin:
        """Return the service to connect to."""
        return Origin(self.scheme, self.host_port)

    @cached_property
    def host_bytes(self) -> bytes:
        """Return the Host header: with the port only where it is not the scheme's own."""
        shown = str(self.host_port)
        return (shown.rpartition(":")[0] if self.host_port.port == _PORTS[self.scheme] else shown).encode()

    @property
    def credential(self) -> Credential:
        """Return what it needs, in the words that connectors use for it."""
        return Credential("api_key", None, _INJECTIONS[self.style], (self.host_port,))

    @property
    def base_url(self) -> str:
        """Return where it is."""
        return f"{self.scheme}://{self.host_port}{self.prefix}"


class Providers:
    """Those that are configured, by name."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self.by_name = {provider.name: provider for provider in providers}

    def meant_by(self, path: str, *, anthropic_version: bool) -> tuple[Provider, str] | None:
        """Return whom a path below the token means, and the provider's own path; None if nobody is meant.

        A name in front decides. Otherwise the path does; the list of models has one path in both APIs, so there the
        header decides that only one of them wants. Dot segments mean nobody: it depends on the server where they lead,
        and what was granted is what lies below the provider's own path.
        """
        if _DOTS.search(path):
            return None
        first, _, rest = path.partition("/")
        named = self.by_name.get(first)
        if named is not None and rest:
            return named, rest
        if first != "v1" or not rest:
            return None
        second = rest.partition("/")[0]
        anthropic = second == "messages" or (second == "models" and anthropic_version)
        provider = self.by_name.get("anthropic" if anthropic else "openai")
        return None if provider is None else (provider, path)
