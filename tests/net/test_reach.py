"""What is known of a host by its name alone is told before anybody is asked, and nothing is told that may be wrong."""

import pytest

from daemon.core.authority import HostPort
from daemon.net.reach import never_reached

NONE: frozenset[HostPort] = frozenset()


def places(*texts: str) -> list[HostPort]:
    return [HostPort.parse(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1:80", "10.0.0.5:443", "[::1]:8080", "[::ffff:10.0.0.1]:80", "localhost:1", "api.localhost:443"],
)
def test_a_private_address_in_a_name_is_refused_with_the_setting_that_opens_it(text: str) -> None:
    problem = never_reached(places(text), allowed=NONE)
    assert problem is not None
    assert f'adds "{HostPort.parse(text)}" to network.allow_private (aileron config edit' in problem
    assert never_reached(places(text), allowed=frozenset(places(text))) is None


def test_an_address_that_no_setting_opens_names_none() -> None:
    place = places("169.254.169.254:80")
    problem = never_reached(place, allowed=frozenset(place))
    assert problem is not None
    assert "never dialled" in problem
    assert "allow_private" not in problem


@pytest.mark.parametrize("text", ["api.example.com:443", "8.8.8.8:443", "localhost.example.com:443"])
def test_what_only_a_resolver_could_tell_is_left_to_it(text: str) -> None:
    assert never_reached(places(text), allowed=NONE) is None


def test_a_connector_that_may_reach_one_of_its_hosts_is_not_refused_beforehand() -> None:
    assert never_reached(places("127.0.0.1:80", "api.example.com:443"), allowed=NONE) is None
    assert never_reached(places("127.0.0.1:80", "127.0.0.1:81"), allowed=frozenset(places("127.0.0.1:81"))) is None
    assert never_reached([], allowed=NONE) is None
