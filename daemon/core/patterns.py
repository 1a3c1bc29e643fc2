"""Patterns that narrow a string input: the part of JSON Schema's regular expressions that every reader agrees on.

An agent chooses the text that is matched, so matching must take linear time: the engine is the Rust one that
pydantic carries, which has no backtracking. What only one dialect knows (look-around, back-references, flags,
named groups) is refused when the file is read, so that a pattern means the same to the model's client and to us.
"""

import re
from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

MAX_PATTERN_LENGTH = 256
MAX_MATCHED_LENGTH = 65_536

_TOKEN = re.compile(
    r"\\(?:u\{[0-9A-Fa-f]{1,6}\}|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[pP]\{[A-Za-z0-9_=]+\}|.)|\(\?.?|\{[0-9]+(?:,[0-9]*)?\}|.",
    re.DOTALL,
)
_LITERAL_ESCAPES = frozenset(r"^$\.*+?()[]{}|/-")
_CONTROL_ESCAPES = frozenset("fnrtv")
_ASCII_CLASSES = {r"\d": "0-9", r"\w": "0-9A-Za-z_"}
_ASCII_COMPLEMENTS = {r"\D": "[^0-9]", r"\W": "[^0-9A-Za-z_]"}
_CLASS_OPERATORS = ("&&", "--", "~~")


class PatternError(ValueError):
    """A pattern cannot be used; the message says what about it."""


class Pattern:
    """A compiled pattern; it matches anywhere in the text unless it is anchored with ^ and $."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_PATTERN_LENGTH:
            raise PatternError(f"it has {len(text)} characters and may have {MAX_PATTERN_LENGTH}")
        self.text = text
        try:
            schema = core_schema.str_schema(pattern=_translate(text), regex_engine="rust-regex", strict=True)
            self._validator = SchemaValidator(schema)
        except SchemaError as error:
            reason = str(error).strip().splitlines()[-1].strip().removeprefix("SchemaError: ").removeprefix("error: ")
            raise PatternError(reason.rstrip(".")) from None

    def matches(self, value: str) -> bool:
        """Say whether the pattern is found in a text of at most MAX_MATCHED_LENGTH characters."""
        if len(value) > MAX_MATCHED_LENGTH:
            return False
        try:
            self._validator.validate_python(value)
        except ValidationError:
            return False
        return True


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern:
    """Compile a pattern, remembering the ones in use."""
    return Pattern(text)


def _translate(text: str) -> str:
    """Refuse what the dialects disagree on, and give \\d, \\w, \\b and the dot their JSON Schema meaning."""
    written: list[str] = []
    in_class = False
    class_start = -1
    for token in _TOKEN.finditer(text):
        piece = token[0]
        if in_class:
            if piece == "]" and token.start() > class_start:
                in_class = False
            elif piece == "[" or text.startswith(_CLASS_OPERATORS, token.start()):
                raise PatternError(f"{piece!r} inside [...] must be written with a backslash")
            elif piece == "]":
                raise PatternError("a class [...] must not be empty")
            written.append(_translate_escape(piece, in_class=True) if piece.startswith("\\") else piece)
        elif piece == "[":
            in_class = True
            class_start = token.end() + (1 if text.startswith("^", token.end()) else 0)
            written.append(piece)
        elif piece.startswith("(?"):
            if piece != "(?:":
                raise PatternError(f"{piece!r} is not allowed; groups are written (...) or (?:...)")
            written.append(piece)
        elif _is_quantifier(piece) and written and not _may_follow(piece, written):
            raise PatternError(f"a quantifier must not be followed by {piece!r}")
        elif piece == ".":
            written.append(r"[^\n\r\u{2028}\u{2029}]")
        else:
            written.append(_translate_escape(piece, in_class=False) if piece.startswith("\\") else piece)
    return "".join(written)


def _is_quantifier(piece: str) -> bool:
    return piece in {"*", "+", "?"} or (piece.startswith("{") and piece.endswith("}"))


def _may_follow(piece: str, written: list[str]) -> bool:
    """Say whether a quantifier may stand here: not behind another one, but for one `?`, which makes that one lazy."""
    if not _is_quantifier(written[-1]):
        return True
    return piece == "?" and not (written[-1] == "?" and len(written) > 1 and _is_quantifier(written[-2]))


def _translate_escape(piece: str, *, in_class: bool) -> str:
    if piece in _ASCII_CLASSES:
        return _ASCII_CLASSES[piece] if in_class else f"[{_ASCII_CLASSES[piece]}]"
    if piece in _ASCII_COMPLEMENTS:
        return _ASCII_COMPLEMENTS[piece]
    if piece == r"\b" and not in_class:
        return r"(?-u:\b)"
    if len(piece) > 2 or piece in {r"\s", r"\S"} or piece[1:] in _LITERAL_ESCAPES | _CONTROL_ESCAPES:
        return piece
    raise PatternError(f"the escape {piece!r} is not allowed")
