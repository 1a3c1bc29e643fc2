"""The end of a sandboxed launch: what is asked, what is decided without a question, and what is told."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cli.conftest import StandIn, Terminal
from cli.stand_in_server import StandInServer
from cli.test_session_commands import AT, CHANGES, COMMITS, OUTCOME, SESSION

from daemon.cli.client import ControlClient
from daemon.cli.connection import DaemonConnection
from daemon.cli.invocation import Invocation
from daemon.cli.landing.asking import decide_at_the_end
from daemon.cli.prompts import Prompts
from daemon.cli.rendering import Output

Decide = Callable[..., tuple[dict[str, Any] | None, str]]


@pytest.fixture
def decide(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Decide]:
    """Return a function that decides at the end of one launch and returns what is told, and what was said on stderr."""
    monkeypatch.setattr("daemon.cli.prompts.Prompts._forget_typed", lambda _: None)
    stand_in.answers |= {
        f"GET {AT}/changes": CHANGES,
        f"GET {AT}/commits": COMMITS,
        f"POST {AT}/land": OUTCOME,
        f"POST {AT}/difference": {"plan": "sha256:plan", "lines": [{"mark": "added", "text": "+new"}]},
    }
    server = StandInServer(stand_in.handle)

    def call(wish: str | None, *, stdin: io.StringIO | None = None) -> tuple[dict[str, Any] | None, str]:
        err = Terminal() if stdin is not None else io.StringIO()
        output = Output(out=io.StringIO(), err=err, environ={"TERM": "dumb"})
        given = stdin if stdin is not None else io.StringIO()
        invocation = Invocation(
            output=output,
            prompts=Prompts(stdin=given, output=output, environ={}),
            connection=DaemonConnection(),
            environ={},
        )
        with ControlClient(url=server.url, token="t") as client:
            told = decide_at_the_end(invocation, client, SESSION, wish)
        return told, err.getvalue()

    with server:
        yield call


def landings(stand_in: StandIn) -> list[Any]:
    return stand_in.bodies(f"POST {AT}/land")


def test_nothing_changed_asks_nothing_and_says_nothing(stand_in: StandIn, decide: Decide) -> None:
    stand_in.answers[f"GET {AT}/changes"] = CHANGES | {"changes": []}
    assert decide(None, stdin=Terminal("y\n")) == (None, "")
    assert decide("auto") == (None, "")
    assert landings(stand_in) == []


def test_a_workspace_to_which_nothing_was_written_is_gone_and_that_is_no_problem(
    stand_in: StandIn, decide: Decide
) -> None:
    del stand_in.answers[f"GET {AT}/changes"]
    assert decide(None, stdin=Terminal("y\n")) == (None, "")


def test_a_person_at_a_terminal_is_asked_once_and_enter_keeps_everything(stand_in: StandIn, decide: Decide) -> None:
    told, said = decide(None, stdin=Terminal("\n"))
    assert said.count("[y/N/diff]") == 1
    assert said.index("would run later") < said.index("src/app.py") < said.index("Land?")
    assert "aileron session land abcd1234" in said
    assert landings(stand_in) == []
    assert told is not None
    assert told["outcome"] is None


def test_ctrl_c_at_the_question_means_no(stand_in: StandIn, decide: Decide) -> None:
    class Interrupted(Terminal):
        def readline(self, _: int | None = -1) -> str:  # type: ignore[override]
            raise KeyboardInterrupt

    told, said = decide(None, stdin=Interrupted())
    assert told is not None
    assert told["outcome"] is None
    assert "aileron session land abcd1234" in said
    assert landings(stand_in) == []


def test_yes_lands_what_was_shown_and_asks_of_each_that_would_run_later(stand_in: StandIn, decide: Decide) -> None:
    told, said = decide("ask", stdin=Terminal("y\nn\n"))
    assert "Land .vscode/tasks.json (VS Code runs it when you open this folder)? [y/N]" in said
    (body,) = landings(stand_in)
    assert (body["mode"], body["how"], body["plan"], body["yes_to"]) == ("files", "question", "sha256:plan", [])
    assert "Landed: 1 file." in said
    assert told is not None
    assert told["outcome"] == OUTCOME


def test_without_a_terminal_a_repository_gets_a_branch_with_its_commits(stand_in: StandIn, decide: Decide) -> None:
    _, said = decide(None)
    (body,) = landings(stand_in)
    assert (body["mode"], body["how"], body["commits_plan"]) == ("branch", "option", "sha256:commits")
    assert "?" not in said


def test_without_a_terminal_another_folder_is_left_as_it_is_and_the_work_is_kept(
    stand_in: StandIn, decide: Decide
) -> None:
    stand_in.answers[f"GET {AT}/changes"] = CHANGES | {"repository": False}
    told, said = decide(None)
    assert landings(stand_in) == []
    assert "aileron session land abcd1234" in said
    assert told is not None
    assert told["files"][0]["path"] == ".vscode/tasks.json"


def test_a_look_without_a_person_does_not_count_as_one(stand_in: StandIn, decide: Decide) -> None:
    decide("never")
    decide("never", stdin=Terminal())
    assert stand_in.queries(f"GET {AT}/changes") == [{"unseen": "true"}, {}]


def test_auto_decides_without_a_question_and_says_yes_to_nothing_that_runs_later(
    stand_in: StandIn, decide: Decide
) -> None:
    told, said = decide("auto", stdin=Terminal())
    (body,) = landings(stand_in)
    assert (body["mode"], body["how"], body["yes_to"]) == ("auto", "auto", [])
    assert "?" not in said
    assert "Left: .vscode/tasks.json" in said
    assert json.dumps(told)


def test_what_is_told_holds_files_commits_and_why_something_was_left(stand_in: StandIn, decide: Decide) -> None:
    stand_in.answers[f"GET {AT}/changes"] = CHANGES | {"may_have_commits": True}
    told, _ = decide("auto")
    assert told is not None
    assert told["summary"] == "4 files changed, +12 -4, 2 commits"
    assert told["commits"]["count"] == 2
    assert told["outcome"]["left"][0]["why"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--land", "ask"), "needs a terminal"),
        (("--land", "sometimes"), "Write one of: ask, auto, branch, never"),
        (("--workspace", "somehow"), "Write one of: auto, copy, live"),
        (("--land", "auto", "--workspace", "live"), "nothing for --land to decide"),
    ],
)
def test_a_wish_that_cannot_be_carried_out_is_refused_before_anything_starts(
    cli: Any, stand_in: StandIn, words: tuple[str, ...], said: str
) -> None:
    ended = cli("launch", "--sandbox", *words, "codex")
    assert ended.code == 2
    assert said in ended.err
    assert stand_in.requests == []


def test_a_wish_without_a_sandbox_is_refused(cli: Any) -> None:
    for words in (("--land", "auto"), ("--resume", "x"), ("--workspace", "copy")):
        ended = cli("launch", *words, "codex")
        assert (ended.code, "needs --sandbox" in ended.err) == (2, True)
