"""The rules for names: lower case, whole segments, and no plain secret that passes for a binding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.vault.errors import EntryRefused
from daemon.vault.names import check_name


@pytest.mark.parametrize("name", ["a", "github-token", "team/ci/npm.token", "0", "a_b", "api-key/slack/default"])
def test_ordinary_names_of_secrets_are_taken(name: str) -> None:
    check_name(name, kind="secret")


@pytest.mark.parametrize(
    "name", ["", "/", "a/", "/a", "a//b", "Upper", "-a", ".a", "a/../b", "a b", "a\n", "ä", "x" * 201]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(EntryRefused):
        check_name(name, kind="secret")


@pytest.mark.parametrize("name", ["oauth2/slack/default", "api_key/x", "basic/a/b/c"])
def test_a_secret_cannot_be_named_like_a_binding(name: str) -> None:
    with pytest.raises(EntryRefused, match="binding"):
        check_name(name, kind="secret")


@pytest.mark.parametrize("name", ["api_key/slack", "slack/default", "api_key/slack/default", "oauth2/a/b/c"])
def test_a_binding_is_named_by_its_kind_service_and_identity(name: str) -> None:
    with pytest.raises(EntryRefused, match="oauth2/<service>/<identity>"):
        check_name(name, kind="oauth2")
    check_name("oauth2/slack/default", kind="oauth2")


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_name_and_kind_is_taken_or_refused_and_nothing_else(name: str, kind: str) -> None:
    for each in (kind, "secret", "basic"):
        try:
            check_name(name, kind=each)
        except EntryRefused:
            continue
        assert name.isascii()
        assert name == name.lower()
