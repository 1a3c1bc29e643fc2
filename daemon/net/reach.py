"""What is known of a host before anybody is asked: an address that stands in its name, and whether it is dialled."""

from collections.abc import Iterable
from ipaddress import ip_address

from daemon.core.authority import HostPort
from daemon.net.addresses import IpAddress, refusal

_THIS_MACHINE = ip_address("127.0.0.1")


def address_in_name(host: str) -> IpAddress | None:
    """Return the address that a host is by its name alone; None if only a resolver could tell."""
    if host == "localhost" or host.endswith(".localhost"):
        return _THIS_MACHINE
    try:
        return ip_address(host)
    except ValueError:
        return None


def never_reached(hosts: Iterable[HostPort], *, allowed: frozenset[HostPort]) -> str | None:
    """Say why none of these hosts can be reached, if that is known by their names; None if one of them may be.

    Nothing is resolved for this, so it costs no request and tells nobody.
    """
    problem = None
    for host in hosts:
        address = address_in_name(host.host)
        refused = None if address is None else refusal([address], private_allowed=host in allowed, place=host)
        if refused is None:
            return None
        problem = problem or f"{host} is not reached: {refused}."
    return problem
