"""References to the vault in a server's texts."""

import pytest

from daemon.core.scrubbing.scrub import Scrubber
from daemon.tools.servers import references
from daemon.tools.servers.scrubbing import clean_of


def test_a_reference_is_replaced_where_it_stands_and_nowhere_else() -> None:
    values = {"a": "A$1\\1", "team/b.c": "B"}
    text = "Bearer vault://secrets/a, vault://secrets/team/b.c; x"
    assert references.used(text) == ("a", "team/b.c")
    assert references.put_in(text, values) == "Bearer A$1\\1, B; x"


def test_a_value_is_not_searched_for_references_again() -> None:
    assert references.put_in("vault://secrets/a", {"a": "vault://secrets/b", "b": "B"}) == "vault://secrets/b"


def test_a_value_cannot_leave_its_place_in_a_query() -> None:
    url = references.put_in("https://x.example/?k=vault://secrets/a&z=1", {"a": "1&admin=true#"}, references.in_query)
    assert url == "https://x.example/?k=1%26admin%3Dtrue%23&z=1"


@pytest.mark.parametrize(
    "text",
    ["vault://secrets/Token", "vault://secrets/tokenX", "vault://secrets/a/B", "VAULT://secrets/a", "vault://x/a"],
)
def test_what_is_nearly_a_reference_is_none_and_is_noticed(text: str) -> None:
    assert references.malformed(text)


def test_what_was_put_in_is_taken_out_in_every_form() -> None:
    secrets = references.secrets_in(["s3cret-value"], ["Basic dXNlcjpwYXNzd29yZDE="])
    scrubber = Scrubber(secrets)
    assert "s3cret" not in scrubber.scrub("it is s3cret-value")
    assert "password1" not in scrubber.scrub("user:password1")
    assert references.secrets_in(["", " "]) == frozenset()


def test_a_secret_of_digits_is_taken_out_where_a_server_gives_it_as_a_number() -> None:
    scrubber = Scrubber(["4071553920", "s3cret-value"])
    given = {"pin": 4071553920, "list": [1, 2.5, True, None, 40715539201, -4071553920.0], "4071553920": "x"}
    cleaned = str(clean_of(scrubber, given))
    assert "4071553920" not in cleaned
    assert "[1, 2.5, True, None, " in cleaned
    assert clean_of(Scrubber(["s3cret-value"]), given) == given
