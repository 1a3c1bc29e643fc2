"""The model gateway over the wire: byte for byte, with the key on this side, and honest when something is wrong."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from services.raw_provider import Answer, RawProvider, plain, read_request, stream
from world import World

KEY = "sk-sentinel-5d1f0a77c9-gateway"
ANSWER = b'{"said": "sentinel-of-the-answer"}'


class Bench:
    """A daemon whose two providers are one raw server."""

    def __init__(self, world: World, provider: RawProvider) -> None:
        self.world = world
        self.provider = provider
        self.session, self.token = world.session(kind="host")

    def bind(self, name: str = "openai") -> None:
        body = {"connector": f"provider://{name}", "value": {"type": "api_key", "key": KEY}}
        self.world.ok("POST", "/v1/bindings", body)

    def url(self, path: str, place: str | None = None) -> str:
        return f"{self.world.agent_url}/llm/{place or self.token}/{path}"

    def post(self, path: str = "v1/chat/completions", place: str | None = None, **options: Any) -> httpx.Response:
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.post(self.url(path, place), **({"json": {"m": 1}} | options))

    def raw(self, request: bytes, *, seconds: float = 20.0) -> bytes:
        """Send exactly these bytes and return all that comes back."""
        host, _, port = self.world.agent_url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=seconds) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer

    def head(self, path: str = "v1/chat/completions", method: str = "POST") -> bytes:
        host = self.world.agent_url.removeprefix("http://")
        return f"{method} /llm/{self.token}/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n".encode()

    def events(self, kind: str = "gateway.request") -> list[dict[str, Any]]:
        return self.world.events(type=kind)

    def wait_for_event(self, kind: str = "gateway.request") -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while not (found := self.events(kind)):
            assert time.monotonic() < deadline, f"there is no {kind}"
            time.sleep(0.02)
        payload: dict[str, Any] = found[-1]["payload"]
        return payload


Start = Callable[..., Bench]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a daemon before a provider that answers as told."""
    opened: list[Any] = []

    def begin(answer: Answer, *, vault: bool = True, settings: str = "") -> Bench:
        provider = RawProvider(answer).__enter__()
        opened.append(provider)
        places = "".join(f'[gateway.providers.{n}]\nbase_url = "{provider.url}"\n' for n in ("openai", "anthropic"))
        world = World(tmp_path, upstream=provider.url, settings=places + settings).__enter__()
        opened.append(world)
        world.start()
        if vault:
            world.ok("POST", "/v1/vault/create", {"passphrase": "a long enough passphrase"})
        return Bench(world, provider)

    yield begin
    for thing in reversed(opened):
        thing.__exit__(None, None, None)


def test_a_request_goes_through_byte_for_byte_and_so_does_its_answer(start: Start) -> None:
    odd = (b"X-Odd: a", b"X-Odd: b", b"Server: theirs", b"Date: yesterday", b"Content-Encoding: x-unknown")
    bench = start(plain("299 Strange", b"\x00\xff\r\n\r\nbody", *odd))
    body = b'{"a": 1,\n  "b" : "\xc3\xa9"}\x00'
    request = (
        bench.head("v1/chat/completions?beta=true&x=%2F")
        + b"Authorization: Bearer sk-my-own\r\nX-Twice: 1\r\nX-Twice: 2\r\nAccept: */*\r\nUser-Agent: me/1\r\n"
        + b"Content-Length: "
        + str(len(body)).encode()
        + b"\r\n\r\n"
        + body
    )
    answer = bench.raw(request)
    sent = bench.provider.requests[0]
    assert sent.startswith(b"POST /v1/chat/completions?beta=true&x=%2F HTTP/1.1\r\n")
    assert sent.endswith(b"\r\n\r\n" + body)
    names = [line.partition(b":")[0].lower() for line in sent.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    assert sorted(names) == sorted(
        [b"host", b"authorization", b"x-twice", b"x-twice", b"accept", b"user-agent", b"content-length"]
    )
    assert b"Bearer sk-my-own" in sent
    head, _, received = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 299 ")
    assert received == b"\x00\xff\r\n\r\nbody"
    for line in odd:
        assert line.lower() in head.lower()
    assert head.lower().count(b"\r\ndate:") == 1
    assert bench.token.encode() not in sent


def test_a_chunked_request_arrives_whole_before_it_is_complete(start: Start) -> None:
    begun = threading.Event()

    def answer(connection: socket.socket, _: bytes) -> None:
        plain(body=ANSWER)(connection, b"")

    class Watched(RawProvider):
        def _serve(self, connection: socket.socket) -> None:
            begun.set()
            super()._serve(connection)

    bench = start(answer)
    with Watched(answer) as provider:
        bench.world.stop()
        config = bench.world.home / "config.toml"
        config.write_text(config.read_text().replace(bench.provider.url[7:], provider.url[7:]))
        bench.world.start()
        host, _, port = bench.world.agent_url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(bench.head() + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            assert begun.wait(20)  # what has come is on its way although the rest has not
            connection.sendall(b"6\r\n world\r\n0\r\n\r\n")
            received = b""
            while piece := connection.recv(65536):
                received += piece
        assert received.endswith(ANSWER)
        assert provider.requests[0].partition(b"\r\n\r\n")[2] == b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("provider", "path", "header"),
    [("openai", "v1/responses", b"authorization: Bearer "), ("anthropic", "v1/messages?beta=true", b"x-api-key: ")],
)
@pytest.mark.parametrize("place", ["token", "session"])
def test_a_session_token_for_a_key_is_swapped_for_the_bound_key(
    start: Start, provider: str, path: str, header: bytes, place: str
) -> None:
    bench = start(plain(body=ANSWER))
    bench.bind(provider)
    headers = {"Authorization": f"Bearer {bench.token}"} if provider == "openai" else {"x-api-key": bench.token}
    answer = bench.post(path, bench.session if place == "session" else None, headers=headers)
    assert answer.status_code == 200
    sent = bench.provider.requests[0]
    assert (header + KEY.encode()).lower() in sent.lower()
    assert bench.token.encode() not in sent
    event = bench.wait_for_event()
    assert event["aileron.binding.name"] == f"api_key/{provider}/default"
    assert event["url.path"] == "/" + path.partition("?")[0]
    assert event["http.response.status_code"] == 200
    assert (event["http.request.body.size"], event["http.response.body.size"]) == (7, len(ANSWER))
    # Row L1: the key, the token, the query and the bodies are in no artefact of ours.
    for name in ("aileron.db", "aileron.db-wal", "logs/daemon.jsonl", "vault.json"):
        found = (bench.world.home / name).read_bytes()
        for secret in (KEY, bench.token, "beta=true", "sentinel-of-the-answer"):
            assert secret.encode() not in found, (name, secret)
    assert KEY not in bench.world.output()


def test_a_named_provider_is_reached_by_its_name_with_its_own_path_and_headers(start: Start) -> None:
    bench = start(plain(body=ANSWER))
    url = bench.provider.url
    bench.world.stop()
    with (bench.world.home / "config.toml").open("a") as file:
        file.write(f'[gateway.providers.local]\nbase_url = "{url}/api/v1"\nheaders = {{ "X-Team" = "seven" }}\n')
    bench.world.start()
    assert bench.post("local/v1/chat/completions").status_code == 200
    sent = bench.provider.requests[0]
    assert sent.startswith(b"POST /api/v1/chat/completions HTTP/1.1\r\n")
    assert b"x-team: seven" in sent
    names = {item["name"]: item["bound"] for item in bench.world.ok("GET", "/v1/providers")["items"]}
    assert names == {"anthropic": False, "openai": False, "local": False}


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ("locked", 403, "aileron vault unlock"),
        ("unbound", 403, "aileron binding add provider://openai"),
        ("dead", 502, "cannot be reached"),
        ("ended", 403, "aileron launch"),
        ("path", 404, "means no provider"),
        ("websocket", 426, "websockets"),
    ],
)
@pytest.mark.parametrize("style", ["openai", "anthropic"])
def test_what_is_wrong_is_said_at_once_in_the_providers_own_form(
    start: Start, wrong: str, status: int, said: str, style: str
) -> None:
    bench = start(plain())
    path = "v1/chat/completions" if style == "openai" else "v1/messages"
    headers = {"Authorization": f"Bearer {bench.token}"}
    if wrong != "unbound":
        bench.bind("openai")
        bench.bind("anthropic")
    match wrong:
        case "locked":
            bench.world.ok("POST", "/v1/vault/lock", {})
        case "dead":
            bench.provider.__exit__(None, None, None)
        case "ended":
            bench.world.ok("POST", f"/v1/sessions/{bench.session}/end")
        case "path":
            path = "nobody/v1/x"
        case "websocket":
            headers |= {"Connection": "Upgrade", "Upgrade": "websocket"}
    began = time.monotonic()
    if wrong == "websocket":
        answer = httpx.get(bench.url(path), headers=headers, trust_env=False)
    else:
        answer = bench.post(path, headers=headers)
    assert time.monotonic() - began < 15
    assert answer.status_code == status
    body = answer.json()
    message = body["error"]["message"]
    expected = said.replace("openai", style) if wrong == "unbound" else said
    assert expected in message
    if style == "anthropic" and wrong not in {"path", "ended"}:
        assert body["type"] == "error"
    if wrong != "ended":
        assert "aud_" in message
    assert bench.token not in answer.text


def test_a_binding_is_good_for_the_host_it_was_granted_for(start: Start) -> None:
    bench = start(plain())
    bench.bind()
    bench.world.stop()
    config = bench.world.home / "config.toml"
    with RawProvider(plain()) as other:
        host = other.url.removeprefix("http://")
        text = config.read_text().replace(f'base_url = "{bench.provider.url}"', f'base_url = "{other.url}"')
        config.write_text(text.replace('allow_private = ["', f'allow_private = ["{host}", "'))
        bench.world.start()
        bench.world.ok("POST", "/v1/vault/unlock", {"passphrase": "a long enough passphrase"})
        refused = bench.post(headers={"Authorization": f"Bearer {bench.token}"})
        assert refused.status_code == 403
        assert "aileron binding use provider://openai" in refused.text
        assert other.requests == []


def test_a_private_address_is_reached_only_where_the_person_allowed_it(start: Start) -> None:
    bench = start(plain())
    bench.world.stop()
    config = bench.world.home / "config.toml"
    host = bench.provider.url.removeprefix("http://")
    config.write_text(config.read_text().replace(f'allow_private = ["{host}"]', "allow_private = []"))
    bench.world.start()
    refused = bench.post(headers={"Authorization": "Bearer sk-own"})
    assert refused.status_code == 502
    assert "allow_private" in refused.text
    assert bench.provider.requests == []


@pytest.mark.parametrize("capabilities", [["actions:run", "actions:list", "approvals:poll"], []])
def test_a_token_without_the_capability_opens_nothing(start: Start, capabilities: list[str]) -> None:
    bench = start(plain())
    _, token = bench.world.session(kind="host", capabilities=capabilities)
    assert bench.post(place=token).status_code == 403
    # Nor does the token of one session together with the name of another.
    assert bench.post(place=bench.session, headers={"Authorization": f"Bearer {token}"}).status_code == 403
    assert bench.post(headers={"Authorization": f"Bearer {token}"}).status_code == 403
    assert bench.post(place=bench.session).status_code == 403
    assert bench.post(place="ailt_forged").status_code == 403
    assert bench.provider.requests == []
    denied = str(bench.world.events(type="session.denied"))
    assert token not in denied
    assert bench.token not in denied


def test_each_event_of_a_slow_stream_is_there_as_soon_as_it_is_sent(start: Start) -> None:
    # Row P6: the second event is not sent before the first one has been seen.
    seen, sent = threading.Event(), threading.Event()

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"5\r\none\n\n\r\n")
        assert seen.wait(20)
        connection.sendall(b"5\r\ntwo\n\n\r\n0\r\n\r\n")
        sent.set()

    bench = start(answer)
    got: list[bytes] = []
    with httpx.Client(trust_env=False, timeout=20) as client, client.stream("POST", bench.url("v1/responses")) as given:
        for piece in given.iter_raw():
            got.append(piece)
            seen.set()
    assert sent.wait(20)  # the answer is here a moment before the thread that sent it goes on
    assert b"".join(got) == b"one\n\ntwo\n\n"
    assert bench.wait_for_event()["aileron.gateway.outcome"] == "completed"


def test_a_head_is_not_held_back_by_a_body_that_is_long_in_coming(start: Start) -> None:
    go = threading.Event()

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert go.wait(20)
        connection.sendall(b"2\r\nok\r\n0\r\n\r\n")

    bench = start(answer)
    large = b'{"prompt": "' + b"word " * 200_000 + b'"}'
    with (
        httpx.Client(trust_env=False, timeout=20) as client,
        client.stream("POST", bench.url("v1/responses"), content=large) as given,
    ):
        assert given.status_code == 200
        go.set()
        assert given.read() == b"ok"
    assert bench.provider.requests[0].endswith(large)


def test_a_stream_that_is_cut_there_is_cut_here_and_never_ends_well(start: Start) -> None:
    bench = start(stream([b"one\n\n", b"two\n\n"], cut=True))
    with pytest.raises(httpx.RemoteProtocolError):
        bench.post("v1/responses")
    assert bench.wait_for_event()["aileron.gateway.outcome"] == "upstream_cut"


def test_a_client_that_leaves_ends_the_request_there(start: Start) -> None:
    bench = start(stream([b"tick\n\n"] * 2000, seconds=0.02))
    host, _, port = bench.world.agent_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(bench.head("v1/responses") + b"Content-Length: 2\r\n\r\n{}")
        assert b"200" in connection.recv(65536)
    assert bench.provider.closed.wait(20)
    assert bench.wait_for_event()["aileron.gateway.outcome"] == "client_gone"


def test_a_stream_of_a_session_that_ends_is_cut(start: Start) -> None:
    bench = start(stream([b"tick\n\n"] * 2000, seconds=0.02))
    with (
        httpx.Client(trust_env=False, timeout=20) as client,
        client.stream("POST", bench.url("v1/responses")) as given,
    ):
        pieces = given.iter_raw()
        next(pieces)
        bench.world.ok("POST", f"/v1/sessions/{bench.session}/end")
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
    assert bench.wait_for_event()["aileron.gateway.outcome"] == "session_ended"


def test_a_silent_stream_of_a_session_that_ends_is_cut_at_once(start: Start) -> None:
    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntick\r\n")
        bench.provider.closed.wait(30)

    bench = start(answer)
    with (
        httpx.Client(trust_env=False, timeout=20) as client,
        client.stream("POST", bench.url("v1/responses")) as given,
    ):
        pieces = given.iter_raw()
        next(pieces)
        bench.world.ok("POST", f"/v1/sessions/{bench.session}/end")
        began = time.monotonic()
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
        assert time.monotonic() - began < 15  # the provider is silent for 30
    assert bench.wait_for_event()["aileron.gateway.outcome"] == "session_ended"


def test_requests_are_written_down_also_when_the_daemon_stops_right_after(start: Start) -> None:
    bench = start(plain(body=ANSWER))
    for _ in range(20):
        assert bench.post().status_code == 200
    bench.world.stop()
    bench.world.start()
    assert len(bench.events()) == 20


def test_many_streams_at_once_are_carried_and_each_is_its_own(start: Start) -> None:
    gate = threading.Event()

    def answer(connection: socket.socket, request: bytes) -> None:
        number = json.loads(request.partition(b"\r\n\r\n")[2])["n"]
        text = str(number).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert gate.wait(60)
        connection.sendall(f"{len(text):x}\r\n".encode() + text + b"\r\n0\r\n\r\n")

    count = 500
    bench = start(answer)
    got: dict[int, str] = {}

    def ask(number: int) -> None:
        got[number] = bench.post("v1/responses", json={"n": number}).text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while len(bench.provider.requests) < count:
        assert time.monotonic() < deadline, len(bench.provider.requests)
        time.sleep(0.05)
    gate.set()
    for thread in threads:
        thread.join(60)
    assert got == {number: str(number) for number in range(count)}


def test_a_web_page_does_not_reach_it(start: Start) -> None:
    bench = start(plain())
    assert bench.post(headers={"Origin": "https://evil.example"}).status_code == 403
    assert bench.post(headers={"Host": "evil.example"}).status_code == 403
    assert bench.provider.requests == []


def test_the_stand_in_reads_requests_whole() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
        assert read_request(theirs).endswith(b"abc")
