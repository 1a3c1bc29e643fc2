"""What would run on the host later is known by its name, its kind, and what git's configuration points to."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workspaces.layered import Layered, opened

from daemon.workspaces.looking.changes import look
from daemon.workspaces.looking.obeyed import OBEYED
from daemon.workspaces.looking.pointed import read_pointed
from daemon.workspaces.looking.runs_later import EXECUTABLE, LINK, Pointed, link_leads_out, reasons, topmost
from daemon.workspaces.values import Entry, Kind

FILE = Entry(kind=Kind.FILE, digest="a")
PROGRAM = Entry(kind=Kind.FILE, digest="a", executable=True)
NAMES = [name.replace("*", "x") for rule in OBEYED for name in rule.names]


def _pointed(folder: Path) -> tuple[Pointed, ...]:
    with opened(folder) as descriptor:
        return read_pointed(folder, descriptor)


ONCE_PROTECTED = """
.gitmodules .githooks .husky .pre-commit-config.yaml lefthook.yml .envrc .direnv .mise.toml mise.toml .vscode .idea .zed
.exrc .nvim.lua .nvimrc .devcontainer .devcontainer.json .mcp.json .claude .codex .cursor .gemini .goosehints .opencode
opencode.json opencode.jsonc .pi .aileron
"""
"""What sandboxes mounted read-only before agents worked on layers."""


def test_everything_that_was_ever_protected_in_a_workspace_is_in_the_list() -> None:
    missing = [path for path in ONCE_PROTECTED.split() if not reasons(path, FILE)]
    assert not missing


@pytest.mark.parametrize("name", NAMES)
def test_each_name_of_the_list_counts_at_any_depth_with_all_below_it_and_in_any_case(name: str) -> None:
    for path in (name, f"a/b/{name}", f"{name}/below/it", name.upper(), name + ".", name + "::$DATA", name + "\u200b"):
        assert reasons(path, FILE), path
    assert reasons(name, None), "also when it is deleted"


@pytest.mark.parametrize(
    "path",
    ["src/main.py", "Makefile", "README.md", "docs/index.md", ".gitignore", ".github/ISSUE_TEMPLATE.md", "test_x.py",
     "vscode/x", "hooks.py", "environment.yml", "package.json.md", "claude.txt", "src/.gitkeep", "go.mod"],
)  # fmt: skip
def test_ordinary_work_is_not_in_the_list(path: str) -> None:
    assert reasons(path, FILE, before=FILE) == ()


def test_a_reason_says_when_it_runs_in_words() -> None:
    assert reasons(".vscode/tasks.json", FILE) == ("VS Code obeys it when you open this folder",)
    assert reasons("sub/.envrc", FILE) == ("direnv, mise or asdf obeys it when you enter this folder",)
    for rule in OBEYED:
        assert rule.reason[0].islower() or rule.reason.startswith(("VS Code", "Aileron"))


def test_an_execute_bit_counts_only_when_it_is_new() -> None:
    assert reasons("tool", PROGRAM) == (EXECUTABLE,)
    assert reasons("tool", PROGRAM, before=FILE) == (EXECUTABLE,)
    assert reasons("tool", PROGRAM, before=Entry(kind=Kind.LINK)) == (EXECUTABLE,)
    assert reasons("tool", PROGRAM, before=PROGRAM) == ()
    assert reasons("tool", None, before=PROGRAM) == ()


def test_every_link_counts() -> None:
    assert reasons("link", Entry(kind=Kind.LINK, target="x")) == (LINK,)


names = st.sampled_from(["..", ".", "a", "b", "", "link"])


@given(st.lists(names, min_size=1, max_size=6), st.integers(0, 3))
def test_no_link_that_is_accepted_leads_out_also_when_every_name_is_a_link_to_the_top(
    steps: list[str], depth: int
) -> None:
    target = "/".join(steps)
    if link_leads_out("d/" * depth + "link", target):
        return
    level = depth
    named = False
    for step in target.split("/"):
        if step == "..":
            # Behind a name it could start from the top, where that name leads if it is a link.
            assert not named
            level -= 1
        named = named or step not in {"", ".", ".."}
        assert level >= 0


@given(st.text(max_size=40))
def test_any_name_has_an_answer(path: str) -> None:
    reasons(path, FILE, (Pointed(path="a", key="k"),))
    topmost(path)


def test_the_live_way_finds_the_place_to_mount_read_only() -> None:
    assert topmost("a/.vscode/tasks.json", held_only=True) == "a/.vscode"
    assert topmost(".config/mise/config.toml", held_only=True) == ".config/mise"
    assert topmost("package.json", held_only=True) is None
    assert topmost("package.json") == "package.json"
    assert topmost("src/main.py") is None


def test_what_is_pointed_to_counts_with_all_below_it_and_what_holds_it() -> None:
    pointed = (Pointed(path="tools/hooks", key="core.hookspath"),)
    for path in ("tools/hooks", "tools/hooks/pre-commit", "Tools/HOOKS/x", "tools"):
        assert "core.hookspath" in reasons(path, FILE, pointed)[0], path
    assert reasons("tools/other", FILE, pointed) == ()
    top = (Pointed(path="", key="core.hookspath"),)
    assert reasons("pre-commit", FILE, top)
    assert reasons("main.py", FILE, top) == ()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository, with a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    folder = tmp_path / "project"
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


POINTS = {
    "core.hooksPath": ("tools/hooks", "tools/hooks"),
    "core.fsmonitor": ("tools/watch --fast", "tools/watch"),
    "core.attributesFile": ("rules.txt", "rules.txt"),
    "core.excludesFile": ("./deep/../ignored.txt", "ignored.txt"),
    "init.templateDir": ("template", "template"),
    "filter.x.clean": ("python3 'tools/clean.py' %f", "tools/clean.py"),
    "filter.x.smudge": ("./tools/smudge", "tools/smudge"),
    "filter.x.process": ("sh -c 'exec tools/process'", "tools/process"),
    "diff.x.textconv": ("tools/text", "tools/text"),
    "diff.external": ("tools/external", "tools/external"),
    "merge.x.driver": ("tools/merge %O %A %B", "tools/merge"),
    "gpg.program": ("tools/gpg", "tools/gpg"),
    "credential.helper": ("!tools/credential", "tools/credential"),
    "core.sshCommand": ("tools/ssh -x", "tools/ssh"),
    "core.editor": ("tools/editor", "tools/editor"),
    "core.pager": ("less; tools/pager", "tools/pager"),
    "alias.go": ('!f() { tools/go "$@"; }; f', "tools/go"),
    "alias.here": ("!sh there.sh", "there.sh"),
    "uploadpack.packObjectsHook": ("tools/pack", "tools/pack"),
    "a.key.nobody.knows": ("NAME=tools/unknown", "tools/unknown"),
}  # fmt: skip


@pytest.mark.parametrize("key", POINTS)
def test_each_key_that_points_into_the_workspace_is_found(repository: Path, key: str) -> None:
    value, place = POINTS[key]
    (repository / "there.sh").write_text("x")
    subprocess.run(["git", "config", key, value], cwd=repository, check=True)
    found = {each.path: each.key for each in _pointed(repository)}
    assert found.get(place) == key.lower(), found


def test_included_files_count_from_where_they_are_named_and_what_they_point_to_counts_too(repository: Path) -> None:
    (repository / "conf").mkdir()
    (repository / "conf" / "shared").write_text("[include]\npath = more\n[core]\nhooksPath = conf/hooks\n")
    (repository / "conf" / "more").write_text("[alias]\nx = !conf/alias\n")
    subprocess.run(["git", "config", "include.path", "../conf/shared"], cwd=repository, check=True)
    subprocess.run(["git", "config", "includeIf.gitdir:/.path", "../conf/other"], cwd=repository, check=True)
    found = {each.path for each in _pointed(repository)}
    assert found == {"conf/shared", "conf/more", "conf/hooks", "conf/alias", "conf/other"}


def test_the_configuration_of_the_home_and_absolute_places_count(repository: Path) -> None:
    home = Path(os.environ["HOME"])
    (home / ".gitconfig").write_text(
        f"[core]\nhooksPath = {repository}/own\n[commit]\ntemplate = ~/../project/message\n"
    )
    assert {each.path for each in _pointed(repository)} == {"own", "message"}


def test_a_place_behind_a_link_counts_by_both_names(repository: Path) -> None:
    (repository / "real").mkdir()
    (repository / "tools").symlink_to("real")
    subprocess.run(["git", "config", "core.hooksPath", "tools/hooks"], cwd=repository, check=True)
    assert {each.path for each in _pointed(repository)} == {"tools/hooks", "real/hooks"}


def test_hooks_that_are_links_or_call_something_of_the_workspace_count(repository: Path) -> None:
    hooks = repository / ".git" / "hooks"
    (repository / "scripts").mkdir()
    (repository / "scripts" / "lint.sh").write_text("x")
    (hooks / "pre-commit").symlink_to("../../scripts/commit.sh")
    (hooks / "pre-push").write_text("#!/bin/sh\nset -e\nexec ./scripts/lint.sh\n")
    found = {each.path: each.key for each in _pointed(repository)}
    assert found == {"scripts/commit.sh": "hook pre-commit", "scripts/lint.sh": "hook pre-push"}


def test_an_ordinary_configuration_points_to_nothing(repository: Path) -> None:
    for key, value in {
        "user.name": "A", "remote.origin.url": "https://example.org/a/b.git", "core.editor": "vim", "alias.s": "status",
        "remote.origin.fetch": "+refs/heads/*:refs/remotes/origin/*", "branch.main.merge": "refs/heads/main",
        "core.fsmonitor": "true", "credential.helper": "store",
    }.items():  # fmt: skip
        subprocess.run(["git", "config", key, value], cwd=repository, check=True)
    (repository / "status").mkdir()
    assert _pointed(repository) == ()


def test_a_folder_without_a_repository_points_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _pointed(tmp_path) == ()


@pytest.mark.parametrize("meanwhile", ["nothing", "another folder", "a link"])
def test_what_is_pointed_to_is_read_of_the_opened_folder_whatever_has_its_name_meanwhile(
    repository: Path, meanwhile: str
) -> None:
    hooks = repository / ".git" / "hooks"
    (hooks / "pre-push").write_text("#!/bin/sh\nexec ./lint.sh\n")
    (repository / "lint.sh").write_text("x")
    subprocess.run(["git", "config", "core.fsmonitor", f"{repository}/watch"], cwd=repository, check=True)
    with opened(repository) as descriptor:
        expected = read_pointed(repository, descriptor)
        assert {each.path for each in expected} == {"watch", "lint.sh"}
        repository.rename(repository.with_name("aside"))
        if meanwhile == "another folder":
            repository.mkdir()
        elif meanwhile == "a link":
            repository.symlink_to("/")
        assert read_pointed(repository, descriptor) == expected


def test_what_would_run_later_is_said_also_while_the_folder_has_another_name(tmp_path: Path) -> None:
    layered = Layered(tmp_path)
    subprocess.run(["git", "init", "-q", str(layered.person)], check=True)
    subprocess.run(["git", "config", "core.hooksPath", "ci"], cwd=layered.person, check=True)
    layered.begin()
    layered.wrote("ci/post-checkout", "x")
    layer = layered.layer
    with opened(layered.person) as person:
        layered.person.rename(tmp_path / "aside")
        [change] = look(layer, person).items
    assert change.by_name_only


def test_what_the_persons_configuration_points_to_is_read_by_a_look_itself(tmp_path: Path) -> None:
    layered = Layered(tmp_path)
    subprocess.run(["git", "init", "-q", str(layered.person)], check=True)
    subprocess.run(["git", "config", "core.hooksPath", "ci"], cwd=layered.person, check=True)
    layered.begin()
    layered.wrote("ci/post-checkout", "x")
    (change,) = layered.look(pointed=None).items
    assert change.by_name_only
