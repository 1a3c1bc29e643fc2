"""Settings that a running daemon takes over: which, how it is logged, and what does not hold before the next start."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services.upstream import UpstreamProcess
from world import World

from daemon.app.live_settings import difference, mixed, takers
from daemon.base.settings import Settings, parse_source, setting_paths, settings_from
from daemon.base.settings_shown import field_of, takes_effect_at_once

RULE = '[approvals.rules.post-item]\ndecision = "{}"\nreason = "{}"\n'


def made(text: str) -> Settings:
    return settings_from(parse_source(text, file="config.toml"), {})


def test_every_setting_that_is_said_to_hold_at_once_is_taken_over_and_no_other_one() -> None:
    nothing: Any = None
    marked = {path for path in setting_paths() if takes_effect_at_once(field_of(path))}
    assert set(takers(nothing, nothing, nothing)) == marked


def test_only_what_can_be_taken_over_is_mixed_into_what_holds() -> None:
    old, new = made(""), made('[vault]\nauto_lock = "1h"\n[limits]\nwasm_threads = 8\n' + RULE.format("deny", "x"))
    found = difference(old, new)
    assert (found.at_once, found.later) == (("vault.auto_lock", "approvals.rules"), ("limits.wasm_threads",))
    holding = mixed(old, new, found.changed)
    assert holding.vault.auto_lock == 3600
    assert holding.approvals.rules["post-item"].decision == "deny"
    assert holding.limits.wasm_threads == old.limits.wasm_threads


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with UpstreamProcess() as upstream, World(tmp_path_factory.mktemp("live"), upstream=upstream.url) as made:
        upstream.behave("/item", json={"ok": True})
        made.start()
        made.set_up()
        made.add_action("post-item")
        yield made


@pytest.fixture
def config(world: World) -> Iterator[Path]:
    path = world.home / "config.toml"
    before = path.read_text()
    yield path
    path.write_text(before)
    world.ok("POST", "/v1/settings/take-over")


def run(world: World, token: str) -> dict[str, Any]:
    body = {"arguments": {"url": f"{world.upstream}/item", "body": "{}"}}
    answer: dict[str, Any] = world.agent("POST", "/v1/actions/post-item/run", body, token=token).json()
    return answer


def test_a_rule_holds_without_a_restart_also_for_what_was_approved_before_and_the_log_says_who_changed_it(
    world: World, config: Path
) -> None:
    _, token = world.session()
    assert "audit_id" in run(world, token)
    before = config.read_text()
    config.write_text(before + RULE.format("ask", "look first"))
    assert world.ok("POST", "/v1/settings/take-over") == {"at_once": ["approvals.rules"], "at_next_start": []}
    waiting = run(world, token)["approval_id"]
    event = world.events(type="settings.changed")[-1]
    assert (event["actor"], event["payload"]["aileron.settings.before"]) == ("person:owner", {"approvals.rules": {}})
    assert event["payload"]["aileron.settings.after"] == {
        "approvals.rules": {"post-item": {"decision": "ask", "reason": "look first"}}
    }
    config.write_text(before + RULE.format("deny", "frozen"))
    world.ok("POST", "/v1/settings/take-over")
    assert run(world, token)["error"]["class"] == "approval_denied"
    world.control("POST", f"/v1/approvals/{waiting}/approve", {})
    ended = world.ok("GET", f"/v1/action-approvals/{waiting}/result?wait=20")
    assert "frozen" in str(ended), "a call that waited is measured by the rule that holds when it is to run"


def test_a_wrong_file_changes_nothing_and_is_said_and_nothing_is_logged_for_what_waits_for_a_start(
    world: World, config: Path
) -> None:
    logged = len(world.events(type="settings.changed"))
    config.write_text(config.read_text() + RULE.format("allow", ""))
    refused = world.control("POST", "/v1/settings/take-over", {})
    assert "an allow needs a reason" in refused.json()["error"]["message"]
    config.write_text(config.read_text().partition("[approvals")[0] + "[limits]\nwasm_threads = 8\n")
    assert world.ok("POST", "/v1/settings/take-over")["at_next_start"] == ["limits.wasm_threads"]
    assert world.ok("GET", "/v1/settings") == {"waiting": ["limits.wasm_threads"]}
    assert len(world.events(type="settings.changed")) == logged


def test_the_vault_locks_after_the_new_time_and_status_says_so(world: World, config: Path) -> None:
    config.write_text(config.read_text() + '[vault]\nauto_lock = "2h"\n')
    assert world.ok("POST", "/v1/settings/take-over")["at_once"] == ["vault.auto_lock"]
    assert world.ok("GET", "/v1/status")["vault"]["auto_lock_seconds"] == 7200
