"""The promises on the path of MCP servers, over the wire: rows H1, H2, M4, L1, G1, G2, G5."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from mcp_server.pipes import ByHand, launched
from servers.started import HostileHttp, hostile, ran
from waiting import wait_until
from world import World

from daemon.base.platform import is_gone
from daemon.tools.servers.operations import OPERATIONS

LINUX = sys.platform == "linux"
TALKER = str(Path(__file__).parents[1] / "servers" / "talker.py")
TOKEN = "sentinel-5d1f0c77a9e34b12-token"
SETTINGS = """
[approvals.rules.notes__delete]
decision = "ask"
[approvals.rules."shut__*"]
decision = "deny"
reason = "Shut."
"""
ABOUT_ITSELF = {"server/discover", "initialize", "notifications/initialized", "tools/list", "subscriptions/listen"}
"""What the daemon asks of a server whatever the rules say."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world"), upstream="http://127.0.0.1:9", settings=SETTINGS) as made:
        made.start()
        made.set_up_vault()
        made.ok("PUT", "/v1/secrets", {"name": "token", "value": TOKEN})
        yield made


@pytest.fixture(scope="module")
def offer(world: World) -> Path:
    """Offer the file that says which tools the server `notes` has."""
    path = world.folder / "offer"
    path.write_text("read:Read notes.\ndelete:Delete a note.\n")
    add(world, "notes", [sys.executable, "-Es", TALKER, str(path)], env={"TOKEN": "vault://secrets/token"})
    return path


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileHttp]:
    servers = HostileHttp(tmp_path_factory.mktemp("http"))
    yield servers
    servers.close()


def add(world: World, name: str, command: list[str], **more: Any) -> None:
    world.ok("POST", "/v1/servers", {"name": name, "command": command} | more)
    world.ok("POST", f"/v1/servers/{name}/test")


def call(world: World, token: str, name: str, **arguments: Any) -> httpx.Response:
    return world.agent("POST", f"/v1/tools/{name}/call", {"arguments": arguments}, token=token)


def noted(pids: Path) -> list[int]:
    """Return the children that servers have left, which wrote down their ids."""
    return [int(line) for line in pids.read_text().split()] if pids.exists() else []


def ask(world: World, token: str, **arguments: Any) -> str:
    answer = call(world, token, "notes__delete", **arguments)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["approval_id"])


def result(world: World, token: str, approval: str, wait: float = 20) -> dict[str, Any]:
    answer = world.agent("GET", f"/v1/action-approvals/{approval}/result?wait={wait}", token=token, timeout=60)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def approve(world: World, approval: str) -> int:
    return world.control("POST", f"/v1/approvals/{approval}/approve", {}).status_code


def deletions(offer: Path) -> int:
    ledger = offer.with_name("offer.ran")
    return ledger.read_text().split().count("delete") if ledger.exists() else 0


def test_a_servers_call_that_waits_for_a_person_is_answered_at_once_and_runs_once_however_many_ask(
    world: World, offer: Path
) -> None:
    _, token = world.session()
    approval = ask(world, token, note=1)
    assert result(world, token, approval, wait=0)["status"] == "pending"
    assert deletions(offer) == 0
    with ThreadPoolExecutor(110) as pool:
        polls = [pool.submit(result, world, token, approval) for _ in range(100)]
        decisions = sorted(pool.map(lambda _: approve(world, approval), range(8)))
        assert {poll.result()["status"] for poll in polls} == {"completed"}
    assert (decisions, deletions(offer)) == ([200] + [409] * 7, 1)


def test_other_arguments_or_another_session_do_not_use_the_approval_of_a_servers_call_up(
    world: World, offer: Path
) -> None:
    (_, token), (_, stranger) = world.session(), world.session()
    approval, other, before = ask(world, token, note=1), ask(world, token, note=2), deletions(offer)
    assert other != approval
    assert world.agent("GET", f"/v1/action-approvals/{approval}/result", token=stranger).status_code == 404
    assert ask(world, stranger, note=1) != approval
    approve(world, approval)
    assert result(world, token, approval)["status"] == "completed"
    assert result(world, token, other, wait=0)["status"] == "pending"
    assert deletions(offer) == before + 1


def _definition(world: World, offer: Path) -> None:
    offer.write_text(offer.read_text().replace("Delete a note.", "Delete a note, or all."))
    world.ok("POST", "/v1/servers/notes/restart")


def _configuration(world: World, offer: Path) -> None:
    path = world.home / "servers.yaml"
    path.write_text(path.read_text().replace("  - name: notes\n", "  - name: notes\n    folder: /\n"))
    wait_until(lambda: world.ok("GET", "/v1/servers/notes")["folder"] == "/")


def _switch(world: World, offer: Path) -> None:
    world.ok("POST", "/v1/servers/notes/disable")


def _rule(world: World, offer: Path) -> None:
    path = world.home / "config.toml"
    path.write_text(path.read_text().replace('"ask"', '"deny"\nreason = "Not any more."'))
    world.ok("POST", "/v1/settings/take-over")


CHANGES: tuple[Callable[[World, Path], None], ...] = (_definition, _configuration, _switch, _rule)


@pytest.mark.parametrize("change", CHANGES)
def test_an_approved_call_of_a_server_does_not_run_when_what_it_depends_on_changed(
    world: World, offer: Path, change: Callable[[World, Path], None]
) -> None:
    files = {path: path.read_text() for path in (offer, world.home / "servers.yaml", world.home / "config.toml")}
    _, token = world.session()
    approval, before = ask(world, token, note=3), deletions(offer)
    change(world, offer)
    approve(world, approval)
    ended = result(world, token, approval)
    assert ended["status"] in {"void", "denied"}, ended
    assert deletions(offer) == before
    for path, text in files.items():
        path.write_text(text)
    world.ok("POST", "/v1/settings/take-over")
    wait_until(lambda: world.ok("GET", "/v1/servers/notes")["folder"] is None)
    wait_until(lambda: world.ok("GET", "/v1/servers/notes")["enabled"] is True)
    world.ok("POST", "/v1/servers/notes/test")


def test_no_route_and_no_method_of_the_protocol_passes_by_a_deny(world: World, http: HostileHttp) -> None:
    served = http.serve()
    world.ok("POST", "/v1/servers", {"name": "shut", "mode": "remote", "url": served.url})
    world.ok("POST", "/v1/servers/shut/test")
    _, token = world.session()
    for name in ("shut__echo", *(f"shut__{operation}" for operation in OPERATIONS)):
        given = {"uri": "note:///1", "name": "greet", "text": "x"}
        refused = world.agent("POST", f"/v1/tools/{quote(name)}/call", {"arguments": given}, token=token)
        assert not refused.is_success, name
    prompt = {"type": "ref/prompt", "name": "shut__greet"}
    with ByHand(launched(world)) as agent:
        agent.initialize()
        for method, params in (
            ("tools/call", {"name": "shut__echo", "arguments": {"text": "x"}}),
            ("tools/call", {"name": "call_tool", "arguments": {"name": "shut__echo", "arguments": {"text": "x"}}}),
            ("resources/list", {}),
            ("resources/templates/list", {}),
            ("resources/read", {"uri": "note:///1"}),
            ("resources/read", {"uri": "shut+note:///1"}),
            ("resources/subscribe", {"uri": "shut+note:///1"}),
            ("prompts/list", {}),
            ("prompts/get", {"name": "shut__greet", "arguments": {"whom": "you"}}),
            (
                "completion/complete",
                {"ref": prompt, "argument": {"name": "whom", "value": "y"}},
            ),
        ):
            answer = agent.ask(method, params)
            assert "error" in answer or answer["result"].get("isError") or "list" in method, (method, answer)
            assert "note:///1" not in str(answer.get("result")), (method, answer)
    assert {request["message"]["method"] for request in served.seen()} <= ABOUT_ITSELF
    assert served.ran() == []


def test_the_secret_of_a_server_is_in_no_process_but_its_own_and_comes_back_in_no_form(
    world: World, offer: Path, http: HostileHttp
) -> None:
    _, token = world.session()
    assert call(world, token, "notes__read").is_success
    forms = (TOKEN, base64.b64encode(TOKEN.encode()).decode(), TOKEN.encode().hex(), TOKEN.replace("-", "%2d"))
    served = http.serve()
    body = {"name": "far", "mode": "remote", "url": served.url, "headers": {"X-Key": "vault://secrets/token"}}
    world.ok("POST", "/v1/servers", body)
    world.ok("POST", "/v1/servers/far/test")
    for form in forms:
        answered = call(world, token, "far__echo", text=f"<{form}>").text
        assert not [each for each in forms if each in answered], answered
    assert len(served.ran()) == len(forms)
    if LINUX:
        assert world.process is not None
        holders = {pid: _shown(pid) for pid in _family(world.process.pid)}
        assert len(holders) >= 4  # the daemon, the keeper, a guardian, and the server
        assert [shown for shown in holders.values() if TOKEN in shown and TALKER not in shown] == []


def test_five_hundred_first_calls_at_once_start_one_server_and_each_runs_once(world: World) -> None:
    pids, ledger = world.folder / "pids", world.folder / "ledger"
    add(world, "many", hostile(f"leaves_children={pids}", ledger=ledger))
    world.ok("POST", "/v1/servers/many/disable")
    world.ok("POST", "/v1/servers/many/enable")
    wait_until(lambda: len(noted(pids)) == 2 and all(map(is_gone, noted(pids))))
    pids.unlink()
    url, tokens = urlsplit(world.agent_url), [world.session()[1] for _ in range(4)]

    async def one(number: int) -> int:
        body = json.dumps({"arguments": {"text": str(number)}})
        head = f"POST /v1/tools/many__echo/call HTTP/1.1\r\nhost: {url.netloc}\r\nconnection: close\r\n"
        head += f"authorization: Bearer {tokens[number % len(tokens)]}\r\ncontent-type: application/json\r\n"
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
        answer = await reader.read()
        writer.close()
        return int(answer.split()[1])

    async def all_at_once() -> list[int]:
        return await asyncio.gather(*map(one, range(500)))

    assert set(asyncio.run(all_at_once())) == {200}
    assert sorted(int(line["arguments"]["text"]) for line in ran(ledger)) == list(range(500))
    wait_until(lambda: len(noted(pids)) >= 2)
    children = noted(pids)
    assert len(children) == 2, "one server, with the two that it leaves behind"
    world.ok("DELETE", "/v1/servers/many")
    wait_until(lambda: all(map(is_gone, children)))


def test_a_server_of_a_session_ends_with_it_and_leaves_nothing_and_other_sessions_keep_theirs(world: World) -> None:
    pids = world.folder / "own"
    add(world, "own", hostile(f"leaves_children={pids}"), scope="session")
    wait_until(lambda: len(noted(pids)) == 2)  # that of the person who looked at it
    (first, token), (_, other) = world.session(), world.session()
    assert call(world, token, "own__echo", text="a").is_success
    wait_until(lambda: len(noted(pids)) == 4)
    assert call(world, other, "own__echo", text="b").is_success
    wait_until(lambda: len(noted(pids)) == 6)
    mine, theirs = noted(pids)[2:4], noted(pids)[4:]
    world.ok("POST", f"/v1/sessions/{first}/end")
    wait_until(lambda: all(map(is_gone, mine)))
    assert not any(map(is_gone, theirs))


def test_a_session_that_the_server_forgot_is_renewed_unseen_and_no_call_is_made_twice(
    world: World, http: HostileHttp
) -> None:
    served = http.serve("expires=3", era="handshake")
    world.ok("POST", "/v1/servers", {"name": "forgets", "mode": "remote", "url": served.url})
    world.ok("POST", "/v1/servers/forgets/test")
    _, token = world.session()
    for number in range(8):
        assert call(world, token, "forgets__echo", text=str(number)).is_success
    assert [line["arguments"]["text"] for line in served.ran()] == list(map(str, range(8)))
    assert len(served.seen("initialize")) > 1


if LINUX:

    def test_a_line_that_is_longer_than_any_message_takes_no_memory_of_the_daemon(world: World) -> None:
        assert world.process is not None
        add(world, "endless", hostile(f"endless_line={1 << 28}"))
        _, token = world.session()
        before = _peak_kib(world.process.pid)
        assert call(world, token, "endless__echo", text="behind it").is_success
        assert _peak_kib(world.process.pid) - before < 64 * 1024


def _peak_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _shown(pid: int) -> str:
    """Return what everybody, or the same user, can read of a process: its arguments and its first environment."""
    try:
        return "".join(Path(f"/proc/{pid}/{part}").read_text(errors="replace") for part in ("cmdline", "environ"))
    except OSError:
        return ""


def _family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            stat = Path(f"/proc/{name}/stat").read_text(errors="replace")
        except OSError:
            continue
        children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found
