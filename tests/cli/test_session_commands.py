"""aileron session, against a stand-in: what is shown, what is asked, and what exactly is decided."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from daemon.cli.failure import ExitCode

SESSION = "ses_019ab000-1111-7111-8111-0000abcd1234"
OTHER = "ses_019ab000-2222-7222-8222-00000000ffff"
AT = f"/v1/workspaces/{SESSION}"
HOSTILE = "evil\x1b[2J\u202ename"


def entry(digest: str = "d1", **what: Any) -> dict[str, Any]:
    return {"kind": "file", "size": 3, "executable": False, "digest": digest, "target": ""} | what


def item(path: str, act: str = "modified", **what: Any) -> dict[str, Any]:
    return {
        "path": path,
        "shown": path,
        "act": act,
        "agent": None if act == "deleted" else entry(),
        "person": None if act == "added" else entry("before"),
        "added": 3,
        "removed": 1,
        "exact": True,
        "conflict": "",
        "later": [],
        "refused": "",
    } | what


TASKS = item(".vscode/tasks.json", "added", later=["VS Code runs it when you open this folder"])
ITEMS = [TASKS, item("src/app.py"), item(HOSTILE, "added"), item("old.txt", "deleted")]
CHANGES: dict[str, Any] = {
    "session": SESSION,
    "folder": "/home/me/project",
    "state": "ended",
    "plan": "sha256:plan",
    "repository": True,
    "may_have_commits": False,
    "summary": "4 files changed, +12 -4",
    "files": 4,
    "changes": ITEMS,
    "not_seen": [],
}
COMMITS: dict[str, Any] = {
    "plan": "sha256:commits",
    "branches": [
        {
            "ref": "refs/heads/main",
            "old": "1" * 40,
            "new": "2" * 40,
            "forward": True,
            "commits": [{"id": "2" * 40, "subject": HOSTILE, "author": "a", "when": "w"}],
            "more": 1,
            "later": [],
        }
    ],
    "count": 2,
    "becomes": "main goes forward",
    "notes": [],
}
OUTCOME: dict[str, Any] = {
    "session": SESSION,
    "mode": "files",
    "landed": [{"path": "src/app.py", "act": "modified"}],
    "kept_aside": [],
    "left": [{"path": ".vscode/tasks.json", "why": "nobody said yes to it"}],
    "kept": None,
    "branch": None,
    "moved": False,
    "commits": 0,
    "refs": [],
    "notes": [],
}


@pytest.fixture
def workspace(stand_in: Any) -> Any:
    """Offer one workspace with changes."""
    stand_in.answers |= {
        "GET /v1/workspaces": {"items": [{"session": SESSION, "folder": "/home/me/project", "state": "ended"}]},
        f"GET {AT}": {"session": SESSION, "folder": "/home/me/project", "state": "ended"},
        f"GET {AT}/changes": CHANGES,
        f"GET {AT}/commits": COMMITS,
        f"POST {AT}/difference": {"plan": "sha256:plan", "lines": [{"mark": "added", "text": "+new\tend"}]},
        f"POST {AT}/land": OUTCOME,
        f"POST {AT}/discard": {"session": SESSION, "state": "discarded"},
    }
    return stand_in


@pytest.fixture(autouse=True)
def _nothing_typed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of a test has no queue of typed keys to empty."""
    monkeypatch.setattr("daemon.cli.prompts.Prompts._forget_typed", lambda _: None)


@pytest.mark.parametrize("text", [SESSION, "ses_019ab000-1111", "019ab000-1111", "abcd1234", "1234", "9ab0"])
def test_a_session_is_found_by_any_part_of_its_id(workspace: Any, cli: Any, text: str) -> None:
    assert cli("session", "diff", text, "--name-only").code == 0
    assert workspace.queries(f"GET {AT}/changes")


@pytest.mark.parametrize("text", ["", "ses_", "ses_9ab0", "zzz"])
def test_what_is_no_part_of_an_id_finds_nothing(workspace: Any, cli: Any, text: str) -> None:
    ended = cli("session", "diff", text)
    assert ended.code != 0
    assert not workspace.queries(f"GET {AT}/changes")


def test_a_part_that_two_sessions_have_is_refused_with_both(workspace: Any, cli: Any) -> None:
    workspace.answers["GET /v1/workspaces"]["items"].append({"session": OTHER})
    ended = cli("session", "land", "ses_019ab000", "--yes")
    assert ended.code == ExitCode.USAGE
    assert SESSION in ended.err
    assert OTHER in ended.err
    assert not workspace.bodies(f"POST {AT}/land")


def test_the_list_of_changes_has_what_runs_later_first_and_no_raw_name(workspace: Any, cli: Any) -> None:
    ended = cli("session", "diff", "1234", "--stat")
    lines = ended.out.splitlines()
    assert "would run later" in lines[0]
    assert lines[1] == "  A .vscode/tasks.json: VS Code runs it when you open this folder"
    assert "  D old.txt" in lines
    assert lines[-1] == "4 files changed, +12 -4"
    assert "\x1b" not in ended.out
    assert "\u202e" not in ended.out
    assert "evil\\u001b[2J\\u202ename" in ended.out
    assert not workspace.queries(f"GET {AT}/commits")


def test_commits_are_asked_for_only_when_there_are_signs_of_some(workspace: Any, cli: Any) -> None:
    workspace.answers[f"GET {AT}/changes"] = CHANGES | {"may_have_commits": True}
    ended = cli("session", "diff", "1234", "--stat")
    assert ended.out.splitlines()[-1] == "4 files changed, +12 -4, 2 commits"
    assert "main goes forward" in ended.out
    assert "\x1b" not in ended.out


def test_a_difference_to_a_pipe_is_plain_and_not_paged(workspace: Any, cli: Any) -> None:
    assert cli("session", "diff", "1234").out == "+new\tend\n"
    assert workspace.bodies(f"POST {AT}/difference") == [{"paths": []}]


def test_a_difference_of_another_moment_than_the_list_is_not_shown(workspace: Any, cli: Any) -> None:
    workspace.answers[f"POST {AT}/difference"] = {"plan": "sha256:other", "lines": [{"mark": "added", "text": "+new"}]}
    ended = cli("session", "diff", "1234")
    assert "while you looked" in ended.err
    assert ended.out == ""


def test_a_difference_that_was_not_made_safe_is_made_safe(workspace: Any, cli: Any) -> None:
    workspace.answers[f"POST {AT}/difference"] = {
        "plan": "sha256:plan",
        "lines": [{"mark": "added", "text": "+\x1b]0;x\x07"}],
    }
    assert "\x1b" not in cli("session", "diff", "1234").out


def test_names_and_json_come_one_to_one(workspace: Any, cli: Any) -> None:
    assert cli("session", "diff", "1234", "src", "--name-only").out == "src/app.py\n"
    assert cli("session", "diff", "1234", "--json").json["changes"]["plan"] == "sha256:plan"
    missing = cli("session", "diff", "1234", "nowhere", "--name-only")
    assert missing.code == 1
    assert "nothing changed at 'nowhere'" in missing.err
    assert workspace.requests


def test_without_a_terminal_landing_needs_an_explicit_yes(workspace: Any, cli: Any) -> None:
    ended = cli("session", "land", "1234")
    assert ended.code == ExitCode.USAGE
    assert "--yes" in ended.err
    assert not workspace.bodies(f"POST {AT}/land")


def test_a_landing_names_exactly_what_was_shown(workspace: Any, cli: Any) -> None:
    ended = cli("session", "land", "1234", "src/app.py", "--yes-to", ".vscode/tasks.json", "--yes")
    assert ended.code == 0
    assert workspace.bodies(f"POST {AT}/land") == [
        {
            "mode": "files",
            "how": "option",
            "plan": "sha256:plan",
            "commits_plan": "",
            "paths": ["src/app.py", ".vscode/tasks.json"],
            "yes_to": [".vscode/tasks.json"],
            "branch": "",
        }
    ]
    assert "Landed: 1 file." in ended.out
    assert "Left: .vscode/tasks.json: nobody said yes to it" in ended.out


def test_what_was_not_chosen_is_counted_and_not_listed(workspace: Any, cli: Any) -> None:
    left = [{"path": f"f{number}", "why": "it was not chosen"} for number in range(3000)]
    workspace.answers[f"POST {AT}/land"] = OUTCOME | {"left": [*left, {"path": "pipe", "why": "it is a fifo"}]}
    out = cli("session", "land", "1234", "src", "--yes").out
    assert "3,000 more paths were not chosen" in out
    assert "Left: pipe: it is a fifo" in out
    assert len(out.splitlines()) == 3


def test_the_question_comes_once_and_once_for_each_file_that_would_run_later(workspace: Any, cli: Any) -> None:
    ended = cli("session", "land", "1234", stdin="y\nn\n", terminal=True)
    assert ended.err.count("Land?") == 1
    assert "Land .vscode/tasks.json (VS Code runs it when you open this folder)? [y/N]" in ended.err
    (body,) = workspace.bodies(f"POST {AT}/land")
    assert (body["how"], body["yes_to"], body["paths"]) == ("question", [], None)
    cli("session", "land", "1234", stdin="y\ny\n", terminal=True)
    assert workspace.bodies(f"POST {AT}/land")[1]["yes_to"] == [".vscode/tasks.json"]


@pytest.mark.parametrize("answer", ["\n", "n\n", "", "yess\n", "Y E S\n"])
def test_enter_and_anything_but_yes_means_no_and_says_how_to_land_later(workspace: Any, cli: Any, answer: str) -> None:
    ended = cli("session", "land", "1234", stdin=answer, terminal=True)
    assert not workspace.bodies(f"POST {AT}/land")
    assert "aileron session land abcd1234" in ended.err
    assert "aileron session discard abcd1234" in ended.err


def test_the_end_of_the_input_at_a_later_question_lands_nothing_at_all(workspace: Any, cli: Any) -> None:
    ended = cli("session", "land", "1234", stdin="y\n", terminal=True)
    assert "Nothing was landed." in ended.err
    assert not workspace.bodies(f"POST {AT}/land")


def test_diff_shows_the_difference_and_asks_again(workspace: Any, cli: Any) -> None:
    ended = cli("session", "land", "1234", stdin="diff\nn\n", terminal=True)
    assert "+new" in ended.out
    assert ended.err.count("Land?") == 2
    assert not workspace.bodies(f"POST {AT}/land")


def test_too_many_files_that_run_later_are_not_asked_one_by_one_and_none_lands(workspace: Any, cli: Any) -> None:
    many = [TASKS | {"path": f"bin/{number}"} for number in range(21)]
    workspace.answers[f"GET {AT}/changes"] = CHANGES | {"changes": [*many, item("src/app.py")]}
    ended = cli("session", "land", "1234", stdin="y\ny\n", terminal=True)
    assert "--yes-to PATH" in ended.err
    assert workspace.bodies(f"POST {AT}/land")[0]["yes_to"] == []


def test_a_branch_takes_everything_and_its_commits(workspace: Any, cli: Any) -> None:
    workspace.answers[f"POST {AT}/land"] = OUTCOME | {"branch": "refs/heads/work", "commits": 3, "landed": []}
    ended = cli("session", "land", "1234", "--branch", "work", "--yes")
    (body,) = workspace.bodies(f"POST {AT}/land")
    assert (body["mode"], body["branch"], body["commits_plan"]) == ("branch", "work", "sha256:commits")
    assert "Landed: 3 commits as branch work." in ended.out
    assert cli("session", "land", "1234", "src", "--branch", "work", "--yes").code == ExitCode.USAGE


def test_nothing_changed_asks_nothing(workspace: Any, cli: Any) -> None:
    workspace.answers[f"GET {AT}/changes"] = CHANGES | {"changes": []}
    ended = cli("session", "land", "1234", terminal=True)
    assert ended.code == 0
    assert "?" not in ended.err
    assert not workspace.bodies(f"POST {AT}/land")


def test_throwing_away_asks_and_enter_keeps_it(workspace: Any, cli: Any) -> None:
    assert cli("session", "discard", "1234", stdin="\n", terminal=True).code == 1
    assert cli("session", "discard", "1234").code == ExitCode.USAGE
    assert not workspace.bodies(f"POST {AT}/discard")
    assert cli("session", "discard", "1234", stdin="y\n", terminal=True).code == 0
    assert len(workspace.bodies(f"POST {AT}/discard")) == 1


def test_a_session_is_shown_with_the_state_of_its_workspace(workspace: Any, cli: Any) -> None:
    workspace.answers["GET /v1/sessions"] = {"items": [{"id": OTHER}]}
    workspace.answers[f"GET /v1/sessions/{SESSION}"] = {
        "id": SESSION,
        "kind": "sandbox",
        "label": "x",
        "created_at": "2026-11-20T21:00:00.000Z",
        "expires_at": "2026-11-20T23:00:00.000Z",
        "ended_at": None,
        "opened_by": "person:owner",
        "opened_with": "cli",
    }
    ended = cli("session", "show", "abcd1234")
    assert "/home/me/project" in ended.out
    assert cli("session", "show", "abcd1234", "--json").json["workspace"]["state"] == "ended"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (CHANGES, f"{len(CHANGES['changes'])} to land"),
        (CHANGES | {"changes": [], "may_have_commits": True}, "commits"),
        (CHANGES | {"changes": [], "may_have_commits": False}, "landed"),
    ],
)
def test_the_list_says_which_session_has_work_that_waits(workspace: Any, cli: Any, changes: Any, said: str) -> None:
    item = {"kind": "sandbox", "label": "x", "created_at": "2026-11-20T21:00:00.000Z", "ended_at": "t"}
    workspace.answers["GET /v1/sessions"] = {"items": [item | {"id": each} for each in (SESSION, OTHER)]}
    workspace.answers["GET /v1/workspaces"]["items"][0]["earlier"] = [OTHER]
    workspace.answers[f"GET {AT}/changes"] = changes
    first, second = cli("session", "list").out.splitlines()[1:]
    assert f"  {said}  " in first
    assert f"  in {SESSION[-8:]}  " in second
    # A list is no look by a person, after which a layer may be removed by age.
    assert workspace.queries(f"GET {AT}/changes") == [{"summary": "false", "unseen": "true"}]


LANDED = {"at": "2026-11-20T22:00:00.000Z", "said": f"it was cut off, and undone {HOSTILE}", "cut_off": True}


def test_a_session_is_shown_with_what_became_of_its_last_landing(workspace: Any, cli: Any) -> None:
    one = {"session": SESSION, "folder": "/home/me/project", "state": "ended"}
    workspace.answers["GET /v1/sessions"] = {"items": []}
    workspace.answers[f"GET /v1/sessions/{SESSION}"] = {
        "id": SESSION,
        "kind": "sandbox",
        "label": "x",
        "created_at": "2026-11-20T21:00:00.000Z",
        "expires_at": "2026-11-20T23:00:00.000Z",
        "opened_by": "person:owner",
        "opened_with": "cli",
    }
    workspace.answers[f"GET {AT}"] = one | {"landing_now": False, "last_landing": LANDED}
    shown = cli("session", "show", "abcd1234").out
    assert "it was cut off, and undone" in shown
    assert "\x1b" not in shown
    workspace.answers[f"GET {AT}"] = one | {"landing_now": True, "last_landing": None}
    assert "going on at this moment" in cli("session", "show", "abcd1234").out


def test_landing_again_says_first_what_became_of_a_landing_that_was_cut_off(workspace: Any, cli: Any) -> None:
    one = {"session": SESSION, "folder": "/home/me/project", "state": "ended", "landing_now": False}
    workspace.answers[f"GET {AT}"] = one | {"last_landing": LANDED}
    ended = cli("session", "land", "1234", "--yes")
    assert ended.code == 0
    assert ended.err.index("The last landing: it was cut off") >= 0
    workspace.answers[f"GET {AT}"] = one | {"last_landing": LANDED | {"cut_off": False, "said": "2 paths landed"}}
    assert "last landing" not in cli("session", "land", "1234", "--yes").err
    workspace.answers[f"GET {AT}/changes"] = CHANGES | {"changes": []}
    assert "The last landing: 2 paths landed" in cli("session", "land", "1234", "--yes").err


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Offer a folder that is not below the home of Aileron."""
    return tmp_path_factory.mktemp("elsewhere")


def watched(workspace: Any, *states: str) -> None:
    workspace.answers[f"GET {AT}"] = [
        (200, {"session": SESSION, "folder": "/home/me/project", "state": state}) for state in states
    ]


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.cli.landing.watching._LEAST_PAUSE", 0.0)


@pytest.mark.usefixtures("_no_pause")
def test_watch_prints_what_changes_and_ends_with_the_session(workspace: Any, cli: Any) -> None:
    watched(workspace, "open", "open", "ended")
    first = CHANGES | {"changes": [item("a.txt"), item("b.txt")]}
    second = CHANGES | {"changes": [item("a.txt", agent=entry("d2"))]}
    workspace.answers[f"GET {AT}/changes"] = [(200, first), (200, second)]
    ended = cli("session", "watch", "1234")
    assert ended.out == "M a.txt\nM b.txt\nM a.txt\n= b.txt\n"
    assert "ended" in ended.err


@pytest.mark.usefixtures("_no_pause")
def test_the_copy_holds_plain_files_only_and_nothing_that_an_editor_would_obey(
    workspace: Any, cli: Any, elsewhere: Path
) -> None:
    items = [
        item("src/deep/app.py", "added", agent=entry(executable=True)),
        TASKS,
        item("link", "added", agent=entry(kind="link", target="/etc/passwd")),
        item("gone", "deleted"),
        item(".GIT/config", "added", refused="git would obey it"),
    ]
    watched(workspace, "open", "ended")
    workspace.answers[f"GET {AT}/changes"] = CHANGES | {"changes": items}
    workspace.answers[f"POST {AT}/file"] = httpx.Response(200, content=b"text\n")
    folder = elsewhere / "copy"
    ended = cli("session", "watch", "1234", "--mirror", str(folder))
    assert ended.code == 0, ended.err
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == [".aileron-mirror", "src/deep/app.py"]
    assert (folder / "src/deep/app.py").read_bytes() == b"text\n"
    assert (folder / "src/deep/app.py").stat().st_mode & 0o777 == 0o444
    assert ".vscode/tasks.json is not copied" in ended.err
    assert workspace.bodies(f"POST {AT}/file") == [{"path": "src/deep/app.py"}]


@pytest.mark.usefixtures("_no_pause")
def test_what_goes_from_the_workspace_goes_from_the_copy_and_a_file_may_become_a_folder(
    workspace: Any, cli: Any, elsewhere: Path
) -> None:
    watched(workspace, "open", "open", "ended")
    looks = [["x", "y/z"], ["x/inner"]]
    workspace.answers[f"GET {AT}/changes"] = [
        (200, CHANGES | {"changes": [item(path, "added") for path in paths]}) for paths in looks
    ]
    workspace.answers[f"POST {AT}/file"] = httpx.Response(200, content=b"1")
    folder = elsewhere / "copy"
    assert cli("session", "watch", "1234", "--mirror", str(folder)).code == 0
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == [".aileron-mirror", "x", "x/inner"]


@pytest.mark.parametrize("place", ["/home/me/project", "/home/me/project/below", "/home/me", "/"])
def test_the_copy_is_never_in_the_workspace_nor_around_it(workspace: Any, cli: Any, place: str) -> None:
    ended = cli("session", "watch", "1234", "--mirror", place)
    assert ended.code == ExitCode.USAGE
    assert not workspace.queries(f"GET {AT}/changes")


def test_the_copy_takes_no_folder_of_somebody_else(workspace: Any, cli: Any, elsewhere: Path) -> None:
    folder = elsewhere / "mine"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    assert cli("session", "watch", "1234", "--mirror", str(folder)).code == ExitCode.USAGE
    (folder / ".aileron-mirror").symlink_to(folder / "letter.txt")
    assert cli("session", "watch", "1234", "--mirror", str(folder)).code == ExitCode.USAGE
    assert (folder / "letter.txt").read_text() == "dear"
    assert not workspace.queries(f"GET {AT}/changes")


@pytest.mark.usefixtures("_no_pause")
@pytest.mark.parametrize("path", ["../out", "/abs", "a/../../out", "a//b", "."])
def test_no_path_leads_out_of_the_copy(workspace: Any, cli: Any, elsewhere: Path, path: str) -> None:
    watched(workspace, "ended")
    workspace.answers[f"GET {AT}/changes"] = CHANGES | {"changes": [item(path, "added")]}
    workspace.answers[f"POST {AT}/file"] = httpx.Response(200, content=b"1")
    folder = elsewhere / "below" / "copy"
    assert cli("session", "watch", "1234", "--mirror", str(folder)).code == 0
    assert [entry.name for entry in folder.iterdir()] == [".aileron-mirror"]
    assert [entry.name for entry in folder.parent.iterdir()] == ["copy"]
