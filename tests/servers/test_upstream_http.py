"""Servers over Streamable HTTP that do what no server should: each is a real process behind a real socket."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

import pytest
from servers.started import SOON, Answering, HostileHttp, reached
from waiting import eventually

from daemon.net.addresses import IpAddress
from daemon.net.http1.pool import Pool
from daemon.tools.servers.upstream.connecting import connect
from daemon.tools.servers.upstream.http import HttpTransport
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.seam import Asking, Era, Trouble, UpstreamError

ERAS = pytest.mark.parametrize("era", ["handshake", "modern"])
QUICK = Asking(seconds=0.5)


class Login:
    """An authorisation whose first token is not good enough."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.challenges: list[str] = []

    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._tokens[0]}"}

    async def refused(self, challenge: str) -> bool:
        self.challenges.append(challenge)
        self._tokens = self._tokens[1:] or self._tokens
        return len(self.challenges) == 1


async def refused_call(url: str, asking: Asking = SOON, **options: object) -> UpstreamError:
    """Make a call that goes wrong, and return how."""
    async with reached(url, **options) as server:  # type: ignore[arg-type]
        with pytest.raises(UpstreamError) as raised:
            await server.echo(asking=asking)
        return raised.value


@ERAS
async def test_answers_come_as_json_and_as_streams_that_are_resumed_without_a_second_call(
    era: str, http: HostileHttp
) -> None:
    for behaviour in ("", "streams", "breaks"):
        served = http.serve(*([behaviour] if behaviour else []), era=era)
        async with reached(served.url) as server:
            assert server.connection.hello.era.value == era
            assert await server.echo("once") == "once"
        assert len(served.ran()) == 1
        if behaviour == "breaks":
            resumed = [get["headers"].get("last-event-id") for get in served.seen(verb="GET")]
            assert [each for each in resumed if each is not None] == ["e1"]


@ERAS
async def test_what_a_server_did_not_answer_may_have_run(era: str, http: HostileHttp) -> None:
    for behaviour, trouble in {
        "cuts": Trouble.LOST,
        "breaks_for_good": Trouble.LOST,
        "fails=502": Trouble.LOST,
        "accepted": Trouble.MALFORMED,
        "not_json": Trouble.MALFORMED,
        "wrong_id": Trouble.MALFORMED,
        "too_long=100000": Trouble.MALFORMED,
    }.items():
        served = http.serve(behaviour, era=era)
        problem = await refused_call(served.url, limits=Limits(message_bytes=50_000))
        assert (behaviour, problem.trouble) == (behaviour, trouble)
        assert problem.may_have_run
        assert len(served.seen("tools/call")) == 1


@ERAS
async def test_what_a_server_refused_did_not_run(era: str, http: HostileHttp) -> None:
    for behaviour, words in {
        "fails=429": "too many requests",
        "fails=418": "418",
        "fails=404": "no MCP server" if era == "modern" else "does not know the session",
    }.items():
        served = http.serve(behaviour, era=era)
        problem = await refused_call(served.url)
        assert words in problem.message
        assert not problem.may_have_run


@ERAS
async def test_a_server_that_hangs_is_given_up_in_time_and_the_call_called_off(era: str, http: HostileHttp) -> None:
    served = http.serve("hangs", era=era)
    async with reached(served.url) as server:
        with pytest.raises(UpstreamError) as raised:
            await server.echo(asking=QUICK)
        assert raised.value.trouble is Trouble.TIMED_OUT
        assert await server.connection.tools(SOON)
        if era == "handshake":
            await eventually(lambda: len(served.seen("notifications/cancelled")) == 1)
    if era == "modern":  # closing the exchange is the signal
        assert served.seen("notifications/cancelled") == []


@pytest.mark.parametrize("behaviour", ["expires=2", "expires_with_400=2"])
async def test_a_session_that_the_server_forgot_is_said_to_be_gone_and_nothing_ran(
    behaviour: str, http: HostileHttp
) -> None:
    served = http.serve(behaviour, era="handshake")
    async with reached(served.url) as server:
        await server.echo()
        await server.echo()
        with pytest.raises(UpstreamError) as raised:
            await server.echo()
        assert raised.value.trouble is Trouble.SESSION_GONE
        assert not raised.value.may_have_run
        assert not server.connection.is_open
    async with reached(served.url) as again:
        assert await again.echo() == "hi"
    assert len(served.ran()) == 3


async def test_a_session_is_named_in_every_request_and_ended_at_the_end(http: HostileHttp) -> None:
    served = http.serve("push", era="handshake")
    async with reached(served.url) as server:
        await server.echo()
        await eventually(lambda: bool(server.heard.of("notifications/tools/list_changed")))
    for request in (*served.seen("tools/call"), *served.seen(verb="DELETE"), *served.seen(verb="GET")):
        assert request["headers"]["mcp-session-id"] == "session-1"
        assert request["headers"]["mcp-protocol-version"] == "2025-11-25"
    assert len(served.seen(verb="DELETE")) == 1


async def test_the_modern_era_repeats_a_request_in_its_headers(http: HostileHttp) -> None:
    served = http.serve("strict_headers", era="modern")
    async with reached(served.url) as server:
        # The first call does not know the definition; the server refuses it before anything is done.
        found = await server.connection.call_tool("place", {"place": "Zürich"}, SOON)
        assert found["content"]
        await server.connection.call_tool("place", {"place": "here"}, SOON)
    calls = served.seen("tools/call")
    assert [call["headers"].get("mcp-param-place") for call in calls] == [
        None,
        f"=?base64?{base64.b64encode('Zürich'.encode()).decode()}?=",
        "here",
    ]
    assert {call["headers"]["mcp-name"] for call in calls} == {"place"}
    assert {call["headers"]["mcp-method"] for call in calls} == {"tools/call"}
    assert {call["headers"]["mcp-protocol-version"] for call in calls} == {"2026-07-28"}
    assert all("mcp-session-id" not in call["headers"] for call in calls)
    assert len(served.ran()) == 2


async def test_a_call_is_not_made_again_for_its_headers_when_its_definition_asks_for_none(http: HostileHttp) -> None:
    served = http.serve("refuses_headers", era="modern")
    problem = await refused_call(served.url)
    assert (problem.trouble, problem.code) == (Trouble.REFUSED, -32020)
    assert len(served.ran()) == 1


@ERAS
async def test_no_redirect_leads_to_another_host(era: str, http: HostileHttp) -> None:
    other = http.serve()
    elsewhere = other.url.replace("127.0.0.1", "localhost")
    served = http.serve(f"redirects={elsewhere}", era=era)
    problem = await refused_call(served.url, headers={"X-Key": "hidden"})
    assert problem.trouble is Trouble.REFUSED
    assert elsewhere in problem.message
    assert "hidden" not in problem.message
    assert other.seen() == []


async def test_a_redirect_to_another_path_of_the_same_server_is_followed(http: HostileHttp) -> None:
    served = http.serve("redirects_here", era="modern")
    async with reached(served.url) as server:
        assert await server.echo() == "hi"
    assert [call["path"].rpartition("/")[2] for call in served.seen("tools/call")] == ["elsewhere"]


@ERAS
async def test_a_server_that_wants_a_login_gives_its_challenge_and_never_an_empty_list(
    era: str, http: HostileHttp
) -> None:
    served = http.serve("login", era=era)
    with pytest.raises(UpstreamError) as raised:
        async with reached(served.url):
            pass
    assert raised.value.trouble is Trouble.UNAUTHORISED
    assert 'resource_metadata="http://x/y"' in (raised.value.challenge or "")
    login = Login("old", "good")
    async with reached(served.url, authorisation=login) as server:
        assert await server.echo() == "hi"
    assert len(login.challenges) == 1
    with pytest.raises(UpstreamError) as again:
        async with reached(served.url, authorisation=Login("old", "older")):
            pass
    assert again.value.trouble is Trouble.UNAUTHORISED


@ERAS
async def test_a_call_that_needs_more_rights_is_made_once_more_with_them_and_ran_once(
    era: str, http: HostileHttp
) -> None:
    served = http.serve("scope", era=era)
    login = Login("some", "more")
    async with reached(served.url, authorisation=login) as server:
        assert await server.echo() == "hi"
    assert "insufficient_scope" in login.challenges[0]
    assert len(served.seen("tools/call")) == 2
    assert len(served.ran()) == 1


@ERAS
async def test_what_a_server_asks_during_a_call_reaches_the_one_who_made_that_call(era: str, http: HostileHttp) -> None:
    people = [Answering({"action": "accept", "content": {"n": number}}) for number in range(4)]
    served = http.serve("asks", era=era)
    async with reached(served.url) as server:
        found = await asyncio.gather(
            *(server.connection.call_tool("echo", {}, Asking(seconds=20, answers=each)) for each in people)
        )
    assert [each["structuredContent"]["given"]["q"]["content"]["n"] for each in found] == [0, 1, 2, 3]
    assert [len(each.asked) for each in people] == [1, 1, 1, 1]


async def test_a_question_on_a_stream_of_its_own_is_not_lost_because_the_stream_opens_late(http: HostileHttp) -> None:
    person = Answering()
    async with reached(http.serve("asks_aside=0.3", era="handshake").url) as server:
        found = await server.connection.call_tool("echo", {}, Asking(seconds=20, answers=person))
        assert "blue" in found["content"][0]["text"]
        assert len(person.asked) == 1


async def test_a_server_that_never_opens_its_stream_is_waited_for_once_and_not_long(http: HostileHttp) -> None:
    url = http.serve("asks_aside=600", era="handshake").url
    async with reached(url, limits=Limits(stream_seconds=0.2)) as server:
        for _ in range(2):
            found = await server.connection.call_tool("echo", {}, SOON)
            assert found["content"][0]["text"] == "lost"


async def test_a_session_whose_own_stream_is_gone_is_over_and_one_that_never_had_a_stream_is_not(
    http: HostileHttp,
) -> None:
    async with (
        reached(http.serve("streams_once", era="handshake").url) as gone,
        reached(http.serve("no_stream", era="handshake").url) as without,
    ):
        await eventually(lambda: not gone.connection.is_open)
        assert await without.echo("x") == "x"
        assert without.connection.is_open


async def test_headers_of_the_configuration_arrive_but_never_replace_those_of_the_protocol(http: HostileHttp) -> None:
    served = http.serve(era="handshake")
    given = {"X-Key": "value", "Content-Length": "1", "Mcp-Session-Id": "mine", "Host": "other"}
    async with reached(served.url, headers=given) as server:
        await server.echo()
    call = served.seen("tools/call")[0]["headers"]
    assert call["x-key"] == "value"
    assert call["mcp-session-id"] == "session-1"
    assert call["host"].startswith("127.0.0.1:")
    with pytest.raises(UpstreamError, match="no header may have") as raised:
        async with reached(served.url, headers={"X-Key": "a\r\nb: c"}):
            pass
    assert raised.value.trouble is Trouble.NOT_REACHED


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254"])
async def test_a_name_that_leads_to_a_private_address_is_not_reached(address: str) -> None:
    async def rebound(host: str, port: int) -> Sequence[IpAddress]:
        return [ip_address("93.184.216.34"), ip_address(address)]

    pool = Pool(extra_ca_file=None, connect_seconds=5, allow_private=frozenset(), resolver=rebound)
    try:
        for url in ("http://mcp.example.com/mcp", "https://mcp.example.com/mcp"):
            transport = HttpTransport(url, {}, pool)
            with pytest.raises(UpstreamError, match=r"mcp\.example\.com:\d+ is not reached") as raised:
                await connect(transport, name="x", notices=Answerless(), limits=Limits())
            assert raised.value.trouble is Trouble.NOT_REACHED
    finally:
        await pool.close()


class Answerless:
    def notice(self, method: str, params: object) -> None:
        pass


async def test_where_nobody_listens_nothing_left_and_the_message_holds_no_secret() -> None:
    with pytest.raises(UpstreamError) as raised:
        async with reached("http://127.0.0.1:9/mcp?key=hidden"):
            pass
    assert raised.value.trouble is Trouble.NOT_REACHED
    assert "hidden" not in raised.value.message
    for url in ("ftp://x/", "https://user:hidden@host/mcp", "nonsense"):
        with pytest.raises(UpstreamError, match="URL") as bad:
            async with reached(url):
                pass
        assert "hidden" not in bad.value.message


@pytest.mark.parametrize("era", ["both", "handshake"])
async def test_a_server_of_either_era_is_greeted_in_the_way_it_knows(era: str, http: HostileHttp) -> None:
    served = http.serve(era=era)
    async with reached(served.url) as server:
        assert server.connection.hello.era is (Era.MODERN if era == "both" else Era.HANDSHAKE)
        assert await server.echo() == "hi"
    assert len(served.seen("server/discover")) == 1
    assert len(served.seen("tools/call")) == 1


async def test_a_connection_is_kept_between_calls(http: HostileHttp) -> None:
    served = http.serve("streams")
    async with reached(served.url) as server:
        for number in range(20):
            assert await server.echo(str(number)) == str(number)
    assert len(served.peers()) <= 2  # one for the calls, and one for what was asked before


@ERAS
async def test_a_connection_that_is_closed_ends_the_calls_under_way(era: str, http: HostileHttp) -> None:
    served = http.serve("hangs", era=era)
    async with reached(served.url) as server:
        call = asyncio.ensure_future(server.echo())
        await eventually(lambda: len(served.seen("tools/call")) == 1)
    with pytest.raises(UpstreamError) as raised:
        await call
    assert raised.value.trouble is Trouble.LOST
