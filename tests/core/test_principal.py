"""Who asks and who decides, as records name it and as people read it."""

import pytest

from daemon.core.principal import DAEMON, STRANGER, Means, Principal, in_words

YOU, IN_A_BROWSER, AGENT = Principal.person(Means.CLI), Principal.person(Means.PAGE), Principal.agent("ses_1", "codex")


def test_records_name_kind_and_id() -> None:
    named = [str(each) for each in (YOU, IN_A_BROWSER, AGENT, DAEMON, STRANGER)]
    assert named == ["person:owner", "person:owner", "agent:ses_1", "daemon", "unknown"]


@pytest.mark.parametrize("who", [YOU, IN_A_BROWSER, Principal.agent("ses_1"), DAEMON, STRANGER])
def test_a_record_leads_back_to_who_it_names(who: Principal) -> None:
    assert Principal.recorded(str(who), means=who.means.value, session="ses_1") == who


def test_records_of_versions_before_principals_are_understood() -> None:
    before = Principal.recorded("user", means=None, session="ses_1")
    assert (str(before), before.in_words()) == ("person:owner", "you")
    assert Principal.recorded("agent", means=None, session="ses_1") == Principal.agent("ses_1")


@pytest.mark.parametrize("text", ["", "person:", "person:somebody", "root", "daemon:x", "unknown:owner"])
def test_a_text_that_is_none_of_ours_names_nobody_who_is_known(text: str) -> None:
    assert Principal.recorded(text, means="cli", session="ses_1") == STRANGER


def test_people_read_who_it_was_and_where() -> None:
    assert YOU.in_words() == "you, in a terminal"
    assert IN_A_BROWSER.in_words() == "you, in a browser"
    assert [in_words(each) for each in ("user", "agent", "daemon", "unknown")] == [
        "you",
        "the agent",
        "the daemon",
        "somebody unknown",
    ]
    assert in_words("something else") == "something else"
