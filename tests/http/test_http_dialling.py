"""Dialling: the address that was checked is the one that is dialled, on every new connection, under the right name."""

import socket
from ipaddress import ip_address

import pytest

from daemon.connectors.http import DenialKind
from daemon.core.failures import FailureClass
from tests.services.outbound import SECRET, Call, Names, Outside, manifest_for

PUBLIC = "93.184.215.14"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "fe80::1", "fd00:ec2::254", "::ffff:127.0.0.1",
     "64:ff9b::7f00:1", "2002:7f00:1::", "0.0.0.0"],  # noqa: S104
)  # fmt: skip
async def test_a_name_that_resolves_to_a_closed_address_is_denied_and_nothing_is_dialled(
    outside: Outside, address: str
) -> None:
    up = await outside.upstream(tls=True, public_name="service.test")
    http = await outside.client(ca_file=up.ca_file, names=Names(service_test=[[address]]))
    call = Call(http, manifest_for(up.host_port))
    ok, error = await call.send("GET", up.url)
    assert (ok, error["code"]) == (False, "denied")
    assert str(ip_address(address)) in error["message"]
    assert up.connections == 0
    assert [denial.kind for denial in call.context.denials] == [DenialKind.ADDRESS]
    assert not call.context.sent_any
    failure = call.context.explain()
    assert failure is not None
    assert failure.failure_class is FailureClass.CAPABILITY_DENIED


async def test_one_closed_address_among_open_ones_denies_the_host(outside: Outside) -> None:
    up = await outside.upstream(tls=True, public_name="service.test")
    http = await outside.client(ca_file=up.ca_file, names=Names(service_test=[[PUBLIC, "127.0.0.1"]]))
    ok, error = await Call(http, manifest_for(up.host_port)).send("GET", up.url)
    assert (ok, error["code"], up.connections) == (False, "denied", 0)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "fd00:ec2::254"])
async def test_a_metadata_or_link_local_address_is_denied_even_where_the_user_allowed_the_host(
    outside: Outside, address: str
) -> None:
    up = await outside.upstream(tls=True, public_name="service.test")
    http = await outside.client(up.host_port, ca_file=up.ca_file, names=Names(service_test=[[address]]))
    ok, error = await Call(http, manifest_for(up.host_port)).send("GET", up.url)
    assert (ok, error["code"]) == (False, "denied")


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:{port}/", "https://[::1]:{port}/", "https://169.254.169.254:{port}/"]
)
async def test_a_literal_closed_address_is_denied_although_the_manifest_names_it(outside: Outside, url: str) -> None:
    up = await outside.upstream(tls=True)
    http = await outside.client(ca_file=up.ca_file)
    target = url.format(port=up.port)
    call = Call(http, manifest_for(target.removeprefix("https://").rstrip("/")))
    ok, error = await call.send("GET", target)
    assert (ok, error["code"], up.connections) == (False, "denied", 0)
    assert call.context.denials[0].kind is DenialKind.ADDRESS


async def test_the_name_is_resolved_once_for_a_connection_and_not_for_a_pooled_one(outside: Outside) -> None:
    up = await outside.upstream(tls=True, public_name="service.test")
    names = Names(service_test=[["127.0.0.1"]])
    http = await outside.client(up.host_port, ca_file=up.ca_file, names=names)
    for _ in range(3):
        ok, _answer = await Call(http, manifest_for(up.host_port)).send("GET", up.url)
        assert ok
    assert (names.lookups, up.connections) == (["service.test"], 1)


async def test_a_name_that_points_elsewhere_at_the_next_connection_is_denied(outside: Outside) -> None:
    up = await outside.upstream(tls=True, public_name="service.test")
    up.behave("/", headers={"Connection": "close"})
    names = Names(service_test=[["127.0.0.1"], ["169.254.169.254"]])
    http = await outside.client(up.host_port, ca_file=up.ca_file, names=names)
    assert (await Call(http, manifest_for(up.host_port)).send("GET", up.url))[0]
    ok, error = await Call(http, manifest_for(up.host_port)).send("GET", up.url)
    assert (ok, error["code"]) == (False, "denied")
    assert names.lookups == ["service.test"] * 2


async def test_host_header_server_name_and_certificate_agree_with_the_url(outside: Outside) -> None:
    up = await outside.upstream(tls=True, public_name="service.test")
    http = await outside.client(up.host_port, ca_file=up.ca_file, names=Names(service_test=[["127.0.0.1"]]))
    ok, _ = await Call(http, manifest_for(up.host_port)).send("GET", f"https://SERVICE.test:{up.port}/x")
    assert ok
    assert up.requests[0].headers["host"] == up.host_port
    assert up.server_names == ["service.test"]


async def test_a_certificate_for_another_name_is_refused_before_the_secret_is_sent(outside: Outside) -> None:
    up = await outside.upstream(tls=True, names=("other.test",), public_name="")
    host = f"service.test:{up.port}"
    http = await outside.client(host, ca_file=up.ca_file, names=Names(service_test=[["127.0.0.1"]]))
    call = Call(http, manifest_for(host), idempotent=False)
    ok, error = await call.send("POST", f"https://{host}/", body="x")
    assert (ok, error["code"]) == (False, "network")
    assert "certificate" in error["message"]
    assert len(call.context.attempts) == 1
    assert (up.requests, call.context.sent_any, call.context.outcome_unknown) == ([], False, False)


async def test_a_certificate_of_an_unknown_authority_is_refused(outside: Outside) -> None:
    up = await outside.upstream(tls=True)
    http = await outside.client(up.host_port)
    ok, error = await Call(http, manifest_for(up.host_port)).send("GET", up.url)
    assert (ok, error["code"], up.requests) == (False, "network", [])


async def test_connections_of_one_host_are_not_used_for_another_at_the_same_address(outside: Outside) -> None:
    up = await outside.upstream(tls=True, names=("a.test", "b.test"), public_name="")
    a, b = f"a.test:{up.port}", f"b.test:{up.port}"
    names = Names(a_test=[["127.0.0.1"]], b_test=[["127.0.0.1"]])
    http = await outside.client(a, b, ca_file=up.ca_file, names=names)
    call = Call(http, manifest_for(a, b, credential_hosts=[a]))
    assert (await call.send("GET", f"https://{a}/"))[0]
    assert (await call.send("GET", f"https://{b}/"))[0]
    assert (up.connections, names.lookups) == (2, ["a.test", "b.test"])
    assert [SECRET in str(request.headers) for request in up.requests] == [True, False]


async def test_proxy_variables_change_nothing(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    up = await outside.upstream(tls=True)
    ok, _ = await (await outside.call(up)).send("GET", up.url)
    assert ok


async def test_the_system_resolver_answers_through_its_own_threads(outside: Outside) -> None:
    up = await outside.upstream(tls=True, public_name="localhost")
    http = await outside.client(up.host_port, ca_file=up.ca_file)
    ok, _ = await Call(http, manifest_for(up.host_port)).send("GET", up.url)
    assert ok


async def test_a_refused_connection_is_a_network_error_with_nothing_sent(outside: Outside) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        http = await outside.client(host)
        call = Call(http, manifest_for(host), idempotent=False)
        ok, error = await call.send("POST", f"http://{host}/", body="x")
    assert (ok, error["code"]) == (False, "network")
    assert [attempt.bytes_sent for attempt in call.context.attempts] == [False] * 4
    assert not call.context.outcome_unknown
    failure = call.context.explain()
    assert failure is not None
    assert (failure.failure_class, failure.retriable) == (FailureClass.NETWORK_ERROR, True)
