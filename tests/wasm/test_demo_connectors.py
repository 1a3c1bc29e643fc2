"""The connectors in C: their JSON is right, their answers are the contract's, and their builds are repeatable."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.build import NAMES, SOURCES, BuildFailed, build, compile_c
from daemon.connectors.wasm import ConnectorCrash, ConnectorError, LoadedConnector
from daemon.core.manifest_parser import parse_manifest

URL = "https://api.example.test/items"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _answer(body: str, status: int = 200, headers: Any = ()) -> tuple[bool, str]:
    return True, json.dumps({"status": status, "headers": [*headers], "body": body})


@relaxed
@given(value=json_values, ascii_only=st.booleans())
async def test_a_json_body_comes_out_as_the_value_it_is(
    harness: Any, wellbehaved: LoadedConnector, value: Any, ascii_only: bool
) -> None:
    async def http(_request: str) -> tuple[bool, str]:
        return True, json.dumps({"status": 200, "body": text}, ensure_ascii=ascii_only)

    text = json.dumps(value, ensure_ascii=ascii_only)
    answer = await harness.run(wellbehaved, "get_json", json.dumps({"url": URL}), http=http)
    assert json.loads(answer) == {"status": 200, "body": value}


@relaxed
@given(body=st.text())
async def test_any_body_comes_out_as_json_or_as_text(harness: Any, wellbehaved: LoadedConnector, body: str) -> None:
    async def http(_request: str) -> tuple[bool, str]:
        return _answer(body)

    answer = json.loads(await harness.run(wellbehaved, "get_json", json.dumps({"url": URL}), http=http))
    try:
        expected = json.loads(body)
    except ValueError:
        expected = body
    assert answer["body"] == expected or body in {"NaN", "Infinity", "-Infinity"}


@relaxed
@given(url=st.text(min_size=1), value=json_values, other=json_values)
async def test_a_request_carries_the_url_and_body_it_was_given(
    harness: Any, wellbehaved: LoadedConnector, url: str, value: Any, other: Any
) -> None:
    harness.requests.clear()
    body = json.dumps(value)
    for op, method in (("post_json", "POST"), ("put_json", "PUT")):
        await harness.run(wellbehaved, op, json.dumps({"more": other, "body": body, "url": url}, indent=1))
        sent = json.loads(harness.requests.pop())
        assert (sent["method"], sent["url"], sent["body"]) == (method, url, body)
        assert ["content-type", "application/json"] in sent["headers"]


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (404, [], {"retriable": False}),
        (429, [["Retry-After", "2"]], {"retriable": True, "retry_after_ms": 2000}),
        (429, [["retry-after", "Fri, 20 Nov 2026 00:00:00 GMT"]], {"retriable": True}),
        (503, [["x", "y"], ["RETRY-AFTER", "0"]], {"retriable": True, "retry_after_ms": 0}),
        (302, [], {"retriable": False}),
    ],
)
async def test_a_refusal_of_the_service_is_the_error_arm(
    harness: Any, wellbehaved: LoadedConnector, status: int, headers: Any, expected: dict[str, Any]
) -> None:
    async def http(_request: str) -> tuple[bool, str]:
        return _answer("{}", status, headers)

    with pytest.raises(ConnectorError) as raised:
        await harness.run(wellbehaved, "get_json", json.dumps({"url": URL}), http=http)
    said = json.loads(raised.value.payload)
    assert str(status) in said.pop("message")
    assert said == {"class": "external_api_error", "status": status, **expected}


async def test_a_refusal_of_the_host_names_its_code(harness: Any, wellbehaved: LoadedConnector) -> None:
    async def http(_request: str) -> tuple[bool, str]:
        return False, '{"code":"denied","message":"no \\"such\\" host"}'

    with pytest.raises(ConnectorError) as raised:
        await harness.run(wellbehaved, "get_json", json.dumps({"url": URL}), http=http)
    said = json.loads(raised.value.payload)
    assert said["class"] == "connector_runtime_error"
    assert said["message"].endswith('(denied): no "such" host')


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("get_json", "{}"),
        ("get_json", '{"url": 7}'),
        ("get_json", "not JSON"),
        ("get_json", '{"url": "https://x"} trailing'),
        ("post_json", '{"url": "https://x"}'),
        ("post_json", '{"url": "https://x", "body": "{"}'),
        ("post_json", '{"url": "https://x", "body": ' + "[" * 200 + "]" * 200 + "}"),
        ("no_such_op", "{}"),
    ],
)
async def test_wrong_arguments_are_the_error_arm(
    harness: Any, wellbehaved: LoadedConnector, op: str, args: str
) -> None:
    with pytest.raises(ConnectorError) as raised:
        await harness.run(wellbehaved, op, args)
    assert json.loads(raised.value.payload)["class"] == "invalid_arguments"
    assert harness.requests == []


@relaxed
@given(args=st.text() | st.text(alphabet='{}[]",:\\u0d8c1e-. '))
async def test_no_arguments_make_the_connector_crash(harness: Any, wellbehaved: LoadedConnector, args: str) -> None:
    for op in ("get_json", "post_json"):
        try:
            await harness.run(wellbehaved, op, args)
        except ConnectorError as answered:
            assert json.loads(answered.payload)["class"] == "invalid_arguments"  # noqa: PT017 -- both outcomes are right


async def test_a_binary_body_stays_base64(harness: Any, wellbehaved: LoadedConnector) -> None:
    async def http(_request: str) -> tuple[bool, str]:
        return True, '{"status":200,"headers":[],"body_base64":"/wA="}'

    answer = await harness.run(wellbehaved, "get_json", json.dumps({"url": URL}), http=http)
    assert json.loads(answer) == {"status": 200, "body_base64": "/wA="}


async def test_each_attempt_of_the_hostile_connector_is_made(harness: Any, hostile: LoadedConnector) -> None:
    await harness.run(hostile, "override_header", json.dumps({"url": URL, "header": "Authorization", "value": 'a"b'}))
    assert json.loads(harness.requests.pop())["headers"] == [["Authorization", 'a"b']]
    await harness.run(hostile, "bad_request", "{}")
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(harness.requests.pop())
    assert json.loads(await harness.run(hostile, "many_requests", json.dumps({"url": URL, "count": 7}))) == {
        "answered": 7
    }
    with pytest.raises(ConnectorError) as raised:
        await harness.run(hostile, "err_text", '{"text": "leak"}')
    assert json.loads(raised.value.payload)["message"] == "leak"
    seen = json.loads(await harness.run(hostile, "read_credential", json.dumps({"url": URL, "needle": "in-memory"})))
    assert "in-memory" in seen["memory"]
    with pytest.raises(ConnectorCrash):
        await harness.run(hostile, "trap")


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_built_is_described_as_its_manifest_says(harness: Any, tmp_path: Path, name: str) -> None:
    for credential in ("api_key", "basic", "none"):
        folder = build(
            name,
            tmp_path / credential,
            hosts=["127.0.0.1:8443"],
            version="2.1.0",
            fqn="file://acme/x",
            credential=credential,
            memory="32MiB",
            time="5s",
        )
        manifest = parse_manifest((folder / "manifest.toml").read_text(), file="manifest.toml")
        prepared = await harness.runtime.prepare((folder / "connector.wasm").read_bytes())
        assert set(prepared.ops) == set(manifest.ops)
        assert (str(manifest.name), str(manifest.version)) == ("file://acme/x", "2.1.0")
        assert manifest.limits.memory_bytes == 32 * 2**20
        assert (manifest.credential is None) == (credential == "none")


def test_builds_are_repeatable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wellbehaved_wasm: bytes) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compile_c(SOURCES / "wellbehaved" / "connector.c") == wellbehaved_wasm


def test_a_source_that_does_not_compile_is_told_with_the_compilers_words(tmp_path: Path) -> None:
    source = tmp_path / "connector.c"
    source.write_text("int describe(void) { return nothing; }")
    with pytest.raises(BuildFailed, match="nothing"):
        compile_c(source)
