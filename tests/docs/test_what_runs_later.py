"""The list in docs/sandbox.md of what lands only by name is the one that is obeyed."""

from pathlib import Path

from daemon.workspaces.looking.obeyed_reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"


def test_the_list_of_what_runs_later_is_the_one_in_the_code() -> None:
    command = "`python -m daemon.workspaces.looking.obeyed_reference` prints it"
    assert reference() in PAGE.read_text(), command
