"""Carries a plan out: secrets first, then the servers, and the agent's file last, so that nothing is ever missing."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure
from daemon.cli.importing.hiding import Secret
from daemon.cli.importing.planning import FilePlan, Move
from daemon.cli.importing.reading import read
from daemon.cli.importing.records import Record, Records, Taken
from daemon.cli.launch.config_file import ChangedMeanwhileError, ConfigFile
from launchers.importing.texts import SYNTAXES
from launchers.registration.errors import RegistrationError

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

_TRIES = 5
_ABOUT_ONE = frozenset({"invalid_arguments", "not_found"})
"""The classes of failures that are about one server, and not about the vault, the disk or the daemon."""


def settle(records: Records) -> None:
    """Close what a killed import finished but did not say so: it must not be taken up again for other servers.

    One whose file still has all of its servers stays open, because the names that it gave are used again.
    """
    for record in records.all():
        if record.done:
            continue
        try:
            there = SYNTAXES[record.syntax].present(ConfigFile.read(Path(record.file)).text, record.keys)
        except (CliFailure, RegistrationError):
            continue
        if len(there) < len(record.keys):
            records.change(record, done=True)


def carry_out(client: "ControlClient", records: Records, plan: FilePlan) -> None:
    """Move the servers of one file; what the daemon refuses goes from `moves` to `left`.

    It may be killed at any moment: the record that is written first tells the next import which names were given.
    """
    record = _begun(records, plan)
    added: dict[str, str] = {}
    for move in list(plan.moves):
        try:
            identity = _added(client, move)
        except _RefusedError as refused:
            plan.moves.remove(move)
            plan.left.append((move.found.key[-1], str(refused)))
        else:
            added |= {} if identity is None else {move.server: identity}
    if not plan.moves:
        records.remove(record)
        return
    for left in range(_TRIES, 0, -1):
        record = records.change(record, before=plan.text, after=plan.after(), entries=_entries(plan, record, added))
        try:
            if plan.file.file is not None:
                plan.file.file.exchange(record.after)
            break
        except ChangedMeanwhileError:
            if left == 1 or not _read_again(plan):
                raise
    records.change(record, done=True)


class _RefusedError(Exception):
    """Why the daemon does not take a server."""


def _begun(records: Records, plan: FilePlan) -> Record:
    """Write down what is about to be done; a killed import of the same file is taken up again."""
    killed = next((each for each in records.all() if each.file == plan.path and not each.done), None)
    said = {"before": plan.text, "after": plan.after(), "entries": _entries(plan, killed, {})}
    if killed is not None:
        return records.change(killed, **said)
    source = plan.file.source
    return records.new(agent=source.agent, file=plan.path, syntax=source.syntax, project=source.project, **said)


def _entries(plan: FilePlan, record: Record | None, added: Mapping[str, str]) -> tuple[Taken, ...]:
    # What a killed import had begun to add is there now, and all the same it came by that import.
    known = {taken.server: taken for taken in record.entries if taken.adds} if record is not None else {}
    return tuple(
        Taken(
            move.found.key,
            move.server,
            tuple(secret.name for secret in move.secrets),
            move.add or move.server in known,
            added.get(move.server, known[move.server].identity if move.server in known else None),
        )
        for move in plan.moves
    )


def _added(client: "ControlClient", move: Move) -> str | None:
    """Store the secrets and add the server; return what it is if this import added it."""
    if not move.body:  # the same server of another agent
        try:
            client.get("/v1/servers/{}", move.server)
        except CliFailure as failure:
            raise _refused(failure, f"{move.server}, which is the same server, was not added") from failure
        return None
    try:
        for secret in _new(move):
            client.put("/v1/secrets", body={"name": secret.name, "value": secret.value})
        if not move.add:
            return str(client.get("/v1/servers/{}", move.server)["identity"])  # a killed import had added it
        shown: dict[str, Any] = client.post("/v1/servers", body=move.body)
    except CliFailure as failure:
        if failure.failure_class in _ABOUT_ONE:
            _forget(client, move)
        raise _refused(failure, failure.message) from failure
    return str(shown["identity"])


def _new(move: Move) -> Sequence[Secret]:
    """Return the secrets that are not in the vault yet."""
    return [secret for secret in move.secrets if not secret.stored]


def _refused(failure: CliFailure, reason: str) -> Exception:
    """Return why one server stays; a failure that every other one would meet, too, is that failure itself."""
    return _RefusedError(reason) if failure.failure_class in _ABOUT_ONE else failure


def _forget(client: "ControlClient", move: Move) -> None:
    for secret in _new(move):
        with suppress(CliFailure):  # it may be the one that was refused
            client.delete("/v1/secrets", name=secret.name)


def _read_again(plan: FilePlan) -> bool:
    """Take the file as it is now; say whether the servers in it are still those of the plan."""
    again = read(plan.file.source)
    if again is None or again.file is None:
        return False
    now = {found.key: found for found in again.found}
    plan.file = again
    return all(now.get(move.found.key) == move.found for move in plan.moves)
