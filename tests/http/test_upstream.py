"""The stand-in service: it does what it is told, in this process and in its own."""

import json
import ssl
import urllib.error
import urllib.request

import aiohttp
import pytest

from tests.services.upstream import Upstream, UpstreamProcess


async def test_what_an_upstream_was_told_is_used_up_in_order_and_then_it_echoes() -> None:
    async with Upstream() as up, aiohttp.ClientSession() as session:
        up.behave("/a", status=500, times=2)
        up.behave("/a", status=404, times=1)
        statuses = []
        for _ in range(4):
            async with session.post(f"{up.url}/a?b=c", data=b"hi", headers={"X-One": "1"}) as answer:
                statuses.append(answer.status)
                last = await answer.read()
        assert statuses == [500, 500, 404, 200]
        assert json.loads(last)["headers"]["x-one"] == "1"
        assert [(r.method, r.path, r.query, r.text) for r in up.requests] == [("POST", "/a", "b=c", "hi")] * 4


async def test_a_dripping_upstream_sends_each_byte_on_its_own() -> None:
    async with Upstream() as up, aiohttp.ClientSession() as session:
        up.behave("/a", body="abc", drip=0.02)
        async with session.get(f"{up.url}/a") as answer:
            assert [piece async for piece in answer.content.iter_any()] == [b"a", b"b", b"c"]


def test_an_upstream_process_takes_the_same_words_and_ends_with_its_block() -> None:
    with UpstreamProcess(tls=True) as up:
        up.behave("/a", status=418, json={"tea": True}, times=1)
        context = ssl.create_default_context(cafile=up.ca_file)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with pytest.raises(urllib.error.HTTPError) as caught, opener.open(f"{up.url}/a", data=b"\xff"):
            pass
        with caught.value as answer:
            assert (answer.code, json.load(answer)) == (418, {"tea": True})
        (received,) = up.wait_for(1, path="/a")
        assert (received.method, received.body) == ("POST", b"\xff")
        up.forget()
        assert up.requests == []
        url = f"{up.url}/a"
    with pytest.raises(urllib.error.URLError), opener.open(url, timeout=2):
        pass
