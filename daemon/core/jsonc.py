"""JSON with comments and trailing commas, as editors write their settings: pure."""

import json
import re
from typing import Any

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)


def read_jsonc(text: str) -> Any:
    """Return the value; raise ValueError like json.loads, with the line of the original text."""
    bare = _TOKENS.sub(lambda found: found[0] if found[0].startswith('"') else _blank(found[0]), text)
    return json.loads(_TRAILING.sub(lambda found: found[0] if found[0].startswith('"') else " ", bare))


def _blank(comment: str) -> str:
    return "".join(character if character == "\n" else " " for character in comment)
