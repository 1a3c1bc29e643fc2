"""Packs what the agent committed. Runs in a container of its own, without a network, beside the agent's workspace.

Reads one JSON object from its input:
  place      the working tree, such as /workspace
  scratch    where files of our own may be made
  sha256     whether ids are SHA-256
  have       ids of commits and tags that the person has already
  snapshot   null, or name, email, time (seconds) and message of a commit of the uncommitted work
  seconds    after how long to give up

Writes: a line of its own, eight bytes with the length of a JSON head, the head, a pack if the head says so, and a last
line. Without the last line the rest is worth nothing. All of it is the agent's word, because the agent wrote every
object that git reads here; the host checks it.
"""

import json
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import git_folder  # type: ignore[import-not-found]
import own_git  # type: ignore[import-not-found]
import snapshot  # type: ignore[import-not-found]

_FIRST = b"aileron commits 1\n"
_LAST = b"\naileron end\n"
_DETACHED = "HEAD"
_LONGEST_LISTS = 10_000


def main() -> int:
    """Answer one request."""
    asked = json.load(sys.stdin.buffer)
    end_after(int(asked["seconds"]))
    head: dict = {
        "problem": None,
        "head": None,
        "refs": [],
        "snapshot": None,
        "nested": [],
        "left_out": [],
        "pack": False,
    }
    own, wanted, have = None, [], []
    try:
        git = git_folder.GitFolder.find(asked["place"])
        own = own_git.OwnGit(tempfile.mkdtemp(dir=asked["scratch"]), f"{git.common}/objects", sha256=asked["sha256"])
        own.borrow(git)
        have = list(own.existing(asked["have"])) if asked["have"] else []
        wanted = describe(own, git, asked, head)
    except (git_folder.NoRepositoryError, own_git.GitError) as problem:
        head["problem"] = str(problem)
    new = sorted(set(wanted) - set(have))
    head["pack"] = bool(new) and head["problem"] is None
    said = json.dumps(head).encode()
    write(_FIRST + len(said).to_bytes(8, "big") + said)
    if head["pack"]:
        pack(own, new, have)
    write(_LAST)
    return 0


def end_after(seconds: int) -> None:
    """End after some time, whatever git waits for. It needs a handler, because process 1 ignores what has none."""

    def end(*_: object) -> None:
        os.write(2, f"it took longer than {seconds} s\n".encode())
        os._exit(1)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)


def describe(own: "own_git.OwnGit", git: "git_folder.GitFolder", asked: dict, head: dict) -> "list[str]":
    """Fill the head with what there is; return the ids to pack."""
    branch, commit = git.head()
    refs, unreadable = {}, []
    for name, found in git.refs().items():
        if shown(name) == name:
            refs[name] = found
        else:
            unreadable.append([shown(name), "its name is not UTF-8"])
    if branch is None and commit is not None:
        refs[_DETACHED] = commit
    there = own.existing(sorted({found for found in refs.values() if found})) if any(refs.values()) else {}
    head["head"] = None if branch is None else shown(branch)
    head["refs"] = [[name, found] for name, found in refs.items() if found in there]
    left_out = unreadable + [[name, "its object is not there"] for name, found in refs.items() if found not in there]
    left_out += [[f"worktree {shown(name)}", "it is on no branch"] for name in git.detached_worktrees()]
    if asked["snapshot"] is not None:
        made = snapshot.make(own, git, asked["place"], commit if commit in there else None, asked["snapshot"])
        head["snapshot"], head["nested"] = made["commit"], [shown(path) for path in made["nested"][:_LONGEST_LISTS]]
        left_out += made["left_out"]
    head["left_out"] = left_out[:_LONGEST_LISTS]
    return [found for _, found in head["refs"]] + ([head["snapshot"]] if head["snapshot"] else [])


def pack(own: "own_git.OwnGit", new: "list[str]", have: "list[str]") -> None:
    """Write a pack of all that the wanted objects need and the person has not."""
    asked = "\n".join([*new, "--not", *have]) + "\n"
    arguments = ("--revs", "--stdout", "--delta-base-offset", "--no-use-bitmap-index", "-q")
    own.stream("pack-objects", *arguments, given=asked.encode())


def shown(name: str) -> str:
    """Return a name as JSON can have it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def write(data: bytes) -> None:
    """Write to the output, unbuffered, because git writes to it, too."""
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    try:
        code = main()
    except (own_git.GitError, OSError, ValueError, KeyError) as problem:
        sys.stderr.write(f"what was committed cannot be packed: {problem}\n")
        code = 1
    sys.exit(code)
