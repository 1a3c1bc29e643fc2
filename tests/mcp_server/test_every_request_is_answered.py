"""Every request gets an answer, whatever its line looks like: an agent would wait for it for an hour."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from mcp_server.pipes import HANDSHAKE, MODERN, ByHand, launched
from services.upstream import UpstreamProcess
from world import World

PARSE, INVALID = -32700, -32600


@pytest.fixture(scope="module", params=["older", "newer"])
def server(request: pytest.FixtureRequest, world: World) -> Iterator[ByHand]:
    """Offer a server in each era of the protocol, after its first message."""
    with ByHand(launched(world)) as started:
        if request.param == "older":
            started.initialize()
        else:
            started.ask("server/discover", {"_meta": MODERN})
        started.meta = {} if request.param == "older" else {"_meta": MODERN}
        yield started


def line(arguments: str, *, number: str = "7", last: bool = False) -> bytes:
    """Return a call whose arguments are written by hand, with its id in front or, as some clients do, at the end."""
    params = f'"method":"tools/call","params":{{"name":"post_item","arguments":{{"body":{arguments}}}}}'
    text = f'{{{params},"jsonrpc":"2.0","id":{number}}}' if last else f'{{"jsonrpc":"2.0","id":{number},{params}}}'
    return text.encode("utf-8", "surrogateescape")


def still_works(server: ByHand) -> None:
    """See that the odd lines before have broken nothing."""
    answer = server.ask("tools/list", server.meta)
    assert "post_item" in {tool["name"] for tool in answer["result"]["tools"]}


@pytest.mark.parametrize("last", [False, True], ids=["id-first", "id-last"])
@pytest.mark.parametrize(
    "arguments",
    [
        r'"\ud800"',
        r'"\udc00 and more"',
        "[" * 3000 + "]" * 3000,
        '{"a":' * 3000 + "1" + "}" * 3000,
        "NaN",
        "-Infinity",
        "1e999",
        "9" * 5000,
        '"\udcff\udcfe"',
        '"a\tb"',
        "nul",
    ],
    ids=[
        "lone-surrogate",
        "lone-low-surrogate",
        "deep-lists",
        "deep-objects",
        "nan",
        "infinity",
        "too-large-float",
        "too-long-number",
        "not-utf-8",
        "raw-tab",
        "broken",
    ],
)
def test_a_line_that_is_not_json_is_answered_with_its_id_and_nothing_runs(
    server: ByHand, world: World, upstream: UpstreamProcess, arguments: str, last: bool
) -> None:
    before = len(upstream.seen("/item"))
    server.write_bytes(line(arguments, last=last))
    answer = server.answer(7)
    assert answer["error"]["code"] == PARSE
    assert "Nothing was run" in answer["error"]["message"]
    assert len(upstream.seen("/item")) == before
    still_works(server)


@pytest.mark.parametrize("last", [False, True], ids=["id-first", "id-last"])
@pytest.mark.parametrize("million", [1, 3, 5, 17, 40])
def test_a_line_of_many_megabytes_is_answered(server: ByHand, world: World, million: int, last: bool) -> None:
    server.write_bytes(line('"' + "x" * (million * 1_000_000) + '"', last=last))
    answer = server.answer(7)
    if million > 16:
        assert answer["error"]["code"] == INVALID
        assert "longer than" in answer["error"]["message"]
    else:  # the newer era wants to know who asks, which this line does not say
        assert "error" in answer or answer["result"]["isError"] is True
    still_works(server)


@pytest.mark.parametrize("number", ["1.5", "-3", '"a text"', '"\\u00e9"', "99999999999999999999", "1.0"])
def test_an_id_comes_back_as_it_was_written(server: ByHand, world: World, number: str) -> None:
    server.write_bytes(line("NaN", number=number))
    assert server.next()["id"] == json.loads(number)
    still_works(server)


@pytest.mark.parametrize("number", ["1.0", "null", "true", "{}", "[1]"])
def test_a_request_whose_id_is_none_is_not_taken_for_a_notification(server: ByHand, world: World, number: str) -> None:
    server.write(f'{{"jsonrpc":"2.0","id":{number},"method":"tools/list"}}')
    answer = server.next()
    assert answer["error"]["code"] == INVALID
    assert answer["id"] == (1.0 if number == "1.0" else None)
    still_works(server)


@pytest.mark.parametrize(
    ("raw", "code", "ids"),
    [
        ("{not json", PARSE, [None]),
        ("hello", PARSE, [None]),
        ("\x00\x00", PARSE, [None]),
        ('{"jsonrpc":"2.0","id":8}', INVALID, [8]),
        ('{"id":8,"method":"tools/list"}', INVALID, [8]),
        ('{"jsonrpc":"1.0","id":8,"method":"tools/list"}', INVALID, [8]),
        ('{"jsonrpc":"2.0","id":8,"method":5}', INVALID, [8]),
        ('{"jsonrpc":"2.0","id":8,"method":"tools/list","params":[1]}', INVALID, [8]),
        ("5", INVALID, [None]),
        ("[]", INVALID, [None]),
        ("[1]", INVALID, [None]),
        ('[{"jsonrpc":"2.0","id":8,"method":"ping"},{"jsonrpc":"2.0","id":"9","method":"ping"}]', INVALID, [8, "9"]),
        ('{"jsonrpc":"2.0","id":8,"method":"ping"}{"jsonrpc":"2.0","id":9,"method":"ping"}', PARSE, [8]),
        ('{"params":{"id":3},"method":"tools/list","id":8', PARSE, [8]),
        ('{"params":{"id":3},"method":"tools/list","id":8,"x":"\\', PARSE, [8]),
    ],
)
def test_what_is_json_and_no_request_is_answered(
    server: ByHand, world: World, raw: str, code: int, ids: list[Any]
) -> None:
    server.write(raw)
    answers = [server.next() for _ in ids]
    assert [(answer["error"]["code"], answer["id"]) for answer in answers] == [(code, number) for number in ids]
    still_works(server)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "   ",
        '{"jsonrpc":"2.0","method":"notifications/nobody-knows-it"}',
        '{"jsonrpc":"2.0","method":"notifications/x","params":{"a":"\\ud800"}}',
        '{"jsonrpc":"2.0","id":1,"result":{}}',
        '{"jsonrpc":"2.0","id":1,"result":{"a":"\\ud800"}}',
        '{"jsonrpc":"2.0","id":1,"error":{"code":"x"}}',
    ],
)
def test_what_asks_for_no_answer_gets_none(server: ByHand, world: World, raw: str) -> None:
    server.notifications.clear()
    server.write(raw)
    still_works(server)
    assert server.notifications == []


def test_a_request_with_the_id_of_one_under_way_is_refused_and_the_first_one_answered(
    server: ByHand, world: World, upstream: UpstreamProcess
) -> None:
    upstream.behave("/wait", delay=1.0, json={"ok": True})
    call = {"name": "post_item", "arguments": {"url": f"{world.upstream}/wait", "body": "{}"}} | server.meta
    text = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call})
    before = len(upstream.seen("/wait"))
    server.write(text)
    server.write(text)
    assert server.answer(7)["error"]["code"] == INVALID
    assert server.answer(7)["result"]["isError"] is False
    assert len(upstream.seen("/wait")) == before + 1
    server.write(text)  # and the id is free again
    assert server.answer(7)["result"]["isError"] is False


@pytest.mark.parametrize("called_off_as", [7, "7"])
def test_the_id_of_a_request_that_was_called_off_is_free_again(
    server: ByHand, world: World, upstream: UpstreamProcess, called_off_as: Any
) -> None:
    upstream.behave("/never", delay=60.0)
    call = {"name": "post_item", "arguments": {"url": f"{world.upstream}/never", "body": "{}"}} | server.meta
    before = len(upstream.seen("/never"))
    server.write(json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call}))
    upstream.wait_for(before + 1, path="/never")
    server.notify("notifications/cancelled", {"requestId": called_off_as} | server.meta)
    server.write(json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": server.meta}))
    assert "result" in server.answer(7)


def test_the_first_line_of_all_may_be_one_that_cannot_be_read(world: World) -> None:
    with ByHand(launched(world)) as started:
        started.write_bytes(line("NaN"))
        assert started.answer(7)["error"]["code"] == PARSE
        assert started.ask("initialize", HANDSHAKE)["result"]["serverInfo"]["name"] == "aileron"


def test_a_last_line_without_its_end_is_answered_too(world: World) -> None:
    with ByHand(launched(world)) as started:
        assert started.process.stdin is not None
        started.process.stdin.write('{"jsonrpc":"2.0","id":3,"method":"x","params":{"a":NaN}}')
        started.process.stdin.close()
        assert started.answer(3)["error"]["code"] == PARSE
        assert started.process.wait(10) == 0


@pytest.mark.parametrize(
    "answer",
    [
        '{"a": "\\ud800"}',
        "[" * 300 + "]" * 300,
        '{"a": ' * 900 + "1" + "}" * 900,
        '{"a": ' + "9" * 5000 + "}",
        '{"a": NaN}',
    ],
    ids=["lone-surrogate", "deep", "deeper", "long-number", "nan"],
)
def test_what_a_service_answers_never_ends_the_server(
    server: ByHand, world: World, upstream: UpstreamProcess, answer: str
) -> None:
    upstream.behave("/odd", body=answer, headers={"content-type": "application/json"})
    call = {"name": "post_item", "arguments": {"url": f"{world.upstream}/odd", "body": "{}"}} | server.meta
    before = len(upstream.seen("/odd"))
    said = server.ask("tools/call", call)
    assert len(upstream.seen("/odd")) == before + 1
    assert "result" in said, said
    still_works(server)
