from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.fqn import Fqn, FqnError


def test_a_name_is_taken_apart() -> None:
    name = Fqn.parse("github://acme/connectors/chat/Slack")
    assert name == Fqn("github", "acme", "connectors", ("chat", "Slack"))
    assert name.service == "slack"
    assert Fqn.parse("gitlab://acme/Mail").service == "mail"


@pytest.mark.parametrize("text", ["github://acme/slack", "gitlab://a/b/c/d", "file://local/echo-1.0_x"])
def test_a_name_reads_back_as_it_was_written(text: str) -> None:
    assert str(Fqn.parse(text)) == text


def test_spelling_tells_names_apart() -> None:
    assert Fqn.parse("github://acme/slack") != Fqn.parse("github://Acme/slack")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("acme/slack", "not a full name"),
        ("https://acme/slack", "scheme"),
        ("GITHUB://acme/slack", "scheme"),
        ("://acme/slack", "scheme"),
        ("github://acme", "lacks"),
        ("github://", "lacks"),
        ("github://acme/", "not allowed"),
        ("github:///slack", "not allowed"),
        ("github://acme/slack/", "not allowed"),
        ("github://acme//slack", "not allowed"),
        ("github://acme/..", "not allowed"),
        ("github://acme/slack/../other", "not allowed"),
        ("github://acme/.git", "not allowed"),
        ("github://acme/slack@1.0.0", "not allowed"),
        ("github://acme/sl ack", "not allowed"),
        ("github://acme/släck", "not allowed"),
        ("github://acme/slack\n", "not allowed"),
        ("github://acme/slack?x", "not allowed"),
        ("github://acme/a\\b", "not allowed"),
        ("github://acme/" + "a" * 300, "too long"),
    ],
)
def test_what_is_not_a_name_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(FqnError, match=reason):
        Fqn.parse(text)


@given(st.text() | st.text("githubfle:/.@a-_1").map("github://{}".format))
def test_any_text_is_a_name_or_a_name_error(text: str) -> None:
    with suppress(FqnError):
        assert str(Fqn.parse(text)) == text
