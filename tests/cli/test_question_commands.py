"""question, against a stand-in: everything is shown, nothing is obeyed, values are sent as they were given."""

from pathlib import Path
from typing import Any

import pytest

from daemon.cli.client import ServerEvent
from daemon.cli.failure import ExitCode
from daemon.core.forms.reading import read_form

HIDDEN = "\u202eevil\x1b[2J"
FIELDS = read_form(
    {
        "type": "object",
        "properties": {
            "colour": {"type": "string", "title": f"Colour{HIDDEN}", "minLength": 3},
            "count": {"type": "integer", "maximum": 5, "default": 2},
            "size": {"type": "string", "oneOf": [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}]},
            "days": {"type": "array", "items": {"type": "string", "enum": ["mon", "tue", "wed"]}},
        },
        "required": ["colour"],
    }
).as_json()
QUESTION: dict[str, Any] = {
    "id": "qst_1",
    "state": "open",
    "message": f"Which one?{HIDDEN}",
    "fields": FIELDS,
    "url": None,
    "host": None,
    "server": "github",
    "tool": "github/ask",
    "session": "ses_1",
    "asker": "agent:ses_1",
    "called_by": "the agent (claude in ~/work)",
    "execution": "exe_1",
    "created_at": "2026-11-20T21:55:00.000Z",
    "expires_at": "2026-11-20T22:55:00.000Z",
    "ended_at": None,
    "stands": "It waits for an answer.",
}
PAGE = QUESTION | {"fields": None, "url": "https://login.example.com/a", "host": "login.example.com"}
DONE = QUESTION | {"state": "accepted", "stands": "It was accepted by you, in a terminal."}
SENT = "POST /v1/questions/qst_1/answer"


@pytest.fixture(autouse=True)
def answers(stand_in: Any) -> None:
    stand_in.answers |= {"GET /v1/questions/qst_1": QUESTION, SENT: DONE}


def test_list_shows_which_server_asks(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/questions"] = {"items": [QUESTION], "next_cursor": None}
    shown = cli("question", "list").out
    assert "qst_1" in shown
    assert "github/ask" in shown
    assert "\\u202eevil" in shown
    assert stand_in.queries("GET /v1/questions")[0]["state"] == "open"
    assert cli("question", "list", "--json").json["items"] == [QUESTION]


def test_a_question_that_may_be_for_either_of_two_calls_names_both(cli: Any, stand_in: Any) -> None:
    calls = [{"tool": "github/ask", "execution": "exe_1"}, {"tool": "github/other", "execution": "exe_2"}]
    asked = QUESTION | {"calls": calls}
    stand_in.answers |= {
        "GET /v1/questions/qst_1": asked,
        "GET /v1/questions": {"items": [asked], "next_cursor": None},
    }
    said = (
        "the server github, for one of these calls, and it does not say which: github/ask (exe_1), github/other (exe_2)"
    )
    assert said in cli("question", "show", "qst_1").out
    assert "github/ask or github/other" in cli("question", "list").out


def test_show_has_every_field_and_obeys_nothing(cli: Any) -> None:
    ended = cli("question", "show", "qst_1")
    for part in (
        "the server github, for its tool github/ask",
        "the agent (claude in ~/work), session ses_1",
        "  | Which one?\\u202eevil\\u001b[2J\n",
        "Colour\\u202eevil",
        "a text, at least 3 characters, required",
        "a whole number, at most 5, may be left out",
        "suggested  2",
        "    2  l  Large",
    ):
        assert part in ended.out, ended.out
    assert not {"\x1b", "\u202e"} & set(ended.out + ended.err)
    assert "aileron question answer qst_1" in ended.err
    assert cli("question", "show", "qst_1", "--json").json == QUESTION


def test_a_page_is_shown_with_its_host_and_agreed_to_and_never_opened(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/questions/qst_1"] = PAGE
    shown = cli("question", "show", "qst_1").out
    assert "on the host  login.example.com" in shown
    assert cli("question", "answer", "qst_1", terminal=True, stdin="\n").code == ExitCode.FAILED
    assert stand_in.bodies(SENT) == []
    assert cli("question", "answer", "qst_1", terminal=True, stdin="y\n").code == 0
    assert stand_in.bodies(SENT) == [{"action": "accept"}]


def test_on_a_terminal_each_field_is_asked_until_it_fits_and_a_yes_sends_it(cli: Any, stand_in: Any) -> None:
    typed = "\nab\nBlue Sky\n9\n\n2\nmon, 3\ny\n"
    ended = cli("question", "answer", "qst_1", terminal=True, stdin=typed)
    assert ended.code == 0, ended.err
    for problem in ("it is required", "at least 3 characters", "at most 5"):
        assert f"That does not fit: {problem}" in ended.err.replace("it takes ", "")
    assert "[2]" in ended.err
    values = {"colour": ["Blue Sky"], "count": ["2"], "size": ["l"], "days": ["mon", "wed"]}
    assert stand_in.bodies(SENT) == [{"action": "accept", "typed": values}]
    assert "github was told" in ended.out


@pytest.mark.parametrize("end", ["n\n", "\n", ""])
def test_on_a_terminal_nothing_is_sent_without_a_yes(cli: Any, stand_in: Any, end: str) -> None:
    ended = cli("question", "answer", "qst_1", terminal=True, stdin=f"blue\n\n\n\n{end}")
    assert ended.code == ExitCode.FAILED
    assert stand_in.bodies(SENT) == []


def test_options_and_a_file_give_the_values_and_say_no(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text('{"colour": "blue", "count": 3}\n')
    assert cli("question", "answer", "qst_1", "--set", "colour=a=b", "--set", "days=mon", "--set", "days=tue").code == 0
    assert cli("question", "answer", "qst_1", "--values-file", str(file)).code == 0
    assert cli("question", "answer", "qst_1", "--decline").code == 0
    assert cli("question", "answer", "qst_1", "--no-answer", "--json").json == DONE
    assert stand_in.bodies(SENT) == [
        {"action": "accept", "typed": {"colour": ["a=b"], "days": ["mon", "tue"]}},
        {"action": "accept", "content": {"colour": "blue", "count": 3}},
        {"action": "decline"},
        {"action": "cancel"},
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--yes",),
        ("--json",),
        ("--json", "--yes"),
        ("--set", "colour"),
        ("--set", "=x"),
        ("--decline", "--set", "colour=blue"),
        ("--decline", "--no-answer"),
        ("--values-file", "/nowhere"),
    ],
)
def test_without_a_terminal_nothing_is_guessed(cli: Any, stand_in: Any, arguments: tuple[str, ...]) -> None:
    ended = cli("question", "answer", "qst_1", *arguments)
    assert ended.code == ExitCode.USAGE, ended.err
    assert stand_in.bodies(SENT) == []


def test_lists_of_approvals_and_the_status_say_that_servers_ask(cli: Any, stand_in: Any) -> None:
    stand_in.answers |= {
        "GET /v1/approvals": {"items": [], "next_cursor": None},
        "GET /v1/questions": {"items": [QUESTION], "next_cursor": None},
    }
    assert "One question of a server waits for you, too: aileron question list" in cli("approval", "list").err
    assert "question" not in cli("approval", "list", "--state", "denied").err


def test_whoever_watches_approvals_sees_questions(cli: Any, stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = QUESTION | {"id": "qst_01a215f9-6bba-7600-9e29-51b21ac24331"}

    def events(_: Any, path: str, *, on_open: Any) -> Any:
        assert path == "/v1/approvals/events"
        on_open()
        yield ServerEvent("question", whole | {"state": "declined", "stands": "It was declined by you."})
        raise KeyError("over")

    monkeypatch.setattr("daemon.cli.client.ControlClient.events", events)
    stand_in.answers |= {
        "GET /v1/approvals": {"items": [], "next_cursor": None},
        "GET /v1/questions": {"items": [whole], "next_cursor": None},
    }
    out = cli("approval", "watch").out
    assert f"{whole['id']}  open  github/ask  ses_1\n" in out
    assert f"{whole['id']}  declined  github/ask  ses_1\n" in out
    assert out.count("open") == 1
