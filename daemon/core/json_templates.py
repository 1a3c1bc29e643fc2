"""JSON that is built as text: found, refused, and shown in the form that cannot be broken out of.

In `{"to":"ops","text":"${args.text}"}` an argument can close the string and add members that override the fixed ones.
The same value as a TOML table has no such hole, because the daemon encodes it after the arguments are in their places.
"""

import json
import re
from typing import Any, NoReturn

from daemon.core.references import Parts, Reference, TemplateError
from daemon.core.toml_writer import toml_value

_MEMBER = re.compile(r'"\s*:')


def looks_like_json(parts: Parts) -> bool:
    """Say whether somebody will read a text with placeholders as JSON.

    It is JSON when it can be read as an object or array once its placeholders are values. It is also taken for JSON
    when it has the marks of an object: a brace and a quoted name before a colon. That finds several JSON texts in one,
    JSON after a prefix, and objects that an argument is meant to open or to close.
    """
    if isinstance(_as_value(parts), dict | list):
        return True
    literals = "".join(part for part in parts if isinstance(part, str)).strip()
    if _MEMBER.search(literals) and ("{" in literals or "}" in literals):
        return True
    return literals[:1] in {"{", "["} and literals[-1:] in {"}", "]"} and '"' in literals


def refuse_json_text(parts: Parts) -> NoReturn:
    """Raise the error for JSON that is built as text, with the same value in the safe form."""
    raise TemplateError(
        'Write it as a table, which is encoded for you, like { channel = "general", text = "${args.text}" }.',
        problem="builds JSON as text, so that an argument could close a string in it and change the rest",
        safe_form=toml_value(_as_value(parts)),
    )


def _as_value(parts: Parts) -> Any:
    """Read a text as JSON in which each placeholder is a text; None if it is none, or if a name is not fixed."""
    text = ""
    inside = False
    for part in parts:
        if isinstance(part, Reference):
            text += str(part) if inside else json.dumps(str(part))
            continue
        # In the notation of the file, so that a literal ${ is still one when the value is written out again.
        text += part.replace("${", "$${")
        inside = _ends_inside_string(part, inside=inside)
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_fixed_names)
    except (ValueError, RecursionError):
        return None


def _ends_inside_string(literal: str, *, inside: bool) -> bool:
    escaped = False
    for character in literal:
        if escaped:
            escaped = False
        elif character == "\\" and inside:
            escaped = True
        elif character == '"':
            inside = not inside
    return inside


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _fixed_names(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if any("${" in name for name, _ in members):
        raise ValueError("a table has fixed names")
    return dict(members)
