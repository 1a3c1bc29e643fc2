"""Every list of both APIs comes in parts, in one way: nothing twice, nothing missed, no harm in a made-up cursor."""

import base64
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from services.upstream import UpstreamProcess
from world import World

from daemon.api.control.workspaces import _part_of_changes
from daemon.api.paging import Part, cursor_at, cut
from daemon.core.failures import Failure
from daemon.web.renderer import Renderer

TALKER = str(Path(__file__).parents[1] / "servers" / "talker.py")
INQUIRER = str(Path(__file__).parents[1] / "servers" / "inquirer.py")
Ask = Callable[[str], Any]
ENGINE = {"/v1/sandbox-images"}
"""Needs a Docker engine; there is none here, and its answer says so."""
EMPTY = {"/v1/sandboxes", "/v1/workspaces"}
"""Have nothing in them without one."""
NO_LISTS = {"/v1/checks": "a report of one look, made anew for whoever asks"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Offer an installation with several things of every kind in it."""
    with (
        UpstreamProcess() as upstream,
        World(
            tmp_path_factory.mktemp("paging"),
            upstream=upstream.url,
            settings='[sandbox]\ndocker_socket = "/nowhere/docker.sock"\n',
        ) as made,
    ):
        made.start()
        made.set_up("wellbehaved", "hostile")
        for number in range(3):
            made.add_action(f"ask-{number}", approval=True)
            made.ok("PUT", "/v1/secrets", {"name": f"secret-{number}", "value": "v"})
            key = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
            made.ok("POST", "/v1/keyring", {"public_key": key, "label": "k", "namespaces": ["github://acme"]})
        _add_servers(made)
        _add_questions(made)
        token = made.session()[1]
        body = {"arguments": {"url": f"{made.upstream}/item", "body": "{}"}}
        for number in range(3):
            assert made.agent("POST", f"/v1/actions/ask-{number}/run", body, token=token).status_code == 202
        yield made


def _add_servers(world: World) -> None:
    """Add two servers, one with two tools, both of which wait for a person."""
    offer = world.folder / "offer"
    offer.write_text("one:a\ntwo:b\n")
    for name in ("idle", "talker"):
        world.ok("POST", "/v1/servers", {"name": name, "command": [sys.executable, "-Es", TALKER, str(offer)]})
    world.ok("POST", "/v1/servers/talker/test")
    offer.write_text("one:c\ntwo:d\n")
    world.ok("POST", "/v1/servers/talker/restart")
    world.ok("POST", "/v1/servers/talker/test")


def _add_questions(world: World) -> None:
    """Let a server ask the person several things."""
    command = [sys.executable, INQUIRER, "modern", str(world.folder / "ledger")]
    world.ok("POST", "/v1/servers", {"name": "inquirer", "command": command})
    world.ok("POST", "/v1/servers/inquirer/test")
    token = world.session()[1]
    ask = {"message": "?", "requestedSchema": {"type": "object", "properties": {}}}
    for _ in range(3):
        answer = world.agent("POST", "/v1/tools/inquirer__ask/call", {"arguments": {"ask": ask}}, token=token)
        assert answer.status_code == 202


def asking(world: World) -> dict[str, Ask]:
    """Return each list of both APIs, and what asks its API."""
    token = world.session()[1]

    def of_control(path: str) -> Any:
        return world.control("GET", path)

    def of_agent(path: str) -> Any:
        return world.agent("GET", path, token=token)

    found: dict[str, Ask] = {}
    for api, ask in (("", of_control), ("agent ", of_agent)):
        for path, operations in ask("/openapi.json").json()["paths"].items():
            answer = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
            schema = json.dumps(answer.get("application/json", {}).get("schema", {}))
            if "ListPart" in schema or '"next_cursor"' in schema:
                names = {parameter["name"] for parameter in operations["get"]["parameters"]}
                assert {"limit", "cursor"} <= names, path
                found[api + path] = ask
    return found


def place(name: str) -> str:
    return name.removeprefix("agent ").replace("{name}", "talker")


def walked(ask: Ask, path: str, limit: int, *, query: str = "") -> list[Any]:
    items, cursor = [], ""
    while True:
        answer = ask(f"{path}?limit={limit}{query}{cursor}").json()
        assert 1 <= len(answer["items"]) <= limit
        items += answer["items"]
        if answer["next_cursor"] is None:
            return items
        assert len(answer["items"]) == limit
        cursor = f"&cursor={answer['next_cursor']}"


def test_every_route_that_answers_a_list_is_one_of_them(world: World) -> None:
    lists = asking(world)
    assert len(lists) > 10
    for name, ask in lists.items():
        if name not in ENGINE:
            assert set(ask(place(name)).json()) >= {"items", "next_cursor"}, name
    for path, operations in world.ok("GET", "/openapi.json")["paths"].items():
        if "get" in operations and "{" not in path and path not in lists and path not in NO_LISTS:
            answer = world.control("GET", path) if "stream" not in json.dumps(operations["get"]) else None
            is_json = answer is not None and answer.headers["content-type"] == "application/json"
            assert not is_json or "items" not in answer.json(), path  # type: ignore[union-attr]


def test_every_list_is_the_same_in_parts_as_in_one_piece(world: World) -> None:
    lists = asking(world)
    for name, ask in lists.items():
        if name in ENGINE | EMPTY:
            continue
        whole = ask(f"{place(name)}?limit=1000").json()
        assert whole["next_cursor"] is None, name
        assert len(whole["items"]) >= 2, name
        for limit in (1, 2):
            if name != "/v1/audit" or limit == 2:
                assert walked(ask, place(name), limit) == whole["items"], name
    newest = lists["/v1/audit"]("/v1/audit?limit=1000&newest_first=true").json()["items"]
    assert walked(lists["/v1/audit"], "/v1/audit", 7, query="&newest_first=true") == newest


def crafted(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def test_a_cursor_that_is_none_and_a_limit_out_of_bounds_are_refused_by_every_list(world: World) -> None:
    lists = asking(world)
    deep = base64.urlsafe_b64encode(b"[" * 700).decode()
    for name, ask in lists.items():
        if name in ENGINE:
            continue
        path = place(name)
        own = path.rsplit("/", 1)[1]
        wrong = ["x", "%00", "é", "AAAA", deep, "a" * 5000, "", crafted("another list", "x"), crafted(), crafted({})]
        if name not in EMPTY:
            wrong += [crafted(own), crafted(own, None), crafted(own, True), crafted(own, *["x"] * 9)]
            wrong += [crafted(own, 1, "\ud800"), crafted(own, "\ud800"), crafted(own, 2**70), crafted(own, 2**70, "x")]
        for cursor in wrong:
            answer = ask(f"{path}?cursor={cursor}")
            assert answer.status_code == 400, (name, cursor[:40], answer.text[:200])
            assert answer.json()["error"]["class"] == "invalid_arguments"
        for limit in ("0", "-1", "10001", "x", "1e3", "9" * 5000, "²"):
            assert ask(f"{path}?limit={limit}").status_code == 400, (name, limit[:20])


def test_what_is_added_and_taken_away_between_two_parts_neither_repeats_nor_hides_anything(world: World) -> None:
    lists = asking(world)
    first = world.ok("GET", "/v1/approvals?limit=1")
    token = world.session()[1]
    body = {"arguments": {"url": f"{world.upstream}/item", "body": "{}"}}
    world.agent("POST", "/v1/actions/ask-0/run", body, token=token)
    rest = walked(lists["/v1/approvals"], "/v1/approvals", 1, query=f"&cursor={first['next_cursor']}")[:2]
    assert len({item["id"] for item in first["items"] + rest}) == 3

    first = world.ok("GET", "/v1/actions?limit=1")
    assert first["items"][0]["name"] == "ask-0"
    (world.home / "actions" / "ask-0.md").unlink()
    world.add_action("a-before-all")
    second = world.ok("GET", f"/v1/actions?limit=1&cursor={first['next_cursor']}")
    assert second["items"][0]["name"] == "ask-1"


def test_the_tag_of_the_tools_is_of_the_whole_list(world: World) -> None:
    token = world.session()[1]
    tag = world.agent("GET", "/v1/tools?limit=1", token=token).headers["etag"]
    known = {"If-None-Match": tag}
    assert world.agent("GET", "/v1/tools", token=token, headers=known).status_code == 304
    world.add_action("zzz-the-last")
    assert world.agent("GET", "/v1/tools?limit=1", token=token, headers=known).status_code == 200


@given(
    names=st.sets(st.text(max_size=3), max_size=12),
    steps=st.lists(st.tuples(st.integers(1, 4), st.sets(st.text(max_size=3), max_size=2), st.integers(0, 20))),
    newest_first=st.booleans(),
)
def test_parts_of_a_list_that_changes_hold_each_lasting_item_once(
    names: set[str], steps: list[tuple[int, set[str], int]], newest_first: bool
) -> None:
    standing, lasting, seen = set(names), set(names), list[str]()
    cursor: str | None = None
    for limit, added, gone in [*steps, *[(4, set[str](), 99)] * 40]:
        part = Part(limit, cursor)
        items, cursor = cut("names", standing, key=lambda name: (name,), part=part, newest_first=newest_first)
        seen += items
        if cursor is None:
            break
        standing |= added
        if gone < len(standing):
            victim = sorted(standing)[gone]
            standing.discard(victim)
            lasting.discard(victim)
    assert len(seen) == len(set(seen))
    assert lasting <= set(seen)


def test_parts_of_changes_are_all_of_the_look_that_the_decision_names() -> None:
    told = {"plan": "p1", "changes": [{"path": str(number)} for number in range(5)]}
    assert _part_of_changes(told, Part(10_000_000)) == told | {"next_cursor": None}
    first = _part_of_changes(told, Part(3))
    second = _part_of_changes(told, Part(3, first["next_cursor"]))
    assert first["changes"] + second["changes"] == told["changes"]
    assert second["next_cursor"] is None
    with pytest.raises(Failure, match="Begin again"):
        _part_of_changes(told | {"plan": "p2"}, Part(3, first["next_cursor"]))
    for index in (-5, 10**15):
        made_up = _part_of_changes(told, Part(3, cursor_at("changes", ("p1", index))))
        assert all(change in told["changes"] for change in made_up["changes"])


def test_a_cursor_is_opaque_text_that_needs_no_escape_in_an_address() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor_at("secrets", ("a name with / and ü?",)))


def test_the_page_of_what_waits_leads_to_the_rest_and_takes_no_harm_from_a_made_up_cursor(world: World) -> None:
    pending = [{"id": "apr_1", "action": "ship", "created_ms": 1}]
    page = bytes(Renderer().page("index.html", pending=pending, questions=(), more="abc_-1", rfc3339=str).body)
    assert b'href="/?cursor=abc_-1"' in page
    link = world.ok("POST", "/v1/browser-logins", {"next": "/"})["url"]
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        first = browser.get(link).text
        assert first.count("/approvals/apr_") >= 3
        assert browser.get(f"{world.control_url}/?cursor=made-up").text == first
