"""A person's repository, an agent's copy of it, and the way of commits from one to the other, without a container."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.workspaces.commits.branches import bring
from daemon.workspaces.commits.commits import CheckBounds, Checked, check
from daemon.workspaces.commits.host_git import HostGit, Repository
from daemon.workspaces.commits.packed import FIRST, LAST, Packed, read_packed
from daemon.workspaces.commits.person_refs import PersonRefs
from daemon.workspaces.commits.quarantine import is_sha256
from daemon.workspaces.layers.packing_request import Snapshot, request
from daemon.workspaces.looking.runs_later import reasons
from daemon.workspaces.values import Entry

PROGRAM = Path(__file__).parents[2] / "sandbox_image" / "inside" / "pack_commits.py"
SESSION = "ses_1"
ABOUT = Snapshot(name="Pat", email="pat@example.com", time=1_700_000_000, message="What was not committed\n")


def git(folder: Path, *arguments: str, given: bytes = b"", check: bool = True, **variables: str) -> str:
    """Run git as somebody at a folder does, with nothing of this machine's configuration."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.com",
    }
    ended = subprocess.run(
        ["git", *arguments], cwd=folder, input=given, capture_output=True, check=False, env=environment | variables
    )
    if check:
        assert ended.returncode == 0, ended.stderr.decode(errors="replace")
    return ended.stdout.decode("utf-8", "surrogateescape").strip()


def why(path: str, entry: Entry | None, before: Entry | None) -> Sequence[str]:
    """Say why a path runs later, where the person's configuration points to nothing."""
    return reasons(path, entry, before=before)


@dataclass
class Two:
    """The person's working tree and the agent's."""

    folder: Path
    person: Path
    agent: Path
    branch: str
    commit: str

    @classmethod
    def make(cls, folder: Path, *options: str) -> "Two":
        """Make a repository with one commit, and the agent's copy of it."""
        person, agent = folder / "person", folder / "agent"
        person.mkdir()
        git(person, "init", "-q", "-b", "main", *options)
        (person / "a.txt").write_text("one\n")
        (person / "kept").mkdir()
        (person / "kept" / "b.txt").write_text("two\n")
        git(person, "add", "-A")
        git(person, "commit", "-qm", "first")
        subprocess.run(["cp", "-a", str(person), str(agent)], check=True)
        return cls(folder, person, agent, "refs/heads/main", git(person, "rev-parse", "HEAD"))

    @property
    def repository(self) -> Repository:
        """Return the person's repository."""
        return Repository(self.person / ".git", self.person / ".git")

    def commit_file(self, name: str, text: str = "text\n", *, mode: int = 0o644) -> str:
        """Let the agent commit a file; return the commit."""
        path = self.agent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        git(self.agent, "add", "-A")
        git(self.agent, "commit", "-qm", f"adds {name}")
        return git(self.agent, "rev-parse", "HEAD")

    def pack(
        self, *, snapshot: Snapshot | None = None, repository: Repository | None = None, place: str = ""
    ) -> Packed:
        """Let the program of the container pack what the agent committed."""
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        theirs = repository or self.repository
        asked = request(
            place=place or str(self.agent),
            have=PersonRefs.read(theirs).all(),
            sha256=is_sha256(HostGit.of(theirs)),
            snapshot=snapshot,
            scratch=str(scratch),
        )
        out = self.folder / "packed"
        with out.open("wb") as file:
            ended = subprocess.run(
                [sys.executable, "-I", "-B", "-S", str(PROGRAM)],
                input=asked,
                stdout=file,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert ended.returncode == 0, ended.stderr
        return read_packed(out)

    def check(self, packed: Packed | None = None, *, bounds: CheckBounds | None = None, **more: Snapshot) -> Checked:
        """Check what was packed."""
        return check(
            self.repository,
            packed or self.pack(**more),
            self.folder / "quarantine",
            start_branch=self.branch,
            start_commit=self.commit,
            reasons=why,
            bounds=bounds,
        )

    def bring(self, **more: Snapshot) -> dict[str, str]:
        """Check, and bring into the person's repository."""
        return bring(self.repository, self.check(**more), SESSION)

    def refs(self) -> dict[str, str]:
        """Return the person's refs."""
        return dict(PersonRefs.read(self.repository).refs)

    def is_sound(self) -> bool:
        """Say whether git finds no fault with the person's repository."""
        git(self.person, "fsck", "--full", "--strict")
        return True


def told(folder: Path, pack: bytes, head: str) -> Packed:
    """Write what a container would, that says whatever its agent likes."""
    out = folder / "told"
    raw = head.encode()
    out.write_bytes(FIRST + len(raw).to_bytes(8, "big") + raw + pack + LAST)
    return read_packed(out)
