"""Moves refs in the person's repository: those of checked commits, below `refs/aileron/`, and the person's branches.

No hook, monitor or helper of anyone's runs (`daemon/workspaces/commits/host_git.py`), and no working file is touched.
Objects
come in by `index-pack`, not by a fetch: a fetch would obey the person's configuration of remotes, and the pack was
checked as it is. A ref is moved only if it still holds what we last saw there.
"""

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from daemon.workspaces.commits.commits import DETACHED, SNAPSHOT, Checked
from daemon.workspaces.commits.failures import conflict, disk_failures, needs_yes
from daemon.workspaces.commits.host_git import HostGit, Repository
from daemon.workspaces.commits.index_lock import locked_index, replace_index
from daemon.workspaces.commits.owners import give, give_refs
from daemon.workspaces.commits.person_refs import AILERON, PersonRefs, checked_out
from daemon.workspaces.commits.ref_names import HEADS, TAGS, clash, problem
from daemon.workspaces.values import Branch

_NONE = "0" * 40
_UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")


@disk_failures()
def bring(repository: Repository, checked: Checked, session: str) -> dict[str, str]:
    """Bring everything that was checked below `refs/aileron/<session>/`; return for each ref its new name there.

    It may be called again: refs that are there already stay.
    """
    try:
        _take_objects(repository, checked, session)
        places = {each.ref: place_of(session, each.ref) for each in checked.all()}
        there = PersonRefs.read(repository).refs
        wanted = {places[each.ref]: each.new for each in checked.all()}
        ours = {ref: found for ref, found in there.items() if ref.startswith(f"{AILERON}{session}/")}
        in_the_way = {ref: ours[ref] for ref in ours if ref not in wanted and clash(ref, wanted)}
        _update(repository, {ref: (found, "") for ref, found in in_the_way.items()}, session)
        _update(
            repository,
            {ref: (there.get(ref, ""), new) for ref, new in wanted.items() if there.get(ref) != new},
            session,
        )
    finally:
        _release(repository, session)
    return places


def place_of(session: str, ref: str) -> str:
    """Return what a ref of the agent is called below `refs/aileron/`."""
    if ref in {DETACHED, SNAPSHOT}:
        return f"{AILERON}{session}/{'detached' if ref == DETACHED else SNAPSHOT}"
    return f"{AILERON}{session}/{ref.removeprefix('refs/')}"


def make_branch(
    repository: Repository, name: str, branch: Branch, *, session: str, yes_to: Collection[str] = ()
) -> str:
    """Make a branch that is not there yet at what was brought; return its ref.

    `name` has no `refs/heads/`. Raises Failure if it exists, cannot be one, or has changes that run later and were not
    said yes to.
    """
    _refuse_unnamed(branch, yes_to)
    wrong = problem(name)
    if wrong is not None:
        raise conflict(f"{name!r} cannot be the name of a branch: {wrong}.")
    other = clash(name, _branches(repository))
    if other is not None:
        raise conflict(f"There is a branch {other!r} already, beside which {name!r} cannot be. Choose another name.")
    _update(repository, {f"{HEADS}{name}": ("", branch.new)}, session)
    return f"{HEADS}{name}"


def is_at(repository: Repository, ref: str, commit: str) -> bool:
    """Say whether a ref of the person's holds that commit."""
    return PersonRefs.read(repository).refs.get(ref) == commit


def is_free(repository: Repository, name: str) -> bool:
    """Say whether a branch of this name (without `refs/heads/`) can be made."""
    return problem(name) is None and clash(name, _branches(repository)) is None


@disk_failures()
def fast_forward(repository: Repository, branch: Branch, *, session: str, yes_to: Collection[str] = ()) -> None:
    """Move the branch that is checked out from `branch.old` to `branch.new`, and the index with it; no file is touched.

    To be called after the files have landed. The index is held meanwhile, and goes first: a kill in between leaves the
    agent's work as staged changes and a lock, and calling this again finishes it. Raises Failure, and then nothing is
    moved, unless the person still has that branch checked out at `old`, has nothing else staged, and is in no merge or
    rebase.
    """
    _refuse_unnamed(branch, yes_to)
    git = HostGit.of(repository)
    if branch.old is None or not branch.forward:
        raise conflict(f"{_plain(branch.ref)} of the agent does not go forward from yours. Land it as a branch.")
    with locked_index(repository):
        at = checked_out(git)
        if at == (branch.ref, branch.new) and _is_staged_as(git, branch.new):
            return  # it was done before
        _refuse_moved(repository, branch, at)
        put_back: Callable[[], None] = lambda: None  # noqa: E731 - what was staged before we came stays
        if not _is_staged_as(git, branch.new):
            if not _is_staged_as(git, branch.old):
                name = _plain(branch.ref)
                raise conflict(f"You have staged changes, so {name} cannot go forward. Commit or unstage them first.")
            put_back = replace_index(repository, partial(_stage, git, branch.old, branch.new))
        try:
            _update(repository, {branch.ref: (branch.old, branch.new)}, session)
        except BaseException:
            put_back()
            raise


def changes_any(repository: Repository, branch: Branch, paths: Collection[str]) -> bool:
    """Say whether the commits between `branch.old` and `branch.new` change one of some paths, or something below."""
    if not paths or branch.old is None:
        return False
    words = ("diff-tree", "-r", "-z", "--no-renames", "--name-only", branch.old, branch.new)
    changed = HostGit.of(repository).run(*words).decode("utf-8", "surrogateescape").split("\0")
    return any(each == path or each.startswith(f"{path}/") for each in changed for path in paths)


def remove_refs(repository: Repository, session: str) -> int:
    """Remove everything below `refs/aileron/<session>/`; return how many refs that were.

    The objects stay until the person's git removes what nothing refers to.
    """
    refs = PersonRefs.read(repository).refs
    ours = {ref: (found, "") for ref, found in refs.items() if ref.startswith(f"{AILERON}{session}/")}
    _update(repository, ours, session)
    _release(repository, session)
    return len(ours)


def _branches(repository: Repository) -> list[str]:
    """Return the names of the person's branches, also of one that is checked out and has no commit yet.

    If that one were made, everything in the folder would look as if it had been deleted.
    """
    person = PersonRefs.read(repository)
    return [ref.removeprefix(HEADS) for ref in {*person.refs, person.head} if ref.startswith(HEADS)]


def _take_objects(repository: Repository, checked: Checked, session: str) -> None:
    """Let git write the checked pack into the person's objects, with a mark that keeps it until refs name it.

    Git runs with the quarantine's configuration, so of the person's repository nothing but the objects is used.
    """
    pack = checked.quarantine.pack
    if pack is None:
        return
    git = HostGit(git_dir=checked.quarantine.folder, variables={"GIT_OBJECT_DIRECTORY": str(repository.objects)})
    with pack.open("rb") as given:
        said = git.run("index-pack", "--stdin", f"--keep={_kept_for(session)}", given=given).decode().split()
    folder = repository.objects / "pack"
    give(repository, [folder, *folder.glob(f"pack-{said[-1]}.*")])


def _release(repository: Repository, session: str) -> None:
    """Remove the marks of a session, also of a landing that was killed: a marked pack would stay for ever."""
    mark = f"{_kept_for(session)}\n".encode()
    for keep in (repository.objects / "pack").glob("pack-*.keep"):
        with contextlib.suppress(FileNotFoundError):
            if keep.stat().st_size == len(mark) and keep.read_bytes() == mark:
                keep.unlink()


def _kept_for(session: str) -> str:
    return f"aileron {session}"


def _update(repository: Repository, moves: Mapping[str, tuple[str, str]], session: str) -> None:
    """Move all of these refs or none: each from its old id to its new one; an empty id stands for no ref."""
    if not moves:
        return
    none = _NONE if all(len(found) <= len(_NONE) for pair in moves.values() for found in pair) else "0" * 64
    words = [
        f"update {ref}\0{new}\0{old or none}\0" if new else f"delete {ref}\0{old}\0"
        for ref, (old, new) in moves.items()
    ]
    reason = f"aileron: session {session}"
    given = "".join(words).encode("utf-8", "surrogateescape")
    fine, _, said = HostGit.of(repository).attempt(
        "update-ref", "--no-deref", "-m", reason, "--stdin", "-z", given=given
    )
    give_refs(repository, moves)
    if not fine:
        raise conflict(f"Git does not move {', '.join(sorted(moves)[:5])}, because it is not as it was: {said}")


def _stage(git: HostGit, old: str, new: str, index: Path) -> None:
    fine, _, said = replace(git, variables={"GIT_INDEX_FILE": str(index)}).attempt("read-tree", "-i", "-m", old, new)
    if not fine:
        raise conflict(f"The index of your repository cannot be brought up to date: {said}")


def _is_staged_as(git: HostGit, commit: str) -> bool:
    """Say whether the index is what a commit holds."""
    return git.says("diff-index", "--cached", "--quiet", "--ignore-submodules=none", "--no-ext-diff", commit, "--")


def _refuse_moved(repository: Repository, branch: Branch, at: tuple[str, str]) -> None:
    if at != (branch.ref, branch.old):
        now = f"{_plain(at[0]) if at[0] else 'no branch'} at {at[1][:12] or 'no commit'}"
        raise conflict(
            f"You are on {now} now, so {_plain(branch.ref)} does not go forward by itself. Land it as a branch."
        )
    if HostGit.of(repository).attempt("symbolic-ref", "--quiet", branch.ref)[0]:
        raise conflict(f"{_plain(branch.ref)} is another name of a branch, so it does not go forward by itself.")
    under_way = [name for name in _UNDER_WAY if (repository.git_dir / name).exists()]
    if under_way:
        raise conflict(f"A merge or rebase is under way in your repository ({under_way[0]}). Finish it first.")


def _refuse_unnamed(branch: Branch, yes_to: Collection[str]) -> None:
    unnamed = [path for path, _ in branch.later if path not in yes_to]
    if unnamed:
        raise needs_yes(unnamed)


def _plain(ref: str) -> str:
    return ref.removeprefix(HEADS).removeprefix(TAGS)
