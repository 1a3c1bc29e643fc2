"""One connector call over real sockets: marks, retries, redirects, credentials, bounds, what it knows afterwards."""

import asyncio
import base64
import socket
import threading
import time
from typing import Any

import pytest

from daemon.connectors.http import DenialKind, InjectedHeader
from daemon.core.failures import Boundary, Failure, FailureClass
from tests.services.outbound import SECRET, Call, Outside, manifest_for

MIB = 1 << 20


def explained(call: Call) -> Failure:
    failure = call.context.explain("the connector's words")
    assert failure is not None
    return failure


async def test_a_request_arrives_as_the_connector_wrote_it_with_the_credential(outside: Outside) -> None:
    up = await outside.upstream(tls=True)
    call = await outside.call(up)
    ok, answer = await call.send(
        "POST", f"{up.url}/a%2Fb?x=%20y#part", headers=[["X-One", "1"], ["x-one", "ü"]], body='{"a":1}'
    )
    assert (ok, answer["status"]) == (True, 200)
    received = up.requests[0]
    assert (received.method, received.path, received.text) == ("POST", "/a%2Fb", '{"a":1}')
    assert received.query == "x=%20y"
    assert received.headers["x-one"] == "1, ü"
    assert received.headers["authorization"] == f"Bearer {SECRET}"
    assert received.headers["content-length"] == "7"
    assert received.headers["user-agent"] == "aileron"
    assert "transfer-encoding" not in received.headers
    assert call.marks == 1
    (attempt,) = call.context.attempts
    assert (attempt.number, attempt.status, attempt.bytes_sent, attempt.error) == (1, 200, True, None)
    assert (attempt.method, attempt.host, attempt.path) == ("POST", up.host_port, "/a%2Fb")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_of_the_contract_goes_through(outside: Outside, method: str) -> None:
    up = await outside.upstream()
    ok, answer = await (await outside.call(up)).send(method, up.url)
    assert (ok, answer["status"], up.requests[0].method) == (True, 200, method)
    assert (answer["body"] == "") is (method == "HEAD")


async def test_a_kept_connection_that_the_service_has_closed_is_not_used_though_nobody_noticed(
    outside: Outside,
) -> None:
    released, gone = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    released.wait(10)
                gone.set()

        thread = threading.Thread(target=serve)
        thread.start()
        place = f"127.0.0.1:{server.getsockname()[1]}"
        call = Call(await outside.client(place), manifest_for(place), idempotent=False)
        assert (await call.send("POST", f"http://{place}/"))[0]
        released.set()
        gone.wait(10)  # the event loop stands still meanwhile: it does not see that the connection has ended
        ok, answer = await call.send("POST", f"http://{place}/")
        thread.join(10)
    assert (ok, answer["status"]) == (True, 200)


# Marking before sending


async def test_the_mark_is_made_once_before_the_first_byte(outside: Outside) -> None:
    up = await outside.upstream()
    seen: list[tuple[int, int]] = []

    async def look() -> None:
        await asyncio.sleep(0.05)
        seen.append((len(up.requests), up.connections))

    call = await outside.call(up, before_send=look)
    await call.send("GET", up.url)
    await call.send("GET", up.url)
    assert seen == [(0, 0)]
    assert len(up.requests) == 2


async def test_nothing_is_sent_when_the_mark_cannot_be_made_and_its_failure_comes_out(outside: Outside) -> None:
    up = await outside.upstream()

    async def fail() -> None:
        raise Failure(FailureClass.AUDIT_UNAVAILABLE, "disk full", boundary=Boundary.RUNTIME)

    call = await outside.call(up, before_send=fail)
    for _ in range(2):
        with pytest.raises(Failure, match="disk full"):
            await call.send("GET", up.url)
    assert (up.connections, call.context.attempts, call.context.sent_any) == (0, [], False)
    assert call.marks == 2


async def test_no_mark_is_made_for_a_denied_request(outside: Outside) -> None:
    up = await outside.upstream()
    call = await outside.call(up)
    await call.send("GET", "https://evil.com/")
    await call.send("GET", up.url, headers=[["authorization", "mine"]])
    await call.raw("[")
    assert (call.marks, call.asked, up.connections) == (0, [], 0)
    assert [denial.kind for denial in call.context.denials] == [DenialKind.HOST, DenialKind.CREDENTIAL_HEADER]
    assert [event.kind for event in call.events] == ["denial", "denial"]


# Credentials


async def test_the_credential_goes_only_to_the_hosts_that_the_manifest_gives_it_to(outside: Outside) -> None:
    up, other = await outside.upstream(), await outside.upstream()
    http = await outside.client(up.host_port, other.host_port)
    call = Call(http, manifest_for(up.host_port, other.host_port, credential_hosts=[up.host_port]))
    await call.send("GET", up.url)
    await call.send("GET", other.url)
    assert SECRET in up.requests[0].headers["authorization"]
    assert "authorization" not in other.requests[0].headers
    assert call.asked == [up.host_port]


async def test_a_failure_to_find_the_credential_comes_out_with_nothing_marked_or_sent(outside: Outside) -> None:
    up = await outside.upstream()

    def locked(_host: object) -> InjectedHeader:
        raise Failure(FailureClass.VAULT_LOCKED, "locked", boundary=Boundary.USER)

    call = await outside.call(up, credential=locked)
    with pytest.raises(Failure, match="locked"):
        await call.send("GET", up.url)
    assert (call.marks, up.connections) == (0, 0)


async def test_the_header_that_is_really_injected_cannot_be_set_either(outside: Outside) -> None:
    up = await outside.upstream()
    call = await outside.call(up, credential=lambda _: InjectedHeader("X-Token", SECRET, (SECRET,)))
    ok, error = await call.send("GET", up.url, headers=[["x_token", "mine"]])
    assert (ok, error["code"], up.requests) == (False, "denied", [])


async def test_a_connector_without_credential_may_set_authorization_itself(outside: Outside) -> None:
    up = await outside.upstream()
    call = await outside.call(up, header=None)
    ok, _ = await call.send("GET", up.url, headers=[["Authorization", "mine"]])
    assert (ok, up.requests[0].headers["authorization"], call.asked) == (True, "mine", [])


FORMS = {
    "plain": SECRET,
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "shifted base64": base64.b64encode(b"xy" + SECRET.encode() + b"z").decode(),
    "hex": SECRET.encode().hex(),
}


@pytest.mark.parametrize("form", FORMS)
async def test_the_secret_does_not_come_back_in_headers_body_or_error(outside: Outside, form: str) -> None:
    up = await outside.upstream()
    written = FORMS[form]
    core = written[3:-4] if form == "shifted base64" else written
    up.behave("/plain", body=f"<{written}>", headers={"X-Echo": written, "Set-Cookie": f"k={written}"})
    up.behave("/gzip", body=f"<{written}>", gzip=True)
    up.behave("/error", status=401, json={"message": f"bad token {written}"})
    up.behave("/moved", redirect=f"https://evil.com/{written}")
    up.behave("/here", redirect=f"/plain?{written}")
    up.behave("/named", redirect=f"https://{SECRET}.com/")
    call = await outside.call(up)
    for path in ("/plain", "/gzip", "/error", "/moved", "/here", "/named", "/echo"):
        ok, answer = await call.raw(f'{{"method":"GET","url":"{up.url}{path}"}}')
        assert ok is (path not in {"/moved", "/named"})
        assert core not in str(answer)
    known = str((call.context.attempts, call.context.denials, call.events, [str(f) for _, f in call.context.failures]))
    assert SECRET not in known
    assert core not in known
    assert written not in call.context.scrub(f"trap: {SECRET}")


async def test_the_secret_in_the_path_of_a_followed_redirect_is_not_recorded(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/a", redirect=f"/{SECRET}/b")
    call = await outside.call(up)
    await call.send("GET", f"{up.url}/a")
    assert [attempt.path for attempt in call.context.attempts] == ["/a", "/[redacted]/b"]


def test_an_injected_header_does_not_show_what_it_carries() -> None:
    assert SECRET not in repr(InjectedHeader("Authorization", f"Bearer {SECRET}", (SECRET,)))


# Retries


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_an_idempotent_operation_is_tried_again_after_429_and_5xx(outside: Outside, status: int) -> None:
    up = await outside.upstream()
    up.behave("/", status=status, times=2)
    call = await outside.call(up)
    ok, answer = await call.send("POST", up.url, body="x")
    assert (ok, answer["status"]) == (True, 200)
    assert [attempt.status for attempt in call.context.attempts] == [status, status, 200]
    assert [attempt.number for attempt in call.context.attempts] == [1, 2, 3]
    assert [request.body for request in up.requests] == [b"x"] * 3
    assert call.marks == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("status", [429, 503])
async def test_an_operation_that_is_not_idempotent_is_never_tried_again(
    outside: Outside, method: str, status: int
) -> None:
    up = await outside.upstream()
    up.behave("/", status=status)
    call = await outside.call(up, idempotent=False)
    ok, answer = await call.send(method, up.url)
    assert (ok, answer["status"], len(up.requests)) == (True, status, 1)
    assert not call.context.outcome_unknown


@pytest.mark.parametrize("status", [400, 401, 404, 409, 418])
async def test_an_answer_that_will_not_change_is_not_asked_for_again(outside: Outside, status: int) -> None:
    up = await outside.upstream()
    up.behave("/", status=status)
    await (await outside.call(up)).send("GET", up.url)
    assert len(up.requests) == 1


async def test_there_are_at_most_three_retries_and_then_the_connector_gets_the_last_answer(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", status=503)
    call = await outside.call(up)
    ok, answer = await call.send("GET", up.url)
    assert (ok, answer["status"], len(up.requests)) == (True, 503, 4)
    assert call.context.failure is None


async def test_retry_after_is_waited_for_within_the_budget(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", status=429, retry_after="1", times=1)
    started = time.monotonic()
    ok, answer = await (await outside.call(up)).send("GET", up.url)
    assert (ok, answer["status"]) == (True, 200)
    assert 1.0 <= time.monotonic() - started < 15


async def test_a_retry_after_beyond_the_budget_gives_the_answer_at_once(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", status=429, retry_after="60")
    started = time.monotonic()
    ok, answer = await (await outside.call(up, seconds=30)).send("GET", up.url)
    assert (ok, answer["status"], len(up.requests)) == (True, 429, 1)
    assert ["Retry-After", "60"] in answer["headers"]
    assert time.monotonic() - started < 15


# Interrupted requests


MISHAPS: dict[str, dict[str, Any]] = {
    "reset before the body is read": {"reset": "before_body"},
    "reset after the body is read": {"reset": "after_body"},
    "reset in the middle of the answer": {"reset": "after_head", "body": "x" * 100},
    "truncated answer": {"truncate": True, "body": "abc"},
    "no answer in time": {"delay": 30},
    "an answer that drips": {"drip": 0.2, "body": "x" * 100},
}


@pytest.mark.parametrize("mishap", MISHAPS)
@pytest.mark.parametrize("tls", [False, True])
async def test_a_request_that_left_and_got_no_answer_makes_the_outcome_unknown(
    outside: Outside, mishap: str, *, tls: bool
) -> None:
    up = await outside.upstream(tls=tls)
    up.behave("/", **MISHAPS[mishap])
    call = await outside.call(up, idempotent=False)
    ok, error = await call.send("POST", up.url, body="x", timeout_ms=400)
    assert (ok, error["code"]) == (False, "timeout" if mishap.startswith(("no answer", "an answer")) else "network")
    assert len(up.requests) == 1
    assert call.context.outcome_unknown
    assert call.context.outcome_unknown_reason
    assert explained(call).failure_class is FailureClass.OUTCOME_UNKNOWN
    assert not explained(call).retriable


@pytest.mark.parametrize("mishap", MISHAPS)
async def test_an_idempotent_request_that_got_no_answer_is_a_retriable_network_error(
    outside: Outside, mishap: str
) -> None:
    up = await outside.upstream()
    up.behave("/", **MISHAPS[mishap])
    call = await outside.call(up)
    ok, _ = await call.send("GET", up.url, timeout_ms=400)
    assert (ok, len(up.requests), call.context.outcome_unknown) == (False, 1, False)
    assert (explained(call).failure_class, explained(call).retriable) == (FailureClass.NETWORK_ERROR, True)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_request_on_a_pooled_connection_that_dies_is_not_sent_twice_in_secret(
    outside: Outside, method: str
) -> None:
    up = await outside.upstream()
    up.behave("/dies", reset="after_body")
    call = await outside.call(up, idempotent=False)
    assert (await call.send("GET", up.url))[0]
    ok, error = await call.send(method, f"{up.url}/dies")
    assert (ok, error["code"]) == (False, "network")
    assert (len(up.seen("/dies")), up.connections) == (1, 1)
    assert call.context.outcome_unknown


async def test_a_connection_dropped_at_once_counts_as_sent_to_be_on_the_safe_side(outside: Outside) -> None:
    up = await outside.upstream()
    up.reset_connections(1)
    call = await outside.call(up, idempotent=False)
    ok, _ = await call.send("POST", up.url, body="x")
    assert (ok, call.context.outcome_unknown, len(up.requests)) == (False, True, 0)


async def test_a_cancelled_request_that_left_makes_the_outcome_unknown(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", delay=30)
    call = await outside.call(up, idempotent=False)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await call.send("POST", up.url)
    assert (call.context.outcome_unknown, call.context.sent_any, len(up.requests)) == (True, True, 1)


async def test_an_unknown_outcome_outlives_a_later_answer(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/dies", reset="after_body")
    call = await outside.call(up, idempotent=False)
    await call.send("POST", f"{up.url}/dies")
    assert (await call.send("GET", up.url))[0]
    assert call.context.failure is None
    assert explained(call).failure_class is FailureClass.OUTCOME_UNKNOWN


# Which failure explains a connector's error (row W2)


async def test_a_stale_denial_does_not_explain_a_later_error(outside: Outside) -> None:
    up = await outside.upstream()
    call = await outside.call(up)
    await call.send("GET", "https://evil.com/")
    assert explained(call).failure_class is FailureClass.CAPABILITY_DENIED
    assert explained(call).boundary is Boundary.CONNECTOR_MANIFEST
    assert (await call.send("GET", up.url))[0]
    assert call.context.explain("something else") is None
    assert len(call.context.denials) == len(call.context.failures) == 1


async def test_the_last_of_two_failures_explains_the_error(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/dies", reset="after_body")
    call = await outside.call(up)
    await call.send("GET", "https://evil.com/")
    await call.send("GET", f"{up.url}/dies")
    assert explained(call).failure_class is FailureClass.NETWORK_ERROR
    assert [sequence for sequence, _ in call.context.failures] == [1, 2]


async def test_a_connectors_words_are_scrubbed_before_they_become_details(outside: Outside) -> None:
    up = await outside.upstream()
    call = await outside.call(up)
    await call.send("GET", up.url)
    await call.send("GET", "https://evil.com/")
    failure = call.context.explain(f"I know {SECRET}")
    assert failure is not None
    assert failure.details["connector_error"] == "I know [redacted]"


# Time


async def test_a_call_without_time_left_sends_nothing(outside: Outside) -> None:
    up = await outside.upstream()
    call = await outside.call(up, seconds=-1)
    ok, error = await call.send("GET", up.url)
    assert (ok, error["code"], up.connections, call.marks) == (False, "timeout", 0, 0)


async def test_the_connectors_own_timeout_cannot_exceed_the_calls_budget(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", delay=30)
    started = time.monotonic()
    ok, error = await (await outside.call(up, seconds=0.3)).send("GET", up.url, timeout_ms=60_000)
    assert (ok, error["code"]) == (False, "timeout")
    assert time.monotonic() - started < 15


async def test_two_hundred_calls_to_a_slow_service_overlap(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", delay=0.5)
    http = await outside.client(up.host_port)
    started = time.monotonic()
    answers = await asyncio.gather(*(Call(http, manifest_for(up.host_port)).send("GET", up.url) for _ in range(200)))
    assert all(ok for ok, _ in answers)
    assert time.monotonic() - started < 10


# Redirects


@pytest.mark.parametrize(
    "location", ["https://evil.com/x", "//evil.com/", "http://169.254.169.254/latest", "/\\evil.com"]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_host_is_denied(outside: Outside, location: str, status: int) -> None:
    up = await outside.upstream()
    up.behave("/", status=status, redirect=location)
    call = await outside.call(up)
    ok, error = await call.send("GET", up.url)
    assert (ok, error["code"]) == (False, "denied")
    assert call.context.denials[0].kind is DenialKind.REDIRECT
    assert explained(call).details["request_was_sent"] is True


async def test_a_redirect_to_another_host_that_the_manifest_names_is_denied_too(outside: Outside) -> None:
    up, other = await outside.upstream(), await outside.upstream()
    up.behave("/", redirect=f"{other.url}/x")
    http = await outside.client(up.host_port, other.host_port)
    ok, error = await Call(http, manifest_for(up.host_port, other.host_port)).send("GET", up.url)
    assert (ok, error["code"], other.connections) == (False, "denied", 0)


@pytest.mark.parametrize(
    ("method", "status", "becomes", "keeps_body"),
    [
        ("GET", 302, "GET", False), ("HEAD", 303, "HEAD", False), ("POST", 301, "GET", False),
        ("POST", 302, "GET", False),
        ("POST", 303, "GET", False), ("PUT", 303, "GET", False), ("POST", 307, "POST", True), ("PUT", 308, "PUT", True),
        ("PUT", 302, "PUT", True),
    ],
)  # fmt: skip
async def test_a_redirect_at_home_is_followed_with_the_method_the_status_asks_for(
    outside: Outside, method: str, status: int, becomes: str, *, keeps_body: bool
) -> None:
    up = await outside.upstream(tls=True)
    up.behave("/a", status=status, redirect="/b?c")
    call = await outside.call(up)
    body = {"body": "x", "headers": [["Content-Type", "text/plain"]]} if method in {"POST", "PUT"} else {}
    ok, answer = await call.send(method, f"{up.url}/a", **body)
    assert (ok, answer["status"]) == (True, 200)
    followed = up.requests[1]
    assert (followed.method, followed.path, followed.query) == (becomes, "/b", "c")
    assert followed.body == (b"x" if keeps_body else b"")
    assert ("content-type" in followed.headers) is keeps_body
    assert SECRET in followed.headers["authorization"]


@pytest.mark.parametrize(("status", "method"), [(307, "POST"), (308, "DELETE"), (302, "PUT")])
async def test_a_redirect_that_would_repeat_a_request_with_effects_goes_to_the_connector(
    outside: Outside, status: int, method: str
) -> None:
    up = await outside.upstream()
    up.behave("/a", status=status, redirect="/b")
    call = await outside.call(up, idempotent=False)
    ok, answer = await call.send(method, f"{up.url}/a")
    assert (ok, answer["status"], len(up.requests), call.context.outcome_unknown) == (True, status, 1, False)
    assert ["Location", "/b"] in answer["headers"]


async def test_redirects_end_after_five(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", redirect="/")
    call = await outside.call(up)
    ok, error = await call.send("GET", up.url)
    assert (ok, error["code"], len(up.requests)) == (False, "denied", 6)


async def test_a_redirect_without_location_is_an_answer(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", status=304)
    ok, answer = await (await outside.call(up)).send("GET", up.url)
    assert (ok, answer["status"]) == (True, 304)


# Bodies (row P4)


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB - 1, 2 * MIB])
@pytest.mark.parametrize("form", ["body", "body_base64"])
async def test_a_request_body_up_to_the_bound_arrives_whole_with_the_credential(
    outside: Outside, size: int, form: str
) -> None:
    up = await outside.upstream()
    up.behave("/", status=204)
    call = await outside.call(up, max_request_bytes=2 * MIB)
    body = "x" * size
    written = body if form == "body" else base64.b64encode(body.encode()).decode()
    ok, _ = await call.send("POST", up.url, **{form: written})
    received = up.requests[0]
    assert (ok, len(received.body), received.headers["content-length"]) == (True, size, str(size))
    assert SECRET in received.headers["authorization"]
    assert "expect" not in received.headers


async def test_a_large_body_is_sent_again_whole_on_a_retry(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", status=503, times=1)
    await (await outside.call(up)).send("POST", up.url, body="x" * (MIB + 1))
    assert [len(request.body) for request in up.requests] == [MIB + 1] * 2


async def test_a_request_body_above_the_bound_is_not_sent(outside: Outside) -> None:
    up = await outside.upstream()
    call = await outside.call(up, max_request_bytes=2 * MIB)
    ok, error = await call.send("POST", up.url, body="x" * (2 * MIB + 1))
    assert (ok, error["code"], up.connections) == (False, "too_large", 0)
    assert explained(call).failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED


@pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1])
@pytest.mark.parametrize("how", ["plain", "chunked", "gzip"])
async def test_an_answer_is_bounded_to_the_byte_however_it_is_framed(outside: Outside, size: int, how: str) -> None:
    up = await outside.upstream()
    up.behave("/", size=size, chunked=how == "chunked", gzip=how == "gzip")
    call = await outside.call(up, max_response_bytes=MIB)
    ok, answer = await call.send("GET", up.url)
    if size <= MIB:
        assert (ok, len(answer["body"])) == (True, size)
    else:
        assert (ok, answer["code"]) == (False, "too_large")
        assert explained(call).failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED


async def test_the_secret_is_scrubbed_from_a_body_at_the_bound(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", body="x" * (MIB - len(SECRET)) + SECRET, chunked=True)
    ok, answer = await (await outside.call(up, max_response_bytes=MIB)).send("GET", up.url)
    assert ok
    assert answer["body"].endswith("x[redacted]")


async def test_a_small_body_that_unpacks_to_a_huge_one_is_refused_in_bounded_memory(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", size=64 * MIB, gzip=True)
    started = time.monotonic()
    ok, error = await (await outside.call(up)).send("GET", up.url)
    assert (ok, error["code"]) == (False, "too_large")
    assert time.monotonic() - started < 20


async def test_an_answer_in_a_coding_that_cannot_be_scrubbed_is_refused(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", body="????", headers={"Content-Encoding": "br"})
    ok, error = await (await outside.call(up)).send("GET", up.url)
    assert (ok, error["code"]) == (False, "network")


async def test_binary_answers_come_as_base64_and_text_as_text(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/text", body="grüß \x00 dich")
    up.behave("/gzip", size=10, gzip=True)
    call = await outside.call(up)
    _, text = await call.send("GET", f"{up.url}/text")
    assert text["body"] == "grüß \x00 dich"
    _, unpacked = await call.send("GET", f"{up.url}/gzip")
    assert unpacked["body"] == "x" * 10
    assert not {"content-encoding", "content-length"} & {name.lower() for name, _ in unpacked["headers"]}
    _, echoed = await call.send("POST", up.url, body_base64=base64.b64encode(b"\xff\xfe").decode())
    assert "body_base64" in echoed["body"]
    assert up.requests[-1].body == b"\xff\xfe"


async def test_headers_of_the_connection_are_not_passed_on_but_cookies_are(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", headers={"Connection": "x-hop", "X-Hop": "1", "Keep-Alive": "5", "Set-Cookie": "a=b", "X-Kept": "é"})
    ok, answer = await (await outside.call(up)).send("GET", up.url)
    names = {name.lower(): value for name, value in answer["headers"]}
    assert ok
    assert not {"connection", "keep-alive", "x-hop", "transfer-encoding"} & names.keys()
    assert (names["set-cookie"], names["x-kept"]) == ("a=b", "é")


async def test_cookies_are_not_kept_from_one_request_to_the_next(outside: Outside) -> None:
    up = await outside.upstream()
    up.behave("/", headers={"Set-Cookie": "session=1; path=/"})
    call = await outside.call(up)
    await call.send("GET", up.url)
    await call.send("GET", up.url)
    assert "cookie" not in up.requests[1].headers
