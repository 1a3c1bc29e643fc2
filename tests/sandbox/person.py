"""A person with a repository and a terminal: what they have before a launch, and what they answer."""

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sandbox.engine import COMMAND, USER, Shell

_SECONDS = 60
_CONTROLLED = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
"""What makes Ctrl-C a signal: the terminal is that of the session."""
_ME = {"NAME": "Me", "EMAIL": "me@example.com"}


class Person:
    """Works in a folder as an ordinary user, with git and nothing else configured."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.folder = shell.workspace

    def git(self, *arguments: str, at: Path | None = None, fails: bool = False) -> str:
        """Run git as the person."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _ME.items()},
        }
        who: dict[str, Any] = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
        command = ["git", "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(
            command, cwd=at or self.folder, env=environment, capture_output=True, text=True, check=False, **who
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout.strip()

    def has(self, path: str, content: str, *, at: Path | None = None) -> Path:
        """Give the person a file."""
        place = (at or self.folder) / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
        if os.geteuid() == 0:
            for each in (place, *(above for above in place.parents if self.folder in above.parents)):
                os.chown(each, USER, USER)
        return place

    def repository(self, at: Path | None = None) -> Path:
        """Make a repository with one commit of a few files."""
        place = at or self.folder
        self.git("init", "-q", "-b", "main", at=place)
        for name in ("edited", "deleted", "renamed", "kept"):
            self.has(f"{name}.txt", f"{name}\n", at=place)
        self.git("add", ".", at=place)
        self.git("commit", "-q", "-m", "first", at=place)
        return place

    def status(self, *, at: Path | None = None) -> list[str]:
        """Return what git says is not committed."""
        return self.git("status", "--porcelain", "-uall", at=at).splitlines()

    def is_sound(self, *, at: Path | None = None) -> None:
        """Check the whole repository."""
        self.git("fsck", "--full", "--strict", "--no-dangling", at=at)


class Terminal:
    """A launch at a terminal. It waits for what is shown, and types."""

    def __init__(self, shell: Shell, words: list[str], *, at: Path | None = None) -> None:
        self._keys, theirs = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{_CONTROLLED}; {COMMAND}", *words],
            cwd=at or shell.workspace,
            env=shell.environment(TERM="dumb", PAGER="cat"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def until(self, text: str) -> str:
        """Wait until a text is shown; return everything that was shown up to there, and forget it."""
        deadline = time.monotonic() + _SECONDS
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            assert self._read(), f"it ended: {self.shown}"
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def types(self, text: str) -> None:
        """Type a text."""
        os.write(self._keys, text.encode())

    def ends(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what else was shown."""
        while self._read():
            pass
        os.close(self._keys)
        return self.process.wait(_SECONDS), self.shown

    def _read(self) -> bool:
        try:
            piece = os.read(self._keys, 65536)
        except OSError:  # nobody holds the other end any more
            return False
        self.shown += piece.decode(errors="replace").replace("\r\n", "\n")
        return bool(piece)


def session_of(text: str) -> str:
    """Return the session that a launch tells of at its end."""
    found = re.search(r"Session (\w{8}) ended", text)
    assert found is not None, text
    return found[1]
