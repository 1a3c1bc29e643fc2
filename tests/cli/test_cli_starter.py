"""A starter action file parses as it is, whatever connector it was filled in from."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cli.action_starter import starter
from daemon.core.action_parser import parse_action
from daemon.core.toml_writer import toml_string, toml_value

CONNECTOR: dict[str, Any] = {
    "name": "github://acme/slack",
    "version": "1.2.0",
    "hash": "sha256:" + "ab" * 32,
}
OP: dict[str, Any] = {
    "name": "post_message",
    "capability": "chat:write",
    "idempotent": False,
    "description": "Posts a message.",
    "inputs": [
        {"name": "channel", "type": "string", "required": True, "description": "Where to."},
        {"name": "replyTo", "type": "integer", "required": False, "description": ""},
        {"name": "reply_to", "type": "object", "required": True, "description": "An\nobject\x1b[2J +++"},
    ],
}


def test_a_starter_without_a_connector_parses() -> None:
    action = parse_action(starter("ship-update"), file="ship-update.md")
    assert action.name == "ship-update"
    assert action.approval.required


def test_a_starter_takes_over_what_the_manifest_says() -> None:
    action = parse_action(starter("ship-update", connector=CONNECTOR, op=OP), file="ship-update.md")
    requirement = action.requires[0]
    assert (str(requirement.name), str(requirement.version), requirement.hash) == tuple(CONNECTOR.values())
    assert requirement.capabilities == ("chat:write",)
    assert [item.name for item in action.inputs] == ["channel", "replyto", "reply_to"]
    assert [item.type for item in action.inputs] == ["string", "integer", "string"]
    assert [item.required for item in action.inputs] == [True, False, True]
    assert list(action.steps[0].inputs) == ["channel", "replyTo", "reply_to"]
    assert action.steps[0].op == "post_message"
    assert "Posts a message." in action.description


def test_an_operation_without_inputs_makes_an_action_without_inputs() -> None:
    action = parse_action(starter("look", connector=CONNECTOR, op={**OP, "inputs": []}), file="look.md")
    assert action.inputs == ()


op_names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)


@given(
    name=op_names,
    description=st.text(),
    inputs=st.lists(
        st.fixed_dictionaries(
            {
                "name": st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,12}", fullmatch=True),
                "type": st.sampled_from(["string", "integer", "object"]),
                "required": st.booleans(),
                "description": st.text(),
            }
        ),
        max_size=5,
        unique_by=lambda item: item["name"],
    ),
)
def test_a_hostile_manifest_cannot_break_out_of_its_place(
    name: str, description: str, inputs: list[dict[str, Any]]
) -> None:
    op = {"name": name, "capability": "c:d", "idempotent": True, "description": description, "inputs": inputs}
    action = parse_action(starter("a-b", connector=CONNECTOR, op=op), file="a-b.md")
    assert len(action.inputs) == len(inputs)
    assert action.steps[0].op == name
    assert action.approval.required


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a\nb", "\x7f", "\x00", "日本"])
def test_a_toml_string_reads_back(text: str) -> None:
    import tomllib

    assert tomllib.loads(f"x = {toml_string(text)}\ny = {toml_value([text, text])}") == {"x": text, "y": [text, text]}


def test_an_input_in_json_is_begun_as_a_table() -> None:
    inputs = [{"name": "body", "type": "string", "format": "json", "required": False, "description": "The item."}]
    action = parse_action(starter("a-b", connector=CONNECTOR, op={**OP, "inputs": inputs}), file="a-b.md")
    assert action.inputs[0].required
    assert action.steps[0].inputs["body"].render({"body": '"}'}, {}) == {"text": '"}'}
