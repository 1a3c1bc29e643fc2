"""The account of a binding: the same only while a call under it is the same, and made of nothing secret."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.core.account import Account
from daemon.core.authority import HostPort
from daemon.core.fqn import Fqn
from daemon.core.manifest import Credential, Injection
from daemon.vault.bindings import Bindings
from daemon.vault.values import ApiKey
from daemon.vault.vault import Vault

SLACK = Fqn.parse("github://acme/slack")
MAIL = Fqn.parse("github://acme/mail")
HOSTS = (HostPort.parse("slack.com:443"),)
NEEDS = Credential("api_key", None, Injection("Authorization", "Bearer {secret}"), HOSTS)
NAME = "api_key/slack/default"
PASSPHRASE = "correct horse battery"


@pytest.fixture
async def bindings(vault: Vault) -> Bindings:
    """Return bindings over a vault with one binding."""
    made = Bindings(vault)
    await made.setup(connector=SLACK, credential=NEEDS, value=ApiKey("SENTINEL-one"))
    return made


def account(bindings: Bindings) -> Account:
    found = bindings.resolve(SLACK, NEEDS).account
    assert found == bindings.account(SLACK, NEEDS)
    return found


async def test_a_change_of_value_or_of_choice_makes_another_account_and_nothing_else_does(bindings: Bindings) -> None:
    seen = [account(bindings)]
    await bindings.setup(connector=SLACK, credential=NEEDS, identity="home", value=ApiKey("SENTINEL-two"))
    await bindings.rebind(SLACK, NAME, HOSTS)
    seen.append(account(bindings))
    await bindings.rebind(SLACK, "api_key/slack/home", HOSTS)
    seen.append(account(bindings))
    await bindings.rebind(SLACK, NAME, HOSTS)
    seen.append(account(bindings))
    await bindings.setup(connector=SLACK, credential=NEEDS, value=ApiKey("SENTINEL-three"), replace=True)
    seen.append(account(bindings))
    await bindings.revoke(NAME)
    await bindings.setup(connector=SLACK, credential=NEEDS, value=ApiKey("SENTINEL-three"))
    await bindings.rebind(SLACK, NAME, HOSTS)
    seen.append(account(bindings))
    assert len(set(seen)) == len(seen)
    await bindings.rebind(MAIL, NAME, HOSTS)
    await bindings.setup(connector=MAIL, credential=NEEDS, identity="mail", value=ApiKey("SENTINEL-mail"))
    assert account(bindings) == seen[-1]


async def test_the_same_name_and_number_in_another_vault_is_another_account(
    bindings: Bindings, vault_path: Path, new_vault: Callable[..., Vault]
) -> None:
    first = account(bindings)
    other = new_vault(path=vault_path.with_name("another-vault.json"))
    await other.create(PASSPHRASE)
    anew = Bindings(other)
    await anew.setup(connector=SLACK, credential=NEEDS, value=ApiKey("SENTINEL-one"))
    second = account(anew)
    assert (first.name, first.kind, first.version) == (second.name, second.kind, second.version)
    assert first != second
    await other.close()


async def test_looking_at_the_account_never_brings_back_a_credential_that_was_replaced(bindings: Bindings) -> None:
    assert bindings.resolve(SLACK, NEEDS).value == "Bearer SENTINEL-one"
    await bindings.setup(connector=SLACK, credential=NEEDS, value=ApiKey("SENTINEL-two"), replace=True)
    bindings.account(SLACK, NEEDS)
    assert bindings.resolve(SLACK, NEEDS).value == "Bearer SENTINEL-two"


async def test_the_account_is_known_while_the_vault_is_locked_and_says_nothing_of_the_value(
    bindings: Bindings, vault: Vault
) -> None:
    before = account(bindings)
    await vault.lock()
    assert bindings.account(SLACK, NEEDS) == before
    assert bindings.account(MAIL, NEEDS) is None
    shown = json.dumps(before.as_json())
    assert Account.from_json(json.loads(shown)) == before
    assert "SENTINEL" not in shown


async def test_whoever_waits_for_the_vault_hears_of_every_unlock_and_change(vault: Vault) -> None:
    heard: list[str] = []
    vault.on_change(lambda: heard.append(vault.state))
    await vault.put("a", kind="secret", value=b"x")
    await vault.lock()
    assert heard == ["unlocked"]
    await vault.unlock(PASSPHRASE)
    assert heard == ["unlocked", "unlocked"]
