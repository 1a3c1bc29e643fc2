"""Whom a person trusts to sign connectors."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from releases import NOW_MS, FixedClock, Signer, release

from daemon.connectors.errors import InstallError, KeyringError
from daemon.connectors.keyring import Keyring
from daemon.connectors.namespaces import covers, parse_namespace
from daemon.connectors.signatures import key_id
from daemon.connectors.verdict import SignatureState, judge, require_installable
from daemon.core.failures import FailureClass
from daemon.core.fqn import Fqn

ACME = Signer("acme")
NAME = Fqn.parse("github://acme/slack")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.json"


def open_keyring(path: Path) -> Keyring:
    return Keyring(path=path, clock=FixedClock())


def test_a_trusted_key_survives_a_restart(path: Path) -> None:
    key = open_keyring(path).trust(ACME.public, label="Acme", namespaces=["github://acme"])
    assert open_keyring(path).list() == (key,)
    assert key.key_id == key_id(ACME.raw)
    assert key.trusted_ms == NOW_MS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_keyring_file_means_no_trust(path: Path) -> None:
    assert open_keyring(path).list() == ()


def test_trusting_a_key_again_adds_namespaces_and_renames_it(path: Path) -> None:
    keyring = open_keyring(path)
    keyring.trust(ACME.public, label="Acme", namespaces=["github://acme/slack"])
    key = keyring.trust(ACME.raw.hex(), label="Acme Inc.", namespaces=["gitlab://acme"])
    assert (key.label, key.namespaces) == ("Acme Inc.", ("github://acme/slack", "gitlab://acme"))
    assert len(keyring.list()) == 1


def test_a_key_whose_file_the_disk_did_not_confirm_is_not_reported_as_absent(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = open_keyring(path)
    real = os.fsync

    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(KeyringError, match="was written, but the disk did not confirm it"):
        keyring.trust(ACME.public, label="Acme", namespaces=["github://acme"])
    assert [key.label for key in keyring.list()] == [key.label for key in open_keyring(path).list()] == ["Acme"]


def test_a_revoked_key_stays_revoked(path: Path) -> None:
    keyring = open_keyring(path)
    key = keyring.trust(ACME.public, label="Acme", namespaces=["github://acme"])
    revoked = keyring.revoke(key.key_id, reason="stolen")
    assert revoked.revoked
    assert keyring.revoke(key.key_id, reason="again") == revoked
    for ring in (keyring, open_keyring(path)):
        assert ring.list() == (revoked,)
        with pytest.raises(KeyringError, match="stays revoked"):
            ring.trust(ACME.public, label="Acme", namespaces=["github://acme"])


def test_revoking_an_unknown_key_says_so(path: Path) -> None:
    with pytest.raises(KeyringError) as caught:
        open_keyring(path).revoke("0" * 16, reason="x")
    assert caught.value.failure_class is FailureClass.NOT_FOUND


@pytest.mark.parametrize(("label", "namespaces"), [("", ["github://acme"]), ("a\nb", ["github://acme"]), ("Acme", [])])
def test_a_key_needs_a_label_and_a_namespace(path: Path, label: str, namespaces: list[str]) -> None:
    with pytest.raises(KeyringError):
        open_keyring(path).trust(ACME.public, label=label, namespaces=namespaces)
    assert not path.exists()


def damaged(text: str) -> list[str]:
    """Return the file with one thing wrong in it, for each thing that can be."""
    good = json.loads(text)
    entry = good["keys"][0]
    entries = [
        {**entry, "key_id": "0" * 16},
        {**entry, "public_key": Signer("other").public},
        {**entry, "public_key": 7},
        {**entry, "namespaces": []},
        {**entry, "namespaces": "github://acme"},
        {**entry, "namespaces": ["acme"]},
        {**entry, "namespaces": [7]},
        {**entry, "label": None},
        {**entry, "trusted_at": "yesterday"},
        {**entry, "trusted_at": None},
        {**entry, "revoked_at": 5},
        {**entry, "surprise": 1},
        {name: value for name, value in entry.items() if name != "revoked_at"},
        "text",
        None,
    ]
    documents = [{"version": 1, "keys": [bad]} for bad in entries]
    documents += [
        {"version": 1, "keys": [entry, entry]},
        {"version": 2, "keys": []},
        {"version": 1},
        {"version": 1, "keys": {}, "more": 1},
        [],
        7,
    ]
    return [json.dumps(document) for document in documents] + ["", "{", "[" * 100_000, "\x00", text[:-20], "null"]


def test_a_damaged_keyring_trusts_nothing_and_is_not_overwritten(path: Path) -> None:
    open_keyring(path).trust(ACME.public, label="Acme", namespaces=["github://acme"])
    for text in damaged(path.read_text()):
        path.write_text(text)
        keyring = open_keyring(path)
        assert keyring.damage is not None
        assert str(path) in keyring.damage
        for attempt in (
            keyring.list,
            lambda ring=keyring: ring.find("x"),
            lambda ring=keyring: ring.signer_of(b"s" * 64, b"", b""),
            lambda ring=keyring: ring.revoke("0" * 16, reason="x"),
            lambda ring=keyring: ring.trust(ACME.public, label="Acme", namespaces=["github://acme"]),
        ):
            with pytest.raises(KeyringError) as caught:
                attempt()
            assert caught.value.failure_class is FailureClass.SIGNATURE_FAILURE
        assert path.read_text() == text


def test_a_keyring_that_others_can_write_is_refused(path: Path) -> None:
    open_keyring(path).trust(ACME.public, label="Acme", namespaces=["github://acme"])
    path.chmod(0o622)
    assert "chmod 600" in (open_keyring(path).damage or "")


def test_a_keyring_behind_a_link_is_refused(path: Path) -> None:
    open_keyring(path).trust(ACME.public, label="Acme", namespaces=["github://acme"])
    path.rename(path.with_name("real"))
    path.symlink_to(path.with_name("real"))
    assert open_keyring(path).damage is not None


def test_a_folder_in_the_place_of_the_keyring_is_refused(path: Path) -> None:
    path.mkdir()
    assert "not a regular file" in (open_keyring(path).damage or "")


def test_a_change_that_cannot_be_written_does_not_count(path: Path) -> None:
    keyring = Keyring(path=path.parent / "missing" / "keyring.json", clock=FixedClock())
    with pytest.raises(KeyringError, match="cannot be written"):
        keyring.trust(ACME.public, label="Acme", namespaces=["github://acme"])
    assert keyring.list() == ()


@pytest.mark.parametrize(
    ("namespace", "name", "inside"),
    [
        ("github://acme", "github://acme/slack", True),
        ("github://acme/", "github://acme/slack/sub", True),
        ("github://acme/slack", "github://acme/slack", True),
        ("github://acme/slack", "github://acme/slack/sub", True),
        ("github://acme", "github://acme-evil/slack", False),
        ("github://acme/slack", "github://acme/slack-evil", False),
        ("github://acme/slack/sub", "github://acme/slack", False),
        ("github://acme", "gitlab://acme/slack", False),
        ("github://acme", "github://ACME/slack", False),
    ],
)
def test_a_namespace_covers_whole_parts_only(namespace: str, name: str, inside: bool) -> None:
    assert covers(parse_namespace(namespace), Fqn.parse(name)) is inside


@pytest.mark.parametrize(
    "text", ["", "github://", "github:///", "acme", "github://acme/../x", "ftp://acme", "github://*"]
)
def test_what_is_no_namespace_is_refused(text: str) -> None:
    with pytest.raises(KeyringError, match="not a namespace"):
        parse_namespace(text)


@given(st.text(max_size=60))
def test_a_namespace_is_read_or_refused(text: str) -> None:
    try:
        assert parse_namespace(parse_namespace(text)) == parse_namespace(text)
    except KeyringError as error:
        assert error.failure_class is FailureClass.INVALID_ARGUMENTS  # noqa: PT017


def test_the_verdict_on_each_kind_of_signature(path: Path) -> None:
    keyring = open_keyring(path)
    plain, signed = release(), ACME.sign(release())
    assert judge(keyring, NAME, plain).state is SignatureState.UNSIGNED
    assert judge(keyring, NAME, signed).state is SignatureState.UNTRUSTED
    key = keyring.trust(ACME.public, label="Acme", namespaces=["github://acme"])
    verdict = judge(keyring, NAME, signed)
    assert (verdict.state, verdict.key_id) == (SignatureState.TRUSTED, key.key_id)
    elsewhere = judge(keyring, Fqn.parse("github://acme-evil/slack"), signed)
    assert (elsewhere.state, elsewhere.key_id) == (SignatureState.UNTRUSTED, key.key_id)
    assert "github://acme only" in elsewhere.message
    keyring.revoke(key.key_id, reason="stolen")
    assert judge(keyring, NAME, signed).state is SignatureState.REVOKED


def test_only_a_trusted_signature_installs_by_itself_and_a_revoked_one_never_does(path: Path) -> None:
    keyring = open_keyring(path)
    signed = ACME.sign(release())
    for candidate in (release(), signed):
        with pytest.raises(InstallError, match="--allow-unsigned") as caught:
            require_installable(judge(keyring, NAME, candidate), allow_unsigned=False)
        assert caught.value.failure_class is FailureClass.SIGNATURE_FAILURE
        require_installable(judge(keyring, NAME, candidate), allow_unsigned=True)
    key = keyring.trust(ACME.public, label="Acme", namespaces=["github://acme"])
    require_installable(judge(keyring, NAME, signed), allow_unsigned=False)
    keyring.revoke(key.key_id, reason="stolen")
    with pytest.raises(InstallError, match="revoked: stolen"):
        require_installable(judge(keyring, NAME, signed), allow_unsigned=True)


def test_a_signature_over_other_bytes_is_an_unknown_signer(path: Path) -> None:
    keyring = open_keyring(path)
    keyring.trust(ACME.public, label="Acme", namespaces=["github://acme"])
    signed = ACME.sign(release())
    changed = type(signed)(wasm=signed.wasm, manifest=signed.manifest + b"#", signature=signed.signature)
    assert judge(keyring, NAME, changed).state is SignatureState.UNTRUSTED


def test_a_file_that_is_no_signature_is_refused_even_with_allow_unsigned(path: Path) -> None:
    broken = type(release())(wasm=release().wasm, manifest=release().manifest, signature=b"hello")
    with pytest.raises(InstallError, match="not an Ed25519 signature"):
        judge(open_keyring(path), NAME, broken)
