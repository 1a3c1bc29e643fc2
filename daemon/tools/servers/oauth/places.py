"""Where documents about a login are, and which URLs may be asked for one: pure."""

from dataclasses import dataclass
from ipaddress import ip_address

from daemon.connectors.http.urls import Target, UrlError, parse_url
from daemon.tools.servers.oauth.problems import LoginError

_RESOURCE = "oauth-protected-resource"
_SERVER = "oauth-authorization-server"
_OPENID = "openid-configuration"


@dataclass(frozen=True, slots=True)
class Places:
    """Which URLs may be asked for the login at one server.

    A server names URLs that we then ask. So they must be `https`, and may lead to this machine only if the server
    itself is on this machine by its configuration: else a server far away could send our requests to services here.
    """

    server_is_here: bool

    @classmethod
    def for_server(cls, url: str) -> "Places":
        """Return the rule for a server with this URL."""
        return cls(is_here(parse_url(url)))

    def read(self, url: object, what: str) -> Target:
        """Return a URL that may be asked; raises LoginError."""
        if not isinstance(url, str):
            raise LoginError(f"{what} is not said.")
        try:
            target = parse_url(url)
        except UrlError as error:
            raise LoginError(f"{what} {error}.") from error
        if "#" in url:
            raise LoginError(f"{what} has a fragment, which is not allowed.")
        if is_here(target):
            if not self.server_is_here:
                raise LoginError(f"{what} leads to this machine ({target.host_port}), and the server is not on it.")
        elif target.scheme != "https":
            raise LoginError(f"{what} is plain http ({target.host_port}); only https is used for a login.")
        return target


def is_here(target: Target) -> bool:
    """Say whether a URL itself names this machine."""
    if target.host == "localhost" or target.host.endswith(".localhost"):
        return True
    try:
        return ip_address(target.host).is_loopback
    except ValueError:
        return False


def resource_of(url: str) -> str:
    """Return the name of a server as a resource: its URL without query and fragment."""
    target = parse_url(url)
    path = "" if target.path == "/" else target.path
    return f"{target.scheme}://{target.authority}{path}"


def origin_of(url: str) -> str:
    """Return a URL without its path."""
    target = parse_url(url)
    return f"{target.scheme}://{target.authority}"


def covers(named: str, resource: str) -> bool:
    """Say whether a name of a resource is that of a server, or of something on its host that the server is below."""
    try:
        theirs, ours = parse_url(named), parse_url(resource)
    except UrlError:
        return False
    if not theirs.same_origin(ours) or theirs.query or "#" in named:
        return False
    above = theirs.path.rstrip("/")
    # A dot segment would be read as another path by whoever resolves it.
    has_dots = any(segment in {".", ".."} for segment in theirs.path.replace("%2e", ".").replace("%2E", ".").split("/"))
    return not has_dots and (ours.path.rstrip("/") + "/").startswith(above + "/")


def resource_documents(url: str) -> tuple[str, ...]:
    """Return where a server may say whom it believes, in the order in which they are asked."""
    base, path = f"{origin_of(url)}/.well-known/{_RESOURCE}", parse_url(url).path.rstrip("/")
    return (base + path, base) if path else (base,)


def server_documents(issuer: Target) -> tuple[str, ...]:
    """Return where an authorization server describes itself, in the order that the specification lists."""
    base, path = f"{issuer.scheme}://{issuer.authority}", issuer.path.rstrip("/")
    found = [f"{base}/.well-known/{_SERVER}{path}", f"{base}/.well-known/{_OPENID}{path}"]
    if path:
        found.append(f"{base}{path}/.well-known/{_OPENID}")
    return tuple(found)
