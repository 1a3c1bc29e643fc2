"""What was typed, written into scripts or learned by heart one version ago still works, and says what it is now."""

from typing import Any

import pytest
from cli.command_tree import find, leaves

from daemon.cli.old_spellings import OLD_SPELLINGS, renew


@pytest.mark.parametrize("old", OLD_SPELLINGS, ids=" ".join)
def test_an_old_spelling_is_none_of_today_and_leads_to_one_of_today(old: tuple[str, ...]) -> None:
    assert find(old) is None
    assert find(tuple(word for word in OLD_SPELLINGS[old] if not word.startswith("-"))) is not None


@pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: leaf.name)
def test_a_spelling_of_today_is_left_as_it_is(leaf: Any) -> None:
    words = (*leaf.path, "--json", "register")
    assert renew(words).arguments == words
    assert renew(words).note is None


@pytest.mark.parametrize(
    ("line", "renewed"),
    [
        ("secret set a", "secret add a"),
        ("--debug secret set set", "--debug secret add set"),
        ("help binding setup", "help binding add"),
        ("sessions", "session"),
        ("sessions --help", "session --help"),
        ("--install-completion", "completion --install"),
    ],
)
def test_only_the_words_of_the_command_are_exchanged(line: str, renewed: str) -> None:
    assert renew(line.split()).arguments == tuple(renewed.split())


@pytest.mark.parametrize(
    "line", ["", "--", "launch codex secret set", "action run new", "audit list --action secret set", "secret", "-h"]
)
def test_what_only_looks_like_one_is_left_as_it_is(line: str) -> None:
    assert renew(line.split()).arguments == tuple(line.split())


def test_an_old_spelling_says_so_once_on_stderr_and_leaves_the_json_whole(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/sessions"] = {"items": [], "next": None}
    ended = cli("sessions", "list", "--json")
    assert ended.json == {"items": [], "next": None}
    assert ended.err == (
        "`aileron sessions list` is now `aileron session list`; the old spelling goes with the next version.\n"
    )


def test_a_line_behind_the_name_of_an_agent_is_that_agents(cli: Any) -> None:
    words = ("launch", "codex", "--", "secret", "set")
    assert renew(words).arguments == words


def test_no_help_text_shows_an_old_spelling(cli: Any) -> None:
    shown = "".join(cli(*group, "--help").out for group in ((), ("secret",), ("binding",), ("agent",), ("keyring",)))
    for old in ("register", "setup", "inspect", "rebind", "sessions  ", "--install-completion"):
        assert old not in shown
