"""Network authorities: exact host and port pairs, with one spelling for each."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

MAX_HOST_LENGTH = 253

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER_LIKE = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


class AuthorityError(ValueError):
    """A text is not an exact host and port."""


@dataclass(frozen=True, slots=True, order=True)
class HostPort:
    """One host and one port; the host is lower case, an IPv6 address stands in its shortest form without brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "HostPort":
        """Read host:port, such as slack.com:443 or [::1]:8080; there is no default port and no wildcard."""
        if "://" in text:
            raise AuthorityError(f"{_shown(text)} is a URL; write only the host and the port, like slack.com:443.")
        host, separator, port = text.rpartition(":")
        if not separator or (text.startswith("[") and text.endswith("]")):
            raise AuthorityError(f"{_shown(text)} has no port; write it out, like slack.com:443.")
        if not _PORT.fullmatch(port):
            raise AuthorityError(f"The port of {_shown(text)} is not a number from 1 to 65535.")
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise AuthorityError(f"{_shown(text)} is ambiguous; write an IPv6 address in brackets, like [::1]:443.")
        return cls.of(host, int(port))

    @classmethod
    def of(cls, host: str, port: int) -> "HostPort":
        """Build a pair from its parts, bringing the host to its one spelling; brackets are optional."""
        if not 1 <= port <= 65535:
            raise AuthorityError(f"The port {port} is not between 1 and 65535.")
        return cls(host=_normal_host(host), port=port)

    def __str__(self) -> str:
        """Write host:port, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Origin:
    """One service as connections know it: a scheme, `http` or `https`, with a host and a port."""

    scheme: str
    host_port: HostPort

    @property
    def is_secure(self) -> bool:
        """Say whether it is reached over TLS."""
        return self.scheme == "https"


def _normal_host(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
        if ":" not in text:
            raise AuthorityError(f"Only an IPv6 address stands in brackets, and {_shown(text)} is none.")
    if ":" in text:
        try:
            if "%" in text:
                raise AddressValueError("zone")
            return str(IPv6Address(text)).lower()
        except AddressValueError as error:
            raise AuthorityError(f"{_shown(text)} is not an IPv6 address (zones are not allowed).") from error
    if "*" in text:
        raise AuthorityError(f"{_shown(text)} is a wildcard; name every host in full, like slack.com:443.")
    if not text.isascii():
        raise AuthorityError(f"{_shown(text)} is not ASCII; write an international name in its xn-- form.")
    host = text.lower()
    labels = host.split(".")
    if not host or len(host) > MAX_HOST_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise AuthorityError(
            f"{_shown(text)} is not a host name; write letters, digits and hyphens between dots, without a final dot."
        )
    if _NUMBER_LIKE.fullmatch(labels[-1]):
        # Resolvers read 127.1 and 0x7f.1 as addresses, so only the plain spelling may pass.
        try:
            return str(IPv4Address(host))
        except AddressValueError as error:
            raise AuthorityError(f"{_shown(text)} is not an IPv4 address in its plain form, like 192.0.2.1.") from error
    return host


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}...")
