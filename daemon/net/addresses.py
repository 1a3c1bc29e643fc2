"""Decides which addresses may be dialled: pure rules over IP addresses, the same for every kind of request."""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from daemon.core.authority import HostPort

IpAddress = IPv4Address | IPv6Address


class AddressKind(StrEnum):
    """What an address is, as far as the rules about dialling it go."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    SHARED = "shared"
    LINK_LOCAL = "link_local"
    METADATA = "metadata"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    RESERVED = "reserved"


_OPENABLE = frozenset({AddressKind.PRIVATE, AddressKind.LOOPBACK, AddressKind.SHARED})
"""The kinds that a person may allow for one exact host:port. No setting allows the others: they serve credentials of
the machine (metadata, link-local), or are no host at all."""

# Some of these lie in public ranges (168.63.129.16), so a list by range alone does not find them.
_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, GCP, Azure, DigitalOcean, OpenStack
        "169.254.169.253",  # AWS DNS
        "169.254.169.123",  # AWS time
        "169.254.170.2",  # AWS container credentials
        "169.254.170.23",  # AWS EKS pod identity
        "169.254.42.42",  # Scaleway
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure host agent
        "fd00:ec2::254",  # AWS over IPv6
        "fd00:ec2::253",
        "fd00:ec2::23",
        "fd20:ce::254",  # GCP over IPv6
        "fd00:42::42",  # Scaleway over IPv6
    )
)

_IPV4_RANGES = tuple(
    (IPv4Network(text), kind)
    for text, kind in (
        ("127.0.0.0/8", AddressKind.LOOPBACK),
        ("10.0.0.0/8", AddressKind.PRIVATE),
        ("172.16.0.0/12", AddressKind.PRIVATE),
        ("192.168.0.0/16", AddressKind.PRIVATE),
        ("100.64.0.0/10", AddressKind.SHARED),
        ("169.254.0.0/16", AddressKind.LINK_LOCAL),
        ("0.0.0.0/32", AddressKind.UNSPECIFIED),
        ("0.0.0.0/8", AddressKind.RESERVED),
        ("192.0.0.0/24", AddressKind.RESERVED),
        ("192.0.2.0/24", AddressKind.RESERVED),
        ("192.88.99.0/24", AddressKind.RESERVED),
        ("198.18.0.0/15", AddressKind.RESERVED),
        ("198.51.100.0/24", AddressKind.RESERVED),
        ("203.0.113.0/24", AddressKind.RESERVED),
        ("224.0.0.0/4", AddressKind.MULTICAST),
        ("240.0.0.0/4", AddressKind.RESERVED),
    )
)

_IPV6_RANGES = tuple(
    (IPv6Network(text), kind)
    for text, kind in (
        ("::1/128", AddressKind.LOOPBACK),
        ("::/128", AddressKind.UNSPECIFIED),
        ("fe80::/10", AddressKind.LINK_LOCAL),
        ("fec0::/10", AddressKind.PRIVATE),
        ("fc00::/7", AddressKind.PRIVATE),
        ("ff00::/8", AddressKind.MULTICAST),
        ("2001:db8::/32", AddressKind.RESERVED),
        ("2001::/23", AddressKind.RESERVED),
        ("3fff::/20", AddressKind.RESERVED),
    )
)
_IPV6_GLOBAL = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = IPv6Network("::/96")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_ISATAP_MARKS = frozenset({0x00005EFE, 0x02005EFE})


def embedded_ipv4(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return every IPv4 address that a host or a gateway may read out of an IPv6 address."""
    value = int(address)
    low = IPv4Address(value & 0xFFFFFFFF)
    found: list[IPv4Address] = []
    if address.ipv4_mapped is not None:
        found.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    if any(address in network for network in (_NAT64, _NAT64_LOCAL, _COMPATIBLE, _TRANSLATED)):
        found.append(low)
    if (value >> 32) & 0xFFFFFFFF in _ISATAP_MARKS:
        found.append(low)
    return tuple(found)


@lru_cache(maxsize=4096)
def classify(address: IpAddress) -> AddressKind:
    """Say of what kind an address is; an IPv6 form of an IPv4 address is of the kind of that IPv4 address."""
    if isinstance(address, IPv4Address):
        return _classify_ipv4(address)
    # The zone of fe80::1%eth0 names an interface; the address is the same without it.
    return _classify_ipv6(IPv6Address(int(address)))


def _classify_ipv4(address: IPv4Address) -> AddressKind:
    if address in _METADATA:
        return AddressKind.METADATA
    for network, kind in _IPV4_RANGES:
        if address in network:
            return kind
    return AddressKind.PUBLIC


def _classify_ipv6(address: IPv6Address) -> AddressKind:
    if address in _METADATA:
        return AddressKind.METADATA
    if int(address) > 1:  # ::1 and :: lie in the range of IPv4-compatible addresses, and are none
        inner = [_classify_ipv4(ipv4) for ipv4 in embedded_ipv4(address)]
        closed = [kind for kind in inner if kind is not AddressKind.PUBLIC]
        if closed:
            return next((kind for kind in closed if kind not in _OPENABLE), closed[0])
        if address.ipv4_mapped is not None or address in _NAT64 or address.teredo is not None:
            return AddressKind.PUBLIC
    for network, kind in _IPV6_RANGES:
        if address in network:
            return kind
    return AddressKind.PUBLIC if address in _IPV6_GLOBAL else AddressKind.RESERVED


def to_open(place: HostPort) -> str:
    """Say what a person does to have a private address, or plain http, allowed for one place."""
    return f'a person adds "{place}" to network.allow_private (aileron config edit; then: aileron stop)'


def refusal(addresses: Iterable[IpAddress], *, private_allowed: bool, place: HostPort) -> str | None:
    """Say why a host must not be dialled, looking at every address it resolved to; None if it may."""
    seen = False
    for address in addresses:
        seen = True
        kind = classify(address)
        if kind is AddressKind.PUBLIC:
            continue
        if kind not in _OPENABLE:
            return f"it resolves to the {kind.value.replace('_', '-')} address {address}, which is never dialled"
        if not private_allowed:
            return f"it resolves to the {kind.value} address {address}; to have it reached, {to_open(place)}"
    return None if seen else "it resolves to no address"
