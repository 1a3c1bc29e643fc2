"""Scrubbing, generated (row W3): each claimed encoding once, twice and mixed, with the filter and without it."""

import base64
import html.entities
import json
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daemon.base.redaction import Redactor
from daemon.core.scrubbing.scrub import MARK, Scrubber

SECRETS = (
    "sk-live-9f8e7d6c5b4a3921",
    'pa/ss+w"o&rd<=>\\x y~',
    "AKIAIOSFODNN7EXAMPLE",
    "0123456789abcdef",
    "p%20x%y&amp;z\\u0041",
)
Encode = Callable[[str, Random], str]


def _cased(text: str, random: Random) -> str:
    return "".join(random.choice((letter.lower(), letter.upper())) for letter in text)


def _base64(text: str, random: Random) -> str:
    raw = random.randbytes(random.randrange(3)) + text.encode("latin-1") + random.randbytes(random.randrange(3))
    encoded = random.choice((base64.b64encode, base64.urlsafe_b64encode))(raw).decode()
    if random.random() < 0.5:
        encoded = encoded.rstrip("=")
    if random.random() < 0.5:
        width, end = random.choice((4, 19, 64, 76)), random.choice(("\n", "\r\n", "\n  ", "\n\t", " \r\n "))
        encoded = end.join(encoded[at : at + width] for at in range(0, len(encoded), width))
    return encoded


def _hex(text: str, random: Random) -> str:
    before, after = random.choice(
        (
            ("", ""),
            ("", ""),
            ("", " "),
            ("", ":"),
            ("", "-"),
            ("0x", ", "),
            ("\\x", ""),
            ("", "\n"),
            ("0X", " "),
            ("=", ""),
        )
    )
    pairs = [_cased(f"{byte:02x}", random) for byte in text.encode("latin-1")]
    return "".join(f"{before}{pair}{after}" for pair in pairs)


def _percent(letter: str, random: Random) -> str:
    return _cased("".join(f"%{byte:02x}" for byte in letter.encode("latin-1")), random)


NAMES = {meant: name for name, meant in html.entities.html5.items() if name.endswith(";")}


def _entity(letter: str, random: Random) -> str:
    ways = [
        f"&#{ord(letter)};",
        f"&#0{ord(letter)};",
        f"&#x{_cased(f'{ord(letter):x}', random)};",
        f"&#X{ord(letter):04x};",
    ]
    return random.choice([*ways, f"&{NAMES[letter]}"] if letter in NAMES else ways)


def _unicode(letter: str, random: Random) -> str:
    return "\\u" + _cased(f"{ord(letter):04x}", random)


def _some(*ways: Encode, must: str = "") -> Encode:
    """Escape some letters or all, each in one of the ways, and always those that have to be."""

    def encode(text: str, random: Random) -> str:
        share = random.choice((0.1, 0.5, 1.0))
        return "".join(
            random.choice(ways)(letter, random) if letter in must or random.random() < share else letter
            for letter in text
        )

    return encode


def _wide(text: str, random: Random) -> str:
    return text.encode(random.choice(("utf-16-le", "utf-16-be"))).decode("latin-1")


ENCODINGS: dict[str, Encode] = {
    "plain": lambda text, _: text,
    "base64": _base64,
    "hex": _hex,
    "percent": _some(_percent, must="%"),
    "html": _some(_entity, must="&"),
    "json": _some(_unicode, must='"\\' + "".join(map(chr, range(32)))),
    "json as it is written": lambda text, _: json.dumps(text)[1:-1],
    "json with slashes": lambda text, _: json.dumps(text)[1:-1].replace("/", "\\/"),
    "utf-16": _wide,
}
MIXED = _some(_percent, _entity, _unicode, must='%&"\\')


def check(secret: str, written: str, before: str, after: str) -> None:
    clean = Scrubber([secret]).scrub(before + written + after)
    assert clean.startswith(before), (written, clean)
    assert clean.endswith(after), (written, clean)
    left = clean[len(before) : len(clean) - len(after)]
    assert MARK in left, (written, clean)
    # What is left beside the mark is what stood beside the secret in the encoded text, and padding.
    assert len(left) - len(MARK) <= max(14, len(written) / 2), (written, clean)
    assert secret not in left
    assert written not in clean


@pytest.mark.parametrize("outer", ENCODINGS)
@pytest.mark.parametrize("inner", ENCODINGS)
def test_each_encoding_applied_once_or_twice_is_taken_out(inner: str, outer: str) -> None:
    random = Random(f"{inner} {outer}")
    for secret in SECRETS * 8:
        written = ENCODINGS[outer](ENCODINGS[inner](secret, random), random)
        check(secret, written, '{"a": "', '", "b": 1}')


@given(st.sampled_from(SECRETS), st.randoms(use_true_random=False), st.text(alphabet='%\\u0a4"&#;x =', max_size=8))
@settings(max_examples=100, deadline=None)
def test_letters_escaped_each_in_its_own_way_are_taken_out_in_any_surroundings(
    secret: str, random: Random, beside: str
) -> None:
    written = MIXED(secret, random)
    clean = Scrubber([secret]).scrub(f"<{beside}{written}{beside}>")
    assert MARK in clean
    assert written not in clean
    twice = MIXED(written, random)
    assert twice not in Scrubber([secret]).scrub(f"<{twice}>")


@given(
    st.sampled_from(SECRETS),
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from(sorted(ENCODINGS)), max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_many_forms_in_one_text_are_all_taken_out(secret: str, random: Random, names: list[str]) -> None:
    written = [ENCODINGS[name](ENCODINGS[random.choice(sorted(ENCODINGS))](secret, random), random) for name in names]
    clean = Scrubber([secret, "another-secret-1"]).scrub(json.dumps(["x", *names]) + "|".join(written) + "(end)")
    assert not any(form in clean for form in written)
    assert clean.startswith(json.dumps(["x", *names]))
    assert clean.endswith("(end)")


PIECES = st.one_of(
    st.text(alphabet="ab01%\\u&#;x=\n \"'+/-_", max_size=30),
    st.binary(max_size=20).map(lambda raw: raw.decode("latin-1")),
    st.builds(
        lambda secret, names, random: ENCODINGS[names[0]](ENCODINGS[names[1]](secret, random), random)[
            : random.randrange(400)
        ],
        st.sampled_from(SECRETS),
        st.tuples(*[st.sampled_from(sorted(ENCODINGS))] * 2),
        st.randoms(use_true_random=False),
    ),
)


@given(st.lists(PIECES, max_size=6))
@example(["&#115;&#107;-live-9f8e7d6c5b4a3921", "%73k%2Dlive", "\\u0073\\u006B"])
@settings(max_examples=100, deadline=None)
def test_with_the_filter_and_without_it_the_same_is_found(pieces: list[str]) -> None:
    data = "".join(pieces).encode()
    assert Scrubber(SECRETS).find(data) == Scrubber(SECRETS, shortest=1).find(data)
    clean = Scrubber(SECRETS).scrub_bytes(data)
    assert Scrubber(SECRETS, shortest=1).find(clean) == []


def test_the_log_takes_out_the_same_forms() -> None:
    random = Random("the log")
    redactor = Redactor()
    redactor.register("unrelated-0001", SECRETS[0])
    for outer in ENCODINGS.values():
        for inner in ENCODINGS.values():
            written = outer(inner(SECRETS[0], random), random)
            line = redactor.value({"event": f"<{written}>", "more": [written]})
            assert written not in str(line["event"])
            assert written not in line["more"][0]


def test_a_text_that_joins_into_a_secret_again_and_again_comes_to_an_end() -> None:
    secret = "[redacted](x)~!{}<>*"
    nested = secret
    for _ in range(40):
        nested = secret[:9] + nested + secret[9:]
    clean = Scrubber([secret]).scrub(nested)
    assert secret not in clean
    assert Scrubber([secret]).find(clean.encode()) == []


@pytest.mark.parametrize("secret", ["00000000", "a secret that ends with p"])
@pytest.mark.parametrize("behind", ["", "X", "x", "Xy", "xab", "x1"])
@pytest.mark.parametrize("before", ["", "0x", "a", "0"])
@pytest.mark.parametrize("between", ["", "0x", ",0x", ":"])
def test_the_last_digit_of_a_number_is_no_prefix_of_what_follows(
    secret: str, behind: str, before: str, between: str
) -> None:
    digits = secret.encode().hex()
    form = between.join(digits[place : place + 2] for place in range(0, len(digits), 2))
    assert form not in Scrubber([secret]).scrub(f"{before}{form}{behind}")
