"""An agent works in a container on a real repository, and what it did lands as the person decided: the whole way."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox.engine import USER, Shell
from sandbox.person import Person, Terminal, session_of
from world import World

pytestmark = pytest.mark.docker

WORK = (
    "set -e; echo more >> edited.txt; rm deleted.txt; git mv renamed.txt moved.txt; mkdir -p new/deep; "
    "echo hello > new/deep/file.txt; git add -A; git commit -qm 'all of it'; echo later > not-committed.txt"
)
DONE = {"edited.txt": "edited\nmore\n", "moved.txt": "renamed\n", "new/deep/file.txt": "hello\n"}


@pytest.fixture
def place() -> Iterator[Path]:
    """Offer a folder that an ordinary user can reach, as a home is; those of the other tests are root's alone."""
    with tempfile.TemporaryDirectory(prefix="aileron-landing-") as folder:
        Path(folder).chmod(0o755)
        if os.geteuid() == 0:
            os.chown(folder, USER, USER)
        yield Path(folder)


@pytest.fixture
def shell(world: World, place: Path) -> Shell:
    """Offer the command line, in a workspace of an ordinary user."""
    return Shell(world, place)


@pytest.fixture
def person(shell: Shell) -> Person:
    """Offer a person with a repository."""
    made = Person(shell)
    made.repository()
    return made


def has_all(folder: Path) -> None:
    for path, content in DONE.items():
        assert (folder / path).read_text() == content, path
    for path in ("deleted.txt", "renamed.txt"):
        assert not (folder / path).exists(), path


def told(text: str) -> Any:
    """Return the JSON of the last line."""
    return json.loads(text.strip().splitlines()[-1])


def auto(person: Person, script: str, *options: str, code: int = 0) -> Any:
    """Run a script in place of an agent, land it without a question, and return what is told."""
    ended = person.shell.inside("sh", "-c", script, options=("--land", "auto", "--json", *options))
    assert ended.returncode == code, ended.stderr
    return told(ended.stderr)


def test_what_an_agent_did_lands_by_one_question_with_its_commits(person: Person, shell: Shell) -> None:
    terminal = Terminal(shell, shell.words("sh", "-c", WORK))
    asked = terminal.until("Land? [y/N/diff] ")
    assert "commit" in asked
    assert "main forward by 1 commit" in asked
    assert not (person.folder / "moved.txt").exists()
    terminal.types("diff\n")
    assert "+hello" in terminal.until("Land? [y/N/diff] ")
    terminal.types("y\n")
    code, shown = terminal.ends()
    assert code == 0, shown
    assert "on your branch main" in shown
    has_all(person.folder)
    assert person.git("log", "--format=%s") == "all of it\nfirst"
    assert person.status() == ["?? not-committed.txt"]
    person.is_sound()


@pytest.mark.parametrize("key", ["\n", "n\n", "\x03", "\x04"])
def test_enter_ctrl_c_and_no_keep_everything_and_the_exit_code_is_the_agents(
    person: Person, shell: Shell, key: str
) -> None:
    terminal = Terminal(shell, shell.words("sh", "-c", "echo x > new.txt; exit 7"))
    terminal.until("Land? [y/N/diff] ")
    terminal.types(key)
    code, shown = terminal.ends()
    assert code == 7
    assert "aileron session land" in shown
    assert person.status() == []
    session = session_of(shown)
    assert shell.run("session", "diff", session, "--name-only").stdout == "new.txt\n"
    assert shell.run("session", "discard", session, "--yes").returncode == 0


def test_what_was_typed_while_the_agent_ran_answers_no_question(person: Person, shell: Shell) -> None:
    terminal = Terminal(shell, shell.words("sh", "-c", "echo x > new.txt; echo ready; sleep 1"))
    terminal.until("ready")
    terminal.types("y\n")
    terminal.until("Land? [y/N/diff] ")
    terminal.types("\n")
    code, _ = terminal.ends()
    assert code == 0
    assert person.status() == []


def test_nothing_changed_asks_nothing(person: Person, shell: Shell) -> None:
    terminal = Terminal(shell, shell.words("sh", "-c", "git status; cat kept.txt"))
    code, shown = terminal.ends()
    assert code == 0
    assert "[y/N" not in shown
    assert person.status() == []


def test_what_would_run_later_is_asked_one_by_one_and_lands_only_after_its_own_yes(
    person: Person, shell: Shell
) -> None:
    script = "mkdir .vscode; echo '{}' > .vscode/tasks.json; echo 'x' > .envrc; echo ok > plain.txt"
    terminal = Terminal(shell, shell.words("sh", "-c", script))
    asked = terminal.until("Land? [y/N/diff] ")
    assert asked.index(".envrc") < asked.index("plain.txt")
    terminal.types("y\n")
    assert ".envrc" in terminal.until("? [y/N] ")
    terminal.types("\n")
    assert ".vscode/tasks.json" in terminal.until("? [y/N] ")
    terminal.types("y\n")
    _, shown = terminal.ends()
    assert "Left: .envrc" in shown
    assert person.status() == ["?? .vscode/tasks.json", "?? plain.txt"]


def test_auto_lands_everything_but_what_would_run_later_and_says_so(person: Person) -> None:
    found = auto(person, f"{WORK}; echo '[alias]' > .gitconfig; echo x > .envrc")
    outcome = found["workspace"]["outcome"]
    assert {each["path"] for each in outcome["left"]} >= {".envrc"}
    assert not (person.folder / ".envrc").exists()
    has_all(person.folder)
    # The commit changes nothing of what was left, so the branch moved.
    assert person.git("log", "--format=%s") == "all of it\nfirst"
    assert person.status() == ["?? not-committed.txt"]
    person.is_sound()


def test_a_branch_stays_when_its_commits_change_what_did_not_land(person: Person) -> None:
    found = auto(person, f"echo x > .envrc; {WORK}")
    outcome = found["workspace"]["outcome"]
    assert {each["path"] for each in outcome["left"]} == {".envrc"}
    has_all(person.folder)
    assert not (person.folder / ".envrc").exists()
    assert person.git("log", "--format=%s") == "first"
    assert person.git("log", "-1", "--format=%s", outcome["refs"][0]) == "all of it"
    person.is_sound()


def test_auto_moves_the_branch_when_everything_landed(person: Person) -> None:
    outcome = auto(person, WORK)["workspace"]["outcome"]
    assert (outcome["branch"], outcome["moved"]) == ("refs/heads/main", True)
    assert person.git("log", "--format=%s") == "all of it\nfirst"
    assert person.status() == ["?? not-committed.txt"]
    assert person.git("log", "-1", "--format=%an <%ae>")
    person.is_sound()


def test_without_a_terminal_a_repository_gets_a_branch_and_the_checkout_stays(person: Person, shell: Shell) -> None:
    ended = shell.inside("sh", "-c", WORK, options=("--json",))
    outcome = told(ended.stderr)["workspace"]["outcome"]
    branch = outcome["branch"].removeprefix("refs/heads/")
    assert branch.startswith("aileron/codex-")
    assert person.status() == []
    assert person.git("log", "--format=%s", branch).splitlines()[1:] == ["all of it", "first"]
    assert person.git("show", f"{branch}:not-committed.txt") == "later"
    person.is_sound()
    session = told(ended.stderr)["session"]
    assert shell.run("session", "discard", session, "--yes").returncode == 0
    assert person.git("for-each-ref", "refs/aileron") == ""
    assert person.git("rev-parse", branch)  # what became a branch is the person's


def test_without_a_terminal_and_without_git_everything_is_kept(shell: Shell) -> None:
    person = Person(shell)
    ended = shell.inside("sh", "-c", "echo x > new.txt", options=("--json",))
    found = told(ended.stderr)
    assert found["workspace"]["outcome"] is None
    assert not (person.folder / "new.txt").exists()
    landed = shell.run("session", "land", found["session"], "--yes")
    assert landed.returncode == 0, landed.stderr
    assert (person.folder / "new.txt").read_text() == "x\n"
    assert (person.folder / "new.txt").stat().st_uid == USER


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("git checkout -qb topic; echo x > t.txt; git add -A; git commit -qm topic", "topic"),
        ("echo x > t.txt; git add -A; git commit -q --amend -m rewritten", "aileron/codex-"),
        ("git checkout -q --detach; echo x > t.txt; git add -A; git commit -qm detached", "aileron/codex-"),
    ],
)
def test_commits_that_cannot_go_forward_become_a_branch_and_the_checkout_stays(
    person: Person, script: str, said: str
) -> None:
    outcome = auto(person, f"set -e; {script}; echo rest > rest.txt")["workspace"]["outcome"]
    assert outcome["branch"].removeprefix("refs/heads/").startswith(said)
    assert not outcome["moved"]
    assert person.status() == []
    assert person.git("log", "-1", "--format=%s") == "first"
    assert person.git("show", f"{outcome['branch']}:rest.txt") == "rest"
    assert person.git("show", f"{outcome['branch']}:t.txt") == "x"
    person.is_sound()


def test_half_lands_the_agent_goes_on_in_the_same_workspace_and_the_rest_lands(person: Person, shell: Shell) -> None:
    first = told(
        shell.inside("sh", "-c", "echo 1 > a.txt; echo 1 > b.txt", options=("--land", "never", "--json")).stderr
    )
    session = first["session"]
    assert shell.run("session", "land", session[-8:], "a.txt", "--yes").returncode == 0
    assert person.status() == ["?? a.txt"]
    found = auto(person, "cat a.txt b.txt; echo 2 >> a.txt; echo 1 > c.txt", "--resume", session[-8:])
    assert {each["path"] for each in found["workspace"]["outcome"]["landed"]} == {"a.txt", "b.txt", "c.txt"}
    assert (person.folder / "a.txt").read_text() == "1\n2\n"
    assert person.status() == ["?? a.txt", "?? b.txt", "?? c.txt"]


def test_a_workspace_outlives_its_daemon_and_lands_later(person: Person, shell: Shell, world: World) -> None:
    found = told(shell.inside("sh", "-c", WORK, options=("--land", "never", "--json")).stderr)
    world.stop()
    world.start()
    landed = shell.run("session", "land", found["session"], "--yes")
    assert landed.returncode == 0, landed.stderr
    has_all(person.folder)
    assert person.git("log", "--format=%s") == "all of it\nfirst"
    again = shell.run("session", "land", found["session"], "--yes")
    assert again.returncode == 0, again.stderr
    assert "nothing to land" in again.stderr


def test_a_daemon_killed_between_the_files_and_the_branch_moves_the_branch_when_it_starts(
    person: Person, shell: Shell, world: World, tmp_path: Path
) -> None:
    session = told(shell.inside("sh", "-c", WORK, options=("--land", "never", "--json")).stderr)["session"]
    armed = tmp_path / "armed"
    world.stop()
    world.start(AILERON_FAULT_FILE=str(armed))
    armed.write_text("commits.files_landed")
    cut = shell.run("session", "land", session, "--yes")
    assert cut.returncode != 0
    world.wait_dead()
    has_all(person.folder)
    assert person.git("log", "--format=%s") == "first"
    world.start()
    assert person.git("log", "--format=%s") == "all of it\nfirst"
    assert person.status() == ["?? not-committed.txt"]
    person.is_sound()
    shown = shell.run("session", "show", session).stdout
    assert "it was cut off, and finished when the daemon started" in shown
    assert "1 commit on your branch main" in shown
    again = shell.run("session", "land", session, "--yes")
    assert "The last landing: it was cut off" in again.stderr
    assert "nothing to land" in again.stderr
    world.unlock()


def test_what_the_person_changed_too_stays_and_the_agents_is_kept_beside(person: Person, shell: Shell) -> None:
    found = told(
        shell.inside(
            "sh", "-c", "echo agent > kept.txt; echo x > new.txt", options=("--land", "never", "--json")
        ).stderr
    )
    person.has("kept.txt", "person\n")
    outcome = json.loads(shell.run("session", "land", found["session"], "--yes", "--json").stdout)["outcome"]
    assert [each["path"] for each in outcome["kept_aside"]] == ["kept.txt"]
    assert (person.folder / "kept.txt").read_text() == "person\n"
    assert (person.folder / "new.txt").read_text() == "x\n"
    assert any(path.read_text() == "agent\n" for path in Path(outcome["kept"]).rglob("*") if path.is_file())


def test_a_worktree_lands_as_a_repository_does(person: Person, shell: Shell, place: Path) -> None:
    tree = place / "worktree"
    person.git("worktree", "add", "-q", "-b", "topic", str(tree))
    ended = shell.run(*shell.words("sh", "-c", WORK, options=("--land", "auto", "--json", "-C", str(tree))))
    outcome = told(ended.stderr)["workspace"]["outcome"]
    assert outcome["branch"] == "refs/heads/topic", ended.stderr
    has_all(tree)
    assert person.status(at=tree) == ["?? not-committed.txt"]
    assert person.git("log", "-1", "--format=%s", "main") == "first"
    person.is_sound()


def test_a_subfolder_lands_in_its_repository(person: Person, shell: Shell) -> None:
    person.has("sub/inner.txt", "inner\n")
    person.git("add", ".")
    person.git("commit", "-qm", "sub")
    script = "set -e; pwd; echo more >> inner.txt; git commit -qam below; echo top > ../top.txt"
    words = shell.words("sh", "-c", script, options=("--land", "auto", "--json", "-C", str(person.folder / "sub")))
    ended = shell.run(*words)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "/workspace/sub"
    assert (person.folder / "sub/inner.txt").read_text() == "inner\nmore\n"
    assert person.git("log", "-1", "--format=%s") == "below"
    assert person.status() == ["?? top.txt"]


def test_a_submodule_is_worked_on_inside_its_superproject(person: Person, shell: Shell, place: Path) -> None:
    other = place / "library"
    other.mkdir()
    if os.geteuid() == 0:
        shutil.chown(other, USER, USER)
    person.repository(other)
    person.git("submodule", "add", "-q", str(other), "library")
    person.git("commit", "-qm", "with a library")
    script = "set -e; cd library; echo more >> edited.txt; git status --porcelain"
    found = auto(person, script)
    assert [each["path"] for each in found["workspace"]["outcome"]["landed"]] == ["library/edited.txt"]
    assert person.status(at=person.folder / "library") == ["M edited.txt"] or person.status(
        at=person.folder / "library"
    ) == [" M edited.txt"]


def test_watch_tells_of_changes_while_the_agent_works_and_ends_with_it(
    person: Person, shell: Shell, world: World, place: Path
) -> None:
    del person
    agent = shell.start(
        *shell.words("sh", "-c", "echo 1 > first.txt; read line; echo 2 > second.txt", options=("--land", "never")),
        stdin=-1,
    )
    session = ""
    while not session:
        found = world.ok("GET", "/v1/workspaces")["items"]
        session = next((each["session"] for each in found if each["state"] == "open"), "")
    folder = place / "mirror"
    watching = shell.start("session", "watch", session, "--mirror", str(folder))
    assert watching.stdout is not None
    assert watching.stdout.readline() == "A first.txt\n"
    assert agent.stdin is not None
    agent.stdin.write("go on\n")
    agent.stdin.flush()
    out, err = watching.communicate(timeout=60)
    assert "A second.txt" in out, err
    assert (folder / "second.txt").read_text() == "2\n"
    agent.communicate(timeout=60)
    assert shell.run("session", "discard", session, "--yes").returncode == 0
