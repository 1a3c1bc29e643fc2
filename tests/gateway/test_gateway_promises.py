"""Promises 2 and 5 (rows H3 and L1) over the gateway's routes."""

import pytest
from gateway.test_gateway import KEY, Start, start  # noqa: F401 - the fixture
from promises.test_promise_2_asker_cannot_approve import filled, routes_of
from promises.test_promise_5_sealed import artefacts, forms
from services.raw_provider import plain

PATHS = ("v1/chat/completions", "v1/responses", "v1/messages", "v1/messages/count_tokens", "v1/models", "openai/v1/x")


def test_no_route_of_the_daemon_is_reached_through_the_gateway(start: Start) -> None:  # noqa: F811
    bench = start(plain("418 Teapot"))
    world = bench.world
    known = {"approval": "apr_1", "session": bench.session}
    routes = sorted(routes_of(world.ok("GET", "/openapi.json")))
    assert len(routes) > 35
    for method, path in routes:
        place = filled(path, known)
        for way in (place, f"/..{place}", f"//{place}", f"/%2e%2e{place}", f"/openai/../../..{place}"):
            answer = bench.raw(bench.head(way.lstrip("/") or "/", method.upper()) + b"\r\n")
            status = int(answer.split(b" ", 2)[1])
            # Either it is a provider's business, or nobody's; it is never the daemon that acts.
            assert status in {418, 404, 405, 400}, (method, way, answer)
    assert world.ok("GET", f"/v1/sessions/{bench.session}")["ended_at"] is None
    assert all(request.split(b" ", 2)[1].startswith(b"/v1/") for request in bench.provider.requests)


def test_no_credential_of_another_kind_opens_the_gateway(start: Start) -> None:  # noqa: F811
    bench = start(plain())
    other, other_token = bench.world.session(kind="host")
    _, runner = bench.world.session(kind="host", capabilities=["actions:run"])
    master = bench.world.discovery["token"]
    for path in PATHS:
        for place, key in (
            (master, None),
            ("x", None),
            (runner, None),
            (bench.session, None),
            (bench.session, master),
            (bench.session, other_token),
            (other, bench.token),
            (bench.token, other_token),
            (bench.token[:-1], None),
        ):
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            assert bench.post(path, place=place, headers=headers).status_code == 403, (path, place, key)
    assert bench.provider.requests == []
    assert bench.events("session.denied")
    text = str(bench.world.events())
    assert all(token not in text for token in (bench.token, other_token, runner, master))


def test_the_key_and_the_token_are_in_no_artefact_whatever_was_asked(start: Start) -> None:  # noqa: F811
    bench = start(plain("500 Broken", b'{"error": "try again"}'))
    said = []
    bench.bind("openai")
    bench.bind("anthropic")
    for path in (*PATHS, "nobody/v1/x", "v1/models?key=1"):
        for key in (bench.token, "x\x7f", "sk-own"):
            answer = bench.post(path, headers={"Authorization": f"Bearer {key}", "X-Odd": "1"})
            said.append(answer.text + str(dict(answer.headers)))
        said.append(bench.raw(bench.head(path) + b"Upgrade: websocket\r\n\r\n").decode("latin-1"))
    bench.world.ok("POST", "/v1/vault/lock")
    said.append(bench.post(headers={"Authorization": f"Bearer {bench.token}"}).text)
    shown = ("/v1/providers", "/v1/bindings", "/v1/audit?limit=10000", "/v1/audit/export", "/v1/status")
    said.extend(bench.world.control("GET", path).text for path in shown)
    places = artefacts(bench.world) | {f"answer {n}": text.encode() for n, text in enumerate(said)}
    bench.world.stop()
    places |= artefacts(bench.world)
    assert any(KEY.encode() in request for request in bench.provider.requests)
    for secret in (KEY, bench.token):
        for form in forms(secret):
            leaks = [name for name, content in places.items() if form in content]
            assert leaks == [], f"{secret} as {form!r} is in {leaks}"


@pytest.mark.parametrize(
    "path", ["openai/../x", "openai/v1/%2e%2e/x", "v1/./x", "v1/..", "openai/%2E%2E%2fx", "v1/a/..\\x"]
)
def test_a_path_never_leaves_what_lies_below_the_providers_own(start: Start, path: str) -> None:  # noqa: F811
    bench = start(plain())
    assert int(bench.raw(bench.head(path) + b"\r\n").split(b" ", 2)[1]) == 404
    assert bench.provider.requests == []
