"""Files that people write, as text: bytes to characters, the size cap, and the cut between front matter and body."""

import re

from daemon.core.failures import DocumentError

MAX_DOCUMENT_BYTES = 256 * 1024
DELIMITER = "+++"

# What is approved must be what is seen: beside control characters, the marks that reorder text on a screen and the
# invisible tag characters, which a model reads and a person does not, are refused.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def decode_document(raw: bytes, file: str) -> str:
    """Read a file's bytes as text: UTF-8, at most 256 KiB; a byte order mark is dropped, CRLF becomes LF."""
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise _too_large(file)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(
            file=file,
            line=raw.count(b"\n", 0, error.start) + 1,
            problem=f"The byte 0x{raw[error.start]:02x} is not valid UTF-8.",
            remedy="Save the file as UTF-8.",
        ) from None
    return normalise_document(text, file)


def normalise_document(text: str, file: str) -> str:
    """Bring a text to the one form the parsers read, refusing what no editor shows."""
    if len(text) > MAX_DOCUMENT_BYTES or len(text.encode(errors="surrogatepass")) > MAX_DOCUMENT_BYTES:
        raise _too_large(file)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found = FORBIDDEN.search(text)
    if found is not None:
        character = f"U+{ord(found[0]):04X}"
        raise DocumentError(
            file=file,
            line=text.count("\n", 0, found.start()) + 1,
            problem=f"The character {character} is not allowed: it is invisible or changes how text is shown.",
            remedy="Remove it; lines may end in LF or CRLF.",
        )
    return text


def split_front_matter(text: str, file: str) -> tuple[str, str]:
    """Cut a normalised text into the TOML between the two +++ lines, which begins on line 2, and the body below."""
    first, _, rest = text.partition("\n")
    if first.rstrip() != DELIMITER:
        raise DocumentError(
            file=file,
            line=1,
            problem="The file does not begin with front matter.",
            remedy=f"Make the first line {DELIMITER}, followed by TOML and another line {DELIMITER}.",
        )
    lines = rest.split("\n")
    for number, line in enumerate(lines):
        if line.rstrip() == DELIMITER:
            return "\n".join(lines[:number]), "\n".join(lines[number + 1 :])
    raise DocumentError(
        file=file,
        line=1,
        problem="The front matter is never closed.",
        remedy=f"Put a line {DELIMITER} after the TOML.",
    )


def _too_large(file: str) -> DocumentError:
    return DocumentError(
        file=file,
        line=None,
        problem=f"The file is larger than {MAX_DOCUMENT_BYTES // 1024} KiB.",
        remedy="Make it smaller; a file of this kind is usually a few KiB.",
    )
