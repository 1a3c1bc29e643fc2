"""Objects written by hand, as no git command would make them, and what a container would say of them."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from workspaces.landed_commits import SESSION, Two, git, told

from daemon.core.failures import Failure, FailureClass
from daemon.workspaces.commits.branches import bring

FILE, LINK, FOLDER, MODULE = "100644", "120000", "40000", "160000"


def blob(two: Two, content: bytes) -> str:
    return git(two.agent, "hash-object", "-w", "--stdin", given=content)


def tree(two: Two, entries: Iterable[tuple[str, str, str]]) -> str:
    """Write a tree object, whatever is in it."""
    raw = b"".join(
        f"{mode} ".encode() + os.fsencode(name) + b"\0" + bytes.fromhex(found) for mode, name, found in entries
    )
    return git(two.agent, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=raw)


def put(two: Two, found: str) -> str:
    """Let the agent's branch be at a commit of a tree."""
    made = git(two.agent, "commit-tree", found, "-p", two.commit, "-m", "hostile")
    git(two.agent, "update-ref", "refs/heads/main", made)
    return made


def is_refused(two: Two, match: str = ".") -> str:
    """Check that nothing of it lands; return what is said."""
    before = two.refs()
    made = (two.agent / ".git/refs/heads/main").read_text().strip()
    # A container that the agent has taken over may say what it likes, so the objects are packed without a look at them.
    new = sorted(objects(two.agent) - objects(two.person))
    packed = told(two.folder, git_pack(two, new), head([("refs/heads/main", made)]))
    with pytest.raises(Failure, match=match) as failure:
        bring(two.repository, two.check(packed), SESSION)
    assert failure.value.failure_class in {FailureClass.CAPABILITY_DENIED, FailureClass.RESOURCE_LIMIT_EXCEEDED}
    assert two.refs() == before
    assert not (two.folder / "quarantine").exists()
    assert two.is_sound()
    return failure.value.message


def objects(folder: Path) -> set[str]:
    """Return every object there is."""
    return set(git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())


def head(refs: list[tuple[str, str]], *, pack: bool = True, **more: object) -> str:
    """Write a head as the container would."""
    return json.dumps(
        {"problem": None, "head": None, "refs": refs, "snapshot": None, "nested": [], "left_out": [], "pack": pack}
        | more
    )


def git_pack(two: Two, ids: list[str]) -> bytes:
    """Pack exactly some objects of the agent's."""
    given = "".join(f"{each}\n" for each in ids).encode()
    name = git(two.agent, "pack-objects", "-q", str(two.folder / "some"), given=given)
    return (two.folder / f"some-{name}.pack").read_bytes()
