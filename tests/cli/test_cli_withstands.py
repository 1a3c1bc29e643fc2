"""Every command, walked from the program, wherever it runs: no traceback, no hang, a code of the table, what to do."""

import errno
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.command_tree import Leaf, leaves
from cli.conftest import NOW, StandIn, StandInConnection, envelope
from cli.stand_in_server import StandInServer

from daemon.cli.connection import DaemonConnection
from daemon.cli.failure import ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.main import run
from daemon.cli.prompts import Prompts
from daemon.cli.rendering import Output
from daemon.core.failures import NO_SUCH_PATH

CODES = frozenset(ExitCode)
BECOMES_ANOTHER_PROGRAM = frozenset({"daemon run"})
FOLLOW = frozenset({"approval watch", "session watch", "logs"})
"""What goes on for as long as the daemon does."""
LEAST_OF_TWO_COLUMNS = 42
"""The library writes an option and what it does beside each other, no narrower than this."""
SIGNS = ("Traceback", "defect of aileron")


def required(leaf: Leaf, word: str) -> list[str]:
    """Return a line for a command with a word for everything that it must be given."""
    words = list(leaf.path)
    for parameter in leaf.command.params:
        if parameter.required and parameter.param_type_name == "option":
            words += [parameter.opts[0], word]
        elif parameter.required:
            words.append(word)
    return words


def walked() -> Any:
    walk = [leaf for leaf in leaves() if leaf.name not in BECOMES_ANOTHER_PROGRAM]
    return pytest.mark.parametrize("leaf", walk, ids=lambda leaf: leaf.name)


class Away(DaemonConnection):
    """Leads to a home in which no daemon runs and none can be started."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def home(self) -> Any:
        from daemon.base.home import Home

        return Home(self._home)


class Unwritable(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, error: int) -> None:
        super().__init__()
        self._error = error
        self.refused = False

    def write(self, text: str, /) -> int:
        self.refused = bool(text)
        raise OSError(self._error, os.strerror(self._error))


class Place:
    """Runs commands in this process; what is around them can be changed."""

    def __init__(self, folder: Path, stand_in: StandIn, url: str) -> None:
        self.folder = folder
        self.stand_in = stand_in
        self._url = url

    def connection(self) -> StandInConnection:
        """Return a way to the stand-in."""
        return StandInConnection(self.stand_in, self._url, self.folder)

    def run(
        self,
        words: list[str],
        *,
        connection: DaemonConnection | None = None,
        out: io.StringIO | None = None,
        environ: dict[str, str] | None = None,
    ) -> tuple[int, str]:
        variables = {"TERM": "dumb", "HOME": str(self.folder), "PATH": os.environ["PATH"], **(environ or {})}
        out, err = out or io.StringIO(), io.StringIO()
        output = Output(out=out, err=err, environ=variables)
        invocation = Invocation(
            output=output,
            prompts=Prompts(stdin=io.StringIO(), output=output, environ=variables),
            connection=connection or self.connection(),
            environ=variables,
            now=lambda: NOW,
        )
        with pytest.MonkeyPatch.context() as patch:
            for name, stream in (("stdout", out), ("stderr", err)):
                patch.setattr(f"sys.{name}", stream)
            patch.setenv("HOME", str(self.folder))
            patch.chdir(self.folder)
            code = run(words, invocation)
        said = out.getvalue() + err.getvalue()
        assert code in CODES, said
        assert not [sign for sign in SIGNS if sign in said], said
        return code, said


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    stand_in = StandIn()
    with StandInServer(stand_in.handle) as server:
        yield Place(tmp_path_factory.mktemp("place"), stand_in, server.url)


@pytest.fixture
def fresh(place: Place, tmp_path: Path) -> Place:
    """Return the place with nothing in it that another command left."""
    place.folder = tmp_path
    place.stand_in.answers.clear()
    place.stand_in.otherwise = None
    place.stand_in.requests.clear()
    return place


@walked()
def test_every_command_says_what_it_lacks_where_nothing_is_known(fresh: Place, leaf: Leaf) -> None:
    """No action, no session, no approval of that name; names with spaces, marks and letters of other languages."""
    if leaf.name in FOLLOW:
        return  # there may be something to follow later
    for word in ("x", "mein Ding/ä 名前", "-", "../..", "apr_", "\udcff"):
        code, said = fresh.run(required(leaf, word), environ={"NO_COLOR": "1", "COLUMNS": "40"})
        if code:
            assert said.strip()
            assert "\x1b" not in said


@walked()
def test_every_command_ends_where_no_daemon_can_be_started(fresh: Place, leaf: Leaf) -> None:
    """The home is a file, a folder of the kernel, or below one: empty, and nothing can be written."""
    (fresh.folder / "file").touch()
    for home in (fresh.folder / "file", fresh.folder / "file" / "home", Path("/proc/self/fdinfo/home")):
        code, said = fresh.run(required(leaf, "x"), connection=Away(home))
        assert code == 0 or said.strip()
        assert not home.is_dir()


@walked()
def test_a_daemon_of_another_version_is_named_when_its_answer_is_not_understood(fresh: Place, leaf: Leaf) -> None:
    if leaf.name in FOLLOW:
        return  # they wait for a daemon that answers again
    connection = fresh.connection()
    connection.other_version = "0.0.9"
    words = [*required(leaf, "x"), *(["--yes"] if "--yes" in leaf.options else [])]
    for answer in ({}, {"items": [{}]}, {"items": [{"id": "x", "name": None, "state": 1}]}, [], "text"):
        fresh.stand_in.otherwise = (200, answer)
        code, said = fresh.run(words, connection=connection)
        if code == ExitCode.UNREACHABLE:
            assert "0.0.9" in said
            assert "aileron stop" in said


@walked()
def test_a_daemon_that_lacks_what_a_command_asks_for_is_said_to_be_of_another_version(fresh: Place, leaf: Leaf) -> None:
    """Both versions may carry the same number, as between releases: what tells is that there is no such path."""
    if leaf.name in FOLLOW:
        return  # they wait for a daemon that answers again
    for status, told in ((404, envelope("not_found", NO_SUCH_PATH)), (405, envelope("invalid_arguments", "No."))):
        fresh.stand_in.otherwise = (status, told)
        fresh.stand_in.requests.clear()
        code, said = fresh.run([*required(leaf, "x"), *(["--yes"] if "--yes" in leaf.options else [])])
        if code and fresh.stand_in.requests:
            assert code == ExitCode.UNREACHABLE, said
            assert "of another version" in said
            assert "aileron stop" in said


@walked()
def test_what_cannot_be_written_is_said_on_the_other_stream(fresh: Place, leaf: Leaf) -> None:
    """The output is closed, full, or a pipe of which the other end is gone."""
    if leaf.name in FOLLOW:
        return  # nothing is written before something happens
    for error in (errno.EBADF, errno.ENOSPC, errno.EPIPE):
        assert fresh.run([*leaf.path, "--help"], out=Unwritable(error))[0] == ExitCode.FAILED
        out = Unwritable(error)
        _, said = fresh.run(required(leaf, "x"), out=out)
        if out.refused and error != errno.EPIPE:
            assert os.strerror(error).lower() in said.lower()


@walked()
def test_nothing_is_wider_than_a_narrow_terminal_but_what_must_not_be_broken(
    fresh: Place, leaf: Leaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    code, said = fresh.run([*leaf.path, "-h"], environ={"COLUMNS": "40"})
    assert code == 0
    for line in said.splitlines():
        assert len(line) <= LEAST_OF_TWO_COLUMNS or len(max(line.split(), key=len)) > 20, line


def started(words: list[str], home: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the program in a process of its own, where descriptors are closed before it begins."""
    code = "from daemon.cli.main import main; main()"
    return subprocess.run(
        [*options.pop("before", ()), sys.executable, "-c", code, *words],
        env={"PATH": os.environ["PATH"], "AILERON_HOME": str(home), **options.pop("environ", {})},
        timeout=60,
        check=False,
        **options,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_are_no_traceback(closed: str, tmp_path: Path) -> None:
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh"]
    done = started(["version"], tmp_path / "none", before=shell, capture_output=True)
    assert b"Traceback" not in done.stdout + done.stderr
    out_is_closed = closed not in ("<&-", "2>&-")
    assert done.returncode == (ExitCode.FAILED if out_is_closed else 0)
    assert (b"could not be read or written" in done.stderr) == (closed == ">&-")


def test_a_reader_that_goes_away_early_ends_the_command_quietly(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = started(["--help"], tmp_path / "none", stdout=writing, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    os.close(writing)
    assert (done.returncode, done.stderr) == (ExitCode.FAILED, b"")


def test_a_locale_without_utf_8_spells_out_what_it_cannot_write(tmp_path: Path) -> None:
    poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = started(["help", "n\u00e4me"], tmp_path / "none", environ=poor, capture_output=True)
    assert done.returncode == ExitCode.USAGE
    assert b"has no command" in done.stderr
    assert done.stderr.isascii()
