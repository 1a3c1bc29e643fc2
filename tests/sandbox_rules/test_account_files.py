"""The users and groups of a container: those of its image, and the agent's."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.sandbox.accounts import group_with_agent, passwd_with_agent

OF_DEBIAN = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
AGENT = "agent:x:1000:1000:agent:/home/agent:/bin/sh\n"


def test_the_agent_stands_behind_the_users_of_the_image() -> None:
    assert passwd_with_agent(OF_DEBIAN, 1000, 1000) == OF_DEBIAN + AGENT


def test_whoever_had_the_agents_number_or_name_makes_room() -> None:
    # An image of Node has a user `node` with the number of most people; its home folder is not the agent's.
    others = "node:x:1000:1000::/home/node:/bin/bash\nagent:x:77:77::/elsewhere:/bin/sh\n"
    assert passwd_with_agent(OF_DEBIAN + others, 1000, 1000) == OF_DEBIAN + AGENT


def test_a_group_that_has_the_agents_number_keeps_its_name() -> None:
    assert group_with_agent("root:x:0:\nusers:x:100:\n", 100) == "root:x:0:\nusers:x:100:\n"
    assert group_with_agent("root:x:0:\nagent:x:5:\n", 1000) == "root:x:0:\nagent:x:1000:\n"


def test_an_image_without_users_gets_the_agent() -> None:
    assert passwd_with_agent("", 1000, 1000) == AGENT
    assert group_with_agent("", 1000) == "agent:x:1000:\n"


@given(st.text(max_size=200), st.integers(1, 2**31))
def test_whatever_the_image_holds_the_agents_number_means_the_agent(text: str, uid: int) -> None:
    lines = passwd_with_agent(text, uid, uid).split("\n")
    assert [line.split(":")[0] for line in lines if line.split(":")[2:3] == [str(uid)]] == ["agent"]
