"""What its publisher signed is trusted by whoever trusts the key; a key is never shown, nor used when exposed."""

from pathlib import Path

import pytest
from releases import WASM, FixedClock, manifest_text

from daemon.connectors.archive import read_folder
from daemon.connectors.errors import InstallError
from daemon.connectors.keyring import Keyring
from daemon.connectors.signatures import parse_signature, verify
from daemon.connectors.signing import make_key, public_path, sign_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "connector"
    made.mkdir()
    (made / "connector.wasm").write_bytes(WASM)
    (made / "manifest.toml").write_text(manifest_text())
    return made


def test_what_was_signed_is_trusted_with_the_public_half_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    signed = sign_folder(folder, tmp_path / "key")
    assert (signed.name, signed.version) == ("github://acme/slack", "1.2.0")
    release = read_folder(folder, name="it")
    assert release.signature is not None
    signature = parse_signature(release.signature)
    keyring = Keyring(path=tmp_path / "keyring.json", clock=FixedClock())
    trusted = keyring.trust(public_path(tmp_path / "key").read_text(), label="acme", namespaces=["github://acme"])
    assert trusted.key_id == signed.key_id
    assert keyring.signer_of(signature, release.wasm, release.manifest) == trusted
    assert not verify(trusted.public_key, signature, release.wasm, release.manifest + b"\n")


def test_a_key_that_others_may_read_is_not_used(folder: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(InstallError, match="chmod 600"):
        sign_folder(folder, tmp_path / "key")
    assert not (folder / "signature.sig").exists()


def test_what_nobody_could_install_is_not_signed(folder: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    (folder / "manifest.toml").write_text("[connector]\nname = 1\n")
    with pytest.raises(InstallError, match="Nothing was signed"):
        sign_folder(folder, tmp_path / "key")
    (folder / "connector.wasm").unlink()
    with pytest.raises(InstallError, match=r"connector\.wasm"):
        sign_folder(folder, tmp_path / "key")
    assert not (folder / "signature.sig").exists()


def test_only_an_ed25519_key_in_pem_is_taken(folder: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    for text in ("", "hello", public_path(tmp_path / "key").read_text()):
        (tmp_path / "other").write_text(text)
        (tmp_path / "other").chmod(0o600)
        with pytest.raises(InstallError, match="--new-key"):
            sign_folder(folder, tmp_path / "other")
