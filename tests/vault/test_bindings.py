"""Bindings: only what a person granted to exactly this connector is used, and never by a guess."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from daemon.core.authority import HostPort
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.fqn import Fqn
from daemon.core.manifest import Credential, Injection
from daemon.vault.bindings import Bindings
from daemon.vault.errors import EntryNotFound, EntryRefused, VaultLocked
from daemon.vault.values import ApiKey, Basic, OAuth2Tokens, SecretValue
from daemon.vault.vault import Vault

SLACK = Fqn.parse("github://acme/slack")
EVIL = Fqn.parse("github://evil/slack")
HOSTS = (HostPort.parse("slack.com:443"),)
MORE_HOSTS = (*HOSTS, HostPort.parse("files.slack.com:443"))
SENTINEL = "SENTINEL-c41d0e"


def _needs(kind: Any = "api_key", hosts: tuple[HostPort, ...] = HOSTS, form: str = "Bearer {secret}") -> Credential:
    return Credential(kind, None, Injection("Authorization", form), hosts)


@pytest.fixture
def bindings(vault: Vault) -> Bindings:
    """Return bindings over a fresh vault."""
    return Bindings(vault)


async def _set_up(bindings: Bindings, **options: Any) -> Any:
    defaults: dict[str, Any] = {"connector": SLACK, "credential": _needs(), "value": ApiKey("xoxb-1")}
    return await bindings.setup(**(defaults | options))


def _refusal(bindings: Bindings, connector: Fqn = SLACK, credential: Credential | None = None) -> Failure:
    with pytest.raises(Failure) as caught:
        bindings.resolve(connector, credential or _needs())
    assert caught.value.boundary is Boundary.USER
    return caught.value


@pytest.mark.parametrize(
    ("kind", "form", "value", "header"),
    [
        ("api_key", "Bearer {secret}", ApiKey("k-1"), "Bearer k-1"),
        ("api_key", "{secret}", ApiKey("k-{secret}"), "k-{secret}"),
        ("basic", "Basic {secret}", Basic("user", "pw"), "Basic dXNlcjpwdw=="),
        ("oauth2", "Bearer {secret}", OAuth2Tokens("at-1", "rt-1", None, ("chat:write",)), "Bearer at-1"),
    ],
)
async def test_a_binding_resolves_to_the_header_its_manifest_asks_for(
    bindings: Bindings, kind: str, form: str, value: SecretValue, header: str
) -> None:
    credential = _needs(kind, form=form)
    info = await _set_up(bindings, credential=credential, value=value)
    assert (info.name, info.service, info.identity) == (f"{kind}/slack/default", "slack", "default")
    assert info.connectors == {"github://acme/slack": ("slack.com:443",)}
    assert not info.choice_needed
    resolved = bindings.resolve(SLACK, credential)
    assert (resolved.binding, resolved.kind) == (info.name, kind)
    assert (resolved.header, resolved.value) == ("Authorization", header)
    assert header in resolved.secrets


async def test_with_no_binding_the_failure_names_the_command(bindings: Bindings) -> None:
    failure = _refusal(bindings)
    assert failure.failure_class is FailureClass.BINDING_REQUIRED
    assert failure.details == {
        "connector": "github://acme/slack",
        "kind": "api_key",
        "command": "aileron binding add github://acme/slack",
    }


async def test_a_connector_of_the_same_service_gets_nothing_that_was_granted_to_another(bindings: Bindings) -> None:
    await _set_up(bindings)
    for other in ("github://evil/slack", "github://acme/slack/slack", "gitlab://acme/slack", "github://Acme/slack"):
        failure = _refusal(bindings, Fqn.parse(other))
        assert failure.failure_class is FailureClass.BINDING_REQUIRED
        assert "candidates" not in failure.details


async def test_a_connector_cannot_replace_the_credential_of_another(bindings: Bindings) -> None:
    await _set_up(bindings)
    for replace in (True, False):
        with pytest.raises(EntryRefused, match="belongs to another connector"):
            await _set_up(bindings, connector=EVIL, value=ApiKey("evil"), replace=replace)
    assert bindings.resolve(SLACK, _needs()).value == "Bearer xoxb-1"
    await _set_up(bindings, connector=EVIL, identity="evil", value=ApiKey("evil"))
    assert bindings.resolve(EVIL, _needs()).value == "Bearer evil"
    assert bindings.resolve(SLACK, _needs()).value == "Bearer xoxb-1"


async def test_a_host_beyond_the_grant_needs_the_person_again(bindings: Bindings) -> None:
    await _set_up(bindings)
    failure = _refusal(bindings, credential=_needs(hosts=MORE_HOSTS))
    assert failure.failure_class is FailureClass.BINDING_REQUIRED
    assert failure.details["hosts"] == ["files.slack.com:443"]
    assert failure.details["command"] == "aileron binding use github://acme/slack api_key/slack/default"
    await bindings.rebind(SLACK, "api_key/slack/default", MORE_HOSTS)
    assert bindings.resolve(SLACK, _needs(hosts=MORE_HOSTS)).value == "Bearer xoxb-1"
    await bindings.rebind(SLACK, "api_key/slack/default", HOSTS)
    assert _refusal(bindings, credential=_needs(hosts=MORE_HOSTS)).details["hosts"] == ["files.slack.com:443"]


@pytest.mark.parametrize("host", ["slack.com:8443", "slack.com.evil.example:443", "api.slack.com:443"])
async def test_a_grant_is_for_the_exact_host_and_port(bindings: Bindings, host: str) -> None:
    await _set_up(bindings)
    failure = _refusal(bindings, credential=_needs(hosts=(HostPort.parse(host),)))
    assert failure.details["hosts"] == [host]


async def test_a_second_identity_keeps_the_first_and_asks_for_a_choice(bindings: Bindings) -> None:
    await _set_up(bindings)
    second = await _set_up(bindings, identity="work", value=ApiKey("xoxb-2"))
    assert second.choice_needed
    assert all(info.choice_needed for info in bindings.list())
    failure = _refusal(bindings)
    assert failure.failure_class is FailureClass.BINDING_REQUIRED
    assert failure.details["candidates"] == ["api_key/slack/default", "api_key/slack/work"]
    assert "aileron binding use github://acme/slack <name>" in failure.message
    chosen = await bindings.rebind(SLACK, "api_key/slack/work", HOSTS)
    assert chosen.chosen_for == ("github://acme/slack",)
    assert not chosen.choice_needed
    assert bindings.resolve(SLACK, _needs()).value == "Bearer xoxb-2"
    third = await _set_up(bindings, identity="third", value=ApiKey("xoxb-3"))
    assert not third.choice_needed
    assert bindings.resolve(SLACK, _needs()).value == "Bearer xoxb-2"


async def test_a_choice_outlives_a_lock(vault: Vault, bindings: Bindings) -> None:
    await _set_up(bindings)
    await _set_up(bindings, identity="work", value=ApiKey("xoxb-2"))
    await bindings.rebind(SLACK, "api_key/slack/work", HOSTS)
    await vault.lock()
    assert [info.chosen_for for info in bindings.list()] == [(), ("github://acme/slack",)]
    with pytest.raises(VaultLocked):
        bindings.resolve(SLACK, _needs())
    await vault.unlock("correct horse battery")
    assert bindings.resolve(SLACK, _needs()).value == "Bearer xoxb-2"


async def test_a_binding_of_another_kind_is_no_candidate(bindings: Bindings) -> None:
    await _set_up(bindings)
    assert "candidates" not in _refusal(bindings, credential=_needs("basic")).details
    with pytest.raises(EntryRefused, match="kind basic"):
        await bindings.rebind(SLACK, "api_key/slack/default", HOSTS, kind="basic")


async def test_revoking_removes_the_value_the_grants_and_the_choice(vault: Vault, bindings: Bindings) -> None:
    await _set_up(bindings)
    await _set_up(bindings, identity="work", value=ApiKey("xoxb-2"))
    await bindings.rebind(SLACK, "api_key/slack/work", HOSTS)
    revoked = await bindings.revoke("api_key/slack/work")
    assert revoked.binding.chosen_for == ("github://acme/slack",)
    assert revoked.left == {"github://acme/slack": ("api_key/slack/default",)}
    assert dict(vault.contents.choices) == {}
    with pytest.raises(EntryNotFound):
        vault.get("api_key/slack/work")
    assert (await bindings.revoke("api_key/slack/default")).left == {"github://acme/slack": ()}
    assert _refusal(bindings).failure_class is FailureClass.BINDING_REQUIRED
    with pytest.raises(EntryNotFound):
        await bindings.revoke("api_key/slack/default")


async def test_a_value_is_replaced_only_on_request_and_keeps_other_grants(bindings: Bindings) -> None:
    await _set_up(bindings)
    shared = Fqn.parse("github://acme/slack-admin")
    await bindings.rebind(shared, "api_key/slack/default", HOSTS)
    with pytest.raises(EntryRefused, match="--replace"):
        await _set_up(bindings, value=ApiKey("xoxb-9"))
    info = await _set_up(bindings, value=ApiKey("xoxb-9"), replace=True)
    assert set(info.connectors) == {"github://acme/slack", "github://acme/slack-admin"}
    for connector in (SLACK, shared):
        assert bindings.resolve(connector, _needs()).value == "Bearer xoxb-9"


@pytest.mark.parametrize("left_ms", [-1, 0, 10_000])
async def test_an_expired_sign_in_is_a_failed_binding_with_the_command(
    bindings: Bindings, clock: Any, left_ms: int
) -> None:
    tokens = OAuth2Tokens("at", None, clock.now_ms() + left_ms, ("chat:write",))
    info = await _set_up(bindings, credential=_needs("oauth2"), value=tokens)
    assert (info.expires_at_ms, info.scopes) == (clock.now_ms() + left_ms, ("chat:write",))
    failure = _refusal(bindings, credential=_needs("oauth2"))
    assert failure.failure_class is FailureClass.BINDING_FAILED
    assert "aileron binding add github://acme/slack --identity default --replace" in failure.message


async def test_a_sign_in_that_still_lasts_resolves_until_it_ends(bindings: Bindings, clock: Any) -> None:
    tokens = OAuth2Tokens("at", None, clock.now_ms() + 60_000)
    await _set_up(bindings, credential=_needs("oauth2"), value=tokens)
    assert bindings.resolve(SLACK, _needs("oauth2")).value == "Bearer at"
    clock.move(55)
    assert _refusal(bindings, credential=_needs("oauth2")).failure_class is FailureClass.BINDING_FAILED


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"identity": "My Work"}, "identity 'My Work' cannot be used"),
        ({"identity": ""}, "identity is empty"),
        ({"identity": "a/b"}, "cannot be used"),
        ({"value": Basic("a", "b")}, "kind api_key, not basic"),
        ({"credential": Credential("none", None, None, ())}, "takes no credential"),
        ({"value": ApiKey("a\nb")}, "control character"),
    ],
)
async def test_a_set_up_that_breaks_a_rule_stores_nothing(
    vault: Vault, bindings: Bindings, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(EntryRefused, match=says) as caught:
        await _set_up(bindings, **options)
    assert caught.value.failure_class is FailureClass.INVALID_ARGUMENTS
    assert vault.list() == ()


async def test_a_manifest_whose_header_form_would_split_the_header_gets_nothing(bindings: Bindings) -> None:
    await _set_up(bindings)
    failure = _refusal(bindings, credential=_needs(form="Bearer {secret}\r\nX-Evil: 1"))
    assert failure.failure_class is FailureClass.BINDING_FAILED
    assert "xoxb-1" not in failure.message


async def test_a_stored_value_that_is_no_credential_is_a_failed_binding(vault: Vault, bindings: Bindings) -> None:
    metadata = {"connectors": {str(SLACK): ["slack.com:443"]}}
    await vault.put("api_key/slack/default", kind="api_key", value=SENTINEL.encode(), metadata=metadata)
    failure = _refusal(bindings)
    assert failure.failure_class is FailureClass.BINDING_FAILED
    assert SENTINEL not in str(failure.envelope())
    assert failure.__cause__ is None


@pytest.mark.parametrize("metadata", [{}, {"connectors": []}, {"connectors": {"github://acme/slack": "slack.com:443"}}])
async def test_metadata_that_is_no_grant_grants_nothing(
    vault: Vault, bindings: Bindings, metadata: dict[str, Any]
) -> None:
    await vault.put("api_key/slack/default", kind="api_key", value=b"x", metadata=metadata)
    assert _refusal(bindings).failure_class is FailureClass.BINDING_REQUIRED


async def test_plain_secrets_are_not_bindings(vault: Vault, bindings: Bindings) -> None:
    metadata = {"connectors": {str(SLACK): ["slack.com:443"]}}
    await vault.put("npm", kind="secret", value=b"x", metadata=metadata)
    assert bindings.list() == ()
    assert _refusal(bindings).failure_class is FailureClass.BINDING_REQUIRED
    with pytest.raises(EntryNotFound, match="plain secret"):
        bindings.inspect("npm")
    with pytest.raises(EntryNotFound, match="plain secret"):
        await bindings.rebind(SLACK, "npm", HOSTS)
    with pytest.raises(EntryNotFound, match="plain secret"):
        await bindings.revoke("npm")


async def test_two_set_ups_of_one_identity_at_once_keep_exactly_one(bindings: Bindings) -> None:
    results = await asyncio.gather(
        *(_set_up(bindings, value=ApiKey(f"key-{number}")) for number in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, EntryRefused) for result in results) == 4
    assert len(bindings.list()) == 1


async def test_no_representation_message_or_listing_shows_a_credential(vault: Vault, bindings: Bindings) -> None:
    encoded = base64.b64encode(f"user:{SENTINEL}".encode()).decode()
    credential = _needs("basic", form="Basic {secret}")
    info = await _set_up(bindings, credential=credential, value=Basic("user", SENTINEL))
    resolved = bindings.resolve(SLACK, credential)
    assert encoded in resolved.value
    for thing in (info, resolved, bindings, vault, bindings.list(), bindings.inspect(info.name), vault.list()):
        for form in (SENTINEL, encoded, SENTINEL.encode().hex()):
            assert form not in repr(thing)
            assert form not in str(thing)
            assert form not in f"{getattr(thing, '__dict__', '')}"
    assert SENTINEL not in json.dumps(json.loads(vault.path.read_bytes()))


async def test_without_a_vault_the_failure_says_to_make_one(new_vault: Callable[..., Vault]) -> None:
    vault = new_vault()
    failure = _refusal(Bindings(vault))
    assert failure.failure_class is FailureClass.VAULT_LOCKED
    assert "aileron vault init" in failure.message
    assert Bindings(vault).list() == ()
    await vault.close()


async def test_a_resolved_credential_is_the_same_until_something_about_it_changes(bindings: Bindings) -> None:
    await _set_up(bindings)
    first = bindings.resolve(SLACK, _needs())
    assert bindings.resolve(SLACK, _needs()) is first
    await _set_up(bindings, value=ApiKey("xoxb-2"), replace=True)
    assert bindings.resolve(SLACK, _needs()).value == "Bearer xoxb-2"
    assert bindings.resolve(SLACK, _needs(form="token {secret}")).value == "token xoxb-2"
    await bindings.revoke("api_key/slack/default")
    assert _refusal(bindings).failure_class is FailureClass.BINDING_REQUIRED


async def test_locking_forgets_what_was_worked_out_from_values(vault: Vault, bindings: Bindings) -> None:
    await _set_up(bindings)
    bindings.resolve(SLACK, _needs())
    derived = vault.derived
    assert derived
    await vault.lock()
    assert derived == {}
    with pytest.raises(VaultLocked):
        bindings.resolve(SLACK, _needs())
