"""Runs this machine's git so that no configuration makes it run another program, and within bounds of time and memory.

Two kinds of repositories are worked on: a quarantine of ours, in which a pack from a container is looked at, and the
person's own. In both, nothing of the environment but the path to programs and the home is handed on, the configuration
of the system and of the person is not read, and whatever the repository's own configuration could name (hooks, a file
monitor, helpers, transports) is overridden. The home is needed because a repository's own configuration may
include `~/...`, and git gives up where it cannot expand that.
"""

import contextlib
import os
import pwd
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from daemon.core.failures import Failure
from daemon.workspaces.commits.failures import git_failed, moved, no_git, too_large

_PIECE = 1024**2
_SHOWN = 500
_NO_HOME = "/nonexistent"
_NO_REPOSITORY = "fatal: not a git repository"
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.alternateRefsCommand=",
    "core.pager=cat",
    "core.editor=false",
    "core.sshCommand=false",
    "core.askPass=false",
    "core.attributesFile=/dev/null",
    "core.commitGraph=false",
    "core.multiPackIndex=false",
    "core.fsync=all",
    "core.fsyncMethod=fsync",
    "core.packedGitWindowSize=32m",
    "core.packedGitLimit=256m",
    "credential.helper=",
    "gc.auto=0",
    "maintenance.auto=false",
    "log.showSignature=false",
    "pack.threads=2",
    "fetch.fsckObjects=true",
    "transfer.fsckObjects=true",
    "receive.fsckObjects=true",
    "uploadpack.packObjectsHook=",
    "protocol.allow=never",
)
"""These settings win over every configuration file. Each could name a program, or start work that nobody asked for."""
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_AUTHOR_NAME": "Aileron",
    "GIT_AUTHOR_EMAIL": "aileron@localhost",
    "GIT_COMMITTER_NAME": "Aileron",
    "GIT_COMMITTER_EMAIL": "aileron@localhost",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far one command of git may go."""

    seconds: float = 600.0
    processor_seconds: int = 600
    memory_bytes: int = 8 * 1024**3
    """A limit of address space, so it includes the parts of the person's packs that git maps."""
    file_bytes: int = 16 * 1024**3
    output_bytes: int = 128 * 1024**2


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of the person's, as far as commits are concerned."""

    git_dir: Path
    """Of the working tree: `.git`, or for a worktree or a submodule where its `.git` file leads."""
    common_dir: Path
    """What all worktrees share; the same as `git_dir` where there is only one."""

    @property
    def objects(self) -> Path:
        """Return the folder with the objects."""
        return self.common_dir / "objects"

    @property
    def owner(self) -> tuple[int, int] | None:
        """Return whose it is, if we are root and they are not: what root writes there is theirs afterwards."""
        if os.geteuid() != 0:
            return None
        found = self.common_dir.stat()
        return None if found.st_uid == 0 else (found.st_uid, found.st_gid)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGit:
    """Git in one repository."""

    git_dir: Path
    bounds: Bounds = field(default_factory=Bounds)
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, repository: Repository, bounds: Bounds | None = None) -> "HostGit":
        """Return git in a repository of the person's."""
        return cls(git_dir=repository.git_dir, bounds=bounds or Bounds())

    def run(self, *arguments: str, given: bytes | IO[bytes] = b"", allowed: Sequence[int] = (0,)) -> bytes:
        """Run one command and return what it wrote; raises Failure if it fails, or goes beyond its bounds."""
        code, out, said = self._finish(arguments, given)
        if code not in allowed:
            raise self._failed(arguments[0], said)
        return out

    def says(self, *arguments: str, given: bytes = b"") -> bool:
        """Run one command that answers by its code: 0 for yes, 1 for no."""
        code, _, said = self._finish(arguments, given)
        if code not in {0, 1}:
            raise self._failed(arguments[0], said)
        return code == 0

    def attempt(self, *arguments: str, given: bytes | IO[bytes] = b"") -> tuple[bool, bytes, str]:
        """Run one command that may well refuse; return whether it did not, what it wrote, and what it said."""
        code, out, said = self._finish(arguments, given)
        return code == 0, out, said

    def _failed(self, command: str, said: str) -> Failure:
        return moved(str(self.git_dir)) if said.startswith(_NO_REPOSITORY) else git_failed(command, said)

    def _finish(self, arguments: Sequence[str], given: bytes | IO[bytes]) -> tuple[int, bytes, str]:
        with contextlib.ExitStack() as held:
            source = given
            if isinstance(given, bytes):
                source = held.enter_context(tempfile.TemporaryFile())
                source.write(given)
                source.seek(0)
            errors = held.enter_context(tempfile.TemporaryFile())
            process = self._start(arguments, source, errors)
            held.callback(_end, process)
            out = self._read(process, arguments[0])
            code = process.wait()
            errors.seek(0)
            said = errors.read(64 * 1024).decode(errors="replace").strip()
            return code, out, said[-_SHOWN:]

    def _start(
        self, arguments: Sequence[str], source: "bytes | IO[bytes]", errors: IO[bytes]
    ) -> "subprocess.Popen[bytes]":
        program = shutil.which("git")
        if program is None:
            raise no_git()
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        try:
            return subprocess.Popen(
                [*_limited(self.bounds), program, *settings, *arguments],
                stdin=source if not isinstance(source, bytes) else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self.git_dir,
                env=self._environment(),
                start_new_session=True,
            )
        except (FileNotFoundError, NotADirectoryError) as problem:
            raise moved(str(self.git_dir)) from problem

    def _environment(self) -> dict[str, str]:
        places = {"PATH": os.environ.get("PATH", os.defpath), "HOME": _home()}
        return {**places, **_ENVIRONMENT, "GIT_DIR": str(self.git_dir), **self.variables}

    def _read(self, process: "subprocess.Popen[bytes]", command: str) -> bytes:
        assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        deadline = time.monotonic() + self.bounds.seconds
        pieces: list[bytes] = []
        size = 0
        with selectors.DefaultSelector() as ready, process.stdout as out:
            ready.register(out, selectors.EVENT_READ)
            while True:
                left = deadline - time.monotonic()
                if left <= 0 or not ready.select(left):
                    raise too_large(f"git {command} took longer than {self.bounds.seconds:.0f} s and was ended.")
                piece = os.read(out.fileno(), _PIECE)
                if not piece:
                    return b"".join(pieces)
                pieces.append(piece)
                size += len(piece)
                if size > self.bounds.output_bytes:
                    raise too_large(f"git {command} had more to say than {self.bounds.output_bytes} bytes.")


def _home() -> str:
    """Return our home; one that is not there where nobody knows it."""
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_dir
    return _NO_HOME


def _limited(bounds: Bounds) -> list[str]:
    """Return how a command is begun so that it and what it starts are limited; the command itself follows.

    A shell sets the limits before git begins. What cannot be set, because less is allowed already, is left.
    """
    limits = {
        "-t": bounds.processor_seconds,
        "-v": bounds.memory_bytes // 1024,
        "-f": bounds.file_bytes // 512,
        "-c": 0,
    }
    lines = [f"ulimit {what} {most} 2>/dev/null || :" for what, most in limits.items()]
    return ["/bin/sh", "-c", "\n".join([*lines, 'exec "$@"']), "sh"]


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a command with everything that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
