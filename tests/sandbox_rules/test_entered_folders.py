"""The folders that an agent enters are judged as they were opened, whatever has their names by then."""

from pathlib import Path

import pytest
from workspaces.conftest import Machine

from daemon.core.failures import Failure, FailureClass
from daemon.sandbox import live
from daemon.sandbox.surveying import entered
from daemon.sandbox.user import Folder
from daemon.sandbox.workplace import Workplace
from daemon.workspaces.layers.site import Site, survey
from daemon.workspaces.values import Way


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.repository()
    (made.project / "a" / "b").mkdir(parents=True)
    return made


@pytest.fixture
def site(machine: Machine) -> Site:
    return survey(machine.project / "a" / "b", machine.off_limits)


def _modes(folders: list[Folder]) -> dict[str, int]:
    return {folder.path: folder.mode & 0o777 for folder in folders}


def test_a_folder_that_is_moved_away_or_swapped_for_a_link_is_judged_as_it_was_opened(
    machine: Machine, site: Site
) -> None:
    (machine.project / "a").chmod(0o710)
    expected = _modes(entered(Workplace(site=site, way=Way.OVERLAY)))
    assert list(expected) == [str(machine.project / below) for below in ("", "a", "a/b")]
    assert expected[str(machine.project / "a")] == 0o710
    machine.project.rename(machine.person / "aside")
    assert _modes(entered(Workplace(site=site, way=Way.OVERLAY))) == expected
    theirs = machine.person / "theirs"
    (theirs / "a" / "b").mkdir(parents=True)
    theirs.chmod(0o700)
    machine.project.symlink_to(theirs)
    assert _modes(entered(Workplace(site=site, way=Way.OVERLAY))) == expected


@pytest.mark.parametrize("gone", ["missing", "a link", "a file"])
def test_a_subfolder_that_is_not_there_any_more_is_a_refusal_in_words(machine: Machine, site: Site, gone: str) -> None:
    below = machine.project / "a" / "b"
    below.rmdir()
    if gone == "a link":
        below.symlink_to(machine.person)
    elif gone == "a file":
        below.touch()
    with pytest.raises(Failure, match="is not there" if gone == "missing" else "replaced by a link") as refused:
        entered(Workplace(site=site, way=Way.OVERLAY))
    assert refused.value.failure_class is FailureClass.INVALID_ARGUMENTS


@pytest.mark.parametrize("gone", ["missing", "a link"])
def test_what_cannot_be_held_any_more_for_an_agent_on_the_folder_itself_is_a_refusal_in_words(
    machine: Machine, site: Site, gone: str
) -> None:
    aside = machine.person / "aside"
    (machine.project / ".git").rename(aside)
    if gone == "a link":
        (machine.project / ".git").symlink_to(aside)
    with pytest.raises(Failure, match="is not there" if gone == "missing" else "replaced by a link") as refused:
        live.protect(site, "ses_1", machine.home / "held-files")
    assert refused.value.failure_class is FailureClass.INVALID_ARGUMENTS
