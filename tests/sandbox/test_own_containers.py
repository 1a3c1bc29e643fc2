"""A folder's own devcontainer, built and used; and one to start from."""

import json
import os
import signal

import pytest
from sandbox.engine import USER, Shell, engine
from waiting import wait_until

pytestmark = pytest.mark.docker


def given(shell: Shell, value: object, dockerfile: str = "") -> None:
    folder = shell.workspace / ".devcontainer"
    folder.mkdir()
    (folder / "devcontainer.json").write_text(json.dumps(value))
    if dockerfile:
        (folder / "Dockerfile").write_text(dockerfile)
    if os.geteuid() == 0:
        for place in (folder, *folder.iterdir()):
            os.chown(place, USER, USER)


def remove_built() -> None:
    client = engine()
    for image in client.images("aileron-own"):
        client.remove_image(image["Id"], force=True)
    client.close()


def test_its_dockerfile_is_built_and_its_variables_are_there(shell: Shell) -> None:
    value = {
        "build": {"dockerfile": "Dockerfile", "args": {"WORD": "argued"}},
        "containerEnv": {"MINE": "${localEnv:HOME}"},
        "remoteUser": "root",
        "postCreateCommand": "touch /workspace/obeyed",
        "customizations": {"aileron": {"memory": "512MiB"}},
    }
    given(shell, value, "FROM debian:bookworm-slim\nARG WORD\nRUN echo $WORD > /built\n")
    options = ("--devcontainer",)
    ended = shell.inside("sh", "-c", "cat /built; echo $MINE; id -u; ls /workspace", options=options, seconds=120)
    remove_built()
    assert ended.stdout.splitlines()[:3] == ["argued", os.environ["HOME"], str(USER)], ended.stderr
    assert "obeyed" not in ended.stdout
    assert "`postCreateCommand` is not obeyed" in ended.stderr
    assert "runs as you, and not as root" in ended.stderr


def test_a_build_that_fails_shows_its_last_lines(shell: Shell) -> None:
    given(shell, {"build": {"dockerfile": "Dockerfile"}}, "FROM debian:bookworm-slim\nRUN echo before; exit 3\n")
    ended = shell.inside("true", options=("--devcontainer",), seconds=120)
    remove_built()
    assert ended.returncode != 0
    assert "could not be built" in ended.stderr
    assert "before" in ended.stderr


def test_ctrl_c_in_a_build_stops_it_in_the_engine_and_leaves_no_container_and_no_image(shell: Shell) -> None:
    def building() -> list[str]:
        client = engine()
        found = [each["Id"] for each in client.containers() if "sleep 347" in each["Command"]]
        client.close()
        return found

    given(shell, {"build": {"dockerfile": "Dockerfile"}}, "FROM debian:bookworm-slim\nRUN sleep 347\n")
    launch = shell.start(*shell.words("true", options=("--devcontainer",)))
    wait_until(lambda: bool(building()))
    launch.send_signal(signal.SIGINT)
    _, said = launch.communicate(timeout=30)
    assert launch.returncode == 130
    assert "stopped: nothing was started, and there is no new image" in said
    wait_until(lambda: building() == [])
    client = engine()
    assert client.images("aileron-own") == []
    client.close()


def test_one_to_start_from_works_as_it_is_and_is_never_overwritten(shell: Shell) -> None:
    assert "no .devcontainer/devcontainer.json" in shell.inside("true", options=("--devcontainer",)).stderr
    assert shell.run("sandbox", "init").returncode == 0
    assert (shell.workspace / ".devcontainer" / "Dockerfile").exists()
    again = shell.run("sandbox", "init")
    assert again.returncode != 0
    assert "is there already" in again.stderr
