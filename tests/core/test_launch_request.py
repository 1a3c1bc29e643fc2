"""What a launch asks for travels as one value: it is checked as strictly as it says of itself, and loses nothing."""

import json
from dataclasses import fields
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.launch_request import LaunchRequest, LaunchRequestError

LEAST: dict[str, Any] = {"agent": "codex", "workspace": "/home/me/project"}
EVERYTHING = LaunchRequest(
    agent="codex",
    arguments=("exec", "--json"),
    command=("sh", "-c", "true"),
    image="example/image:1",
    workspace="/home/me/project",
    workspace_way="copy",
    resume="ses_1",
    git_name="Me",
    git_email="me@example.com",
    git_branch="trunk",
    label="a name",
    owner_pid=7,
    terminal=True,
    columns=132,
    rows=50,
    user="1000:1000",
    network="open",
    environment={"MODEL_API_KEY": "a secret"},
    memory_bytes=2**30,
    cpus=1.5,
    seconds=90.0,
)


def test_every_field_arrives_as_it_was_sent() -> None:
    for each in fields(LaunchRequest):
        assert getattr(EVERYTHING, each.name) != each.default, f"say something of {each.name}, or nothing is proved"
    assert LaunchRequest.from_json(json.loads(json.dumps(EVERYTHING.as_json()))) == EVERYTHING


def test_what_was_not_sent_has_its_default() -> None:
    assert LaunchRequest.from_json(LEAST) == LaunchRequest(**LEAST)


WORDS = st.text("aB1=/ \x00é€😀", max_size=60)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-1, 2**52)
    | st.floats(-1, 2000, allow_nan=False).filter(lambda number: not number.is_integer())
    | WORDS
    | st.sampled_from(["/", "auto", "copy", "live", "internal", "open"])
    | st.lists(WORDS | st.integers(), max_size=3)
    | st.dictionaries(WORDS, WORDS | st.none(), max_size=3)
)
NAMES = st.sampled_from([*(each.name for each in fields(LaunchRequest)), "another"])
SENT = st.dictionaries(NAMES, VALUES, max_size=2).map(lambda some: LEAST | some)
DESCRIBED = jsonschema_rs.Draft202012Validator(LaunchRequest.json_schema())


@given(SENT)
def test_what_is_accepted_is_what_the_published_description_says(sent: dict[str, Any]) -> None:
    try:
        request = LaunchRequest.from_json(sent)
    except LaunchRequestError:
        assert not DESCRIBED.is_valid(sent)
    else:
        assert DESCRIBED.is_valid(sent)
        assert LaunchRequest.from_json(request.as_json()) == request


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"agent": None}, "agent must be a text"),
        ({"agent": "x" * 41}, "agent must have at most 40 characters"),
        ({"agent": "\ud800"}, "agent must be valid Unicode"),
        ({"workspace": "project"}, "workspace must match the pattern"),
        ({"workspace_way": "mount"}, "workspace_way must be one of auto, copy, live"),
        ({"network": "Open"}, "network must be one of internal, open"),
        ({"arguments": "exec"}, "arguments must be a list"),
        ({"arguments": ["exec", 1]}, "arguments number 2 must be a text"),
        ({"command": ["x"] * 1001}, "command must have at most 1000 entries"),
        ({"environment": {"A": 1}}, "environment 'A' must be a text"),
        ({"environment": {"A": "x" * 131_073}}, "environment 'A' must have at most 131072"),
        ({"owner_pid": True}, "owner_pid must be a whole number"),
        ({"owner_pid": 0}, "owner_pid must be a whole number from 1"),
        ({"columns": 80.0}, "columns must be a whole number"),
        ({"rows": None}, "rows must be a whole number"),
        ({"memory_bytes": 1}, "memory_bytes must be a whole number from 67108864"),
        ({"cpus": 0}, "cpus must be a number above 0"),
        ({"cpus": float("nan")}, "cpus must be a number above 0"),
        ({"seconds": float("inf")}, "seconds must be a number above 0"),
        ({"terminal": 1}, "terminal must be true or false"),
        ({"privileged": True}, "'privileged' is unknown"),
    ],
)
def test_a_field_that_is_wrong_is_refused_and_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(LaunchRequestError) as caught:
        LaunchRequest.from_json(LEAST | changed)
    assert str(caught.value).startswith(said)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(LaunchRequestError, match=r"^agent is missing; workspace is missing; 'x' is unknown$"):
        LaunchRequest.from_json({"x": 1})


def test_a_hundred_unknown_fields_are_counted_and_not_all_named() -> None:
    with pytest.raises(LaunchRequestError, match=r"; and 80 more$"):
        LaunchRequest.from_json(LEAST | {f"field{number}": 1 for number in range(100)})


def test_no_text_about_a_launch_holds_a_variable_s_value() -> None:
    assert "a secret" not in repr(EVERYTHING)
    with pytest.raises(LaunchRequestError) as caught:
        LaunchRequest.from_json(LEAST | {"environment": {"KEY": "a secret" + "x" * 131_072}})
    assert "a secret" not in str(caught.value)
