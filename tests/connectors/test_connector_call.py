"""One call of one operation: every way it can end, told as what it was."""

import asyncio
import json
import time

import pytest
from guests import Ask, Does, Repeat, Say
from room import SECRET, Room

from daemon.core.action import ConnectorRequirement
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.vault.values import ApiKey


def err(**fields: object) -> str:
    return json.dumps({"class": "external_api_error", "message": "It said no."} | fields)


async def test_a_result_comes_back_with_its_arguments_seen_and_nothing_sent(room: Room) -> None:
    pinned = await room.install(
        room.lay_out({"echo": Does(end="arguments")}, inputs='text = { type = "string", description = "x" }')
    )
    result = await room.call(pinned, "echo", text="häj")
    assert (result.value, result.attempts, result.binding) == ({"text": "häj"}, (), None)
    assert room.sent == []


async def test_a_request_is_announced_before_it_is_sent_and_listed_afterwards(room: Room) -> None:
    room.up.behave("/items", json={"ok": True})
    pinned = await room.install(room.lay_out({"get": Does(end="answer", steps=(Ask.get(f"{room.up.url}/items"),))}))
    result = await room.call(pinned, "get")
    assert json.loads(result.value["body"]) == {"ok": True}
    (attempt,) = result.attempts
    assert (attempt.method, attempt.host, attempt.path, attempt.status) == ("GET", room.up.host_port, "/items", 200)
    assert room.sent == ["before_send"]


async def test_a_failure_before_sending_comes_out_unchanged_and_nothing_leaves(room: Room) -> None:
    wanted = Failure(FailureClass.AUDIT_UNAVAILABLE, "The disk is full.", boundary=Boundary.RUNTIME)

    async def refuse() -> None:
        raise wanted

    room.before_send = refuse
    pinned = await room.install(room.lay_out({"get": Does(end="answer", steps=(Ask.get(f"{room.up.url}/items"),))}))
    failure = await room.fails(pinned, "get")
    assert (failure.failure_class, failure.message) == (wanted.failure_class, wanted.message)
    assert room.up.requests == []


@pytest.mark.parametrize("bad", [{"surprise": 1}, {}, {"text": 7}])
async def test_arguments_that_do_not_fit_the_manifest_never_reach_the_connector(
    room: Room, bad: dict[str, object]
) -> None:
    pinned = await room.install(
        room.lay_out({"echo": Does(end="trap")}, inputs='text = { type = "string", description = "x" }')
    )
    failure = await room.fails(pinned, "echo", **bad)
    assert failure.failure_class is FailureClass.INVALID_ARGUMENTS
    assert failure.boundary is Boundary.CONNECTOR_MANIFEST


async def test_an_operation_that_is_not_in_the_manifest_is_denied(room: Room) -> None:
    pinned = await room.install(room.lay_out({"echo": Does(end="arguments")}))
    failure = await room.fails(pinned, "drop_everything")
    assert (failure.failure_class, failure.boundary) == (
        FailureClass.CAPABILITY_DENIED,
        Boundary.CONNECTOR_MANIFEST,
    )


@pytest.mark.parametrize(
    ("name", "boundary"),
    [
        ("external_api_error", Boundary.EXTERNAL),
        ("invalid_arguments", Boundary.ACTION),
        ("connector_runtime_error", Boundary.RUNTIME),
    ],
)
async def test_the_three_classes_a_connector_may_use_come_through(room: Room, name: str, boundary: Boundary) -> None:
    pinned = await room.install(room.lay_out({"no": Does(end="err", text=err(**{"class": name, "status": 404}))}))
    failure = await room.fails(pinned, "no")
    assert (failure.failure_class.value, failure.boundary, failure.message) == (name, boundary, "It said no.")
    assert failure.details["status"] == 404
    assert failure.details["attempts"] == []


@pytest.mark.parametrize(
    "payload", ["", "no", "[]", err(**{"class": "approval_denied"}), err(surprise=1), '{"class": "vault_locked"}']
)
async def test_an_error_out_of_form_is_the_connectors_own_fault(room: Room, payload: str) -> None:
    pinned = await room.install(room.lay_out({"no": Does(end="err", text=payload)}))
    failure = await room.fails(pinned, "no")
    assert failure.failure_class is FailureClass.CONNECTOR_RUNTIME_ERROR
    assert "in a form that is not allowed" in failure.message


@pytest.mark.parametrize("text", ["", "{", "NaN", "[1e999]", '"\\ud800"', "[" * 5000])
async def test_a_result_that_is_not_json_is_the_connectors_own_fault(room: Room, text: str) -> None:
    pinned = await room.install(room.lay_out({"odd": Does(end="ok", text=text)}))
    assert (await room.fails(pinned, "odd")).failure_class is FailureClass.CONNECTOR_RUNTIME_ERROR


async def test_a_crash_is_a_runtime_error_and_the_next_call_starts_afresh(room: Room) -> None:
    pinned = await room.install(room.lay_out({"boom": Does(end="trap"), "ok": Does(end="ok", text="1")}))
    for _ in range(2):
        failure = await room.fails(pinned, "boom")
        assert failure.failure_class is FailureClass.CONNECTOR_RUNTIME_ERROR
        assert (await room.call(pinned, "ok")).value == 1


async def test_an_endless_loop_ends_at_the_time_of_the_step(room: Room) -> None:
    pinned = await room.install(room.lay_out({"spin": Does(end="loop")}))
    started = time.monotonic()
    failure = await room.fails(pinned, "spin", seconds=0.3)
    assert failure.failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED
    assert failure.details["limit"] == "time"
    assert time.monotonic() - started < 15


async def test_the_limit_of_the_manifest_binds_when_it_is_the_smaller_one(room: Room) -> None:
    pinned = await room.install(room.lay_out({"spin": Does(end="loop")}, limits='time = "300ms"'))
    started = time.monotonic()
    assert (await room.fails(pinned, "spin", seconds=60.0)).failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED
    assert time.monotonic() - started < 15


async def test_a_denied_host_is_capability_denied_at_the_manifest_and_audited(room: Room) -> None:
    elsewhere = Ask.get("https://evil.example/steal")
    pinned = await room.install(room.lay_out({"leak": Does(end="err", text=err(), steps=(elsewhere,))}))
    failure = await room.fails(pinned, "leak")
    assert (failure.failure_class, failure.boundary) == (FailureClass.CAPABILITY_DENIED, Boundary.CONNECTOR_MANIFEST)
    assert failure.details["denials"][0]["host"] == "evil.example:443"
    (event,) = room.events("connector.request_denied")
    assert (event.failure_class, event.action, event.session) == ("capability_denied", "staged", "ses_test")
    assert json.loads(event.payload)["aileron.denials"][0]["host"] == "evil.example:443"


async def test_a_denial_the_connector_lived_with_is_audited_all_the_same(room: Room) -> None:
    elsewhere = Ask.get("https://evil.example/steal")
    pinned = await room.install(room.lay_out({"leak": Does(end="ok", text="1", steps=(elsewhere,))}))
    assert (await room.call(pinned, "leak")).value == 1
    assert len(room.events("connector.request_denied")) == 1


async def test_a_stale_denial_does_not_hide_a_later_error(room: Room) -> None:
    room.up.behave("/items", status=404)
    steps = (Ask.get("https://evil.example/steal"), Ask.get(f"{room.up.url}/items"))
    pinned = await room.install(room.lay_out({"late": Does(end="err", text=err(status=404), steps=steps)}))
    failure = await room.fails(pinned, "late")
    assert (failure.failure_class, failure.message) == (FailureClass.EXTERNAL_API_ERROR, "It said no.")
    assert failure.details["status"] == 404
    assert len(failure.details["denials"]) == 1


async def test_a_network_failure_is_told_as_one(room: Room) -> None:
    room.up.behave("/items", reset="after_body")
    pinned = await room.install(
        room.lay_out({"get": Does(end="err", text=err(), steps=(Ask.get(f"{room.up.url}/items"),))})
    )
    failure = await room.fails(pinned, "get")
    assert (failure.failure_class, failure.boundary) == (FailureClass.NETWORK_ERROR, Boundary.EXTERNAL)
    assert failure.details["attempts"][0]["bytes_sent"] is True


@pytest.mark.parametrize("end", [Does(end="err", text=err()), Does(end="trap"), Does(end="loop")])
async def test_a_request_that_may_have_taken_effect_is_an_unknown_outcome_however_the_call_ends(
    room: Room, end: Does
) -> None:
    room.up.behave("/items", reset="after_body")
    does = Does(end=end.end, text=end.text, steps=(Ask.post(f"{room.up.url}/items"),))
    pinned = await room.install(room.lay_out({"post": does}, idempotent=False))
    failure = await room.fails(pinned, "post", seconds=1.0)
    assert failure.failure_class is FailureClass.OUTCOME_UNKNOWN
    assert failure.retriable is False
    assert len(room.up.requests) == 1


@pytest.mark.parametrize(
    "mishap", [{"reset": "after_body"}, {"reset": "after_head", "body": "{} " * 40}, {"truncate": True}]
)
@pytest.mark.parametrize("end", ["ok", "answer"])
async def test_a_post_without_a_complete_answer_is_no_success_whatever_the_connector_says(
    room: Room, mishap: dict[str, object], end: str
) -> None:
    room.up.behave("/items", times=1, **mishap)
    # It asks a second time, which is answered, and says that all went well.
    steps = (Ask.post(f"{room.up.url}/items"), Ask.get(f"{room.up.url}/other"))
    pinned = await room.install(room.lay_out({"post": Does(end=end, text="{}", steps=steps)}, idempotent=False))
    failure = await room.fails(pinned, "post")
    assert (failure.failure_class, failure.retriable) == (FailureClass.OUTCOME_UNKNOWN, False)
    assert failure.details["may_have_taken_effect"] is True
    assert [attempt["path"] for attempt in failure.details["attempts"]] == ["/items", "/other"]


async def test_a_repeatable_request_without_a_complete_answer_leaves_the_word_to_the_connector(room: Room) -> None:
    room.up.behave("/items", reset="after_body")
    does = Does(end="ok", text='"fine"', steps=(Ask.post(f"{room.up.url}/items"),))
    assert (await room.call(await room.install(room.lay_out({"post": does})), "post")).value == "fine"


@pytest.mark.parametrize("end", [Does(end="trap"), Does(end="loop"), Does(end="ok", text="not json")])
async def test_a_call_broken_off_after_an_answered_post_is_never_told_as_not_having_happened(
    room: Room, end: Does
) -> None:
    does = Does(end=end.end, text=end.text, steps=(Ask.post(f"{room.up.url}/items"),))
    pinned = await room.install(room.lay_out({"post": does}, idempotent=False))
    failure = await room.fails(pinned, "post", seconds=1.0)
    assert failure.failure_class is FailureClass.OUTCOME_UNKNOWN
    assert failure.details["cause"] in {"connector_runtime_error", "resource_limit_exceeded"}
    assert len(room.up.requests) == 1


async def test_an_error_after_a_post_that_was_answered_keeps_its_class_and_says_that_something_was_sent(
    room: Room,
) -> None:
    does = Does(end="err", text=err(retriable=True, status=429), steps=(Ask.post(f"{room.up.url}/items"),))
    pinned = await room.install(room.lay_out({"post": does}, idempotent=False))
    failure = await room.fails(pinned, "post")
    assert failure.failure_class is FailureClass.EXTERNAL_API_ERROR
    assert failure.details["may_have_taken_effect"] is True
    assert failure.retriable is False
    assert len(room.up.requests) == 1


@pytest.mark.parametrize(
    "fields", [{"retriable": True, "status": 503}, {"retriable": True, "status": 429}, {"retriable": False}]
)
async def test_what_a_connector_says_of_itself_never_makes_it_run_again(room: Room, fields: dict[str, object]) -> None:
    does = Does(end="err", text=err(**fields), steps=(Ask.get(f"{room.up.url}/items"),))
    pinned = await room.install(room.lay_out({"get": does}))
    failure = await room.fails(pinned, "get", seconds=5.0)
    assert failure.failure_class is FailureClass.EXTERNAL_API_ERROR
    assert len(room.up.requests) == len(failure.details["attempts"]) == 1


async def test_a_request_of_an_idempotent_operation_is_sent_again_at_most_three_times(room: Room) -> None:
    room.up.behave("/items", status=503)
    does = Does(end="err", text=err(retriable=True, status=503), steps=(Ask.get(f"{room.up.url}/items"),))
    pinned = await room.install(room.lay_out({"get": does}))
    failure = await room.fails(pinned, "get")
    assert len(room.up.requests) == len(failure.details["attempts"]) == 4


async def test_a_missing_binding_shows_before_anything_runs(room: Room) -> None:
    pinned = await room.install(room.lay_out({"boom": Does(end="trap")}, credential=True))
    failure = await room.fails(pinned, "boom")
    assert failure.failure_class is FailureClass.BINDING_REQUIRED
    assert failure.boundary is Boundary.USER
    with pytest.raises(Failure) as caught:
        room.service.account(await room.service.check(pinned))
    assert caught.value.failure_class is FailureClass.BINDING_REQUIRED


async def change_the_account(room: Room, pinned: ConnectorRequirement) -> None:
    manifest = await room.service.check(pinned)
    assert manifest.credential is not None
    await room.bindings.setup(
        connector=pinned.name, credential=manifest.credential, value=ApiKey("another"), replace=True
    )


async def test_a_call_runs_as_the_account_it_was_checked_with_or_not_at_all(room: Room) -> None:
    pinned = await room.install(
        room.lay_out({"get": Does(end="answer", steps=(Ask.get(f"{room.up.url}/echo"),))}, credential=True)
    )
    await room.bind(pinned)
    checked = room.account(pinned)
    await change_the_account(room, pinned)
    room.account = lambda _: checked  # type: ignore[method-assign]
    failure = await room.fails(pinned, "get")
    assert failure.failure_class is FailureClass.BINDING_FAILED
    assert "has changed since this call was checked" in failure.message
    assert (room.up.requests, room.sent) == ([], [])


async def test_a_call_whose_account_changes_until_the_first_byte_sends_nothing(room: Room) -> None:
    pinned = await room.install(
        room.lay_out({"get": Does(end="answer", steps=(Ask.get(f"{room.up.url}/echo"),))}, credential=True)
    )
    await room.bind(pinned)

    async def change() -> None:
        await change_the_account(room, pinned)

    room.before_send = change
    failure = await room.fails(pinned, "get")
    assert failure.failure_class is FailureClass.BINDING_FAILED
    assert "has changed since this call was checked" in failure.message
    assert room.up.requests == []


async def test_a_call_that_is_under_way_goes_on_when_the_vault_is_locked(room: Room) -> None:
    pinned = await room.install(
        room.lay_out({"get": Does(end="answer", steps=(Ask.get(f"{room.up.url}/echo"),))}, credential=True)
    )
    await room.bind(pinned)
    room.before_send = room.vault.lock
    await room.call(pinned, "get")
    assert len(room.up.requests) == 1


async def test_a_locked_vault_shows_before_anything_runs(room: Room) -> None:
    pinned = await room.install(room.lay_out({"boom": Does(end="trap")}, credential=True))
    await room.bind(pinned)
    await room.vault.lock()
    assert (await room.fails(pinned, "boom")).failure_class is FailureClass.VAULT_LOCKED


async def test_the_credential_reaches_the_service_and_nothing_else(room: Room) -> None:
    ask = Ask.get(f"{room.up.url}/echo")
    pinned = await room.install(
        room.lay_out(
            {
                "get": Does(end="answer", steps=(ask,)),
                "tell": Does(end="answer_err", steps=(ask, Repeat(level=4))),
                "crash": Does(end="trap", steps=(ask, Repeat(), Say(text="before the crash"))),
                "re": Does(end="answer_err", steps=(ask, ask)),
            },
            credential=True,
        )
    )
    await room.bind(pinned)
    seen: list[str] = []
    result = await room.call(pinned, "get")
    assert result.binding == "api_key/staged/default"
    seen.append(json.dumps(result.value))
    for op in ("tell", "crash", "re"):
        failure = await room.fails(pinned, op)
        seen += [str(failure), repr(failure.envelope())]
    assert room.up.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    seen += [repr(room.log.lines), repr(room.events()), repr(result)]
    assert len(room.log.lines) == 3
    assert any("authorization" in line["said"].lower() for line in room.log.lines)
    for text in seen:
        assert SECRET not in text
        assert SECRET.encode().hex() not in text


async def test_a_log_line_of_a_connector_is_made_visible_and_says_where_it_comes_from(room: Room) -> None:
    steps = (Say(text="\x1b[2Jhello", level=4), Say(text="low", level=0), Say(text="odd", level=200))
    pinned = await room.install(room.lay_out({"talk": Does(end="ok", text="1", steps=steps)}))
    await room.call(pinned, "talk")
    first, low, odd = room.log.lines
    assert first["said"] == "\\u{1b}[2Jhello"
    assert (first["level"], low["level"], odd["level"]) == (40, 10, 40)
    assert (first["connector"], first["op"], first["execution"]) == ("github://acme/staged", "talk", "exe_test")


async def test_the_redactor_is_asked_about_logs_and_messages(room: Room) -> None:
    room.service._runner._redact = lambda text: text.replace("ghp_token", "[redacted]")
    does = Does(end="err", text=err(message="bad ghp_token"), steps=(Say(text="saw ghp_token"),))
    pinned = await room.install(room.lay_out({"talk": does}))
    failure = await room.fails(pinned, "talk")
    assert failure.message == "bad [redacted]"
    assert room.log.lines[0]["said"] == "saw [redacted]"


async def test_calls_run_at_once(room: Room) -> None:
    room.up.behave("/slow", delay=1, json=1)
    pinned = await room.install(room.lay_out({"get": Does(end="answer", steps=(Ask.get(f"{room.up.url}/slow"),))}))
    started = time.monotonic()
    results = await asyncio.gather(*(room.call(pinned, "get") for _ in range(8)))
    assert len(results) == 8
    assert time.monotonic() - started < 7  # one after the other they take more than 8
