"""A repository of our own in a scratch folder, which borrows the agent's objects and none of its configuration."""

import os
import subprocess

import git_folder  # type: ignore[import-not-found]

_CONFIG = """\
[core]
\trepositoryformatversion = {version}
\tbare = false
\tcommitGraph = false
\tmultiPackIndex = false
\tfsmonitor = false
\tuntrackedCache = false
\thooksPath = /dev/null
\tattributesFile = /dev/null
\texcludesFile = /dev/null
\tlogAllRefUpdates = false
[pack]
\tthreads = 2
\twindowMemory = 64m
[gc]
\tauto = 0
[advice]
\taddEmbeddedRepo = false
"""
_SHA256 = "[extensions]\n\tobjectFormat = sha256\n"


class GitError(Exception):
    """Git refused: what it said."""


class OwnGit:
    """Runs git on the agent's objects with our configuration only."""

    def __init__(self, scratch: str, objects: str, *, sha256: bool) -> None:
        self.folder = f"{scratch}/own"
        for name in ("objects/info", "refs", "info"):
            os.makedirs(f"{self.folder}/{name}")
        self.write("HEAD", b"ref: refs/heads/none\n")
        self.write("config", (_CONFIG.format(version=int(sha256)) + (_SHA256 if sha256 else "")).encode())
        self.write("objects/info/alternates", quoted(objects) + b"\n")
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": scratch,
            "LC_ALL": "C.UTF-8",
            "GIT_DIR": self.folder,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_ALLOW_PROTOCOL": "none",
            "GIT_TERMINAL_PROMPT": "0",
        }

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the repository."""
        with open(f"{self.folder}/{name}", "wb") as file:
            file.write(content)

    def borrow(self, git: "git_folder.GitFolder") -> None:
        """Take over where history is cut off, and what is ignored: data of the agent's that names no program."""
        shallow = git_folder.read(f"{git.common}/shallow")
        if shallow:
            self.write("shallow", shallow)
        self.write("info/exclude", git_folder.read(f"{git.common}/info/exclude"))

    def run(self, *arguments: str, given: bytes = b"", allowed: "tuple[int, ...]" = (0,), **more: str) -> bytes:
        """Run one command and return what it wrote; raises GitError."""
        ended = self._start(arguments, given, subprocess.PIPE, more)
        if ended.returncode not in allowed:
            raise GitError(f"git {arguments[0]}: {ended.stderr.decode(errors='replace').strip()[-500:]}")
        return bytes(ended.stdout)

    def stream(self, *arguments: str, given: bytes) -> None:
        """Run one command whose output is ours; raises GitError."""
        ended = self._start(arguments, given, None, {})
        if ended.returncode:
            raise GitError(f"git {arguments[0]}: {ended.stderr.decode(errors='replace').strip()[-500:]}")

    def existing(self, ids: "list[str]") -> "dict[str, str]":
        """Return those objects of a list that are there, with their types."""
        said = self.run("cat-file", "--batch-check=%(objectname) %(objecttype)", given=("\n".join(ids) + "\n").encode())
        found = (line.split(" ") for line in said.decode().splitlines())
        return {fields[0]: fields[1] for fields in found if len(fields) == 2 and fields[1] != "missing"}

    def _start(self, arguments: tuple, given: bytes, out: "int | None", more: dict) -> "subprocess.CompletedProcess":
        work = more.get("GIT_WORK_TREE")
        return subprocess.run(
            ["git", *arguments],
            input=given,
            stdout=out,
            stderr=subprocess.PIPE,
            cwd=work or self.folder,
            env={**self.environment, **more},
            check=False,
        )


def quoted(path: str) -> bytes:
    """Write a path as git quotes one in a list of alternates, so that no name in it ends the line."""
    plain = b"".join(
        bytes([byte]) if 32 <= byte < 127 and byte not in b'"\\' else b"\\%03o" % byte for byte in os.fsencode(path)
    )
    return b'"' + plain + b'"'
