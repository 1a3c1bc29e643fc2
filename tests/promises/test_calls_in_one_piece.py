"""A call that comes in one piece has a shorter way through the daemon: the same is refused on it, and the same told."""

import json
import re
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from world import World


def test_a_call_in_one_piece_is_answered_and_refused_like_one_in_two(world: World) -> None:
    world.start()
    world.set_up()
    world.add_action("go")
    world.add_action("ship", approval=True)
    session, token = world.session()
    ended, ended_token = world.session()
    world.ok("POST", f"/v1/sessions/{ended}/end")
    _, looking_only = world.session(capabilities=["actions:list"])
    arguments = {"url": f"{world.upstream}/x", "body": "{}"}
    good: dict[str, Any] = {"token": token, "body": json.dumps({"arguments": arguments})}
    cases: dict[str, tuple[int, dict[str, Any]]] = {
        "a call": (200, good),
        "a call without a stream": (200, {**good, "accept": "application/json"}),
        "what a person must decide": (202, {**good, "path": "/v1/tools/ship/call"}),
        "arguments that do not fit": (400, {**good, "body": '{"arguments":{"url":7}}'}),
        "a key that there is not": (400, {**good, "body": '{"argument":{}}'}),
        "no JSON": (400, {**good, "body": "{"}),
        "no body": (400, {**good, "body": ""}),
        "a tool that there is not": (404, {**good, "path": "/v1/tools/none/call"}),
        "another path": (404, {**good, "path": "/v1/tools/go/calls"}),
        "no token": (401, {**good, "token": None}),
        "a token that was changed": (401, {**good, "token": token[:-1] + ("A" if token[-1] != "A" else "B")}),
        "the token of a session that ended": (401, {**good, "token": ended_token}),
        "the person's token": (401, {**good, "token": world.discovery["token"]}),
        "a token that may not run anything": (403, {**good, "token": looking_only}),
        "another host": (403, {**good, "host": "elsewhere.test"}),
        "a web page": (403, {**good, "origin": "http://elsewhere.test"}),
    }
    for label, (status, how) in cases.items():
        told = [_plain(_ask(world, **how, pieces=pieces)) for pieces in (1, 2)]
        assert told[0] == told[1], label
        assert told[0].startswith(f"HTTP/1.1 {status} "), (label, told[0])
    reasons = {event["payload"]["reason"] for event in world.events(type="session.denied")}
    assert reasons == {
        "answered 403",
        "answered 404",
        "the token's session has ended",
        "the token's signature is wrong",
        "there is no bearer token",
        "this is not a session token",
    }
    assert len([one for one in world.events(type="execution.succeeded") if one["session"] == session]) == 4


def _ask(
    world: World,
    *,
    token: str | None,
    body: str,
    pieces: int,
    path: str = "/v1/tools/go/call",
    host: str = "",
    origin: str = "",
    accept: str = "text/event-stream",
) -> bytes:
    place = urlsplit(world.agent_url)
    lines = [f"POST {path} HTTP/1.1", f"Host: {host or place.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"Accept: {accept}", "Content-Type: application/json"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"Origin: {origin}"] if origin else []
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode()
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if pieces == 2:
            connection.sendall(request[:-1])
            time.sleep(0.05)  # if it is read as one piece all the same, this is the same case twice
            request = request[-1:]
        connection.sendall(request)
        return _answer(connection)


def _answer(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += stream.readline()
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None, head
        return head + stream.read(int(length[1]))


def _plain(answer: bytes) -> str:
    """Leave out what differs between any two answers: ids, and with them lengths."""
    text = re.sub(r"[a-z]+_[0-9a-f-]{36}", "ID", answer.decode())
    return re.sub(r"aileron open approval [0-9a-f]+", "aileron open approval ID", text)
