"""aileron-testing needs the command `aileron` and nothing else of ours, and says plainly when it cannot have it."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from aileron_testing import AileronError, AileronSandbox
from aileron_testing.command import find_command

REAL = Path(sys.executable).with_name("aileron")


def program(place: Path, text: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(0o755)
    return place


def test_what_the_test_names_comes_before_the_variable_and_that_before_the_rest(tmp_path: Path) -> None:
    named = program(tmp_path / "named" / "aileron", "#!/bin/sh\n")
    variable = program(tmp_path / "variable" / "aileron", "#!/bin/sh\n")
    environment = {"AILERON_COMMAND": str(variable), "PATH": os.defpath}
    assert find_command(named, environment) == named
    assert find_command(None, environment) == variable
    assert find_command(None, {"PATH": os.defpath}) == REAL


def test_the_path_is_searched_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = program(tmp_path / "bin" / "aileron", "#!/bin/sh\n")
    environment = {"PATH": str(there.parent)}
    assert find_command(None, environment) == REAL
    monkeypatch.setattr(sys, "executable", str(tmp_path / "elsewhere" / "python"))
    assert find_command(None, environment) == there
    with pytest.raises(AileronError, match="Install aileron-runtime into an environment of its own"):
        find_command(None, {"PATH": str(tmp_path / "nothing")})


def test_a_command_that_is_named_and_not_there_is_not_replaced_by_another(tmp_path: Path) -> None:
    with pytest.raises(AileronError, match=re.escape("AILERON_COMMAND names /no/such, and there is no such program")):
        find_command(None, {"AILERON_COMMAND": "/no/such", "PATH": str(REAL.parent)})
    with pytest.raises(AileronError, match="aileron= names"):
        AileronSandbox(aileron=tmp_path / "aileron")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#!/bin/sh\necho hello from a stranger\nexit 2\n", "did not start: hello from a stranger .*the program is "),
        ("#!/no/such/shell\n", "cannot be run: No such file"),
        ("\x7fELF", "cannot be run: Exec format error"),
    ],
    ids=["a stranger's", "no interpreter", "no program"],
)
def test_another_program_of_the_same_name_is_named_in_the_error(tmp_path: Path, text: str, why: str) -> None:
    sandbox = AileronSandbox(aileron=program(tmp_path / "aileron", text))
    with pytest.raises(AileronError, match=why):
        sandbox.start()
    assert not sandbox.home.exists()


def test_a_daemon_of_another_release_is_refused_and_ended(tmp_path: Path) -> None:
    found = json.dumps({"control_url": "http://127.0.0.1:9", "token": "x", "version": "99.1.0"})
    text = f"#!/bin/sh\necho $$ > {tmp_path}/pid\necho '{found}' > \"$AILERON_HOME/daemon.json\"\nexec sleep 60\n"
    sandbox = AileronSandbox(aileron=program(tmp_path / "aileron", text))
    with pytest.raises(
        AileronError, match=r"aileron-testing is \d.*/aileron is 99\.1\.0\. Install both of one release"
    ):
        sandbox.start()
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("way", ["with", "start"])
def test_a_start_that_fails_half_way_leaves_no_daemon_and_no_home(tmp_path: Path, way: str) -> None:
    command = program(tmp_path / "aileron", f'#!/bin/sh\necho $$ > {tmp_path}/pid\nexec {REAL} "$@"\n')
    sandbox = AileronSandbox(aileron=command, connectors=[tmp_path / "no-such-connector"])
    with pytest.raises(AileronError, match="no-such-connector"):
        sandbox.__enter__() if way == "with" else sandbox.start()
    assert gone(int((tmp_path / "pid").read_text()))
    assert not sandbox.home.exists()
    sandbox.stop()


def test_what_is_meant_for_the_python_of_the_suite_does_not_reach_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "src" / "daemon" / "__init__.py", "raise ImportError('this is the suite's own')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    with AileronSandbox() as aileron:
        aileron.verify()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
