import hashlib
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.account import Account
from daemon.core.digests import approval_digest, connector_hash, file_hash

ACCOUNT = Account(connector="github://acme/slack", name="api_key/slack/work", kind="api_key", version=7, seal="5eal")
CALL: dict[str, Any] = {
    "session": "ses_1",
    "action_hash": "sha256:aa",
    "connector_hashes": ["sha256:bb", "sha256:cc"],
    "accounts": [ACCOUNT],
    "arguments": {"channel": "#eng", "count": 1},
}


@given(st.binary(), st.binary())
def test_a_connector_is_hashed_as_the_program_followed_by_its_manifest(wasm: bytes, manifest: bytes) -> None:
    assert connector_hash(wasm, manifest) == "sha256:" + hashlib.sha256(wasm + manifest).hexdigest()
    assert file_hash(wasm + manifest) == connector_hash(wasm, manifest)


def test_any_part_of_a_call_changes_its_approval_digest() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"session": "ses_2"},
        {"session": None},
        {"session": "null"},
        {"action_hash": "sha256:ab"},
        {"connector_hashes": ["sha256:cc", "sha256:bb"]},
        {"connector_hashes": ["sha256:bb"]},
        {"accounts": []},
        {"accounts": [ACCOUNT, ACCOUNT]},
        {"accounts": [replace(ACCOUNT, connector="github://acme/mail")]},
        {"accounts": [replace(ACCOUNT, name="api_key/slack/home")]},
        {"accounts": [replace(ACCOUNT, kind="basic")]},
        {"accounts": [replace(ACCOUNT, version=8)]},
        {"accounts": [replace(ACCOUNT, seal="0ther")]},
        {"arguments": {"channel": "#eng", "count": "1"}},
        {"arguments": {"channel": "#eng", "count": True}},
        {"arguments": {"channel": "#eng"}},
        {"arguments": {"channel": "#eng ", "count": 1}},
    ]
    digests = {approval_digest(**{**CALL, **change}) for change in changes}
    assert len(digests) == len(changes)


def test_the_order_and_spelling_of_arguments_do_not_matter() -> None:
    same = approval_digest(**{**CALL, "arguments": {"count": 1.0, "channel": "\u0023eng"}})
    assert same == approval_digest(**CALL)


def test_the_digest_of_a_known_call_stays_what_it_is() -> None:
    text = (
        '{"accounts":[{"connector":"github://acme/slack","kind":"api_key","name":"api_key/slack/work","seal":"5eal",'
        '"version":7}],"action":"sha256:aa","arguments":{"channel":"#eng","count":1},"connectors":["sha256:bb","sha256:cc"],'
        '"digest":"aileron-approval-2","session":"ses_1"}'
    )
    assert approval_digest(**CALL) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
