import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.authority import AuthorityError, HostPort


@pytest.mark.parametrize(
    ("text", "host", "port", "written"),
    [
        ("slack.com:443", "slack.com", 443, "slack.com:443"),
        ("Slack.COM:443", "slack.com", 443, "slack.com:443"),
        ("localhost:1", "localhost", 1, "localhost:1"),
        ("127.0.0.1:65535", "127.0.0.1", 65535, "127.0.0.1:65535"),
        ("[::1]:8080", "::1", 8080, "[::1]:8080"),
        ("[2001:DB8:0:0::1]:443", "2001:db8::1", 443, "[2001:db8::1]:443"),
        ("xn--bcher-kva.example:443", "xn--bcher-kva.example", 443, "xn--bcher-kva.example:443"),
        ("3com.com:443", "3com.com", 443, "3com.com:443"),
    ],
)
def test_a_host_and_port_have_one_spelling(text: str, host: str, port: int, written: str) -> None:
    parsed = HostPort.parse(text)
    assert (parsed.host, parsed.port, str(parsed)) == (host, port, written)
    assert HostPort.parse(written) == parsed
    assert HostPort.of(host, port) == parsed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("slack.com", "no port"),
        ("[::1]", "no port"),
        ("slack.com:", "port"),
        ("slack.com:0", "port"),
        ("slack.com:0443", "port"),
        ("slack.com:65536", "port"),
        ("slack.com:+443", "port"),
        ("slack.com: 443", "port"),
        ("slack.com:٤٤٣", "port"),
        ("slack.com:https", "port"),
        ("https://slack.com:443", "URL"),
        ("*:443", "wildcard"),
        ("*.slack.com:443", "wildcard"),
        ("slack.*:443", "wildcard"),
        (":443", "not a host name"),
        ("slack.com.:443", "not a host name"),
        (".slack.com:443", "not a host name"),
        ("slack..com:443", "not a host name"),
        ("-slack.com:443", "not a host name"),
        ("slack.com/:443", "not a host name"),
        ("user@slack.com:443", "not a host name"),
        ("sl ack.com:443", "not a host name"),
        ("slack.com\n:443", "not a host name"),
        ("slack.com%00:443", "not a host name"),
        ("a" * 64 + ".com:443", "not a host name"),
        ("a." * 130 + "com:443", "not a host name"),
        ("bücher.example:443", "xn--"),
        ("\uff53lack.com:443", "xn--"),
        ("::1:443", "brackets"),
        ("[::1%eth0]:443", "zones"),
        ("[:::1]:443", "IPv6"),
        ("[slack.com]:443", "brackets"),
        ("127.1:443", "IPv4"),
        ("0x7f000001:443", "IPv4"),
        ("2130706433:443", "IPv4"),
        ("0177.0.0.1:443", "IPv4"),
        ("1.2.3.256:443", "IPv4"),
        ("example.0x1:443", "IPv4"),
    ],
)
def test_what_is_not_an_exact_host_and_port_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(AuthorityError, match=reason):
        HostPort.parse(text)


def test_a_port_out_of_range_is_refused_from_parts_too() -> None:
    with pytest.raises(AuthorityError, match="between 1 and 65535"):
        HostPort.of("slack.com", 0)


@given(st.text() | st.text("a1.:[]x-*%@").map("{}:443".format))
def test_any_text_is_an_authority_or_an_authority_error(text: str) -> None:
    try:
        parsed = HostPort.parse(text)
    except AuthorityError:
        return
    assert HostPort.parse(str(parsed)) == parsed
    assert parsed.host == parsed.host.lower()
