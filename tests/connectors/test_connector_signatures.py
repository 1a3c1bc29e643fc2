"""Ed25519 signatures over a release, and the forms they and their keys are written in."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from daemon.connectors.errors import InstallError, KeyringError
from daemon.connectors.signatures import is_key_id, key_id, parse_public_key, parse_signature, sign, verify

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "wycheproof-ed25519.json").read_text())
CASES = [(group["publicKey"]["pk"], test) for group in VECTORS["testGroups"] for test in group["tests"]]
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def test_the_vectors_are_all_there() -> None:
    assert len(CASES) == VECTORS["numberOfTests"] == 151


@pytest.mark.parametrize(("public", "case"), CASES, ids=[str(case["tcId"]) for _, case in CASES])
def test_wycheproof(public: str, case: dict[str, Any]) -> None:
    message = bytes.fromhex(case["msg"])
    middle = len(message) // 2
    verdict = verify(bytes.fromhex(public), bytes.fromhex(case["sig"]), message[:middle], message[middle:])
    assert verdict is (case["result"] == "valid"), case["comment"]


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 10**6))
def test_a_signature_holds_for_exactly_these_bytes(wasm: bytes, manifest: bytes, place: int) -> None:
    signature = sign(KEY, wasm, manifest)
    assert verify(PUBLIC, signature, wasm, manifest)
    whole = bytearray(wasm + manifest + b"!")
    whole[place % len(whole)] ^= 1
    assert not verify(PUBLIC, signature, bytes(whole), b"")
    broken = bytearray(signature)
    broken[place % 64] ^= 1
    assert not verify(PUBLIC, bytes(broken), wasm, manifest)


def test_another_key_does_not_verify() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    assert not verify(PUBLIC, sign(other, b"a", b"b"), b"a", b"b")


@given(st.binary(min_size=64, max_size=64))
def test_a_signature_file_is_raw_or_base64(signature: bytes) -> None:
    text = base64.b64encode(signature)
    assert parse_signature(signature) == parse_signature(text) == parse_signature(b"\n" + text + b" \r\n") == signature
    assert parse_signature(text.rstrip(b"=")) == signature


@given(st.binary(max_size=200).filter(lambda data: len(data) != 64))
def test_anything_else_is_no_signature(data: bytes) -> None:
    try:
        assert len(parse_signature(data)) == 64
    except InstallError as error:
        assert error.failure_class == "signature_failure"  # noqa: PT017


@pytest.mark.parametrize("data", [b"", b"s" * 63, b"s" * 65, b"-----BEGIN PGP SIGNATURE-----", b"ab" * 64])
def test_a_malformed_signature_is_refused(data: bytes) -> None:
    with pytest.raises(InstallError, match="not an Ed25519 signature"):
        parse_signature(data)


def test_a_public_key_is_read_from_every_form() -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    text = base64.b64encode(PUBLIC).decode()
    for form in (pem, f"\n{pem}\n", text, f" {text}\n", text.rstrip("="), PUBLIC.hex(), PUBLIC.hex().upper()):
        assert parse_public_key(form) == PUBLIC


@pytest.mark.parametrize("text", ["", "hello", "ä" * 43, "00" * 31, "A" * 88, "-----BEGIN PUBLIC KEY-----\nx"])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(KeyringError, match="cannot be trusted"):
        parse_public_key(text)


def test_a_key_of_another_kind_is_refused() -> None:
    other = generate_private_key(SECP256R1()).public_key()
    with pytest.raises(KeyringError, match="not an Ed25519 public key"):
        parse_public_key(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def test_a_private_key_is_refused_without_being_repeated() -> None:
    secret = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(KeyringError) as caught:
        parse_public_key(secret)
    assert secret.splitlines()[1] not in caught.value.message


def double(point: tuple[int, int]) -> tuple[int, int]:
    x, y = point
    t = D * x * x * y * y % P
    return 2 * x * y * pow(1 + t, -1, P) % P, (y * y + x * x) * pow(1 - t, -1, P) % P


def decode(raw: bytes) -> tuple[int, int]:
    sign_bit, y = raw[31] >> 7, int.from_bytes(raw, "little") % 2**255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (x * x - square) % P == 0
    return (P - x if x % 2 != sign_bit else x) % P, y % P


WEAK = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]


@pytest.mark.parametrize("text", WEAK)
def test_a_key_that_anybody_could_sign_for_is_refused(text: str) -> None:
    point = decode(bytes.fromhex(text))
    for _ in range(3):
        point = double(point)
    assert point == (0, 1)  # eight times the point is nothing: that is what makes it weak
    with pytest.raises(KeyringError, match="weak point"):
        parse_public_key(text)


@pytest.mark.parametrize("y", [P, P + 1, P + 5, 2**255 - 1])
@pytest.mark.parametrize("sign_bit", [0, 1])
def test_a_key_in_another_than_the_canonical_form_is_refused(y: int, sign_bit: int) -> None:
    with pytest.raises(KeyringError, match="canonical"):
        parse_public_key((y | sign_bit << 255).to_bytes(32, "little").hex())


def test_a_key_is_named_by_its_digest() -> None:
    assert is_key_id(key_id(PUBLIC))
    assert not is_key_id("abc")
    assert not is_key_id(key_id(PUBLIC).upper() + "G")
