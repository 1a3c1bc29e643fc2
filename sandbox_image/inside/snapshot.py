"""Makes one more commit of what the agent has not committed, in our own repository: the workspace is only read.

Ignore rules are obeyed, and the conversions that git has built in. Filters are not, because none is configured. A
repository inside the workspace is left out and named, because its files are not part of this one; a submodule is noted
at the commit that is checked out in it.
"""

import os
import stat

import git_folder  # type: ignore[import-not-found]
import own_git  # type: ignore[import-not-found]

_LINK_MODE = "160000"


def make(own: "own_git.OwnGit", git: "git_folder.GitFolder", place: str, head: "str | None", about: dict) -> dict:
    """Return the commit (None if nothing is uncommitted), the repositories left out, and what could not be read."""
    index = {"GIT_INDEX_FILE": f"{own.folder}/index", "GIT_WORK_TREE": place}
    modules = _begin(own, git, head, index)
    at = {path: _checked_out(f"{place}/{path}") for path in modules}
    gone = [path for path in modules if not _is_folder(f"{place}/{path}")]
    if gone:
        own.run("update-index", "--force-remove", "-z", "--stdin", given=_listed(gone), **index)
    kept = [path for path in modules if path not in gone]
    nested = [path for path in _nested(own, index) if path not in kept]
    left_out = _add(own, [*kept, *nested], index)
    moved = [(path, at[path]) for path in kept if at[path] not in (None, modules[path])]
    if moved:
        noted = b"".join(f"{_LINK_MODE} {found}\t".encode() + os.fsencode(path) + b"\0" for path, found in moved)
        own.run("update-index", "-z", "--index-info", given=noted, **index)
    tree = own.run("write-tree", **index).decode().strip()
    before = own.run("rev-parse", f"{head}^{{tree}}").decode().strip() if head else own.run("mktree").decode().strip()
    commit = None if tree == before else _commit(own, tree, head, about)
    return {"commit": commit, "nested": nested, "left_out": left_out}


def _begin(own: "own_git.OwnGit", git: "git_folder.GitFolder", head: "str | None", index: dict) -> "dict[str, str]":
    """Begin with the agent's index, which spares reading every file; with HEAD if that is not usable."""
    copied = git_folder.read(f"{git.own}/index")
    if copied:
        own.write("index", copied)
        try:
            return _modules(own, index)
        except own_git.GitError:
            os.unlink(f"{own.folder}/index")
    own.run("read-tree", head or "--empty", **index)
    return _modules(own, index)


def _modules(own: "own_git.OwnGit", index: dict) -> "dict[str, str]":
    """Return the submodules with their commits."""
    found = {}
    for entry in own.run("ls-files", "-s", "-z", **index).split(b"\0"):
        if entry.startswith(_LINK_MODE.encode()):
            about, _, path = entry.partition(b"\t")
            found[os.fsdecode(path)] = about.split(b" ")[1].decode()
    return found


def _nested(own: "own_git.OwnGit", index: dict) -> "list[str]":
    """Return the repositories that are no submodules: git lists one as a folder, and does not look into it."""
    listed = own.run("ls-files", "-o", "-z", "--exclude-standard", **index).split(b"\0")
    return [os.fsdecode(path.rstrip(b"/")) for path in listed if path.endswith(b"/")]


def _add(own: "own_git.OwnGit", without: "list[str]", index: dict) -> "list[list[str]]":
    """Add everything else. Submodules are not looked into, because git would read their configuration for that."""
    paths = [".", *(f":(exclude,literal){path}" for path in without)]
    arguments = ("add", "-A", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul")
    try:
        own.run(*arguments, given=_listed(paths), **index)
    except own_git.GitError as problem:
        # With --ignore-errors everything else has been added.
        return [["uncommitted work", str(problem)]]
    return []


def _commit(own: "own_git.OwnGit", tree: str, head: "str | None", about: dict) -> str:
    who = {"NAME": about["name"], "EMAIL": about["email"], "DATE": f"@{int(about['time'])} +0000"}
    variables = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    parents = ["-p", head] if head else []
    made = own.run("commit-tree", tree, *parents, "-F", "-", given=about["message"].encode(), **variables)
    return str(made.decode().strip())


def _checked_out(path: str) -> "str | None":
    """Return the commit that is checked out in a submodule; None if it has none."""
    try:
        commit = git_folder.GitFolder.find(path).head()[1]
    except git_folder.NoRepositoryError:
        return None
    return None if commit is None else str(commit)


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _listed(paths: "list[str]") -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)
