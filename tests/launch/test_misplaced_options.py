"""An option of ours behind the agent's name is refused: the agent would get it, and run on the host without a word."""

import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.launch import command
from daemon.cli.launch.misplaced import OwnOption, own_options
from launchers.agents import AGENTS

COMMAND = get_command(command.app)
CONTEXT = COMMAND.make_context("launch", ["codex"], resilient_parsing=True)
OPTIONS = own_options(CONTEXT)
VALUES = {
    "-C": "/tmp",
    "--dir": "/tmp",
    "--env": "A=1",
    "--cpus": "2",
    "--build-ca": "/tmp/ca",
    "--land": "auto",
    "--workspace": "copy",
}


def start(*words: str) -> None:
    """Run the command in this process."""
    COMMAND.main(list(words), prog_name="launch", standalone_mode=False, obj=Invocation.from_process())


def refusal(*words: str) -> CliFailure:
    """Return how a command line is refused before anything is looked for."""
    with pytest.raises(CliFailure) as caught:
        start(*words)
    assert caught.value.exit_code == ExitCode.USAGE
    assert "nothing was started" in caught.value.message
    return caught.value


def right_line(failure: CliFailure) -> list[str]:
    assert failure.remedy is not None
    return shlex.split(failure.remedy.splitlines()[0].removeprefix("For Aileron: "))[2:]


def spellings() -> list[tuple[str, ...]]:
    made: list[tuple[str, ...]] = []
    for option in OPTIONS:
        for name in option.names:
            value = VALUES.get(name, "1")
            if not option.takes_value:
                made += [(name,), (f"{name}=yes",)]
            else:
                made += [(name, value), (f"{name}={value}",), (name,)]
    return made


def test_the_table_holds_every_option_that_help_shows() -> None:
    shown = {word.strip(",") for word in COMMAND.get_help(CONTEXT).split() if word.startswith("-")}
    names = {name for option in OPTIONS for name in option.names}
    assert shown - {"--"} - {"--sandbox"} <= names
    assert {"--sandbox", "--help", "-C", "--json", "--network"} <= names


@pytest.mark.parametrize("words", spellings(), ids=" ".join)
@pytest.mark.parametrize("agent", AGENTS)
def test_each_option_of_ours_behind_the_agents_name_is_refused_with_the_right_line(
    agent: str, words: tuple[str, ...]
) -> None:
    for before in ((), ("run",), ("-p", "do it")):
        failure = refusal(agent, *before, *words)
        line = right_line(failure)
        place = line.index(agent)
        assert line[place + 1 :] == (["--", *before] if before else [])
        assert line[0].partition("=")[0] == words[0].partition("=")[0]
        assert f"aileron launch {agent} -- {shlex.join([*before, *words])}" in str(failure.remedy)


@pytest.mark.parametrize("word", ["-sandbox", "--SANDBOX", "\u2014sandbox", "\u2013-sandbox", "--Sandbox=true"])
def test_a_slip_in_writing_it_does_not_make_it_the_agents(word: str) -> None:
    assert right_line(refusal("pi", word)) == ["--sandbox", "pi"]


def test_what_stood_in_its_place_is_in_the_right_line_too() -> None:
    line = right_line(
        refusal("--label", "two words", "--env", "A=1", "--env", "B", "pi", "run", "--sandbox", "--", "-x")
    )
    assert line == ["--label", "two words", "--env", "A=1", "--env", "B", "--sandbox", "pi", "--", "run", "--", "-x"]
    assert right_line(refusal("pi", "--memory", "4GiB", "--sandbox")) == ["--memory", "4GiB", "--sandbox", "pi"]


@pytest.mark.parametrize(
    "given",
    [("--", "--sandbox", "read-only"), ("exec", "--", "--sandbox"), ("-p", "--sandbox is what I want"), ("-c",)],
)
def test_what_stands_behind_two_dashes_is_the_agents_and_reaches_it(
    tmp_path: Path, given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CliFailure, match="not installed"):
        start("codex", *given)


CONTAINER = [
    option for option in OPTIONS if option.parameter not in {"sandbox", "label", "folder", "as_json", "help", None}
]


@pytest.mark.parametrize("option", CONTAINER, ids=lambda option: str(option.names[0]))
def test_every_option_about_the_container_needs_one_and_is_named(
    option: OwnOption, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    name = option.names[0]
    found = refusal(name, *([VALUES.get(name, "x")] if option.takes_value else []), "codex")
    assert found.message.startswith(f"{name} needs --sandbox")
