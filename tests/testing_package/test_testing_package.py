"""What the testing package promises beside the example of docs/testing.md, which test_testing_page.py follows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from aileron_testing import AileronError, AileronSandbox

pytest_plugins = ["aileron_testing.plugin"]
pytestmark = pytest.mark.docker


def test_a_program_reaches_nothing_but_the_daemon(
    aileron_sandbox: Callable[..., AileronSandbox], tmp_path: Path
) -> None:
    aileron = aileron_sandbox()
    run = aileron.start_program(["sh", "-c", "curl -sS -m 3 https://1.1.1.1/; echo $?"], workspace=tmp_path)
    assert run.wait().stdout == "7\n"


def test_what_a_program_writes_is_read_from_its_layer_or_lies_in_the_folder_if_it_works_there_itself(
    aileron_sandbox: Callable[..., AileronSandbox], tmp_path: Path
) -> None:
    aileron = aileron_sandbox()
    workspace = tmp_path / "project"
    workspace.mkdir()
    run = aileron.start_program(["sh", "-c", "echo layer > made"], workspace=workspace)
    assert run.wait().exit_code == 0
    assert (run.written / "made").read_text() == "layer\n"
    assert list(workspace.iterdir()) == []
    assert aileron.start_program(["sh", "-c", "echo live > made"], workspace=workspace, live=True).wait().exit_code == 0
    assert (workspace / "made").read_text() == "live\n"


def test_what_is_wrong_is_said(aileron_sandbox: Callable[..., AileronSandbox], tmp_path: Path) -> None:
    aileron = aileron_sandbox()
    broken = tmp_path / "broken.md"
    broken.write_text("+++\nname = 1\n+++\n")
    with pytest.raises(AileronError, match="broken"):
        aileron.install_action(broken)
    with pytest.raises(AileronError, match="Nothing asked"):
        aileron.wait_for_approval(seconds=0.1)
    with pytest.raises(AssertionError, match="the log holds 0 events"):
        aileron.assert_event("execution.started")
    with pytest.raises(AileronError, match="did not start"):
        aileron_sandbox(settings="[nonsense]\nx = 1\n")
