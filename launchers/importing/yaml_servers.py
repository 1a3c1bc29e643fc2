"""Entries under `extensions` in a YAML text: taken out with their lines, and put back as the first ones."""

from typing import Any

from ruamel.yaml.events import AliasEvent

from launchers.importing.keys import Key
from launchers.registration import yaml_text
from launchers.registration.errors import RegistrationError

_KEY = "extensions"


def read(text: str) -> Any:
    """Return what the text says; raises RegistrationError.

    A file with aliases is refused: what one entry says may stand in another one, and a few lines may mean millions.
    """
    if any(isinstance(event, AliasEvent) for event in yaml_text.events(text)):
        raise RegistrationError("it uses anchors and aliases, so no entry can be taken out safely; do it by hand")
    found = yaml_text.read(text)
    return found | {_KEY: {}} if found.get(_KEY, ...) is None else found


def without(text: str, keys: list[Key]) -> str:
    """Return the text without the lines of these entries; comments and empty lines behind them stay."""
    for key in keys:
        start, end = yaml_text.place_of(text, key[-1])
        text = text[:start] + text[end:]
    if yaml_text.read(text).get(_KEY, ...) is None:
        # Without a last entry the key has no value, which is something else than no entries for some readers.
        place = _behind_key(text)
        text = f"{text[:place]} {{}}{text[place:]}"
    return text


def put_back(text: str, before: str, keys: list[Key]) -> str:
    """Return the text with the lines as they stood in an earlier one."""
    line = "\r\n" if "\r\n" in text else "\n"
    held = yaml_text.read(text)
    if _KEY not in held:
        text = f"{text}{'' if not text or text.endswith(line) else line}{_KEY}:{line}"
    elif held[_KEY] == {}:
        place = _behind_key(text)
        text = text[:place] + text[place:].replace(" {}", "", 1)
    for key in reversed(keys):
        start, end = yaml_text.place_of(before, key[-1])
        rows = before[start:end].splitlines()
        held_back = len(rows[0]) - len(rows[0].lstrip(" "))
        place, indent = yaml_text.first_place(text)
        block = "".join(f"{' ' * indent}{row[held_back:]}{line}" if row.strip() else f"{row}{line}" for row in rows)
        text = text[:place] + block + text[place:]
    return text


def _behind_key(text: str) -> int:
    shift = len(text) - len(text.removeprefix("\ufeff"))
    key, _ = yaml_text.member_of(yaml_text.root_of(text), _KEY)
    return text.index(":", int(key.end_mark.index) + shift) + 1
