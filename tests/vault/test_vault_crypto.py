"""The vault's cryptography: published vectors, padding, and the binding of ciphertexts to their place."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st

from daemon.vault import crypto
from daemon.vault.crypto import KdfCost, NotAuthentic

VECTORS = Path(__file__).parent.parent / "vectors"


def _gcm_tests() -> list[tuple[dict, dict]]:
    groups = json.loads((VECTORS / "wycheproof-aes-gcm.json").read_text())["testGroups"]
    return [(group, test) for group in groups if group["keySize"] == 256 for test in group["tests"]]


def test_every_wycheproof_vector_for_aes_256_gcm_is_answered_as_it_says() -> None:
    seen = {"valid": 0, "invalid": 0, "refused nonce": 0}
    for group, vector in _gcm_tests():
        cipher = AESGCM(bytes.fromhex(vector["key"]))
        nonce, aad = bytes.fromhex(vector["iv"]), bytes.fromhex(vector["aad"])
        message, sealed = bytes.fromhex(vector["msg"]), bytes.fromhex(vector["ct"] + vector["tag"])
        if group["ivSize"] != 96:
            with pytest.raises(NotAuthentic):
                crypto.open_sealed(cipher, sealed, nonce=nonce, bound_to=aad)
            with pytest.raises(ValueError, match="nonce"):
                crypto.seal(cipher, message, nonce=nonce, bound_to=aad)
            seen["refused nonce"] += 1
        elif vector["result"] == "valid":
            assert crypto.seal(cipher, message, nonce=nonce, bound_to=aad) == sealed, vector["tcId"]
            assert crypto.open_sealed(cipher, sealed, nonce=nonce, bound_to=aad) == message, vector["tcId"]
            seen["valid"] += 1
        else:
            with pytest.raises(NotAuthentic):
                crypto.open_sealed(cipher, sealed, nonce=nonce, bound_to=aad)
            seen["invalid"] += 1
    assert seen["valid"] > 30
    assert seen["invalid"] > 20
    assert sum(seen.values()) == len(_gcm_tests())


@pytest.mark.parametrize("place", [0, 1])
def test_argon2id_gives_the_published_tags(place: int) -> None:
    vector = json.loads((VECTORS / "rfc9106-argon2id.json").read_text())["vectors"][place]
    octets = {key: bytes.fromhex(vector[key]) for key in ("password", "salt", "secret", "associated_data", "tag")}
    tag = Argon2id(
        salt=octets["salt"],
        length=32,
        iterations=vector["iterations"],
        lanes=vector["lanes"],
        memory_cost=vector["memory_kib"],
        ad=octets["associated_data"] or None,
        secret=octets["secret"] or None,
    ).derive(octets["password"])
    assert tag == octets["tag"]
    if not vector["secret"]:
        cost = KdfCost(vector["iterations"], vector["memory_kib"], vector["lanes"])
        assert crypto.derive_key(octets["password"], salt=octets["salt"], cost=cost) == octets["tag"]


def test_the_default_cost_is_the_one_the_design_names_and_is_above_the_floor() -> None:
    assert KdfCost() == KdfCost(iterations=3, memory_kib=64 * 1024, lanes=4)
    assert not crypto.is_below_floor(KdfCost())


@pytest.mark.parametrize(
    "cost",
    [
        (3, 64 * 1024 * 1024, 4),
        (10**9, 64 * 1024, 4),
        (64, 1024 * 1024, 4),
        (3, 64 * 1024, 17),
        (0, 64 * 1024, 4),
        (3, 8, 4),
        (3, 64 * 1024, 0),
    ],
)
def test_a_cost_that_would_take_the_machine_down_or_is_none_is_refused(cost: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"asks for|needs at least"):
        KdfCost(*cost)


@given(st.binary(max_size=500))
def test_padding_comes_off_as_it_went_on_and_hides_the_length_within_a_bucket(value: bytes) -> None:
    padded = crypto.pad(value)
    assert crypto.unpad(padded) == value
    assert len(padded) % 64 == 0
    assert len(padded) == len(crypto.pad(b"\x00" * len(value)))


def test_keys_of_usual_lengths_give_ciphertexts_of_one_length() -> None:
    assert {len(crypto.pad(bytes(length))) for length in range(1, 61)} == {64}


@given(st.binary(min_size=64, max_size=64))
def test_bytes_that_are_no_padding_are_refused_or_are_exactly_what_padding_makes(octets: bytes) -> None:
    try:
        value = crypto.unpad(octets)
    except NotAuthentic:
        return
    assert crypto.pad(value) == octets


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_different_fields_never_give_the_same_associated_data(left: list[str], right: list[str]) -> None:
    encodings = [crypto.associated_data("domain", *fields) for fields in (left, right)]
    assert (encodings[0] == encodings[1]) == (left == right)


def test_wiping_leaves_zeros_in_the_same_memory() -> None:
    secret = bytearray(b"key material")
    view = memoryview(secret)
    crypto.wipe(secret)
    assert bytes(view) == bytes(12)
