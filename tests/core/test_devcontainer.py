"""devcontainer.json: what is obeyed, what is said, and nothing but our error for whatever else stands there."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.devcontainer import DevContainer, read_devcontainer
from daemon.core.failures import DocumentError
from daemon.core.jsonc import read_jsonc


def read(value: Any, **environ: str) -> DevContainer:
    text = value if isinstance(value, str) else json.dumps(value)
    return read_devcontainer(text, file="devcontainer.json", environ=environ, workspace="/home/ann/project")


def test_an_image_with_variables_and_settings_of_ours() -> None:
    found = read(
        """// mine
        {
          "image": "example/dev:1", /* pinned */
          "containerEnv": { "URL": "http://x//y", "TOKEN": "${localEnv:MINE:none}",
            "AT": "${containerWorkspaceFolder}/a" },
          "customizations": { "aileron": { "memory": "1GiB", "cpus": "1.5" }, "vscode": {} },
          "remoteUser": "vscode",
        }""",
        MINE="yes",
    )
    assert found.image == "example/dev:1"
    assert found.variables == {"URL": "http://x//y", "TOKEN": "yes", "AT": "/workspace/a"}
    assert found.settings == {"memory": "1GiB", "cpus": "1.5"}
    assert found.remote_user == "vscode"
    assert read({"image": "x", "containerEnv": {"A": "${localEnv:NO}"}}).variables == {"A": ""}


def test_a_dockerfile_with_arguments() -> None:
    found = read({"build": {"dockerfile": "../Dockerfile", "context": "..", "args": {"V": "${localWorkspaceFolder}"}}})
    assert (found.image, found.dockerfile, found.context) == (None, "../Dockerfile", "..")
    assert found.arguments == {"V": "/home/ann/project"}


def test_what_is_not_obeyed_is_named() -> None:
    found = read({"image": "x", "features": {"a": {}}, "postCreateCommand": "rm -rf /", "mounts": ["a"], "runArgs": []})
    assert found.not_obeyed == ("features", "mounts", "postCreateCommand")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{", "It is not JSON"),
        ([], "It is not an object"),
        ({}, "neither an image nor a Dockerfile"),
        ({"dockerComposeFile": "x"}, "compose"),
        ({"image": "x", "containerEnv": {"A": 1}}, "`containerEnv` is not an object of texts"),
        ({"image": "${nonsense}"}, "is not known here"),
        ({"image": "x", "customizations": {"aileron": {"memroy": "1"}}}, "`memroy` is not a setting"),
        ({"image": "x", "customizations": {"aileron": {"cpus": "many"}}}, "`cpus` is 'many'"),
        ({"image": "x", "customizations": {"aileron": {"network": "none"}}}, "`network` is 'none'"),
        ({"build": "x"}, "`build` is not an object"),
        ({"image": "x", "customizations": [1]}, "is not an object of texts"),
    ],
)
def test_what_is_wrong_is_said(value: Any, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        read(value)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_KEYS = st.sampled_from(["image", "build", "containerEnv", "customizations", "remoteUser", "features"])


@given(st.text() | st.dictionaries(_KEYS, _VALUES).map(json.dumps))
def test_no_file_does_anything_but_be_read_or_refused(text: str) -> None:
    try:
        read(text)
    except DocumentError:
        return


@given(_VALUES)
def test_plain_json_is_read_as_it_is(value: Any) -> None:
    assert read_jsonc(json.dumps(value, indent=1)) == value


def test_comments_in_texts_are_text() -> None:
    assert read_jsonc('{"a": "// no /* no */", "b": "x, ]", /* c */ "d": [1, 2,], } // end') == {
        "a": "// no /* no */",
        "b": "x, ]",
        "d": [1, 2],
    }
