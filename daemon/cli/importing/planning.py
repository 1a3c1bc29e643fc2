"""Decides what becomes of every server in the files, before anything is changed."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from daemon.cli.importing.hiding import Doubt, Hiding, Secret
from daemon.cli.importing.naming import free_name, server_name
from daemon.cli.importing.reading import ReadFile
from daemon.cli.importing.records import Record, Taken, reserved
from launchers.importing.entry import LeftAloneError, Server
from launchers.importing.forms import FORMS, Found, found_in
from launchers.importing.keys import Key
from launchers.importing.texts import SYNTAXES
from launchers.registration.errors import RegistrationError

_SAID = ("mode", "command", "env", "folder", "url", "headers")


@dataclass(frozen=True, slots=True)
class Move:
    """One server on its way."""

    found: Found
    server: str
    """Its name here."""
    add: bool
    """Whether it is new here; the same server of another agent, or of a killed import, is there already."""
    body: Mapping[str, Any]
    secrets: Sequence[Secret] = ()


@dataclass(slots=True)
class FilePlan:
    """What becomes of one file."""

    file: ReadFile
    moves: list[Move] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    """Names of entries that stay, and why."""
    _made: tuple[str, list[Key], str] | None = None

    def after(self) -> str:
        """Return the text that the file becomes; raises RegistrationError."""
        text, keys = self.text, [move.found.key for move in self.moves]
        # Files of several megabytes take seconds, and this is asked for at every step.
        if self._made is None or self._made[:2] != (text, keys):
            self._made = (text, keys, self.file.syntax.taken_out(text, keys))
        return self._made[2]

    @property
    def text(self) -> str:
        """Return the text of the file as it was read."""
        return "" if self.file.file is None else self.file.file.text

    @property
    def path(self) -> str:
        """Return the file itself, behind all links."""
        return self.file.source.path if self.file.file is None else str(self.file.file.path)


class Planner:
    """Names every server and every secret once, over all files."""

    def __init__(
        self,
        *,
        servers: Mapping[str, Mapping[str, Any]],
        secrets: Sequence[str],
        records: Sequence[Record],
        is_stored: Callable[[str, str], bool],
        is_secret: Callable[[Doubt], bool],
    ) -> None:
        self._stored = frozenset(secrets)
        self._is_stored = is_stored
        self._servers = servers
        self._server_names = set(servers)
        self._secret_names = set(secrets)
        self._records = records
        self._is_secret = is_secret
        self._same = _taken_before(records, servers)
        self._seen: set[str] = set()

    def plan(self, file: ReadFile) -> FilePlan:
        """Return what becomes of a file."""
        plan = FilePlan(file)
        if plan.path in self._seen or file.file is None:
            return plan
        self._seen.add(plan.path)
        held = reserved(self._records, plan.path)
        for found in file.found:
            try:
                if found.server is None:
                    raise LeftAloneError(found.reason)
                plan.moves.append(self._move(found, found.server, held.get(found.key)))
            except LeftAloneError as reason:
                plan.left.append((found.key[-1], str(reason)))
        _keep_what_goes(plan)
        return plan

    def _move(self, found: Found, server: Server, held: Taken | None) -> Move:
        what = _identity(server)
        if held is None and (name := self._same.get(what)) is not None:
            return Move(found, name, False, {})
        own = set() if held is None else set(held.secrets)
        kept = None if held is None else held.server
        name = server_name(found.key[-1], lambda each: each not in self._server_names or each == kept)
        hiding = Hiding(name, free=lambda wanted, value: self._free(wanted, value, own), is_secret=self._is_secret)
        body = hiding.body(server)
        there = self._servers.get(name)
        if there is not None and not _says(there, body):
            # Somebody else's has the name that the killed import wanted.
            name = server_name(found.key[-1], lambda each: each not in self._server_names)
            body, there = {**body, "name": name}, None
        self._server_names.add(name)
        self._same[what] = name
        return Move(found, name, there is None, body, tuple(hiding.secrets))

    def _free(self, wanted: str, value: str, own: set[str]) -> tuple[str, bool]:
        """Return the name of a secret, and whether it is in the vault already: after a restore it has stayed there."""

        def is_same(name: str) -> bool:
            return name in self._stored and self._is_stored(name, value)

        name = free_name(wanted, self._secret_names - own, is_same=is_same)
        self._secret_names.add(name)
        own.discard(name)
        return name, is_same(name)


def _keep_what_goes(plan: FilePlan) -> None:
    """Leave the entries that cannot be taken out of the file; one by one only if not all go at once."""
    try:
        plan.after()
    except RegistrationError:
        for move in list(plan.moves):
            try:
                plan.file.syntax.taken_out(plan.text, [move.found.key])
            except RegistrationError as reason:
                _leave(plan, move, reason)
        try:
            plan.after()
        except RegistrationError as reason:
            for move in list(plan.moves):
                _leave(plan, move, reason)


def _leave(plan: FilePlan, move: Move, reason: RegistrationError) -> None:
    plan.moves.remove(move)
    plan.left.append((move.found.key[-1], str(reason)))


def _identity(server: Server) -> str:
    """Return what makes two agents' servers one; how long they may take, and whether they are on, does not."""
    said = asdict(server)
    return json.dumps(
        [said[key] for key in ("command", "env", "folder", "url", "headers", "client_id")], sort_keys=True
    )


def _says(there: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    return all((there.get(key) or None) == (body.get(key) or None) for key in _SAID)


def _taken_before(records: Sequence[Record], servers: Mapping[str, Any]) -> dict[str, str]:
    """Return the servers of earlier imports, by what they are, that are still here."""
    found: dict[str, str] = {}
    for record in records:
        names = {taken.key: taken.server for taken in record.entries}
        try:
            said = SYNTAXES[record.syntax].read(record.before)
        except RegistrationError:
            continue
        for each in found_in(said, FORMS[record.agent], project=record.project) if record.done else ():
            name = names.get(each.key)
            if each.server is not None and name in servers:
                found[_identity(each.server)] = str(name)
    return found
