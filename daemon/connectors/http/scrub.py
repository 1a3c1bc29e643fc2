"""Takes a secret out of what comes back from a service, in every form it may have been written in: pure."""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, quote_plus

MARK = "[redacted]"
_MARKS = (MARK.encode(), b"[removed]", b"[***]")

# A shorter secret is a word like any other: it goes only where it stands alone, and its encoded forms (two or
# three letters) would tear holes into unrelated text. Bindings refuse such secrets at setup where they can.
_SHORT = 4
_SCHEME = re.compile(rb"[A-Za-z][0-9A-Za-z-]* ")
_UNRESERVED = re.compile(rb"[0-9A-Za-z._~-]*")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_ALNUM_RUN = re.compile(rb"[0-9A-Za-z]+")


class Scrubber:
    """Removes a fixed set of secrets from text, bytes and header lists."""

    def __init__(self, secrets: Iterable[str]) -> None:
        raw = {secret.encode("utf-8", "surrogatepass") for secret in secrets if secret}
        self._long = _without_schemes([secret for secret in raw if len(secret) >= _SHORT])
        self._forms = sorted({form for secret in self._long for form in written_forms(secret)}, key=len, reverse=True)
        # Encoders leave letters and digits alone: where the longest run of them is not, no mixed form is.
        self._anchors = [max(_ALNUM_RUN.findall(secret), key=len, default=b"") for secret in self._long]
        words = sorted((secret for secret in raw if len(secret) < _SHORT), key=len, reverse=True)
        self._words = (
            re.compile(rb"(?<![0-9A-Za-z])(?:" + b"|".join(map(re.escape, words)) + rb")(?![0-9A-Za-z])")
            if words
            else None
        )

    def scrub_bytes(self, data: bytes) -> bytes:
        """Return the data without the secrets; the very same object when there was none."""
        if self._words is not None:
            data = self._words.sub(MARK.encode(), data)
        # Nearly every answer holds no secret, so that case pays for the searches and for nothing else.
        for form in self._forms:
            if form in data:
                return self._remove(data)
        for anchor in self._anchors:
            if anchor in data:
                return self._remove(data)
        return data

    def _remove(self, data: bytes) -> bytes:
        patterns = [_mixed_pattern(secret) for secret in self._long]
        mark = next((mark for mark in _MARKS if not any(form in mark for form in self._forms)), b"")
        # A removal may join its neighbours into a secret again, so this ends only when nothing is left. After a
        # few rounds the mark itself must be what they join with; without it each round makes the data shorter.
        rounds = 0
        while True:
            clean = data
            for form in self._forms:
                clean = clean.replace(form, mark)
            for pattern, anchor in zip(patterns, self._anchors, strict=True):
                if anchor in clean:
                    clean = pattern.sub(mark, clean)
            if clean == data:
                return data
            data, rounds = clean, rounds + 1
            if rounds == 3:
                mark = b""

    def scrub(self, text: str) -> str:
        """Return the text without the secrets."""
        if not self._forms and self._words is None:
            return text
        data = text.encode("utf-8", "surrogatepass")
        clean = self.scrub_bytes(data)
        return text if clean is data else clean.decode("utf-8", "replace")

    def scrub_headers(self, headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the headers without the secrets, names and values alike."""
        joined = "\n".join([f"{name}\0{value}" for name, value in headers])
        if self.scrub(joined) == joined:  # one search instead of two for each header
            return list(headers)
        return [(self.scrub(name), self.scrub(value)) for name, value in headers]


def _without_schemes(secrets: list[bytes]) -> list[bytes]:
    """Leave out "Bearer x" where x is there by itself: whatever form it is written in, x's form is inside."""
    alone = set(secrets)
    return [secret for secret in secrets if not (_SCHEME.match(secret) and secret.partition(b" ")[2] in alone)]


def written_forms(secret: bytes) -> set[bytes]:
    """Return the exact byte strings under which a whole secret turns up: plain, base64, hex, URL, UTF-16."""
    # Built for every call, so written for speed: a key of letters and digits has no URL form of its own.
    pairs = binascii.hexlify(secret, ",")
    shouted = pairs.upper()
    forms = {
        secret,
        pairs.replace(b",", b""),
        shouted.replace(b",", b""),
        b"%" + pairs.replace(b",", b"%"),
        b"%" + shouted.replace(b",", b"%"),
        *_base64_cores(secret),
    }
    if not _UNRESERVED.fullmatch(secret):
        forms.update((quote(secret, safe="").encode(), quote(secret).encode(), quote_plus(secret).encode()))
    if secret.isascii():
        # UTF-16 is the same letters with zeros between them, and JSON's escapes are the same digits as hex.
        forms.add(b"\\u00" + pairs.replace(b",", b"\\u00"))
        wide = bytes(2 * len(secret))
        little = bytearray(wide)
        little[::2] = secret
        big = bytearray(wide)
        big[1::2] = secret
        forms.update((bytes(little), bytes(big)))
    else:
        text = secret.decode("utf-8", "replace")
        forms.update((text.encode("utf-16-le"), text.encode("utf-16-be")))
        forms.add("".join(f"\\u{ord(character):04x}" for character in text).encode())
    return {form for form in forms if len(form) >= _SHORT}


def _base64_cores(secret: bytes) -> Iterable[bytes]:
    """Yield the part of the base64 text that depends on the secret alone, for each place it may start at."""
    for offset in range(3):
        encoded = binascii.b2a_base64(b"\0" * offset + secret, newline=False)
        first = -(-offset * 8 // 6)
        last = (offset + len(secret)) * 8 // 6
        core = encoded[first:last]
        yield core
        yield core.translate(_URL_SAFE)


def _mixed_pattern(secret: bytes) -> re.Pattern[bytes]:
    """Match the secret with any of its characters escaped the JSON, URL or HTML way, each in its own way."""
    text = secret.decode("utf-8", "replace")
    return re.compile(b"".join(_alternatives(part) for part in re.findall(r"\\+|[^\\]", text)))


_NAMED_ESCAPES = {"\n": b"n", "\r": b"r", "\t": b"t", "\b": b"b", "\f": b"f"}
_NAMED_ENTITIES = {"&": b"amp", "<": b"lt", ">": b"gt", '"': b"quot", "'": b"apos"}


def _alternatives(character: str) -> bytes:
    if character.startswith("\\"):
        # A run of backslashes is one step: each may be doubled any number of times, and two such steps in a row
        # would make the search slow on a long run that does not match.
        return b"(?:\\\\{%d,}|(?:%%(?:25)*5[cC]){%d,})" % (len(character), len(character))
    plain = character.encode("utf-8", "replace")
    options = [
        rb"\\*" + re.escape(plain),
        b"".join(b"%%(?:25)*(?i:%02x)" % byte for byte in plain),
        b"".join(rb"\\+u(?i:%02x%02x)" % (unit[0], unit[1]) for unit in _utf16_units(character)),
        b"&#0*%d;" % ord(character),
        b"&#[xX]0*(?i:%x);" % ord(character),
    ]
    if character == " ":
        options.append(rb"\+")
    if character in _NAMED_ESCAPES:
        options.append(rb"\\+" + _NAMED_ESCAPES[character])
    if character in _NAMED_ENTITIES:
        options.append(b"&" + _NAMED_ENTITIES[character] + b";")
    return b"(?:" + b"|".join(options) + b")"


def _utf16_units(character: str) -> list[bytes]:
    data = character.encode("utf-16-be", "replace")
    return [data[index : index + 2] for index in range(0, len(data), 2)]


def secrets_of_header(value: str) -> tuple[str, ...]:
    """Return what must be scrubbed because it stands in a header value: all of it, its payload, basic parts."""
    found = [value]
    _scheme, space, payload = value.partition(" ")
    if space:
        payload = payload.strip()
        found.append(payload)
        try:
            pair = base64.b64decode(payload, validate=True).decode()
        except (ValueError, UnicodeDecodeError):
            return tuple(found)
        # The user name alone stays readable: it is often a common word, and it is not the secret.
        _user, colon, password = pair.partition(":")
        if colon:
            found.extend((pair, password))
    return tuple(part for part in found if part)
