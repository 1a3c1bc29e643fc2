"""What a login does and refuses, over a real vault and log, with an authorization server that can lie."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from servers.login_room import LoginRoom, login_room
from servers.lying_server import Answer
from servers.pin_room import PERSON

from daemon.core.failures import Failure, FailureClass
from daemon.tools.servers.acting import Acting
from daemon.tools.servers.oauth.challenges import Challenge
from daemon.tools.servers.oauth.choosing import OwnClient
from daemon.tools.servers.oauth.pending import Stage
from daemon.tools.servers.upstream.seam import Trouble, UpstreamError


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[LoginRoom]:
    async with login_room(tmp_path) as made:
        yield made


async def refused(room: LoginRoom) -> str:
    """Begin a login that must be refused, and return the sentence."""
    with pytest.raises(Failure) as problem:
        await room.begin()
    assert problem.value.failure_class is FailureClass.BINDING_FAILED
    assert problem.value.details["command"] == "aileron server login far"
    assert not room.lying.forms("/token")
    return problem.value.message


def files_with(folder: Path, text: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


async def types(room: LoginRoom) -> list[str]:
    return [event["type"] for event in await room.log.events()]


async def test_a_login_asks_with_pkce_state_and_resource_and_keeps_the_tokens_in_the_vault(
    room: LoginRoom, tmp_path: Path
) -> None:
    begun = await room.begin()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.url or "").query).items()}
    assert (asked["code_challenge_method"], asked["response_type"], asked["scope"]) == ("S256", "code", "read")
    assert asked["resource"] == f"{room.lying.origin}/mcp"
    assert (await room.come_back(begun)).stage is Stage.DONE
    [form] = room.lying.forms("/token")
    assert (form["resource"], form["redirect_uri"]) == (asked["resource"], asked["redirect_uri"])
    assert len(form["code_verifier"]) >= 43
    assert await room.token() == "sentinel-access-1"
    assert room.secrets == {"sentinel-access-1", "sentinel-refresh-1"}
    assert "server.logged_in" in await types(room)
    assert files_with(tmp_path, b"sentinel") == []


async def test_an_authorization_server_that_lies_or_is_unsafe_is_refused(room: LoginRoom) -> None:
    lies: list[tuple[dict[str, Any], str]] = [
        ({"issuer": "https://good.example"}, "says that it is 'https://good.example'"),
        ({"issuer": None}, "says that it is nothing"),
        ({"code_challenge_methods_supported": None}, "PKCE"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
        ({"token_endpoint": "http://elsewhere.example/token"}, "only https"),
        ({"token_endpoint": None}, "is not said"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "is not an absolute https URL"),
        ({"registration_endpoint": None}, "`client_id`"),
    ]
    for lie, said in lies:
        room.lying.honest()
        room.lying.metadata |= lie
        assert said in await refused(room), lie
    assert (await types(room)).count("server.login_failed") == len(lies)


async def test_a_document_that_is_for_another_resource_is_refused(room: LoginRoom) -> None:
    here = room.lying.origin
    others = (f"{here}/other", f"{here}/mc", f"{here}/x/../mcp", f"{here}/mcp?x=1", "https://bank.example/mcp", None)
    for named in others:
        room.lying.resource["resource"] = named
        assert "is for another server" in await refused(room), named


async def test_the_code_is_sent_only_if_the_answer_is_of_the_server_that_was_asked(room: LoginRoom) -> None:
    evil, here = "https://evil.example", room.lying.origin
    rows = [(True, here, True), (True, None, False), (True, evil, False)]
    rows += [(False, here, True), (False, None, True), (False, evil, False)]
    for promised, iss, taken in rows:
        room.lying.metadata["authorization_response_iss_parameter_supported"] = promised
        room.lying.asked.clear()
        ended = await room.come_back(await room.begin(), iss=iss)
        assert (ended.stage is Stage.DONE, len(room.lying.forms("/token"))) == (taken, int(taken)), (promised, iss)
        assert taken or "The code is not used" in (ended.message or "")
    # An error of another server is not believed, either: its words are the attacker's.
    mixed = await room.come_back(await room.begin(), iss=evil, error="access_denied", error_description="Call 0900")
    assert "0900" not in (mixed.message or "")


async def test_an_answer_with_another_state_neither_ends_nor_completes_a_login(room: LoginRoom) -> None:
    begun = await room.begin()
    assert (await room.come_back(begun, state="guessed", error="access_denied")).stage is Stage.WAITING
    assert not room.lying.forms("/token")
    assert (await room.come_back(begun)).stage is Stage.DONE
    with pytest.raises(Failure):
        await room.service.finish(room.config, f"{begun.url}&code=again")
    assert len(room.lying.forms("/token")) == 1


async def test_what_is_pasted_is_taken_as_the_browser_and_no_other(room: LoginRoom) -> None:
    begun = await room.begin()
    asked = parse_qs(urlsplit(begun.url or "").query)
    with pytest.raises(Failure, match="another login"):
        await room.service.finish(room.config, "http://127.0.0.1/callback?code=x&state=y")
    pasted = f"  {asked['redirect_uri'][0]}?code=c&state={asked['state'][0]}&iss={room.lying.origin}\n"
    assert (await room.service.finish(room.config, pasted)).stage is Stage.DONE


async def test_redirects_to_other_hosts_slow_and_huge_documents_are_refused(
    room: LoginRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "/.well-known/oauth-authorization-server"
    room.lying.answers[place] = Answer({}, 302, {"location": "https://evil.example/"})
    assert "redirects to evil.example:443, which is not followed" in await refused(room)
    room.lying.answers[place] = Answer(b" " * 300_000)
    assert "longer than" in await refused(room)
    room.lying.answers[place] = Answer(b"[" * 100_000)
    assert "no JSON object" in await refused(room)
    room.lying.answers[place] = Answer({}, seconds=5)
    monkeypatch.setattr("daemon.tools.servers.oauth.asking.SECONDS", 0.2)
    assert "did not answer in 0.2 s" in await refused(room)


async def test_a_server_elsewhere_cannot_send_requests_of_a_login_to_this_machine(room: LoginRoom) -> None:
    room.change(url="https://mcp.example/mcp")
    at = "https://mcp.example/mcp"
    for url in (f"{room.lying.origin}/x", "https://localhost/x", "http://plain.example/x", "https://127.0.0.1:1/"):
        room.logins._challenges.note(at, Challenge(metadata_url=url))
        assert ("only https" if "plain" in url else "leads to this machine") in await refused(room)
    rebound = f"https://rebinds.example:{urlsplit(room.lying.origin).port}/x"
    room.logins._challenges.note(at, Challenge(metadata_url=rebound))
    assert "it resolves to the loopback address 127.0.0.1" in await refused(room)
    assert room.lying.paths() == []


async def test_documents_are_looked_for_in_the_order_of_the_specification(room: LoginRoom) -> None:
    room.lying.metadata["issuer"] = room.lying.resource["authorization_servers"] = f"{room.lying.origin}/tenant"  # type: ignore[assignment]
    room.lying.resource["authorization_servers"] = [f"{room.lying.origin}/tenant"]
    room.lying.answers["/tenant/.well-known/openid-configuration"] = lambda _: Answer(room.lying.metadata)
    room.lying.answers["/.well-known/oauth-protected-resource"] = lambda _: Answer(room.lying.resource)
    room.lying.answers.pop("/.well-known/oauth-protected-resource/mcp")
    await room.begin()
    assert room.lying.paths() == [
        "/mcp",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server/tenant",
        "/.well-known/openid-configuration/tenant",
        "/tenant/.well-known/openid-configuration",
        "/register",
    ]


async def test_a_server_of_the_older_kind_is_its_own_authorization_server_under_the_same_checks(
    room: LoginRoom,
) -> None:
    origin = room.lying.origin
    room.lying.answers.pop("/.well-known/oauth-protected-resource/mcp")
    begun = await room.begin()
    assert room.lying.paths() == [
        "/mcp",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
        "/register",
    ]
    assert begun.issuer == origin
    assert parse_qs(urlsplit(begun.url or "").query)["resource"] == [f"{origin}/mcp"]
    assert (await room.come_back(begun, iss="https://evil.example")).stage is Stage.FAILED
    assert not room.lying.forms("/token")
    assert (await room.log_in()).stage is Stage.DONE
    assert room.lying.forms("/token")[-1]["resource"] == f"{origin}/mcp"
    # Its name may have a slash at the end, and is compared in the form that it has.
    room.lying.metadata["issuer"] = f"{origin}/"
    assert (await room.come_back(await room.begin(), iss=f"{origin}/")).stage is Stage.DONE
    room.lying.asked.clear()
    for lie, said in (({"issuer": "https://good.example"}, "says that it is"), ({"issuer": f"{origin}/mcp"}, "says")):
        room.lying.metadata |= lie
        assert said in await refused(room)
    room.lying.honest()
    room.lying.answers.pop("/.well-known/oauth-protected-resource/mcp")
    room.lying.metadata["code_challenge_methods_supported"] = None
    assert "PKCE" in await refused(room)


async def test_without_a_document_about_the_login_there_is_none_and_the_places_are_named(room: LoginRoom) -> None:
    for place in ("oauth-protected-resource/mcp", "oauth-authorization-server"):
        room.lying.answers.pop(f"/.well-known/{place}")
    said = await refused(room)
    assert f"{room.lying.origin}/.well-known/oauth-authorization-server" in said
    assert "--header" in said
    assert "/register" not in room.lying.paths()


async def test_only_a_server_that_says_nothing_is_taken_for_one_of_the_older_kind(room: LoginRoom) -> None:
    place = "/.well-known/oauth-protected-resource/mcp"
    for answer, said in (
        (Answer({}, 503), "503"),
        (Answer({"resource": f"{room.lying.origin}/mcp"}), "names no authorization server"),
        (Answer(b"<html>"), "no JSON object"),
    ):
        room.lying.answers[place] = answer
        assert said in await refused(room)
    room.lying.challenge = f'Bearer resource_metadata="{room.lying.origin}/said"'
    assert "tells where to log in, and there is no document" in await refused(room)
    assert "/.well-known/oauth-authorization-server" not in room.lying.paths()


async def test_the_place_that_the_challenge_names_goes_first_and_no_other_is_asked(room: LoginRoom) -> None:
    room.lying.challenge = f'Basic realm="x", Bearer resource_metadata="{room.lying.origin}/said", scope="a b"'
    room.lying.answers["/said"] = lambda _: Answer(room.lying.resource)
    begun = await room.begin()
    assert room.lying.paths()[:2] == ["/mcp", "/said"]
    assert parse_qs(urlsplit(begun.url or "").query)["scope"] == ["a b"]


async def test_a_client_of_the_persons_goes_first_then_a_document_then_a_registration(tmp_path: Path) -> None:
    own = OwnClient(metadata_url="https://me.example/client.json")
    async with login_room(tmp_path, own=own) as room:

        async def client() -> str:
            return parse_qs(urlsplit((await room.begin()).url or "").query)["client_id"][0]

        assert await client() == "registered"
        assert json.loads(room.lying.asked[-1].body)["application_type"] == "native"
        room.lying.metadata["client_id_metadata_document_supported"] = True
        assert await client() == "https://me.example/client.json"
        room.change(client_id="given")
        room.plain["far/client_secret"] = b"sentinel-secret"
        assert await client() == "given"
        await room.log_in()
        [asked] = [each for each in room.lying.asked if each.path == "/token"]
        assert asked.headers["authorization"].startswith("Basic ")
        assert "sentinel-secret" not in asked.body


async def test_however_many_calls_wait_a_login_is_renewed_by_one_request(room: LoginRoom) -> None:
    await room.log_in()
    room.lying.token = {"access_token": "sentinel-access-2", "refresh_token": "r2", "token_type": "bearer"}
    room.lying.answers["/token"] = lambda _: Answer(room.lying.token, seconds=0.05)
    room.clock.passed = 3600 - 30
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(room.token()) for _ in range(200)]
        await asyncio.sleep(0.01)
        calls[0].cancel()  # who began it goes away, and the others get it all the same
    assert {call.result() for call in calls[1:]} == {"sentinel-access-2"}
    [_, form] = room.lying.forms("/token")
    assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", "sentinel-refresh-1")
    assert form["resource"] == f"{room.lying.origin}/mcp"
    assert (await types(room)).count("server.login_renewed") == 1


async def test_another_login_is_another_account_and_a_renewed_token_is_the_same(room: LoginRoom) -> None:
    acting = Acting(room.vault)
    assert acting.account(room.config) is None
    await room.log_in()
    first = acting.account(room.config)
    assert first is not None
    assert (first.connector, first.kind, first.name, first.version) == ("far", "login", room.lying.origin, 1)
    room.clock.passed = 3600 - 30
    await room.token()
    assert (await types(room)).count("server.login_renewed") == 1
    assert acting.account(room.config) == first
    await room.log_in()
    second = acting.account(room.config)
    assert second is not None
    assert (second.version, second.seal != first.seal) == (2, True)


async def test_many_refusals_of_one_token_renew_it_once_also_for_those_that_come_late(room: LoginRoom) -> None:
    await room.log_in()
    room.lying.token = room.lying.token | {"access_token": "sentinel-access-2"}
    authorisation = room.authorisation()

    async def call(late: float) -> bool:
        await authorisation.headers()
        await asyncio.sleep(late)
        return await authorisation.refused('Bearer error="invalid_token"')

    assert all(await asyncio.gather(*(call(late) for late in (0.0, 0.0, 0.05, 0.2))))
    assert len(room.lying.forms("/token")) == 2


async def test_a_login_whose_refresh_token_is_refused_is_over_and_asks_nobody_again(room: LoginRoom) -> None:
    await room.log_in()
    room.lying.answers["/token"] = Answer({"error": "invalid_grant"}, 400)
    room.clock.passed = 3599
    assert await room.token() is None
    assert await room.token() is None
    assert len(room.lying.forms("/token")) == 2
    assert "server.login_ended" in await types(room)


async def test_an_authorization_server_that_is_away_does_not_end_a_login_that_is_good(room: LoginRoom) -> None:
    await room.log_in()
    room.lying.answers["/token"] = Answer({}, 503)
    room.clock.passed = 3600 - 30
    assert [await room.token() for _ in range(5)] == ["sentinel-access-1"] * 5
    assert len(room.lying.forms("/token")) == 2
    room.clock.passed = 3601
    with pytest.raises(UpstreamError) as problem:
        await room.token()
    assert problem.value.trouble is Trouble.NOT_REACHED
    room.lying.answers["/token"] = Answer({"error": "sentinel-refresh-1"}, 400)
    with pytest.raises(UpstreamError) as echoed:
        await room.token()
    assert "sentinel" not in echoed.value.message
    room.lying.answers["/token"] = Answer(room.lying.token)
    assert await room.token() == "sentinel-access-1"


async def test_too_few_rights_are_a_persons_to_mend_and_the_next_login_asks_for_them(room: LoginRoom) -> None:
    await room.log_in()
    with pytest.raises(UpstreamError, match=r"too few rights.*write"):
        await room.authorisation().refused('Bearer error="insufficient_scope", scope="write"')
    assert len(room.lying.forms("/token")) == 1
    begun = await room.begin()
    assert parse_qs(urlsplit(begun.url or "").query)["scope"] == ["write read"]


async def test_a_locked_vault_is_said_as_such_and_never_as_a_missing_login(room: LoginRoom) -> None:
    await room.log_in()
    await room.vault.lock()
    with pytest.raises(UpstreamError) as problem:
        await room.token()
    assert problem.value.failure is not None
    assert problem.value.failure.failure_class is FailureClass.VAULT_LOCKED
    with pytest.raises(Failure) as locked:
        await room.begin()
    assert locked.value.failure_class is FailureClass.VAULT_LOCKED


async def test_tokens_go_to_the_server_they_were_given_for_and_to_no_other(room: LoginRoom) -> None:
    await room.log_in()
    for url in (f"{room.lying.origin}/other", f"{room.lying.origin}/mcp/below", "https://evil.example/mcp"):
        room.change(url=url)
        assert await room.token() is None
    room.change(url=f"{room.lying.origin}/mcp", headers={"authorization": "Bearer own"})
    assert await room.authorisation().headers() == {}


async def test_another_authorization_server_gets_a_client_of_its_own_and_replaces_the_tokens(room: LoginRoom) -> None:
    await room.log_in()
    other = room.lying.metadata | {"issuer": f"{room.lying.origin}/b"}
    room.lying.answers["/.well-known/oauth-authorization-server/b"] = Answer(other)
    room.lying.resource["authorization_servers"] = [f"{room.lying.origin}/b"]
    room.lying.token = room.lying.token | {"access_token": "sentinel-b"}
    assert (await room.come_back(await room.begin(), iss=f"{room.lying.origin}/b")).stage is Stage.DONE
    assert room.lying.paths().count("/register") == 2
    assert await room.token() == "sentinel-b"
    kinds = [entry.name.split("/")[1] for entry in room.vault.list()]
    assert sorted(kinds) == ["client", "client", "tokens"]


async def test_a_logout_revokes_both_tokens_and_says_so_if_that_fails(room: LoginRoom) -> None:
    await room.log_in()
    done = await room.service.logout(room.config, by=PERSON, session="ses_test")
    assert done.revoked
    assert [form["token"] for form in room.lying.forms("/revoke")] == ["sentinel-refresh-1", "sentinel-access-1"]
    assert await room.token() is None
    await room.log_in()
    room.lying.answers["/revoke"] = Answer({}, 500)
    failed = await room.service.logout(room.config, by=PERSON, session="ses_test")
    assert (failed.revoked, await room.token()) == (False, None)
    assert (await types(room)).count("server.logged_out") == 2


async def test_a_server_that_a_header_lets_in_by_now_still_gives_up_its_login_when_it_is_taken_out(
    room: LoginRoom,
) -> None:
    await room.log_in()
    waiting = await room.begin()
    room.change(headers={"Authorization": "Bearer other"})
    gone = await room.service.taken_out(room.config, by=PERSON, session="ses_test")
    assert gone is not None
    assert gone.revoked
    assert not room.service.has_login(room.config)
    # A login that was under way does not bring another one.
    with pytest.raises(httpx.ConnectError):
        await room.come_back(waiting)
    assert await room.service.taken_out(room.config, by=PERSON, session="ses_test") is None


async def test_when_a_login_ends_and_whether_it_is_renewed_is_known_without_its_tokens(room: LoginRoom) -> None:
    room.lying.token["scope"] = "read write"
    await room.log_in()
    first = room.logins.login_of(room.config)
    assert first is not None
    assert (first.issuer, first.scopes, first.renews) == (room.lying.origin, ("read", "write"), True)
    assert first.expires_at_ms is not None
    room.clock.passed += 3600
    await room.token()
    await room.vault.lock()
    renewed = room.logins.login_of(room.config)
    assert renewed is not None
    assert renewed.expires_at_ms is not None
    assert renewed.expires_at_ms > first.expires_at_ms
    assert (renewed.number, renewed.seal) == (first.number, first.seal)


async def test_the_login_by_a_device_waits_slows_down_and_ends(
    room: LoginRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.tools.servers.oauth.devices.SLOWER", 0.05)
    said = iter(["authorization_pending", "slow_down", None])
    device = {"device_code": "sentinel-device", "user_code": "ABCD", "verification_uri": f"{room.lying.origin}/type"}
    room.lying.answers["/device"] = lambda _: Answer(device | {"interval": 0, "expires_in": 60})

    def token(_: Any) -> Answer:
        error = next(said)
        return Answer(room.lying.token) if error is None else Answer({"error": error}, 400)

    room.lying.answers["/token"] = token
    begun = await room.begin(device=True)
    assert (begun.code, begun.url) == ("ABCD", f"{room.lying.origin}/type")
    with pytest.raises(Failure):
        await room.service.finish(room.config, "code=x&state=y")
    assert (await room.service.state(room.config, 20)).stage is Stage.DONE
    room.lying.answers["/device"] = Answer(device | {"verification_uri": "http://evil.example/"})
    with pytest.raises(Failure, match="only https"):
        await room.begin(device=True)


async def test_tokens_that_cannot_be_used_are_refused(room: LoginRoom) -> None:
    lies: list[dict[str, Any]] = [
        {"token_type": "mac"},
        {"access_token": "a b"},
        {"access_token": "a\r\nx: y"},
        {"access_token": None},
        {"refresh_token": 7},
    ]
    for lie in lies:
        room.lying.honest()
        room.lying.token |= lie
        ended = await room.log_in()
        assert (ended.stage, bool(ended.message), await room.token()) == (Stage.FAILED, True, None), lie


async def test_after_a_login_that_nobody_came_back_from_a_client_is_registered_anew(room: LoginRoom) -> None:
    await room.log_in()
    await room.begin()
    assert room.lying.paths().count("/register") == 1
    await room.service.cancel("far")
    await room.begin()
    assert room.lying.paths().count("/register") == 2


async def test_where_the_port_of_the_browser_is_taken_a_client_is_registered_for_another_one(
    room: LoginRoom, tmp_path: Path
) -> None:
    begun = await room.begin()
    await room.come_back(begun)
    redirect = urlsplit(parse_qs(urlsplit(begun.url or "").query)["redirect_uri"][0])
    with socket.create_server(("127.0.0.1", redirect.port or 0)) as taken:
        other = await room.log_in()
        assert (other.stage, room.lying.paths().count("/register")) == (Stage.DONE, 2)
        (tmp_path / "other").mkdir()
        async with login_room(tmp_path / "other", own=OwnClient(redirect_port=taken.getsockname()[1])) as fixed:
            assert "servers.redirect_port is taken" in await refused(fixed)


async def test_a_login_that_is_called_off_listens_no_more(room: LoginRoom) -> None:
    begun = await room.begin()
    port = int(urlsplit(parse_qs(urlsplit(begun.url or "").query)["redirect_uri"][0]).port or 0)
    await room.service.cancel("far")
    with pytest.raises(OSError, match=r"refused|Connect"):
        await asyncio.open_connection("127.0.0.1", port)
    with pytest.raises(Failure, match="No login at far is under way"):
        await room.service.state(room.config, 0)


@pytest.mark.parametrize(
    ("sends", "said", "commands"),
    [
        ({"headers": {"X-Api-Key": "vault://secrets/far/key"}}, "the header X-Api-Key of", ["far/key"]),
        ({"url": "{}/mcp?key=vault://secrets/far/in-url"}, "the URL of", ["far/in-url"]),
        (
            {
                "headers": {"X-One": "a vault://secrets/one"},
                "url": "{}/mcp?k=vault://secrets/two&l=vault://secrets/one",
            },
            "the header X-One and the URL of",
            ["one", "two"],
        ),
    ],
)
@pytest.mark.parametrize("offers_login", [False, True])
async def test_a_key_that_is_refused_is_said_with_the_secrets_that_were_sent_unless_somebody_is_logged_in(
    room: LoginRoom, sends: dict[str, Any], said: str, commands: list[str], offers_login: bool
) -> None:
    challenge = (
        f'Bearer resource_metadata="{room.lying.origin}/.well-known/oauth-protected-resource/mcp"'
        if offers_login
        else ""
    )
    room.change(**{**sends, "url": sends.get("url", "{}/mcp").format(room.lying.origin)})
    entry = room.authorisation()
    await entry.headers()
    with pytest.raises(UpstreamError) as refused:
        await entry.refused(challenge)
    failure = refused.value.failure
    assert failure is not None
    assert (refused.value.trouble, failure.failure_class) == (Trouble.UNAUTHORISED, FailureClass.BINDING_REQUIRED)
    assert f"does not accept what it is sent in {said} servers.yaml" in failure.message
    assert failure.details["command"] == f"aileron secret add {commands[0]}"
    assert all(f"`aileron secret add {name}`" in failure.message for name in commands)
    assert ("aileron server login far" in failure.message) == offers_login
    await room.log_in()
    await entry.headers()
    await entry.refused(challenge)  # now it is the login, of which others tell


async def test_a_server_that_is_sent_no_secret_is_said_to_want_a_login(room: LoginRoom) -> None:
    room.change(headers={"X-Tenant": "acme"}, url=f"{room.lying.origin}/mcp?region=eu")
    entry = room.authorisation()
    await entry.headers()
    assert not await entry.refused("")
