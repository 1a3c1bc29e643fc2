"""Which addresses may be dialled: every private, local and machine range, in every disguise."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.authority import HostPort
from daemon.net.addresses import AddressKind, classify, embedded_ipv4, refusal

PLACE = HostPort("service.test", 443)
KINDS = {
    "8.8.8.8": "public",
    "1.1.1.1": "public",
    "100.63.255.255": "public",
    "100.128.0.0": "public",
    "172.15.255.255": "public",
    "172.32.0.0": "public",
    "192.167.255.255": "public",
    "223.255.255.255": "public",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "shared",
    "100.127.255.255": "shared",
    "169.254.0.1": "link_local",
    "169.254.169.254": "metadata",
    "169.254.170.2": "metadata",
    "100.100.100.200": "metadata",
    "192.0.0.192": "metadata",
    "168.63.129.16": "metadata",
    "0.0.0.0": "unspecified",  # noqa: S104 -- a value to classify, nothing binds to it
    "0.1.2.3": "reserved",
    "192.0.2.1": "reserved",
    "198.18.0.1": "reserved",
    "198.51.100.1": "reserved",
    "203.0.113.1": "reserved",
    "224.0.0.1": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "2606:4700:4700::1111": "public",
    "::1": "loopback",
    "::": "unspecified",
    "fe80::1": "link_local",
    "fe80::1%eth0": "link_local",
    "fec0::1": "private",
    "fd00::1": "private",
    "fd00:ec2::254": "metadata",
    "fd20:ce::254": "metadata",
    "ff02::1": "multicast",
    "2001:db8::1": "reserved",
    "3fff::1": "reserved",
    "100::1": "reserved",
    "5f00::1": "reserved",
    "4000::1": "reserved",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:10.0.0.1": "private",
    "::ffff:169.254.169.254": "metadata",
    "::ffff:8.8.8.8": "public",
    "::127.0.0.1": "loopback",
    "::8.8.8.8": "reserved",
    "::ffff:0:127.0.0.1": "loopback",
    "64:ff9b::10.0.0.1": "private",
    "64:ff9b::169.254.169.254": "metadata",
    "64:ff9b::8.8.8.8": "public",
    "64:ff9b:1::10.0.0.1": "private",
    "2002:7f00:1::": "loopback",
    "2002:a9fe:a9fe::1": "metadata",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe": "private",
    "2606:4700::5efe:10.0.0.1": "private",
    "2606:4700::200:5efe:127.0.0.1": "loopback",
}


@pytest.mark.parametrize(("text", "kind"), KINDS.items())
def test_each_address_is_of_the_kind_its_range_says(text: str, kind: str) -> None:
    assert classify(ip_address(text)).value == kind


@pytest.mark.parametrize("text", [text for text, kind in KINDS.items() if kind != "public"])
def test_nothing_but_a_public_address_is_dialled_when_the_user_allowed_nothing(text: str) -> None:
    assert refusal([ip_address(text)], private_allowed=False, place=PLACE) is not None


@pytest.mark.parametrize(
    "text", [text for text, kind in KINDS.items() if kind not in {"public", "private", "loopback", "shared"}]
)
def test_metadata_link_local_and_other_special_addresses_stay_closed_when_the_user_allowed_the_host(text: str) -> None:
    assert refusal([ip_address(text)], private_allowed=True, place=PLACE) is not None


@pytest.mark.parametrize("text", [text for text, kind in KINDS.items() if kind in {"private", "loopback", "shared"}])
def test_a_private_address_is_dialled_when_the_user_allowed_the_host(text: str) -> None:
    assert refusal([ip_address(text)], private_allowed=True, place=PLACE) is None


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    assert refusal(map(ip_address, ("8.8.8.8", "10.0.0.1", "1.1.1.1")), private_allowed=False, place=PLACE) is not None


def test_a_host_without_addresses_is_refused() -> None:
    assert refusal([], private_allowed=True, place=PLACE) is not None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_no_more_public_in_any_ipv6_form(address: IPv4Address) -> None:
    value = int(address)
    forms = [
        0xFFFF << 32 | value,
        0x0064FF9B << 96 | value,
        0x2002 << 112 | value << 80 | 1,
        value if value > 1 else 0xFFFF << 32 | value,
    ]
    if classify(address) is not AddressKind.PUBLIC:
        for form in forms:
            assert classify(IPv6Address(form)) is not AddressKind.PUBLIC
            assert address in embedded_ipv4(IPv6Address(form))


@given(st.ip_addresses())
def test_whatever_the_standard_library_calls_private_is_never_dialled(address: IPv4Address | IPv6Address) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    if (mapped or address).is_private or (mapped or address).is_multicast:
        assert refusal([address], private_allowed=False, place=PLACE) is not None
