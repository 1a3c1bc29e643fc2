"""Takes changed settings over while the daemon runs: those that the model marks, all at once, and never unseen.

The file is read and checked as at a start. What differs is written into the log, with who asked, before it holds. So
a log that cannot be written leaves the daemon with the settings that it has.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.app.agent_rooms import container_limits, packing_limits
from daemon.app.basis import Basis
from daemon.app.rooms import Rooms, rules_of
from daemon.audit.events import AuditEvent
from daemon.base.logging import log_from
from daemon.base.settings import Settings, SettingsError, load_settings, setting_paths
from daemon.base.settings_shown import as_value, field_of, takes_effect_at_once
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal
from daemon.core.vocabulary import Attr, EventType
from daemon.sandbox.build import SandboxRoom
from daemon.workspaces.service import Workspaces

Take = Callable[[Settings], None]
SettingPath = tuple[str, str]


def takers(rooms: Rooms, sandboxes: SandboxRoom, workspaces: Workspaces) -> dict[SettingPath, Take]:
    """Return, for each setting that a running daemon takes over, what does so."""

    def limits(new: Settings) -> None:
        sandboxes.limit(container_limits(new), packing=packing_limits(new))

    def keep(new: Settings) -> None:
        sandboxes.upkeep.keep(seconds=new.workspace.keep, room=new.workspace.room)

    return {
        ("daemon", "log_level"): lambda new: log_from(new.daemon.log_level),
        ("vault", "auto_lock"): lambda new: rooms.secrets.vault.lock_after(new.vault.auto_lock),
        ("approvals", "rules"): lambda new: rooms.decisions.rules.exchange(rules_of(new)),
        ("sandbox", "memory"): limits,
        ("sandbox", "cpus"): limits,
        ("sandbox", "pids"): limits,
        ("sandbox", "listener_seconds"): lambda new: sandboxes.sandboxes.listen_within(new.sandbox.listener_seconds),
        ("workspace", "keep"): keep,
        ("workspace", "room"): keep,
        ("workspace", "auto_yes"): lambda new: workspaces.say_yes_to(new.workspace.auto_yes),
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it was."""

    changed: tuple[SettingPath, ...]
    """Those that a running daemon takes over."""
    later: tuple[str, ...]
    """The names of those that wait for the next start."""

    @property
    def at_once(self) -> tuple[str, ...]:
        """Return the names of those that are taken over."""
        return tuple(map(".".join, self.changed))


def difference(old: Settings, new: Settings) -> Difference:
    """Return the settings that differ, those that can be taken over and those that wait for the next start."""
    differ = [path for path in setting_paths() if _value(old, path) != _value(new, path)]
    changed = tuple(path for path in differ if takes_effect_at_once(field_of(path)))
    return Difference(changed, tuple(".".join(path) for path in differ if path not in changed))


def mixed(old: Settings, new: Settings, paths: Sequence[SettingPath]) -> Settings:
    """Return the old settings with these of the new ones."""
    sections: dict[str, Any] = {}
    for section, key in paths:
        before = sections.get(section, getattr(old, section))
        sections[section] = before.model_copy(update={key: getattr(getattr(new, section), key)})
    return old.model_copy(update=sections)


class LiveSettings:
    """The settings that hold, and the one place where they change."""

    def __init__(self, basis: Basis, rooms: Rooms, takers: Mapping[SettingPath, Take]) -> None:
        self._home = basis.home
        self._environment = dict(os.environ)
        self._holding = basis.settings
        self._log, self._sessions = rooms.audit.log, rooms.sessions
        self._takers = takers
        self._changing = asyncio.Lock()

    def waiting(self) -> list[str]:
        """Return the settings whose value in the file holds at the next start; raise Failure for a wrong file."""
        found = difference(self._holding, self._read())
        return [*found.at_once, *found.later]

    async def take_over(self, *, by: Principal) -> Difference:
        """Read the file anew and take over what can be; raise Failure, and then nothing has changed."""
        async with self._changing:
            old, wanted = self._holding, self._read()
            found = difference(old, wanted)
            if not found.changed:
                return found
            new = mixed(old, wanted, found.changed)
            payload = {
                Attr.SETTINGS_BEFORE: _values(old, found.changed),
                Attr.SETTINGS_AFTER: _values(new, found.changed),
                Attr.SETTINGS_LATER: list(found.later),
            }
            session = await self._sessions.terminal()
            event = AuditEvent(type=EventType.SETTINGS_CHANGED, session=session.id, actor=by, payload=payload)
            await self._log.append(event)
            for take in dict.fromkeys(self._takers[path] for path in found.changed):
                take(new)
            self._holding = new
            return found

    def _read(self) -> Settings:
        try:
            return load_settings(self._home, self._environment)
        except SettingsError as problem:
            raise Failure(FailureClass.INVALID_ARGUMENTS, str(problem), boundary=Boundary.USER) from problem


def _value(settings: Settings, path: SettingPath) -> Any:
    return getattr(getattr(settings, path[0]), path[1])


def _values(settings: Settings, paths: Sequence[SettingPath]) -> dict[str, Any]:
    return {".".join(path): as_value(_value(settings, path)) for path in paths}
