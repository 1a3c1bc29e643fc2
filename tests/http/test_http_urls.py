"""Reading URLs: what is ambiguous to any reader is refused, what is plain keeps its meaning."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.connectors.http.urls import Target, UrlError, parse_url

REFUSED = [
    "",
    "slack.com/x",
    "//slack.com/x",
    "ftp://slack.com/",
    "file:///etc/passwd",
    "https:slack.com",
    "https:///slack.com",
    "https://",
    "https://:443/",
    "https://slack.com:/",
    "https://slack.com:0/",
    "https://slack.com:65536/",
    "https://slack.com:0443/",
    "https://slack.com:443:443/",
    "https://slack.com:٤٤٣/",
    "https://good.com@evil.com/",
    "https://user:pw@good.com/",
    "https://good.com\\@evil.com/",
    "https:\\\\good.com/",
    "https://good.com%2f@evil.com/",
    "https://good.com%00.evil.com/",
    "https://good.com evil.com/",
    "https://good.com\t.evil.com/",
    "https://good.com\n/",
    " https://good.com/",
    "https://good.com/a b",
    "https://good.com/a\r\nX: y",
    "https://good.com/\x00",
    "https://good.com/\u2028",
    "https://good.com./",
    "https://good..com/",
    "https://.good.com/",
    "https://-good.com/",
    "https://*.good.com/",
    "https://göod.com/",
    "https://good。com/",
    "https://go\u03bfd.com/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://127.1/",
    "https://127.0.0.01/",
    "https://0177.0.0.1/",
    "https://127.0.0.1.1/",
    "https://256.0.0.1/",
    "https://[::1/",
    "https://::1/",
    "https://[fe80::1%25eth0]/",
    "https://[127.0.0.1]/",
    "https://[::1]x/",
    "https://good.com/%zz",
    "https://good.com/\ud800",
    "https://" + "a" * 64 + ".com/",
    "https://good.com/" + "a" * 9000,
]


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_could_mean_another_host_is_refused(url: str) -> None:
    with pytest.raises(UrlError):
        parse_url(url)


@pytest.mark.parametrize(
    ("url", "host_port", "rest"),
    [
        ("https://slack.com", "slack.com:443", "/"),
        ("HTTPS://Slack.COM/A", "slack.com:443", "/A"),
        ("https://slack.com:8443/x?y=1&z=%20#part", "slack.com:8443", "/x?y=1&z=%20"),
        ("http://slack.com?x", "slack.com:80", "/?x"),
        ("https://[2606:4700:0:0::1111]/", "[2606:4700::1111]:443", "/"),
        ("https://192.0.2.7:8000/", "192.0.2.7:8000", "/"),
        ("https://xn--gd-fka.com/ä", "xn--gd-fka.com:443", "/%C3%A4"),
        ('https://slack.com/a"<b>', "slack.com:443", "/a%22%3Cb%3E"),
        ("https://slack.com/@user:x/../y", "slack.com:443", "/@user:x/../y"),
    ],
)
def test_a_plain_url_keeps_its_meaning(url: str, host_port: str, rest: str) -> None:
    target = parse_url(url)
    assert (str(target.host_port), target.path + target.query) == (host_port, rest)


@given(st.text(max_size=60) | st.from_regex(r"\Ahttps?://[^/]{0,20}(/.{0,20})?\Z"))
def test_any_text_is_read_or_refused_and_another_reader_finds_the_same_host(text: str) -> None:
    try:
        target = parse_url(text)
    except UrlError:
        return
    seen = urlsplit(target.url)
    port = seen.port or {"http": 80, "https": 443}[seen.scheme]
    assert (seen.hostname, port, seen.scheme) == (target.host, target.host_port.port, target.scheme)
    assert f"{seen.path}?{seen.query}".rstrip("?") == f"{target.path}{target.query}".rstrip("?")
    assert (seen.username, seen.fragment) == (None, "")
    assert parse_url(target.url) == target


@given(st.text(max_size=60))
def test_any_location_is_read_or_refused(location: str) -> None:
    try:
        target = parse_url("https://slack.com/a/b?c").join(location)
    except UrlError:
        return
    assert isinstance(target, Target)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/y", "https://slack.com/y"),
        ("c", "https://slack.com/a/c"),
        ("../c?d", "https://slack.com/c?d"),
        ("//evil.com/", "https://evil.com/"),
        ("https://slack.com:443/z", "https://slack.com/z"),
    ],
)
def test_a_location_is_read_relative_to_where_it_came_from(location: str, url: str) -> None:
    assert parse_url("https://slack.com/a/b").join(location).url == url


@pytest.mark.parametrize(
    "location", ["/\\evil.com", "\\\\evil.com", "/\t/evil.com", "https://a@evil.com/", "javascript:x"]
)
def test_a_location_that_readers_disagree_on_is_refused(location: str) -> None:
    with pytest.raises(UrlError):
        parse_url("https://slack.com/a/b").join(location)
