"""An agent works on a layer: git and everything else works in it, and the person's folder is never written to."""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.engine import SHORTLY, USER, Shell, end_of, engine, listing, own_everything, run_inside, start_inside
from services.upstream import UpstreamProcess
from world import World

pytestmark = pytest.mark.docker
ME = {"git_name": 'Me "the" \\ Person', "git_email": "me@example.com", "git_branch": "trunk"}
EVERYDAY = """
set -e
git status --porcelain
git config user.name
echo agent > new.txt; echo more >> file; rm gone; mv moved renamed
git add -A
git commit -q -m 'by the agent'
git log -1 --format='%an <%ae> %s'
git checkout -q -b side; echo side > side.txt; git add -A; git commit -q -m side
git checkout -q main; echo main > main.txt; git add -A; git commit -q -m main
git rebase -q main side
echo dirty >> file; git stash -q; git stash pop -q; git checkout -q -- .
touch litter; git clean -fdq; test ! -e litter
git worktree add -q ../tmp/tree -b tree; git worktree remove ../tmp/tree
git init -q /tmp/part && git -C /tmp/part commit -q --allow-empty -m part
git -c protocol.file.allow=always submodule --quiet add /tmp/part part
git commit -q -m 'a submodule'
mv folder renamed-folder; cat renamed-folder/in-it; git add -A; git commit -q -m renamed
git gc -q
git fsck --full --strict --no-dangling
git status --porcelain
"""


def git(folder: Path, *arguments: str) -> str:
    environment = os.environ | {
        "GIT_CONFIG_GLOBAL": str(Path(__file__).with_name("anybody.gitconfig")),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "me@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip()


def make_repository(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    for name in ("file", "gone", "moved"):
        (folder / name).write_text(f"{name}\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    own_everything(folder)
    return folder


@pytest.fixture
def repository(shell: Shell) -> Path:
    return make_repository(shell.workspace)


def upper(world: World, session: str, part: str = "work") -> Path:
    return world.home / "workspaces" / session / part / "upper"


def test_every_ordinary_git_command_works_inside_and_nothing_of_it_reaches_the_folder(
    world: World, repository: Path
) -> None:
    (repository / "file").write_text("file\nuncommitted\n")
    (repository / "untracked").write_text("untracked\n")
    (repository / ".envrc").write_text("export MINE=1\n")
    (repository / "folder").mkdir()
    (repository / "folder" / "in-it").write_text("in it\n")
    git(repository, "add", "folder")
    own_everything(repository)
    before = listing(repository)
    ran = run_inside(world, repository, EVERYDAY, **ME)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[:4] == [" M file", "A  folder/in-it", "?? .envrc", "?? untracked"]
    assert lines[4] == ME["git_name"]
    assert lines[6:] == ["in it"]
    assert lines[5:6] == [f"{ME['git_name']} <me@example.com> by the agent"]
    assert listing(repository) == before
    assert git(repository, "status", "--porcelain") == " M file\nA  folder/in-it\n?? .envrc\n?? untracked"
    assert ran.outcome["workspace"] == {"way": "overlay", "kept": True}
    changed = upper(world, ran.session)
    assert (changed / "new.txt").read_text() == "agent\n"
    assert os.major((changed / "gone").lstat().st_rdev) == os.minor((changed / "gone").lstat().st_rdev) == 0
    assert all(not name.startswith(".aileron") for name in (path.name for path in changed.iterdir()))


def test_without_a_name_of_the_person_s_git_none_is_made_up(world: World, repository: Path) -> None:
    ran = run_inside(world, repository, "git config user.name; git config init.defaultBranch; cat ~/.gitconfig")
    assert ran.out == "[safe]\n\tdirectory = *\n"


def test_the_command_line_sends_the_name_that_the_person_s_git_has_in_that_folder(shell: Shell) -> None:
    make_repository(shell.workspace)
    git(shell.workspace, "config", "user.name", "Only Here")
    options: tuple[str, ...] = ()
    if os.geteuid() == 0:  # git obeys the configuration of a repository only for its owner
        options = ("--user", str(USER))
        for place in (shell.workspace, *shell.workspace.rglob("*")):
            os.chown(place, 0, 0, follow_symlinks=False)
    ended = shell.inside("git", "config", "--global", "user.name", options=options)
    assert ended.stdout == "Only Here\n", ended.stderr


def test_what_an_agent_only_looked_at_is_not_kept(world: World, repository: Path) -> None:
    ran = run_inside(world, repository, "git status; git log; cat file")
    assert ran.outcome["workspace"] == {"way": "overlay", "kept": False}
    assert list((world.home / "workspaces").glob(f"*{ran.session}*")) == []


def test_a_subfolder_is_worked_on_in_the_layer_of_the_whole_repository(world: World, repository: Path) -> None:
    (repository / "deep" / "er").mkdir(parents=True)
    (repository / "deep" / "er" / "f").write_text("x")
    own_everything(repository)
    ran = run_inside(world, repository / "deep" / "er", "pwd; git rev-parse --show-toplevel; git status --porcelain")
    assert ran.out == "/workspace/deep/er\n/workspace\n?? deep/\n", ran.err


@pytest.mark.parametrize("relative", [False, True])
def test_git_works_in_a_worktree_and_the_common_folder_is_a_layer_too(
    world: World, repository: Path, tmp_path: Path, relative: bool
) -> None:
    tree = tmp_path / "tree"
    git(repository, "worktree", "add", "-q", "-b", "side", str(tree))
    if relative:
        (tree / ".git").write_text("gitdir: ../project/.git/worktrees/tree\n")
    own_everything(tree)
    own_everything(repository)
    before = listing(repository) | {f"tree/{name}": what for name, what in listing(tree).items()}
    ran = run_inside(
        world,
        tree,
        "git status --porcelain; echo x > new; git add -A; git commit -q -m in-tree; git log --oneline",
        **ME,
    )
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0].endswith("in-tree")
    assert len(ran.out.splitlines()) == 2
    assert listing(repository) | {f"tree/{name}": what for name, what in listing(tree).items()} == before
    assert (upper(world, ran.session, "git") / "refs" / "heads" / "side").exists()


def test_git_works_in_a_submodule(world: World, repository: Path, tmp_path: Path) -> None:
    part = make_repository(tmp_path / "part")
    git(repository, "submodule", "--quiet", "add", str(part), "lib")
    git(repository, "commit", "-q", "-m", "a submodule")
    own_everything(repository)
    script = "pwd; echo x > new; git add -A; git commit -q -m in-submodule; cd ..; git status --porcelain"
    ran = run_inside(world, repository / "lib", script, **ME)
    assert ran.out == "/workspace/lib\n M lib\n", ran.err


def test_objects_that_a_repository_borrows_are_there_and_read_only(
    world: World, repository: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(repository), "borrower")
    own_everything(tmp_path / "borrower")
    there = repository / ".git" / "objects"
    ran = run_inside(world, tmp_path / "borrower", f"git fsck && git log --oneline && touch {there}/x")
    assert ran.code != 0
    assert "first" in ran.out
    assert "Read-only" in ran.err


def test_a_folder_whose_name_would_end_an_option_is_mounted_as_it_is(world: World, tmp_path: Path) -> None:
    odd = tmp_path / "a,upperdir=x:b c\\d"
    odd.mkdir()
    (odd / "mine").write_text("mine")
    own_everything(odd)
    ran = run_inside(world, odd, "cat mine; echo x > new")
    assert ran.out == "mine", ran.err
    assert [path.name for path in odd.iterdir()] == ["mine"]


def test_two_sandboxes_in_one_folder_share_nothing(world: World, repository: Path) -> None:
    script = "echo $0 > mine; git add -A; git commit -q -m x; sleep 1; ls; git log --oneline | wc -l"
    started = [start_inside(world, repository, script, **ME) for _ in range(2)]
    ended = [end_of(world, each) for each in started]
    assert [ran.out for ran in ended] == ["file\ngone\nmine\nmoved\n2\n"] * 2, ended
    assert not (repository / "mine").exists()


def test_two_daemons_in_one_folder_share_nothing_and_what_both_changed_lands_once(
    world: World, repository: Path, upstream: UpstreamProcess, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with World(tmp_path / "other", upstream=upstream.url, **SHORTLY) as other:
        other.start()
        daemons = (world, other)
        started = [
            start_inside(each, repository, f"echo {name} > file; sleep 1; cat file", **ME)
            for each, name in zip(daemons, ("one", "two"), strict=True)
        ]
        ended = [end_of(each, run) for each, run in zip(daemons, started, strict=True)]
        assert [ran.out for ran in ended] == ["one\n", "two\n"], ended
        assert (repository / "file").read_text() == "file\n"
        aside = []
        for each, ran in zip(daemons, ended, strict=True):
            plan = each.ok("GET", f"/v1/workspaces/{ran.session}/changes")["plan"]
            outcome = each.ok("POST", f"/v1/workspaces/{ran.session}/land", {"plan": plan})
            aside.append([left["path"] for left in outcome["kept_aside"]])
        assert aside == [[], ["file"]]
        assert (repository / "file").read_text() == "one\n"
        other.stop()


def test_the_layer_of_a_killed_daemon_is_kept_and_resumed(world: World, repository: Path) -> None:
    started = start_inside(world, repository, "echo first > work; git add -A; git commit -q -m one; sleep 600", **ME)
    place = upper(world, started["id"]) / ".git" / "refs" / "heads" / "main"
    deadline = time.monotonic() + 20
    while not place.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    world.kill()
    world.start()
    world.unlock()
    ran = run_inside(world, repository, "cat work; git log --oneline | wc -l; echo more >> work", resume=started["id"])
    assert ran.out == "first\n2\n", ran.err
    assert ran.outcome["workspace"]["kept"] is True
    assert (upper(world, ran.session) / "work").read_text() == "first\nmore\n"
    again = run_inside(world, repository, "cat work", resume=started["id"])  # the first id still names it
    assert again.out == "first\nmore\n", again.err
    assert not (repository / "work").exists()


def test_a_sandbox_that_runs_is_not_resumed(world: World, repository: Path) -> None:
    started = start_inside(world, repository, "sleep 600")
    body = {"agent": "codex", "command": ["true"], "workspace": str(repository), "environment": {}}
    answer = world.control("POST", "/v1/sandboxes", body | {"resume": started["id"]})
    world.ok("POST", f"/v1/sandboxes/{started['id']}/end")
    assert answer.status_code == 400
    assert "still runs" in answer.json()["error"]["message"]


def test_a_folder_that_is_another_one_now_is_not_resumed_in(world: World, repository: Path) -> None:
    ran = run_inside(world, repository, "echo x > work")
    repository.rename(repository.with_name("away"))
    repository.mkdir()
    own_everything(repository)
    body = {"agent": "codex", "command": ["true"], "workspace": str(repository), "environment": {}}
    answer = world.control("POST", "/v1/sandboxes", body | {"resume": ran.session})
    assert answer.status_code == 400
    assert "not the folder that the session began with" in answer.json()["error"]["message"]


def test_a_copy_works_like_a_layer(world: World, repository: Path) -> None:
    (repository / ".gitignore").write_text("big/\n")
    (repository / "big").mkdir()
    (repository / "big" / "ignored").write_text("x")
    (repository / "untracked").write_text("untracked\n")
    own_everything(repository)
    before = listing(repository)
    ran = run_inside(
        world,
        repository,
        "ls -A; git status --porcelain; echo x > new; git add -A; git commit -q -m x",
        workspace_way="copy",
        **ME,
    )
    assert ran.code == 0, ran.err
    assert ran.out.split() == [
        ".git",
        ".gitignore",
        "file",
        "gone",
        "moved",
        "untracked",
        "??",
        ".gitignore",
        "??",
        "untracked",
    ]
    assert ran.outcome["workspace"] == {"way": "copy", "kept": True}
    assert listing(repository) == before
    again = run_inside(world, repository, "cat new", resume=ran.session)
    assert (again.out, again.outcome["workspace"]["way"]) == ("x\n", "copy")


@pytest.fixture
def mounted(repository: Path) -> Iterator[Path]:
    """Offer a folder in the repository on which another file system is mounted."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    place = repository / "vendor" / "disk"
    place.mkdir(parents=True)
    (place / "below").write_text("below the mount\n")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    (place / "mine").write_text("mine\n")
    own_everything(repository)
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("way", ["auto", "live", "copy"])
def test_what_is_mounted_in_the_folder_is_named_at_the_launch_and_only_a_copy_has_it(
    world: World, repository: Path, mounted: Path, way: str
) -> None:
    ran = run_inside(world, repository, "ls vendor/disk", workspace_way=way)
    assert ran.out == ("mine\n" if way == "copy" else "below\n"), ran.err
    said = [note for note in ran.notes if "does not see what is mounted" in note]
    assert said == ([] if way == "copy" else [f"The agent does not see what is mounted in this folder: {mounted}."])


def test_a_git_that_is_a_link_is_said_at_the_launch_with_the_reason(world: World, repository: Path) -> None:
    (repository / ".git").rename(repository / "elsewhere")
    (repository / ".git").symlink_to(repository / "elsewhere")
    ran = run_inside(world, repository, "git status")
    assert ran.code == 128
    assert [note for note in ran.notes if f"{repository}/.git is a symbolic link" in note]


@pytest.mark.parametrize("way", ["auto", "copy"])
def test_git_mv_of_a_folder_that_was_there_fails_in_a_layer_and_works_in_a_copy(
    world: World, repository: Path, way: str
) -> None:
    (repository / "there").mkdir()
    (repository / "there" / "file").write_text("there\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "there")
    own_everything(repository)
    names = "git diff --cached --name-status --no-renames"
    renames = "git mv there away 2>&1"
    instead = "mv there away && git add -A"  # mv copies where the kernel does not rename
    made = "git commit -qm moved; mkdir new; echo x > new/x; git add new; git mv new newer"
    script = f"{renames}; echo $?; {instead if way == 'auto' else 'true'}; {names}; {made}; {names}"
    ran = run_inside(world, repository, script, workspace_way=way, **ME)
    failed = ["fatal: renaming 'there' failed: Invalid cross-device link", "128"]
    assert ran.out.splitlines() == [
        *(failed if way == "auto" else ["0"]),
        *("A\taway/file", "D\tthere/file"),
        "A\tnewer/x",  # what the agent made itself is renamed as anywhere
    ], ran.err


@pytest.fixture
def stacked(tmp_path: Path) -> Iterator[Path]:
    """Offer a folder in overlays over overlays, over which the kernel lays no third."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    lower = tmp_path / "lower"
    lower.mkdir()
    (lower / "mine").write_text("mine\n")
    own_everything(lower)
    mounted = []
    for level in ("one", "two", "three"):
        place, empty = tmp_path / level, tmp_path / f"{level}-empty"
        place.mkdir()
        empty.mkdir()
        own_everything(empty)
        done = subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={empty}:{lower}", str(place)],
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            break
        mounted.append(place)
        lower = place
    yield lower
    for place in reversed(mounted):
        subprocess.run(["umount", str(place)], check=True)


def test_where_the_kernel_refuses_a_layer_the_folder_is_copied_and_that_is_said(world: World, stacked: Path) -> None:
    ran = run_inside(world, stacked, "cat mine; echo x > new")
    assert ran.out == "mine\n", ran.err
    assert any("was copied for the agent" in note for note in ran.notes)
    assert ran.outcome["workspace"] == {"way": "copy", "kept": True}
    assert (world.home / "workspaces" / ran.session / "work" / "copy" / "new").read_text() == "x\n"


def test_a_sandbox_that_writes_too_much_is_ended_and_its_work_is_kept(world: World, shell: Shell) -> None:
    world.stop()
    world.start(AILERON_WORKSPACE__QUOTA="64MiB")
    world.unlock()
    try:
        sparse = "truncate -s 10G sparse; head -c 1000 /dev/zero > real; sleep 3; "
        ran = run_inside(world, shell.workspace, f"{sparse} head -c 200000000 /dev/zero > big; sleep 600")
        assert ran.code == 122
        assert "more than 64 MiB" in ran.outcome["ended_because"]
        big = upper(world, ran.session) / "big"
        assert big.exists(), (ran.notes, ran.outcome, sorted(map(str, (world.home / "workspaces").glob("*/*/*"))))
        assert big.stat().st_size == 200_000_000
    finally:
        world.stop()
        world.start()
        world.unlock()


def test_a_start_that_fails_leaves_no_layer(world: World, repository: Path) -> None:
    before = set((world.home / "workspaces").iterdir())
    body = {"agent": "codex", "command": ["true"], "workspace": str(repository), "environment": {}}
    client = engine()
    starts = client.events(filters={"event": "start", "label": "io.aileron.role=agent"}, decode=True)
    killing = threading.Thread(target=lambda: client.kill(next(iter(starts))["id"]))
    killing.start()
    answer = world.control("POST", "/v1/sandboxes", body)
    killing.join(20)
    starts.close()
    client.close()
    assert answer.status_code >= 400
    assert set((world.home / "workspaces").iterdir()) == before


def test_live_holds_what_tools_obey_and_tells_at_the_end_what_is_new(world: World, repository: Path) -> None:
    (repository / ".envrc").write_text("export MINE=1\n")
    (repository / ".vscode").mkdir()
    (repository / "sub" / ".vscode").mkdir(parents=True)
    git(repository, "init", "-q", "vendor")
    own_everything(repository)
    before = listing(repository)
    hold = (".envrc", ".vscode/x", "sub/.vscode/x", ".git/config", ".git/hooks/x", ".git/info/x", "vendor/.git/x")
    script = "; ".join(f"echo x 2>/dev/null > {path} && echo wrote {path}" for path in hold)
    script += "; mv .git away && echo moved; rm -rf .vscode && echo removed"
    script += "; echo agent > file; git commit -qam works && echo committed"
    script += "; mkdir -p a/b c; echo x > a/b/.envrc; git init -q --bare c/bare; mkdir shut; chmod 0 shut"
    script += "; cat .envrc; ls -A"
    ran = run_inside(world, repository, script, workspace_way="live", **ME)
    assert ran.out.split() == [
        *("committed", "export", "MINE=1"),
        *(".envrc", ".git", ".vscode", "a", "c", "file", "gone", "moved", "shut", "sub", "vendor"),
    ], ran.err
    assert any("works on your folder itself" in note for note in ran.notes)
    assert (repository / "file").read_text() == "agent\n"
    new = ran.outcome["new_below"]
    assert "a/b/.envrc" in new
    assert "c/bare" in new
    assert not any(path.startswith((".envrc", ".vscode", "sub", "vendor", ".git")) for path in new), new
    if os.geteuid() != 0:
        assert any("shut" in each for each in ran.outcome["not_looked_at"])
    shutil.rmtree(repository / "shut")
    after = listing(repository)
    assert all(after[name] == what for name, what in before.items() if not name.startswith((".git/", "file")))
    assert ran.outcome["workspace"] == {"way": "live", "kept": False}


def test_live_refuses_a_link_where_git_obeys_it(world: World, repository: Path) -> None:
    shutil.rmtree(repository / ".git" / "hooks")
    (repository / ".git" / "hooks").symlink_to("../elsewhere")
    body = {"agent": "codex", "command": ["true"], "workspace": str(repository), "environment": {}}
    answer = world.control("POST", "/v1/sandboxes", body | {"workspace_way": "live"})
    assert answer.status_code >= 400
    assert "symbolic link" in answer.json()["error"]["message"]


def test_what_was_started_says_how_the_workspace_is_made(world: World, repository: Path) -> None:
    ran = run_inside(world, repository, "true")
    (event,) = world.events(type="sandbox.started", session=ran.session)
    told = json.dumps(event)
    assert '"aileron.sandbox.workspace.way": "overlay"' in told
    assert str(repository) in told
