"""A remote server behind a real authorization server: login, call, renewal, expiry, step-up, logout, login again."""

import json
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from mcp_server.pipes import ByHand, launched
from servers.logging_in import Guarded, Person
from shell import Shell
from waiting import wait_until
from world import World

pytestmark = [
    pytest.mark.agents,
    pytest.mark.skipif(sys.platform != "linux", reason="it runs on the Node of the pinned agents, which is for Linux"),
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    server = Guarded(tmp_path_factory.mktemp("oauth"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, guarded: Guarded) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world"), upstream="http://127.0.0.1:9") as made:
        made.start()
        made.set_up_vault()
        made.ok("POST", "/v1/servers", {"name": "far", "mode": "remote", "url": guarded.url})
        yield made


@pytest.fixture(scope="module")
def agent(world: World) -> Iterator[ByHand]:
    with ByHand(launched(world)) as server:
        server.initialize()
        yield server


def log_in(world: World) -> dict[str, list[str]]:
    """Log in with a browser; return what it asked for."""
    begun = world.ok("POST", "/v1/servers/far/login", {})
    with Person() as person:
        page = person.comes_back(person.logs_in(begun["url"]))
    assert "You are logged in" in page.text, world.ok("GET", "/v1/servers/far/login")
    assert world.ok("GET", "/v1/servers/far/login?wait=20")["state"] == "done"
    return parse_qs(urlsplit(begun["url"]).query)


def call(agent: ByHand, name: str) -> str:
    """Call a tool and return its text, with a mark in front if it failed."""
    result = agent.call(name)
    return ("failed: " if result["isError"] else "") + str(result["content"][0]["text"])


def assert_told(agent: ByHand, failure: str, command: str) -> None:
    """Say that a call is answered by a sentence with the class of the failure, and the person's remedy."""
    said = call(agent, "far__read")
    assert said.startswith("failed: Tell the person.")
    assert failure in said
    assert command in said


@pytest.fixture
def later(world: World) -> Iterator[ByHand]:
    """Offer an agent that was started after the daemon was."""
    with ByHand(launched(world)) as server:
        server.initialize()
        yield server


def test_without_a_login_the_agent_is_told_the_command_and_the_list_is_not_empty(agent: ByHand, world: World) -> None:
    failed = world.control("POST", "/v1/servers/far/test").json()["error"]
    assert (failed["class"], failed["details"]["command"]) == ("binding_required", "aileron server login far")
    wait_until(lambda: "far__unavailable" in agent.tools())
    assert "aileron server login far" in call(agent, "far__unavailable")


def test_after_the_login_calls_go_through_and_no_token_comes_back(
    agent: ByHand, world: World, guarded: Guarded
) -> None:
    log_in(world)
    assert world.ok("POST", "/v1/servers/far/test")["tools"] == 2
    assert call(agent, "far__read") == "done with [redacted]"
    [client] = guarded.told("seen")["registrations"]
    assert (client["application_type"], client["token_endpoint_auth_method"]) == ("native", "none")


def test_a_token_that_the_server_refuses_is_renewed_and_one_that_ends_is_renewed_before(
    agent: ByHand, world: World, guarded: Guarded
) -> None:
    before = guarded.told("seen")["renewals"]
    guarded.told("life?seconds=2")
    guarded.told("expire")
    assert call(agent, "far__read") == "done with [redacted]"
    assert guarded.told("seen")["renewals"] == before + 1
    guarded.told("life?seconds=3600")
    wait_until(
        lambda: call(agent, "far__read") == "done with [redacted]" and guarded.told("seen")["renewals"] > before + 1
    )
    assert len(world.events(type="server.login_renewed")) == guarded.told("seen")["renewals"]


def test_a_login_outlives_the_daemon_and_needs_the_vault_which_the_agent_is_told(world: World) -> None:
    world.kill()
    world.start()
    locked = world.control("POST", "/v1/servers/far/test").json()["error"]
    assert (locked["class"], locked["details"]["command"]) == ("vault_locked", "aileron vault unlock")
    with ByHand(launched(world)) as agent:
        agent.initialize()
        assert_told(agent, "vault_locked", "aileron vault unlock")
        world.unlock()
        assert call(agent, "far__read") == "done with [redacted]"


def test_a_call_that_needs_more_rights_asks_for_a_login_that_asks_for_them(world: World, guarded: Guarded) -> None:
    with ByHand(launched(world)) as agent:
        agent.initialize()
        refused = call(agent, "far__write")
        assert "tools:write" in refused
        assert "aileron server login far" in refused
        asked = log_in(world)
        assert set(asked["scope"][0].split()) >= {"tools:read", "tools:write"}
        assert asked["resource"] == [guarded.url]
        assert call(agent, "far__write") == "done with [redacted]"
        assert len(guarded.told("seen")["registrations"]) == 1


def test_a_login_that_was_ended_elsewhere_is_said_with_the_command(world: World, guarded: Guarded) -> None:
    guarded.told("end")
    with ByHand(launched(world)) as agent:
        agent.initialize()
        assert_told(agent, "binding_required", "aileron server login far")
        assert_told(agent, "binding_required", "aileron server login far")
    [ended] = world.events(type="server.login_ended")
    assert ended["payload"]["error.type"] == "invalid_grant"


def test_a_person_logs_in_by_pasting_and_by_a_device_and_logs_out_and_the_agent_hears_of_each(
    later: ByHand, world: World, guarded: Guarded
) -> None:
    agent = later
    shell = Shell(world.home, world.folder)
    started = shell.start(
        "server",
        "login",
        "far",
        "--paste",
        "--json",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert started.stderr is not None
    started.stderr.readline()
    with Person() as person:
        back = person.logs_in(started.stderr.readline().strip())
    said, _ = started.communicate(back + "\n", timeout=60)
    assert json.loads(said)["state"] == "done"
    assert call(agent, "far__read") == "done with [redacted]"
    before = guarded.told("seen")["revocations"]
    assert "logged out" in shell("server", "logout", "far").stdout
    assert guarded.told("seen")["revocations"] > before
    assert "Nobody is logged in" in shell("server", "logout", "far", expect=1).stderr
    assert "aileron server login far" in shell("server", "test", "far", expect=1).stderr
    assert_told(agent, "binding_required", "aileron server login far")
    device = world.ok("POST", "/v1/servers/far/login", {"device": True})
    assert device["code"] in device["url"]
    with Person() as person:
        person.logs_in(device["url"])
    wait_until(lambda: world.ok("GET", "/v1/servers/far/login?wait=5")["state"] == "done")
    assert call(agent, "far__read") == "done with [redacted]"


def test_a_header_of_the_file_that_is_not_accepted_is_said_with_the_secret_to_replace_and_not_as_a_login(
    world: World, guarded: Guarded
) -> None:
    shell = Shell(world.home, world.folder)
    for name, sent in (("bare", "vault://secrets/headed/token"), ("headed", "Bearer vault://secrets/headed/token")):
        world.ok("PUT", "/v1/secrets", {"name": "headed/token", "value": "an-old-token"})
        body = {"name": name, "mode": "remote", "url": guarded.url, "headers": {"Authorization": sent}}
        world.ok("POST", "/v1/servers", body)
        failed = world.control("POST", f"/v1/servers/{name}/test").json()["error"]
        assert (failed["class"], failed["details"]["command"]) == (
            "binding_required",
            "aileron secret add headed/token",
        )
        assert ("`Bearer` and a space" in failed["message"]) == (name == "bare")
        listed = shell("server", "tools", name).stderr
        assert "does not accept the header" in listed
        assert "server login" not in listed + failed["message"]


def test_a_person_who_refuses_is_not_logged_in_and_stays_logged_in_as_before(world: World) -> None:
    begun = world.ok("POST", "/v1/servers/far/login", {})
    with Person() as person:
        page = person.comes_back(person.logs_in(begun["url"], refuses=True))
    assert "You are not logged in" in page.text
    state = world.ok("GET", "/v1/servers/far/login")
    assert (state["state"], "did not log you in" in state["message"]) == ("failed", True)
    assert world.ok("POST", "/v1/servers/far/test")["tools"] == 2


def test_who_is_logged_in_where_and_until_when_is_shown_also_while_the_vault_is_locked(
    world: World, guarded: Guarded
) -> None:
    if world.ok("GET", "/v1/servers/far")["login"] is None:
        log_in(world)
    world.ok("POST", "/v1/vault/lock")
    shown = world.ok("GET", "/v1/servers/far")["login"]
    assert (shown["issuer"], "tools:read" in shown["scopes"], shown["renews"]) == (guarded.origin, True, True)
    assert shown["expires_at"] is not None
    shell = Shell(world.home, world.folder)
    assert f"at {guarded.origin} with " in shell("server", "show", "far").stdout
    assert "renewed by itself" in shell("server", "list").stdout
    refused = shell("server", "remove", "far", "--yes", expect=77).stderr
    assert "nothing was removed" in refused
    assert "aileron server disable far" in refused
    assert world.ok("GET", "/v1/servers/far")["login"] == shown
    world.unlock()


def test_a_server_that_is_removed_leaves_no_login_unless_another_one_uses_it(world: World, guarded: Guarded) -> None:
    def kept() -> bool:
        return "login/tokens/" in (world.home / "vault.json").read_text()

    if world.ok("GET", "/v1/servers/far")["login"] is None:
        log_in(world)
    shell, revocations = Shell(world.home, world.folder), guarded.told("seen")["revocations"]
    world.ok("POST", "/v1/servers", {"name": "twin", "mode": "remote", "url": guarded.url})
    assert "its login stays, because far has the same address" in shell("server", "remove", "twin", "--yes").stdout
    file = world.home / "servers.yaml"
    good = file.read_text()
    file.write_text(good + "    colour: blue\n")
    assert "Mend it first; nothing was changed" in shell("server", "remove", "far", "--yes", expect=1).stderr
    assert (kept(), guarded.told("seen")["revocations"]) == (True, revocations)
    file.write_text(good)
    assert f"you are logged out of {guarded.origin}" in shell("server", "remove", "far", "--yes").stdout
    assert (kept(), guarded.told("seen")["revocations"] > revocations) == (False, True)
    assert "name: far" not in (world.home / "servers.yaml").read_text()


def test_no_token_and_no_code_is_in_the_log_or_a_file(world: World, guarded: Guarded) -> None:
    kinds = {event["type"] for event in world.events()}
    assert kinds >= {"server.logged_in", "server.logged_out", "server.login_failed", "server.login_renewed"}
    for each in (*world.events(type="server.logged_in"), *world.events(type="server.logged_out")):
        assert (each["actor"], each["payload"]["aileron.principal.means"]) == ("person:owner", "cli")
    tokens = guarded.told("seen")["tokens"]
    assert len(tokens) > 3
    for path in world.home.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            assert not [token for token in tokens if token.encode() in raw], path
    assert not [token for token in tokens if token in world.output()]
