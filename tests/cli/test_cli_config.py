"""`aileron config`: what is shown, and how the file is changed."""

import json
import sys
from pathlib import Path
from typing import Any

from daemon.cli.failure import ExitCode

TAKE = "POST /v1/settings/take-over"


def test_every_setting_is_shown_with_where_it_comes_from_and_no_header_of_a_provider(cli: Any, tmp_path: Path) -> None:
    header = '[gateway.providers.mine]\nbase_url = "https://a.example"\nheaders = { X-Key = "very-secret" }\n'
    (tmp_path / "config.toml").write_text('[vault]\nauto_lock = "90m"\n' + header)
    environ = {"AILERON_AUDIT__CHECKPOINT_EVERY": "7"}
    items = {each["name"]: each for each in cli("config", "show", "--json", environ=environ).json["items"]}
    assert (items["vault.auto_lock"]["value"], items["vault.auto_lock"]["origin"]) == (5400.0, "file")
    assert (items["audit.checkpoint_every"]["value"], items["audit.checkpoint_every"]["origin"]) == (7, "environment")
    assert items["sandbox.memory"]["origin"] == "default"
    shown = cli("config", "show").out
    assert "sandbox.memory" in shown
    assert "4GiB" in shown
    assert "very-secret" not in shown + json.dumps(items)
    assert cli("config", "get", "vault.auto_lock").out == "90m\n"
    unknown = cli("config", "get", "vault.autolock")
    assert (unknown.code, "Did you mean vault.auto_lock?" in unknown.err) == (ExitCode.USAGE, True)


def test_set_says_what_the_daemon_has_taken_over_and_what_waits(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("# mine\n")
    stand_in.answers[TAKE] = {"at_once": ["vault.auto_lock"], "at_next_start": ["limits.wasm_threads"]}
    ended = cli("config", "set", "vault.auto_lock", "2h")
    assert "In effect at once: vault.auto_lock." in ended.out
    assert "In effect at the next start: limits.wasm_threads." in ended.out
    assert file.read_text().startswith("# mine\n")
    assert (file.stat().st_mode & 0o777) == 0o644, "an existing file keeps its mode"
    again = cli("config", "set", "vault.auto_lock", "2h", "--json").json
    assert again["written"] is False
    assert cli("config", "remove", "vault.auto_lock", "--json").json["at_once"] == ["vault.auto_lock"]
    assert "vault.auto_lock is not set in it" in cli("config", "remove", "vault.auto_lock").err


def test_without_a_daemon_the_file_is_written_and_a_variable_that_wins_is_named(
    cli: Any, stand_in: Any, tmp_path: Path
) -> None:
    stand_in.running = False
    ended = cli("config", "set", "vault.auto_lock", "2h", environ={"AILERON_VAULT__AUTO_LOCK": "1h"})
    assert "it holds when it starts" in ended.out
    assert "AILERON_VAULT__AUTO_LOCK is set here, and wins" in ended.err
    assert (tmp_path / "config.toml").stat().st_mode & 0o777 == 0o600
    assert stand_in.requests == []


def test_a_rule_is_never_changed_behind_the_back_of_the_log(cli: Any, stand_in: Any) -> None:
    stand_in.running = False  # then the daemon is started for it, which the stand-in answers for
    stand_in.answers[TAKE] = {"at_once": ["approvals.rules"], "at_next_start": []}
    cli("config", "set", "approvals.rules.ship-update", "{ decision = 'deny' }")
    assert stand_in.requests[0].url.path == "/v1/settings/take-over"


def test_a_rule_that_is_about_nothing_is_written_and_said_to_hold_nothing_back(cli: Any, stand_in: Any) -> None:
    idle = {
        "name": "rule for hub__reed",
        "message": "The server hub has no such tool.",
        "remedy": "Check the spelling.",
    }
    stand_in.answers[TAKE] = {"at_once": ["approvals.rules"], "at_next_start": []}
    stand_in.answers["GET /v1/checks"] = {"items": [idle]}
    ended = cli("config", "set", "approvals.rules.hub__reed", "{ decision = 'deny' }")
    assert (ended.code, ended.err) == (0, "The server hub has no such tool. Check the spelling.\n")
    assert cli("config", "set", "approvals.rules.hub__read", "{ decision = 'deny' }").err == ""


def test_a_value_that_does_not_fit_leaves_the_file_as_it_was(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[vault]\nauto_lock = "1h"\n')
    ended = cli("config", "set", "vault.auto_lock", "soon")
    assert (ended.code, "'soon' is not a duration" in ended.err) == (ExitCode.FAILED, True)
    assert file.read_text() == '[vault]\nauto_lock = "1h"\n'
    assert stand_in.requests == []


def test_what_an_editor_leaves_is_checked_before_it_is_taken_and_kept_when_it_is_wrong(
    cli: Any, stand_in: Any, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("# mine\n")
    stand_in.answers[TAKE] = {"at_once": [], "at_next_start": ["audit.checkpoint_every"]}

    def editor(text: str) -> dict[str, str]:
        script = tmp_path / "editor.py"
        script.write_text(f"import sys, pathlib; pathlib.Path(sys.argv[1]).write_text({text!r})")
        return {"EDITOR": f"'{sys.executable}' '{script}'"}

    wrong = cli("config", "edit", environ=editor("[audit]\ncheckpoint_evry = 1\n"))
    assert wrong.code == ExitCode.FAILED
    assert "Did you mean audit.checkpoint_every?" in wrong.err
    draft = Path(wrong.err.split("what you wrote is in ")[1].split("\n")[0])
    assert draft.read_text() == "[audit]\ncheckpoint_evry = 1\n"
    assert file.read_text() == "# mine\n"
    right = cli("config", "edit", environ=editor("# mine\n[audit]\ncheckpoint_every = 5\n"))
    assert right.code == 0, right.err
    assert file.read_text() == "# mine\n[audit]\ncheckpoint_every = 5\n"
    assert "no-such-editor cannot be run" in cli("config", "edit", environ={"EDITOR": "no-such-editor"}).err


def test_no_editor_is_started_where_nobody_could_use_it(cli: Any) -> None:
    """vi reads the end of a closed input again and again, and never ends."""
    ended = cli("config", "edit")
    assert ended.code == ExitCode.USAGE
    assert "no terminal to edit on" in ended.err
    assert "aileron config set" in ended.err
