"""Names of servers' tools: short enough for every agent, never two tools under one, and none that breaks the log."""

import re

from hypothesis import given
from hypothesis import strategies as st

from daemon.tools.servers.pins.names import MOST, exposed_name, record_name

NONE_TAKEN = frozenset().__contains__
ALLOWED = re.compile(r"[A-Za-z0-9_-]{1,50}")
TEXTS = st.text(st.characters(), min_size=1, max_size=300)


def test_a_plain_name_stays_as_it_is() -> None:
    assert exposed_name("github", "create_issue", NONE_TAKEN) == "github__create_issue"
    assert record_name("github", "create_issue") == "github/create_issue"


def test_a_long_name_keeps_its_head_and_ends_in_six_digits_of_its_hash() -> None:
    name = exposed_name("github", "x" * 100, NONE_TAKEN)
    assert re.fullmatch(r"github__x{35}_[0-9a-f]{6}", name)
    assert len(name) == MOST
    assert exposed_name("github", "x" * 100, NONE_TAKEN) == name


def test_names_that_collide_after_shortening_stay_apart() -> None:
    first = exposed_name("a", "b.c", NONE_TAKEN)
    second = exposed_name("a", "b:c", NONE_TAKEN)
    assert first != second
    # Six digits can be searched for: a name that is taken already is not given to another tool.
    assert exposed_name("a", "b.c", {first}.__contains__) not in {first, "a__b.c"}


def test_a_plain_name_that_another_tool_has_is_not_given_again() -> None:
    assert exposed_name("a", "b", {"a__b"}.__contains__) != "a__b"


@given(TEXTS, TEXTS)
def test_every_name_for_agents_has_allowed_characters_only(prefix: str, tool: str) -> None:
    assert ALLOWED.fullmatch(exposed_name(prefix, tool, NONE_TAKEN))


@given(TEXTS)
def test_every_name_for_records_is_one_line_of_visible_text(tool: str) -> None:
    name = record_name("github", tool)
    assert name.isprintable()
    assert name.startswith("github/")
    assert len(name) <= 200


@given(TEXTS, TEXTS)
def test_two_tools_of_a_server_have_two_names_in_records(one: str, other: str) -> None:
    assert (record_name("s", one) == record_name("s", other)) is (one == other)


def test_a_tool_cannot_take_one_of_our_own_names() -> None:
    assert record_name("github", "(read_resource)") != "github/(read_resource)"
