"""secret, binding, connector and keyring, against a stand-in."""

import copy
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from daemon.cli.failure import ExitCode

PLAN: dict[str, Any] = {
    "name": "github://acme/slack",
    "version": "1.2.0",
    "hash": "sha256:" + "ab" * 32,
    "description": "Posts \x1b[2Jto Slack.",
    "signature": {"state": "trusted", "key_id": "key_1", "message": "signed by key_1"},
    "hosts": ["slack.com:443"],
    "credential": {
        "kind": "api_key",
        "scope": "chat:write",
        "hosts": ["slack.com:443"],
        "header": "Authorization",
        "format": "Bearer {secret}",
        "oauth2": None,
    },
    "ops": [
        {"name": "post", "capability": "chat:write", "idempotent": False, "description": "d", "inputs": []},
        {"name": "read", "capability": "chat:read", "idempotent": True, "description": "d", "inputs": []},
    ],
    "limits": {},
    "installed": False,
    "warnings": [],
}
BINDING = {
    "name": "api_key/slack/default",
    "kind": "api_key",
    "service": "slack",
    "identity": "default",
    "connectors": {"github://acme/slack": ["slack.com:443"]},
    "chosen_for": [],
    "choice_needed": False,
    "created_at": "2026-11-20T21:00:00.000Z",
    "updated_at": "2026-11-20T21:00:00.000Z",
    "expires_at": None,
    "scopes": [],
}


pytestmark = pytest.mark.usefixtures("open_vault")


def plan(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(PLAN), **changes}


def test_a_secret_comes_from_a_file_or_stdin(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    stand_in.answers["PUT /v1/secrets"] = {}
    (tmp_path / "value").write_text("s3cret\n")
    assert cli("secret", "add", "a", "--value-file", str(tmp_path / "value")).code == 0
    assert cli("secret", "add", "b", "--value-file", "-", stdin="two\nlines\n").code == 0
    assert stand_in.bodies("PUT /v1/secrets") == [
        {"name": "a", "value": "s3cret"},
        {"name": "b", "value": "two\nlines"},
    ]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_value_file_that_holds_no_value_is_a_usage_failure(cli: Any, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "value").write_bytes(content)
    assert cli("secret", "add", "a", "--value-file", str(tmp_path / "value")).code == ExitCode.USAGE
    assert cli("secret", "add", "a", "--value-file", str(tmp_path / "none")).code == ExitCode.USAGE


def test_setup_shows_where_the_credential_goes_before_it_is_stored(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    stand_in.answers |= {"GET /v1/connectors/show": PLAN, "POST /v1/bindings": (201, BINDING)}
    (tmp_path / "key").write_text("k3y\n")
    ended = cli("binding", "add", "github://acme/slack", "--yes", "--value-file", str(tmp_path / "key"))
    assert ended.code == 0
    assert "sent to     slack.com:443" in ended.out
    assert "as header   Authorization: Bearer ********" in ended.out
    assert "k3y" not in ended.out + ended.err
    assert stand_in.bodies("POST /v1/bindings") == [
        {
            "connector": "github://acme/slack",
            "identity": "default",
            "value": {"type": "api_key", "key": "k3y"},
            "replace": False,
        }
    ]


def test_setup_asks_for_the_parts_of_a_basic_credential(
    cli: Any, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    basic = plan(credential={**PLAN["credential"], "kind": "basic", "format": "Basic {secret}"})
    stand_in.answers |= {"GET /v1/connectors/show": basic, "POST /v1/bindings": (201, BINDING)}
    typed = iter(["pw", "me", "y"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    ended = cli("binding", "add", "github://acme/slack", terminal=True)
    assert ended.code == 0
    assert stand_in.bodies("POST /v1/bindings")[0]["value"] == {
        "type": "basic",
        "username": "me",
        "password": "pw",
    }


def test_setup_reads_oauth2_tokens_from_a_file_and_never_repeats_them(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    oauth2 = plan(credential={**PLAN["credential"], "kind": "oauth2"})
    stand_in.answers |= {"GET /v1/connectors/show": oauth2, "POST /v1/bindings": (201, BINDING)}
    tokens = tmp_path / "tokens.json"
    command = ("binding", "add", "github://acme/slack", "--yes")
    assert cli(*command).code == ExitCode.USAGE
    tokens.write_text('["t0ken"]')
    ended = cli(*command, "--value-file", str(tokens))
    assert ended.code == ExitCode.USAGE
    assert "t0ken" not in ended.err
    tokens.write_text('{"access_token": "t0ken", "expires_at_ms": 1}')
    assert cli(*command, "--value-file", str(tokens)).code == 0
    assert stand_in.bodies("POST /v1/bindings")[0]["value"] == {
        "type": "oauth2",
        "access_token": "t0ken",
        "expires_at_ms": 1,
    }


def test_setup_of_a_connector_without_a_credential_says_so(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/connectors/show"] = plan(credential=None)
    ended = cli("binding", "add", "github://acme/slack", "--yes")
    assert ended.code == ExitCode.FAILED
    assert "uses no credential" in ended.err


def test_bindings_are_listed_and_inspected_without_a_value(cli: Any, stand_in: Any) -> None:
    stand_in.answers |= {"GET /v1/bindings": {"items": [BINDING], "next": None}, "GET /v1/bindings/inspect": BINDING}
    assert "api_key/slack/default  api_key  github://acme/slack  1h ago" in cli("binding", "list").out
    assert "github://acme/slack sends it to  slack.com:443" in cli("binding", "show", "api_key/slack/default").out


def test_a_revoked_binding_says_who_is_left_with_what(cli: Any, stand_in: Any) -> None:
    stand_in.answers["DELETE /v1/bindings"] = {**BINDING, "left": {"github://acme/slack": []}}
    ended = cli("binding", "remove", "api_key/slack/default", "--yes")
    assert ended.code == 0
    assert "github://acme/slack is left with nothing" in ended.err


def test_install_shows_the_plan_and_installs_what_was_shown(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    stand_in.answers |= {"POST /v1/connectors/inspect": PLAN, "POST /v1/connectors": (201, PLAN)}
    ended = cli("connector", "add", str(tmp_path), stdin="y\n", terminal=True)
    assert ended.code == 0
    for part in ("slack.com:443", "signed by a key you trust (key_1)", "changes things", "safe to repeat"):
        assert part in ended.out
    assert stand_in.bodies("POST /v1/connectors") == [
        {"source": str(tmp_path), "expected_hash": PLAN["hash"], "allow_unsigned": False}
    ]
    assert "\x1b" not in ended.out
    assert "aileron binding add github://acme/slack" in ended.err


@pytest.mark.parametrize(
    ("stopped", "there", "said"),
    [
        (True, [], "stopped: nothing was installed"),
        (False, [PLAN["hash"]], "it was too late to stop: it is installed"),
        (False, [], "stopped: nothing was installed"),
    ],
)
def test_ctrl_c_stops_an_install_and_says_whether_that_came_in_time(
    cli: Any, stand_in: Any, stopped: bool, there: list[str], said: str
) -> None:
    def interrupt(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    stand_in.answers |= {
        "POST /v1/connectors/inspect": PLAN,
        "POST /v1/connectors": interrupt,
        "POST /v1/connectors/stop-install": {"stopped": stopped},
        "GET /v1/connectors": {"items": [{"hash": each} for each in there], "next": None},
    }
    ended = cli("connector", "install", "github://acme/slack@1.2.0", "--yes")
    assert (ended.code, said in ended.err) == (ExitCode.INTERRUPTED, True)
    assert stand_in.bodies("POST /v1/connectors/stop-install") == [{"hash": PLAN["hash"]}]


def test_the_printed_block_is_toml_for_an_action(cli: Any, stand_in: Any) -> None:
    stand_in.answers |= {"POST /v1/connectors/inspect": PLAN, "POST /v1/connectors": (201, PLAN)}
    ended = cli("connector", "add", "github://acme/slack@1.2.0", "--yes")
    block = ended.out[ended.out.index("[[requires.connectors]]") :]
    assert tomllib.loads(block) == {
        "requires": {
            "connectors": [
                {
                    "name": "github://acme/slack",
                    "version": "1.2.0",
                    "hash": PLAN["hash"],
                    "capabilities": ["chat:read", "chat:write"],
                }
            ]
        }
    }


@pytest.mark.parametrize(
    ("state", "option", "installed"),
    [
        ("trusted", [], True),
        ("unsigned", [], False),
        ("untrusted", [], False),
        ("unsigned", ["--allow-unsigned"], True),
        ("untrusted", ["--allow-unsigned"], True),
        ("revoked", ["--allow-unsigned"], False),
    ],
)
def test_what_nobody_vouches_for_is_not_even_asked_about(
    cli: Any, stand_in: Any, state: str, option: list[str], installed: bool
) -> None:
    shown = plan(signature={"state": state, "key_id": None, "message": "It is what it is."})
    stand_in.answers |= {"POST /v1/connectors/inspect": shown, "POST /v1/connectors": (201, shown)}
    ended = cli("connector", "add", "github://acme/slack@1.2.0", *option, stdin="y\n", terminal=True)
    assert (ended.code == 0) == installed
    assert bool(stand_in.bodies("POST /v1/connectors")) == installed
    assert ("[y/N]" in ended.err) == installed


def test_nobody_is_asked_to_agree_to_what_is_not_shown(cli: Any, stand_in: Any) -> None:
    ended = cli("connector", "add", "github://acme/slack@1.2.0", "--json", stdin="y\n", terminal=True)
    assert ended.code == ExitCode.USAGE
    assert stand_in.requests == []


def test_a_source_that_does_not_exist_is_a_usage_failure(cli: Any, stand_in: Any) -> None:
    ended = cli("connector", "add", "./nowhere", "--yes")
    assert ended.code == ExitCode.USAGE
    assert "there is no file or folder ./nowhere" in ended.err
    assert "github://" not in ended.err  # from where this version cannot install
    assert stand_in.requests == []


def test_a_damaged_connector_is_listed_by_its_hash(cli: Any, stand_in: Any) -> None:
    damaged = {"hash": "sha256:1", "state": "damaged", "problem": "manifest.toml is gone"}
    stand_in.answers |= {
        "GET /v1/connectors": {"items": [damaged, {**PLAN, "state": "ready", "problem": None}], "next": None},
        "GET /v1/connectors/show": damaged,
    }
    assert "damaged" in cli("connector", "list").out
    assert "manifest.toml is gone" in cli("connector", "show", "sha256:1").err


def test_removing_a_connector_names_the_actions_that_stop(cli: Any, stand_in: Any) -> None:
    told = {**PLAN, "used_by": ["ship-update"]}
    stand_in.answers |= {"GET /v1/connectors/show": told, "DELETE /v1/connectors": told}
    assert "ship-update" in cli("connector", "remove", "github://acme/slack", "--yes").err
    stand_in.requests.clear()
    refused = cli("connector", "remove", "github://acme/slack", stdin="n\n", terminal=True)
    assert refused.err.index("ship-update") < refused.err.index("Remove github://acme/slack?")
    assert [request.method for request in stand_in.requests] == ["GET"]


KEY_TEXT = "a2V5" * 11


def test_a_key_is_trusted_for_namespaces_from_a_file_or_as_text(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    stand_in.answers["POST /v1/keyring"] = (201, {"key_id": "key_1"})
    (tmp_path / "key.pem").write_text("-----BEGIN PUBLIC KEY-----\n")
    command = ("--namespace", "github://acme", "--namespace", "github://b", "--yes")
    assert cli("keyring", "add", str(tmp_path / "key.pem"), *command).code == 0
    assert cli("keyring", "add", KEY_TEXT, *command, "--label", "Acme").code == 0
    first, second = stand_in.bodies("POST /v1/keyring")
    assert first["public_key"].startswith("-----BEGIN")
    assert second == {"public_key": KEY_TEXT, "label": "Acme", "namespaces": ["github://acme", "github://b"]}


def test_a_file_of_a_key_that_is_not_there_is_named_as_one(cli: Any) -> None:
    ended = cli("keyring", "add", "publisher.pem", "--namespace", "github://acme", "--yes")
    assert ended.code == ExitCode.USAGE
    assert "there is no file publisher.pem" in ended.err


def test_trusting_a_key_for_everything_by_omission_is_impossible(cli: Any) -> None:
    assert cli("keyring", "add", KEY_TEXT, "--yes").code == ExitCode.USAGE


def test_revoking_a_key_names_the_connectors_that_stop_before_it_asks(cli: Any, stand_in: Any) -> None:
    mine = {**PLAN, "signature": {"state": "trusted", "key_id": "0011223344556677"}}
    other = {**PLAN, "name": "github://acme/other", "signature": {"state": "unsigned", "key_id": None}}
    stand_in.answers["GET /v1/connectors"] = {"items": [mine, other], "next": None}
    refused = cli("keyring", "remove", "0011223344556677", stdin="n\n", terminal=True)
    assert refused.err.index("github://acme/slack 1.2.0") < refused.err.index("Stop trusting this key?")
    assert "github://acme/other" not in refused.err
    assert stand_in.bodies("POST /v1/keyring/revoke") == []
