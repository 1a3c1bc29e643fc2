import hashlib

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.digests import connector_hash, file_hash


@given(st.binary(), st.binary())
def test_a_connector_is_hashed_as_the_program_followed_by_its_manifest(wasm: bytes, manifest: bytes) -> None:
    assert connector_hash(wasm, manifest) == "sha256:" + hashlib.sha256(wasm + manifest).hexdigest()
    assert file_hash(wasm + manifest) == connector_hash(wasm, manifest)
