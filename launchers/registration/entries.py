"""Where each agent keeps its servers, and what ours looks like there; no secret is in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from launchers.plan import START_SECONDS, TOOL_SECONDS
from launchers.registration import json_text, toml_text, yaml_text
from launchers.registration.errors import RegistrationError
from launchers.registration.ownership import is_ours

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """One agent's file and how our entry is read, put in and taken out."""

    path: str
    """Below the home folder."""
    moved_by: tuple[str, str] | None
    """A variable that moves the folder, and the file's path below that."""
    entry: Callable[[tuple[str, ...], Mapping[str, str]], Entry]
    find: Callable[[str], Entry | None]
    put_in: Callable[[str, Entry], str]
    take_out: Callable[[str], str]
    give_back: Callable[[str, str], str]
    """Puts the entry of an earlier text in place of ours."""

    def register(self, text: str, command: tuple[str, ...], variables: Mapping[str, str], *, force: bool) -> str:
        """Return the text with our entry, made sure that nothing else has changed."""
        there = self.find(text)
        if there is not None and not is_ours(there) and not force:
            raise RegistrationError(
                "it has a server called `aileron` that is not ours; rename that one, or use --force"
            )
        entry = self.entry(command, variables)
        changed = self.put_in(text, entry)
        try:
            is_right = self.find(changed) == entry and self.take_out(changed) == self.take_out(text)
        except RegistrationError:
            is_right = False
        if not is_right:
            raise RegistrationError("the entry cannot be put in without changing something else; put it in by hand")
        return changed

    def unregister(self, text: str, before: str | None = None) -> str:
        """Return the text without our entry, and with the person's own of that name if one stood in its place before.

        An entry of that name that is not ours stays. What was changed meanwhile stays changed.
        """
        there = self.find(text)
        if there is None or not is_ours(there):
            return text
        rest = self.take_out(text)
        theirs = None if before is None else self._theirs(before)
        if before is None or theirs is None:
            return rest
        if rest == self.take_out(before):
            return before  # nothing else was changed: then it is the same file again, to the last byte
        given = self.give_back(text, before)
        if self.find(given) != theirs:
            raise RegistrationError(
                "the server called `aileron` that was there before cannot be put back; do it by hand"
            )
        return given

    def is_registered(self, text: str) -> bool:
        """Say whether our entry is in a text."""
        there = self.find(text)
        return there is not None and is_ours(there)

    def _theirs(self, before: str) -> Entry | None:
        try:
            found = self.find(before)
        except RegistrationError:
            return None
        return None if found is None or is_ours(found) else found


def _claude(command: tuple[str, ...], variables: Mapping[str, str]) -> Entry:
    found: dict[str, Any] = {"type": "stdio", "command": command[0], "args": list(command[1:])}
    return found | ({"env": dict(variables)} if variables else {}) | {"timeout": TOOL_SECONDS * 1000}


def _codex(command: tuple[str, ...], variables: Mapping[str, str]) -> Entry:
    found: dict[str, Any] = {"command": command[0], "args": list(command[1:])}
    found |= {"env": dict(variables)} if variables else {}
    return found | {
        "required": True,
        "startup_timeout_sec": START_SECONDS,
        "tool_timeout_sec": TOOL_SECONDS,
        "default_tools_approval_mode": "approve",
    }


def _goose(command: tuple[str, ...], variables: Mapping[str, str]) -> Entry:
    return {
        "type": "stdio",
        "name": "aileron",
        "enabled": True,
        "cmd": command[0],
        "args": list(command[1:]),
        "envs": dict(variables),
        "timeout": TOOL_SECONDS,
    }


def _opencode(command: tuple[str, ...], variables: Mapping[str, str]) -> Entry:
    found: dict[str, Any] = {"type": "local", "command": list(command)}
    found |= {"environment": dict(variables)} if variables else {}
    return found | {"enabled": True, "timeout": TOOL_SECONDS * 1000}


def _pi(command: tuple[str, ...], variables: Mapping[str, str]) -> Entry:
    found: dict[str, Any] = {"command": command[0], "args": list(command[1:])}
    return found | ({"env": dict(variables)} if variables else {}) | {"exposure": "direct", "timeout": TOOL_SECONDS}


def _json(path: str, moved_by: tuple[str, str] | None, entry: Any, *, under: str, comments: bool = False) -> Place:
    given = {"under": under, "comments": comments}
    return Place(
        path,
        moved_by,
        entry,
        partial(json_text.find, **given),  # type: ignore[arg-type]
        partial(json_text.put_in, **given),  # type: ignore[arg-type]
        partial(json_text.take_out, **given),  # type: ignore[arg-type]
        partial(json_text.give_back, **given),  # type: ignore[arg-type]
    )


PLACES: dict[str, Place] = {
    "claude": _json(".claude.json", ("CLAUDE_CONFIG_DIR", ".claude.json"), _claude, under="mcpServers"),
    "codex": Place(
        ".codex/config.toml",
        ("CODEX_HOME", "config.toml"),
        _codex,
        toml_text.find,
        toml_text.put_in,
        toml_text.take_out,
        toml_text.give_back,
    ),
    "goose": Place(
        ".config/goose/config.yaml",
        ("XDG_CONFIG_HOME", "goose/config.yaml"),
        _goose,
        yaml_text.find,
        yaml_text.put_in,
        yaml_text.take_out,
        yaml_text.give_back,
    ),
    "opencode": _json(
        ".config/opencode/opencode.json",
        ("XDG_CONFIG_HOME", "opencode/opencode.json"),
        _opencode,
        under="mcp",
        comments=True,
    ),
    "pi": _json(".pi/agent/mcp.json", ("PI_CODING_AGENT_DIR", "mcp.json"), _pi, under="mcpServers"),
}
