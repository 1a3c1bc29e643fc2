"""Reads absolute URLs so strictly that no other program can read another host in them: pure."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urljoin

from daemon.core.authority import AuthorityError, HostPort, Origin

MAX_URL_LENGTH = 8192

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]")
_SHAPE = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?", re.IGNORECASE
)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[1-9][0-9]{0,4}))?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SAFE = "%/?:@!$&'()*+,;=-._~[]"
_DEFAULT_PORTS = {"https": 443, "http": 80}


class UrlError(ValueError):
    """A URL that this reader does not accept; the message says which rule it breaks."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where one request goes: scheme, exact host and port, and what stands in the request line."""

    scheme: str
    host_port: HostPort
    path: str
    query: str

    @property
    def host(self) -> str:
        """The host as it is resolved and as the certificate must name it: IPv6 without brackets."""
        return self.host_port.host

    @property
    def url(self) -> str:
        """The URL without its fragment, port written only when it is not the scheme's own."""
        return f"{self.scheme}://{self.authority}{self.path}{self.query}"

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL and in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if _DEFAULT_PORTS[self.scheme] == self.host_port.port else f":{self.host_port.port}"
        return f"{host}{port}"

    @property
    def origin(self) -> Origin:
        """The service that connections are made to."""
        return Origin(self.scheme, self.host_port)

    def same_origin(self, other: "Target") -> bool:
        """Say whether another target is the same service: scheme, host and port."""
        return self.scheme == other.scheme and self.host_port == other.host_port

    def join(self, location: str) -> "Target":
        """Read a redirect's Location relative to this target."""
        if len(location) > MAX_URL_LENGTH:
            raise UrlError(f"is longer than {MAX_URL_LENGTH} characters")
        if _FORBIDDEN.search(location):  # before joining, because joining drops tabs and line ends
            raise UrlError("contains white space, a control character or a backslash")
        try:
            joined = urljoin(self.url, location)
        except ValueError as error:
            raise UrlError("cannot be read") from error
        return parse_url(joined)


def parse_url(text: str) -> Target:
    """Read an absolute http or https URL; raise UrlError naming the broken rule."""
    if len(text) > MAX_URL_LENGTH:
        raise UrlError(f"is longer than {MAX_URL_LENGTH} characters")
    if _FORBIDDEN.search(text):
        raise UrlError("contains white space, a control character or a backslash")
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise UrlError("is not an absolute https URL like https://host/path")
    scheme = match["scheme"].lower()
    return Target(
        scheme=scheme,
        host_port=_parse_authority(match["authority"], scheme),
        path=_encode(match["path"]) or "/",
        query=_encode(match["query"] or ""),
    )


def _encode(text: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise UrlError("contains a % that is not followed by two hex digits")
    try:
        return quote(text, safe=_SAFE)
    except UnicodeEncodeError as error:
        raise UrlError("contains half of a surrogate pair") from error


@lru_cache(maxsize=1024)
def _parse_authority(authority: str, scheme: str) -> HostPort:
    if "@" in authority:
        raise UrlError("contains a user name; the host attaches the credential")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise UrlError("has a host that is not plain ASCII host[:port]; write international names in punycode")
    try:
        # The manifest's own reader, so that one host has one spelling on both sides of the comparison.
        return HostPort.of(match["host"], int(match["port"]) if match["port"] else _DEFAULT_PORTS[scheme])
    except AuthorityError as error:
        raise UrlError(f"has a host or port that is not exact: {error}") from error
