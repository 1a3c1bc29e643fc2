"""One way to read and change a file whatever it is written in, made sure that nothing else was changed."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from launchers.importing import json_servers, toml_servers, yaml_servers
from launchers.importing.keys import Key
from launchers.registration.errors import RegistrationError


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a file is written."""

    read_text: Callable[[str], Any]
    without: Callable[[str, list[Key]], str]
    put_back: Callable[[str, str, list[Key]], str]

    def read(self, text: str) -> Any:
        """Return what a text says; raises RegistrationError."""
        try:
            return self.read_text(text)
        except RecursionError:
            raise RegistrationError("it is nested too deeply") from None
        except ValueError:  # a number with thousands of digits
            raise RegistrationError("a number in it is too large") from None

    def taken_out(self, text: str, keys: list[Key]) -> str:
        """Return the text without these entries; raises RegistrationError if that would change anything else."""
        wanted = copy.deepcopy(self.read(text))
        for key in keys:
            del _parent(wanted, key)[key[-1]]
        changed = self.without(text, keys)
        self._check(changed, wanted)
        return changed

    def given_back(self, text: str, before: str, keys: list[Key]) -> str:
        """Return a text that was changed meanwhile with the entries of an earlier one; raises RegistrationError."""
        wanted, old = copy.deepcopy(self.read(text)), self.read(before)
        if there := self.present(text, keys):
            raise RegistrationError(f"it has {', '.join(repr(key[-1]) for key in there)} again, and that stays")
        for key in keys:
            _parent(wanted, key, make=True)[key[-1]] = _parent(old, key)[key[-1]]
        changed = self.put_back(text, before, keys)
        self._check(changed, wanted)
        return changed

    def present(self, text: str, keys: list[Key]) -> list[Key]:
        """Return which of these entries stand in a text; raises RegistrationError if it cannot be read."""
        held = self.read(text)
        return [key for key in keys if key[-1] in (_at(held, key[:-1]) or {})]

    def replaced(self, text: str, before: str, keys: list[Key]) -> list[Key]:
        """Return which of these entries stand in a text, and say something else than in an earlier one."""
        held, old = self.read(text), self.read(before)
        pairs = [(key, _at(held, key[:-1]) or {}, _at(old, key[:-1]) or {}) for key in keys]
        return [key for key, now, then in pairs if key[-1] in now and now[key[-1]] != then.get(key[-1])]

    def _check(self, changed: str, wanted: Any) -> None:
        try:
            same = self.read(changed) == wanted
        except RegistrationError:
            same = False
        if not same:
            raise RegistrationError("it cannot be changed without changing something else; do it by hand")


def _parent(held: Any, key: Key, *, make: bool = False) -> dict[str, Any]:
    for name in key[:-1]:
        if make and isinstance(held, dict):
            held.setdefault(name, {})
        held = held.get(name) if isinstance(held, dict) else None
    if not isinstance(held, dict):
        raise RegistrationError(f"{'.'.join(key[:-1])} is not an object")
    return held


def _at(held: Any, key: Key) -> dict[str, Any] | None:
    for name in key:
        held = held.get(name) if isinstance(held, dict) else None
    return held if isinstance(held, dict) else None


def _json(*, comments: bool) -> Syntax:
    return Syntax(
        partial(json_servers.read, comments=comments),
        partial(json_servers.without, comments=comments),
        partial(json_servers.put_back, comments=comments),
    )


SYNTAXES = {
    "json": _json(comments=False),
    "jsonc": _json(comments=True),
    "toml": Syntax(toml_servers.read, toml_servers.without, toml_servers.put_back),
    "yaml": Syntax(yaml_servers.read, yaml_servers.without, yaml_servers.put_back),
}
