"""What reaches the terminal is what was meant to be seen, and nothing that steers it."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import wait_until

from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.rendering import Output, neutralise, one_line, plain_table, pretty_json
from daemon.core.visible import is_hidden

HOSTILE = {
    "\x1b[2J": "\\u001b[2J",
    "\x1b]0;owned\x07": "\\u001b]0;owned\\u0007",
    "\x9b31m": "\\u009b31m",
    "a\rb": "a\\rb",
    "a\tb": "a\\tb",
    "a\nb": "a\\nb",
    "del\x7f": "del\\u007f",
    "pay \u202eeciovni": "pay \\u202eeciovni",
    "\u2066isolated\u2069": "\\u2066isolated\\u2069",
    "zero\u200bwidth": "zero\\u200bwidth",
    "line\u2028end": "line\\u2028end",
    "tag\U000e0041": "tag\\udb40\\udc41",
    "private\ue000": "private\\ue000",
    "filler\u3164\u2800": "filler\\u3164\\u2800",
    "no\u00a0break": "no\\u00a0break",
    "p\u0430ypal": "p\\u0430ypal",
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def make(*, terminal: bool, **environ: str) -> tuple[Output, io.StringIO, io.StringIO]:
    """Return an output and its two streams."""
    out, err = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
    return Output(out=out, err=err, environ={"TERM": "xterm-256color", **environ}), out, err


@pytest.mark.parametrize(("hostile", "shown"), HOSTILE.items(), ids=ascii)
def test_a_character_that_could_steer_the_terminal_is_spelled_out(hostile: str, shown: str) -> None:
    assert neutralise(hostile) == shown


@pytest.mark.parametrize("text", ["plain", "Grüße", "日本語", "naïve café", "emoji 🎉", "a\\b", '"quoted"', ""])
def test_text_that_shows_what_it_says_stays_as_it_is(text: str) -> None:
    assert neutralise(text) == text


@given(st.text())
def test_nothing_invisible_is_left_and_escaping_twice_changes_nothing(text: str) -> None:
    shown = neutralise(text)
    assert not any(is_hidden(c) for c in shown)
    assert neutralise(shown) == shown
    assert "\n" not in shown


@given(json_values)
def test_neutralised_json_is_still_the_same_json(value: Any) -> None:
    shown = pretty_json(value)
    assert json.loads(shown) == value
    assert not any(is_hidden(c) for c in shown)


@given(json_values)
def test_a_cell_is_one_line_whatever_the_value(value: Any) -> None:
    assert "\n" not in one_line(value)
    assert one_line(value, limit=10) == one_line(value) or len(one_line(value, limit=10)) == 10


def test_a_piped_table_is_aligned_and_plain() -> None:
    lines = plain_table(["name", "state"], [["日本", "ok"], ["longer", "broken"]])
    assert lines == ["NAME    STATE", "日本    ok", "longer  broken"]


def test_a_table_to_a_pipe_has_no_colours_and_no_tabs() -> None:
    output, out, _ = make(terminal=False)
    output.table(["name", "state"], [["a\tb", "ok"], ["c", None]], empty="", styles={"ok": "green"})
    assert out.getvalue() == "NAME  STATE\na\\tb  ok\nc     -\n"


def test_a_table_on_a_terminal_is_coloured() -> None:
    output, out, _ = make(terminal=True)
    output.table(["name", "state"], [["a", "ok"]], empty="", styles={"ok": "green"})
    assert "\x1b[32mok" in out.getvalue()


def test_an_id_is_never_broken_and_a_description_is() -> None:
    output, out, _ = make(terminal=True, NO_COLOR="1")
    identifier, description = "aud_" + "x" * 90, "word " * 40
    output.table(["id", "description"], [[identifier, description]], empty="", fold="description")
    lines = out.getvalue().splitlines()
    assert lines[1].startswith(identifier + "  word")
    assert len(lines) > 3


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_color_and_a_dumb_terminal_get_no_escape_sequences(environ: dict[str, str]) -> None:
    output, out, err = make(terminal=True, **environ)
    output.table(["name", "state"], [["a", "ok"]], empty="", styles={"ok": "green"})
    output.fields([("vault", "locked")])
    output.heading("Arguments")
    output.failure(CliFailure("no", remedy="run: yes", audit_id="aud_1"))
    assert "\x1b" not in out.getvalue() + err.getvalue()


def test_an_empty_no_color_does_not_count() -> None:
    output, out, _ = make(terminal=True, NO_COLOR="")
    output.heading("Arguments")
    assert "\x1b[1m" in out.getvalue()


def test_rich_markup_in_a_value_is_shown_not_obeyed() -> None:
    output, out, _ = make(terminal=True)
    output.table(["name"], [["[red]x[/red] :smile:"]], empty="")
    output.fields([("a", "[link=http://evil]x[/link]")])
    assert "[red]x[/red] :smile:" in out.getvalue()
    assert "[link=http://evil]x[/link]" in out.getvalue()


def test_escape_sequences_in_a_value_do_not_reach_the_terminal() -> None:
    output, out, err = make(terminal=True, NO_COLOR="1")
    evil = "\x1b[2J\x1b[1;1H approved"
    output.table([evil], [[evil]], empty="")
    output.fields([("description", evil)])
    output.json({evil: [evil]})
    output.failure(CliFailure(evil, remedy=evil, details={evil: [evil], "x": {evil: evil}}, audit_id=evil))
    assert "\x1b" not in out.getvalue() + err.getvalue()


def test_an_empty_list_says_so_beside_the_answer() -> None:
    output, out, err = make(terminal=False)
    output.table(["name"], [], empty="There are none.")
    assert out.getvalue() == ""
    assert err.getvalue() == "There are none.\n"


def test_a_failure_says_its_class_what_helps_and_the_audit_id() -> None:
    output, _, err = make(terminal=False)
    failure = CliFailure.from_error(
        {
            "class": "binding_required",
            "message": "no credential",
            "audit_id": "aud_1",
            "boundary": "user",
            "retriable": False,
            "details": {"connector": "github://a/b", "command": "aileron binding add github://a/b", "c": ["x", "y"]},
        }
    )
    output.failure(failure)
    assert err.getvalue() == (
        "error (binding_required): no credential\n"
        "  connector: github://a/b\n"
        "  c:\n    - x\n    - y\n"
        "  run: aileron binding add github://a/b\n"
        "  audit id aud_1\n"
    )


def test_a_locked_vault_has_an_exit_code_of_its_own() -> None:
    assert CliFailure.from_error({"class": "vault_locked", "message": "m"}).exit_code == ExitCode.VAULT_LOCKED
    assert CliFailure.from_error({"class": "not_found", "message": "m"}).exit_code == ExitCode.FAILED


@pytest.mark.parametrize("error", [{}, {"class": None, "message": None, "details": None}, {"details": "text"}])
def test_an_incomplete_envelope_is_no_second_failure(error: dict[str, Any]) -> None:
    failure = CliFailure.from_error(error)
    assert failure.message
    assert failure.envelope()["error"]["class"] == "internal_error"


def test_progress_is_silent_when_stderr_is_no_terminal() -> None:
    output, out, err = make(terminal=False)
    with output.progress("Waiting"):
        pass
    assert out.getvalue() + err.getvalue() == ""


def test_progress_is_silent_for_what_is_quick() -> None:
    output, _, err = make(terminal=True)
    with output.progress("Waiting"):
        pass
    assert "Waiting" not in err.getvalue()


def test_progress_shows_for_what_takes_over_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.cli.waiting.Waiting.__init__.__kwdefaults__", {"delay": 0.01})
    monkeypatch.setattr("daemon.cli.waiting._REFRESH_SECONDS", 0.01)
    output, out, err = make(terminal=True)
    with output.progress("Waiting", about=30.0) as waiting:
        wait_until(lambda: "Waiting (0:00 of about 0:30)" in err.getvalue())
        waiting.detail = "step 2 of 9\x1b[2J"
        wait_until(lambda: "Waiting, step 2 of 9\\u001b[2J (0:0" in err.getvalue())
        waiting.note("a line that stays\x1b[2J")
    assert "a line that stays\\u001b[2J" in err.getvalue()
    assert "\x1b[2J" not in err.getvalue()
    assert out.getvalue() == ""


def test_what_takes_long_is_told_to_a_pipe_too_and_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.cli.waiting._FIRST_LINE_SECONDS", 0.01)
    output, out, err = make(terminal=False)
    with output.progress("Compiling", about=30.0):
        wait_until(lambda: err.getvalue().count("\n") >= 3)
    assert err.getvalue().splitlines()[0] == "Compiling (0:00 of about 0:30)"
    assert out.getvalue() == ""
